//! What the certificates of a CA's delegated signers have in common: its OCSP responder and its SCEP registrar. The CA
//! issues them itself, for one purpose and a short while.

use crate::issuer::Issuer;
use crate::prepare::{PrepareError, tbs_of};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod,
    KeyUsagePurpose, SerialNumber,
};
use std::time::Duration;
use tegata_core::{Serial, Timestamp};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{ParsedExtension, X509Extension};

/// For clients whose clocks lag.
const BACKDATE: Duration = Duration::from_hours(1);

/// The validity of a delegated signer's certificate.
#[derive(Clone, Copy)]
pub(crate) struct SignerValidity {
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
}

impl SignerValidity {
    /// So long from now, and no longer than the CA.
    pub(crate) fn from(now: Timestamp, life: Duration, issuer: &Issuer) -> Result<Self, PrepareError> {
        if now < issuer.not_before() || now >= issuer.not_after() {
            return Err(PrepareError::IssuerNotValid);
        }
        let begin = now.whole_second();
        Ok(Self {
            not_before: begin.minus(BACKDATE).max(issuer.not_before()),
            not_after: begin.plus(life).minus(Duration::from_secs(1)).min(issuer.not_after()),
        })
    }
}

/// What the certificate of a new delegated signer is made from.
pub(crate) struct DelegatedSigner<'a> {
    pub(crate) issuer: &'a Issuer,
    /// The `SubjectPublicKeyInfo` of the signer's key in DER.
    pub(crate) key: &'a [u8],
    pub(crate) serial: Serial,
    pub(crate) term: SignerValidity,
}

impl DelegatedSigner<'_> {
    /// What its certificate is made from. `title` stands before the CA's identifier in its name.
    pub(crate) fn parameters(
        &self,
        title: &str,
        key_identifier: &[u8],
        usages: Vec<KeyUsagePurpose>,
        purpose: ExtendedKeyUsagePurpose,
    ) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.serial_number = Some(SerialNumber::from_slice(self.serial.as_bytes()));
        params.not_before = self.term.not_before.date_time();
        params.not_after = self.term.not_after.date_time();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, format!("{title} {}", self.issuer.id()));
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = usages;
        params.extended_key_usages = vec![purpose];
        params.use_authority_key_identifier_extension = true;
        params.key_identifier_method = KeyIdMethod::PreSpecified(key_identifier.to_vec());
        params
    }

    /// Whether a certificate says this and has so many extensions, read with another library than the one that wrote it.
    /// `own` judges those by which the kinds of signers differ.
    pub(crate) fn is_named_by(
        &self,
        der: &[u8],
        extensions: usize,
        own: impl Fn(&ParsedExtension<'_>, &X509Extension<'_>) -> bool,
    ) -> bool {
        let Ok(([], certificate)) = x509_parser::parse_x509_certificate(der) else { return false };
        let validity = certificate.validity();
        certificate.tbs_certificate.raw_serial() == self.serial.as_bytes()
            && certificate.issuer().as_raw() == self.issuer.subject()
            && certificate.public_key().raw == self.key
            && validity.not_before.timestamp() == self.term.not_before.seconds()
            && validity.not_after.timestamp() == self.term.not_after.seconds()
            && certificate.extensions().len() == extensions
            && self.extensions_are_sound(&certificate, own)
    }

    fn extensions_are_sound(
        &self,
        certificate: &X509Certificate<'_>,
        own: impl Fn(&ParsedExtension<'_>, &X509Extension<'_>) -> bool,
    ) -> bool {
        certificate.extensions().iter().all(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(authority) => {
                authority.key_identifier.as_ref().is_some_and(|key| key.0 == self.issuer.key_identifier())
            }
            ParsedExtension::SubjectKeyIdentifier(_) => !extension.critical,
            ParsedExtension::BasicConstraints(constraints) => extension.critical && !constraints.ca,
            parsed => own(parsed, extension),
        })
    }
}

/// Signs exactly the prepared bytes. The certificate in DER.
pub(crate) fn sign_as_prepared(tbs: &[u8], issuer: &Issuer) -> Result<Vec<u8>, PrepareError> {
    let certificate = issuer.sign(tbs)?;
    let Ok(([], read)) = x509_parser::parse_x509_certificate(&certificate) else {
        return Err(PrepareError::Altered);
    };
    let is_intact = tbs_of(&certificate) == Some(tbs) && issuer.verifies(tbs, &read.signature_value.data);
    if is_intact { Ok(certificate) } else { Err(PrepareError::Altered) }
}
