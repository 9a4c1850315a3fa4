//! A CA that can sign: its certificate together with its key.

use crate::keys::{self, CaKey, CaKeyError};
use crate::oid;
use crate::rehearsal::{self, Rehearsal};
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{Signature, VerifyingKey};
use rcgen::{CertificateParams, KeyUsagePurpose};
use ring::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rustls_pki_types::CertificateDer;
use std::sync::Arc;
use tegata_core::{IssuerId, Thumbprint, Timestamp};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;

/// Why a CA cannot work.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IssuerError {
    /// Not one X.509 certificate.
    #[error("the CA certificate cannot be read: give exactly one X.509 certificate in DER")]
    Malformed,
    /// Certificate and key are strangers.
    #[error("the CA certificate belongs to another key: give the certificate and the key of the same CA")]
    KeyMismatch,
    /// Not a CA, or one that may not sign what is asked of it.
    #[error(
        "the certificate is not that of a CA that may sign certificates and CRLs: it needs \
         basicConstraints CA:TRUE and keyUsage keyCertSign and cRLSign"
    )]
    NotACa,
    /// The certificate has no `SubjectKeyIdentifier` extension.
    #[error("the CA certificate has no SubjectKeyIdentifier (RFC 5280 section 4.2.1.2): create the CA anew")]
    NoKeyIdentifier,
    /// A subject that cannot be repeated byte by byte in the certificates it issues.
    #[error(
        "the CA's subject cannot be repeated exactly in certificates: it must have at most one value of \
         each kind, and no multi-valued parts; create the CA anew with such a subject"
    )]
    Subject,
    /// The calendar does not allow it.
    #[error(
        "the CA certificate is valid from {not_before} to {not_after} and cannot be used now: renew the CA"
    )]
    NotValidNow {
        /// The first second of the certificate.
        not_before: Timestamp,
        /// The last second of the certificate.
        not_after: Timestamp,
    },
    /// The key did not work.
    #[error(transparent)]
    Key(#[from] CaKeyError),
}

/// A CA: certificate and key belong together, and the certificate allows what the key is used for.
pub struct Issuer {
    id: IssuerId,
    certificate: Vec<u8>,
    subject: Vec<u8>,
    key_identifier: Vec<u8>,
    not_before: Timestamp,
    not_after: Timestamp,
    signer: Arc<dyn CaKey>,
    ocsp_names: [OcspName; 2],
    /// Issues what is to be linted: this CA's name and key identifier, and no key.
    rehearsal: rcgen::Issuer<'static, Rehearsal>,
}

impl Issuer {
    /// Puts a CA to work.
    pub fn load(
        id: IssuerId,
        certificate: Vec<u8>,
        signer: Arc<dyn CaKey>,
        now: Timestamp,
    ) -> Result<Self, IssuerError> {
        let facts = CaCertificate::read(&certificate)?;
        if facts.public_key_info != signer.public_key_info() {
            return Err(IssuerError::KeyMismatch);
        }
        if now < facts.not_before || now > facts.not_after {
            return Err(IssuerError::NotValidNow {
                not_before: facts.not_before,
                not_after: facts.not_after,
            });
        }
        let rehearsal = rehearsal::issuer(&certificate).map_err(|_| IssuerError::Malformed)?;
        let CaCertificate { subject, key_identifier, not_before, not_after, .. } = facts;
        let name = |hash, algorithm| OcspName::new(hash, algorithm, &subject, signer.public_point());
        let ocsp_names = [name(oid::SHA1, &SHA1_FOR_LEGACY_USE_ONLY), name(oid::SHA256, &SHA256)];
        let issuer = Self {
            id,
            certificate,
            subject,
            key_identifier,
            not_before,
            not_after,
            signer,
            ocsp_names,
            rehearsal,
        };
        if issuer.rehearsed_name()? == issuer.subject { Ok(issuer) } else { Err(IssuerError::Subject) }
    }

    /// The CA's identifier in the ledger and in its URLs.
    pub fn id(&self) -> &IssuerId {
        &self.id
    }

    /// Its certificate in DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The thumbprint of its certificate.
    pub fn thumbprint(&self) -> Thumbprint {
        Thumbprint::of(&self.certificate)
    }

    /// Its subject, the DER of a Name: what the issuer field of its certificates holds, byte by byte.
    pub fn subject(&self) -> &[u8] {
        &self.subject
    }

    /// The content of the certificate's `SubjectKeyIdentifier`, without its header.
    pub fn key_identifier(&self) -> &[u8] {
        &self.key_identifier
    }

    /// The first second of its certificate.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// The last second of its certificate.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    pub(crate) fn signer(&self) -> &Arc<dyn CaKey> {
        &self.signer
    }

    pub(crate) fn rehearsal(&self) -> &rcgen::Issuer<'static, Rehearsal> {
        &self.rehearsal
    }

    /// Signs a to-be-signed structure and wraps it.
    pub(crate) fn sign(&self, tbs: &[u8]) -> Result<Vec<u8>, CaKeyError> {
        keys::sign_structure(self.signer.as_ref(), tbs)
    }

    /// Whether a signature by this CA holds.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, self.signer.public_point())
            .verify(message, signature)
            .is_ok()
    }

    /// Whether a signature by this CA holds over the message with this SHA-256 digest. ring would hash the message itself.
    pub(crate) fn verifies_digest(&self, digest: &[u8; 32], signature: &[u8]) -> bool {
        VerifyingKey::from_sec1_bytes(self.signer.public_point())
            .and_then(|key| key.verify_prehash(digest, &Signature::from_der(signature)?))
            .is_ok()
    }

    /// Whether a `CertID` with these hashes means this CA (RFC 6960 section 4.1.1).
    pub(crate) fn is_named_by(&self, hash: &[u8], name: &[u8], key: &[u8]) -> bool {
        self.ocsp_names.iter().any(|own| own.hash == hash && own.name == name && own.key == key)
    }

    /// The name that rcgen writes as the issuer.
    fn rehearsed_name(&self) -> Result<Vec<u8>, IssuerError> {
        let certificate = CertificateParams::default()
            .signed_by(self.rehearsal.key(), &self.rehearsal)
            .map_err(|_| IssuerError::Subject)?;
        let (_, parsed) =
            x509_parser::parse_x509_certificate(certificate.der()).map_err(|_| IssuerError::Subject)?;
        Ok(parsed.issuer().as_raw().to_vec())
    }
}

/// How OCSP clients name a CA: by hashes of its name and key.
struct OcspName {
    hash: &'static [u8],
    name: Vec<u8>,
    key: Vec<u8>,
}

impl OcspName {
    fn new(hash: &'static [u8], algorithm: &'static Algorithm, subject: &[u8], point: &[u8]) -> Self {
        let digest = |bytes| digest(algorithm, bytes).as_ref().to_vec();
        Self { hash, name: digest(subject), key: digest(point) }
    }
}

/// What is to be known of a CA's certificate.
pub(crate) struct CaCertificate {
    pub(crate) subject: Vec<u8>,
    pub(crate) public_key_info: Vec<u8>,
    pub(crate) key_identifier: Vec<u8>,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
}

impl CaCertificate {
    pub(crate) fn read(der: &[u8]) -> Result<Self, IssuerError> {
        let (rest, certificate) =
            x509_parser::parse_x509_certificate(der).map_err(|_| IssuerError::Malformed)?;
        if !rest.is_empty() {
            return Err(IssuerError::Malformed);
        }
        if !may_sign(&certificate) {
            return Err(IssuerError::NotACa);
        }
        let validity = certificate.validity();
        Ok(Self {
            subject: certificate.subject().as_raw().to_vec(),
            public_key_info: certificate.public_key().raw.to_vec(),
            key_identifier: key_identifier(&certificate).ok_or(IssuerError::NoKeyIdentifier)?,
            not_before: Timestamp::from_seconds(validity.not_before.timestamp()),
            not_after: Timestamp::from_seconds(validity.not_after.timestamp()),
        })
    }
}

fn may_sign(certificate: &X509Certificate<'_>) -> bool {
    let is_ca = certificate.basic_constraints().ok().flatten().is_some_and(|found| found.value.ca);
    let signs = certificate
        .key_usage()
        .ok()
        .flatten()
        .is_some_and(|usage| usage.value.key_cert_sign() && usage.value.crl_sign());
    is_ca && signs
}

fn key_identifier(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(identifier) => Some(identifier.0.to_vec()),
        _ => None,
    })
}

/// A key in the form rcgen signs with.
pub(crate) struct RcgenKey(pub(crate) Arc<dyn CaKey>);

impl rcgen::PublicKeyData for RcgenKey {
    fn der_bytes(&self) -> &[u8] {
        self.0.public_point()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for RcgenKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.0.sign(message).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

/// rcgen's view of a CA: its name and key identifier from the certificate, with `key` to sign.
pub(crate) fn rcgen_issuer(
    certificate: &[u8],
    key: Arc<dyn CaKey>,
) -> Result<rcgen::Issuer<'static, RcgenKey>, IssuerError> {
    rcgen::Issuer::from_ca_cert_der(&CertificateDer::from(certificate), RcgenKey(key))
        .map_err(|_| IssuerError::Malformed)
}

/// What a CA's key may do. digitalSignature is what verifiers of OCSP ask of a CA that answers itself; ours appoints a responder.
pub(crate) const CA_KEY_USAGES: [KeyUsagePurpose; 3] =
    [KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
