//! The certificate of a responder: short-lived, for OCSP alone, and never itself asked about.

use crate::der::{self, Reader};
use crate::issuer::{Issuer, RcgenKey};
use crate::keys::{LocalKey, Signer};
use crate::oid;
use crate::prepare::IssueError;
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyIdMethod, KeyUsagePurpose, SerialNumber,
};
use std::sync::Arc;
use std::time::Duration;
use tegata_core::{Serial, Timestamp};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;

use super::response::{Voice, responder_id};

/// How long a responder may speak. Nobody can take its certificate back (id-pkix-ocsp-nocheck), so it ends soon.
const LIFE: Duration = Duration::from_hours(14 * 24);

/// For clients whose clocks lag.
const BACKDATE: Duration = Duration::from_hours(1);

/// A responder's certificate before the CA has signed it, with the key that was made for it.
pub(crate) struct Candidate {
    key: Arc<LocalKey>,
    pub(crate) tbs: Vec<u8>,
    pub(crate) serial: Serial,
    not_before: Timestamp,
    pub(crate) not_after: Timestamp,
}

/// A responder that speaks for a CA.
pub(crate) struct Delegate {
    key: Arc<LocalKey>,
    id: Vec<u8>,
    pub(crate) certificate: Vec<u8>,
    renew_at: Timestamp,
    not_after: Timestamp,
}

impl Candidate {
    /// Makes a key, and rehearses and lints a certificate for it. It ends no later than its CA.
    pub(crate) fn new(issuer: &Issuer, serial: Serial, now: Timestamp) -> Result<Self, IssueError> {
        if now < issuer.not_before() || now >= issuer.not_after() {
            return Err(IssueError::IssuerNotValid);
        }
        let key = Arc::new(LocalKey::from_pkcs8(&LocalKey::generate()?)?);
        let begin = now.whole_second();
        let not_before = begin.minus(BACKDATE).max(issuer.not_before());
        let not_after = begin.plus(LIFE).minus(Duration::from_secs(1)).min(issuer.not_after());
        let signer: Arc<dyn Signer> = key.clone();
        let rehearsed = parameters(issuer, &key.key_identifier(), serial, not_before, not_after)
            .signed_by(&RcgenKey(signer), issuer.rehearsal())
            .map_err(|error| IssueError::Encoding(error.to_string()))?;
        let candidate = Self { key, tbs: tbs_of(rehearsed.der())?.to_vec(), serial, not_before, not_after };
        if candidate.is_sound(rehearsed.der(), issuer) {
            Ok(candidate)
        } else {
            Err(IssueError::Encoding("the responder's certificate would not be one".to_owned()))
        }
    }

    /// Signs exactly the prepared bytes.
    pub(crate) fn sign(self, issuer: &Issuer) -> Result<Delegate, IssueError> {
        let certificate = issuer.sign(&self.tbs)?;
        let intact = tbs_of(&certificate)? == self.tbs
            && signature_of(&certificate).is_some_and(|signature| issuer.verifies(&self.tbs, &signature));
        if !intact {
            return Err(IssueError::Altered);
        }
        let half = self.not_after.since(self.not_before) / 2;
        Ok(Delegate {
            id: responder_id(self.key.as_ref()),
            key: self.key,
            certificate,
            renew_at: self.not_before.plus(half),
            not_after: self.not_after,
        })
    }

    /// What RFC 6960 section 4.2.2.2 and RFC 5280 ask of it, read with another library than the one that wrote it.
    fn is_sound(&self, der: &[u8], issuer: &Issuer) -> bool {
        let Ok(([], certificate)) = x509_parser::parse_x509_certificate(der) else { return false };
        let validity = certificate.validity();
        certificate.tbs_certificate.raw_serial() == self.serial.as_bytes()
            && certificate.issuer().as_raw() == issuer.subject()
            && certificate.public_key().raw == self.key.public_key_info()
            && validity.not_before.timestamp() == self.not_before.seconds()
            && validity.not_after.timestamp() == self.not_after.seconds()
            && certificate.extensions().len() == 6
            && extensions_are_sound(&certificate, issuer)
    }
}

impl Delegate {
    pub(crate) fn voice(&self) -> Voice<'_> {
        Voice::new(self.key.as_ref(), &self.id, &self.certificate)
    }

    /// Whether a successor should be appointed.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        now >= self.renew_at
    }

    /// Whether an answer given now is valid as long as it says.
    pub(crate) fn covers(&self, now: Timestamp, lifetime: Duration) -> bool {
        now.plus(lifetime) <= self.not_after
    }
}

fn parameters(
    issuer: &Issuer,
    key_identifier: &[u8],
    serial: Serial,
    not_before: Timestamp,
    not_after: Timestamp,
) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from_slice(serial.as_bytes()));
    params.not_before = not_before.date_time();
    params.not_after = not_after.date_time();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("OCSP {}", issuer.id()));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::OcspSigning];
    params.use_authority_key_identifier_extension = true;
    params.key_identifier_method = KeyIdMethod::PreSpecified(key_identifier.to_vec());
    // id-pkix-ocsp-nocheck (RFC 6960 section 4.2.2.2.1): whoever would ask about the responder would ask the responder.
    params.custom_extensions =
        vec![CustomExtension::from_oid_content(oid::OCSP_NOCHECK, vec![der::tag::NULL, 0])];
    params
}

fn extensions_are_sound(certificate: &X509Certificate<'_>, issuer: &Issuer) -> bool {
    certificate.extensions().iter().all(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(authority) => {
            authority.key_identifier.as_ref().is_some_and(|key| key.0 == issuer.key_identifier())
        }
        ParsedExtension::SubjectKeyIdentifier(_) => !extension.critical,
        ParsedExtension::BasicConstraints(constraints) => extension.critical && !constraints.ca,
        ParsedExtension::KeyUsage(usage) => extension.critical && usage.flags == 1,
        ParsedExtension::ExtendedKeyUsage(usage) => {
            let others = usage.any || usage.client_auth || usage.server_auth || !usage.other.is_empty();
            usage.ocsp_signing && !others
        }
        _ => extension.oid.as_bytes() == oid::OCSP_NOCHECK_DER && extension.value == [der::tag::NULL, 0],
    })
}

/// The first element inside a certificate.
fn tbs_of(certificate: &[u8]) -> Result<&[u8], IssueError> {
    let altered = |_| IssueError::Altered;
    let outer = Reader::single(certificate, der::tag::SEQUENCE).map_err(altered)?;
    Ok(Reader::new(outer.content).expect(der::tag::SEQUENCE).map_err(altered)?.whole)
}

fn signature_of(certificate: &[u8]) -> Option<Vec<u8>> {
    let (rest, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    rest.is_empty().then(|| parsed.signature_value.data.to_vec())
}
