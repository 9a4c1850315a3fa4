//! The certificate of a registrar: short-lived, for its own CA's requests alone.

use crate::der::{Reader, tag};
use crate::issuer::Issuer;
use crate::keys::RsaKey;
use crate::oid;
use crate::prepare::IssueError;
use crate::public_key::PublicKey;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod,
    KeyUsagePurpose, SerialNumber,
};
use std::time::Duration;
use tegata_core::{Serial, Timestamp};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;

/// How long a registrar may speak. What was written to it can be read as long as somebody has its key, so it is not kept
/// long.
const LIFE: Duration = Duration::from_hours(60 * 24);

/// For clients whose clocks lag.
const BACKDATE: Duration = Duration::from_hours(1);

/// A registrar's certificate before the CA has signed it.
pub(super) struct Candidate {
    pub(super) tbs: Vec<u8>,
    pub(super) serial: Serial,
    pub(super) not_after: Timestamp,
}

impl Candidate {
    /// Rehearses and lints a certificate for a key. It ends no later than its CA.
    pub(super) fn new(
        issuer: &Issuer,
        key: &RsaKey,
        serial: Serial,
        now: Timestamp,
    ) -> Result<Self, IssueError> {
        if now < issuer.not_before() || now >= issuer.not_after() {
            return Err(IssueError::IssuerNotValid);
        }
        let key = PublicKey::read(key.public_key_info()).map_err(IssueError::Refused)?;
        let begin = now.whole_second();
        let not_before = begin.minus(BACKDATE).max(issuer.not_before());
        let not_after = begin.plus(LIFE).minus(Duration::from_secs(1)).min(issuer.not_after());
        let rehearsed = parameters(issuer, &key, serial, not_before, not_after)
            .signed_by(&key, issuer.rehearsal())
            .map_err(|error| IssueError::Encoding(error.to_string()))?;
        if !is_sound(rehearsed.der(), issuer, &key, serial, (not_before, not_after)) {
            return Err(IssueError::Encoding("the registrar's certificate would not be one".to_owned()));
        }
        Ok(Self { tbs: tbs_of(rehearsed.der())?.to_vec(), serial, not_after })
    }

    /// Signs exactly the prepared bytes. The certificate in DER.
    pub(super) fn sign(self, issuer: &Issuer) -> Result<Vec<u8>, IssueError> {
        let certificate = issuer.sign(&self.tbs)?;
        let (_, read) = x509_parser::parse_x509_certificate(&certificate).map_err(|_| IssueError::Altered)?;
        let is_intact =
            tbs_of(&certificate)? == self.tbs && issuer.verifies(&self.tbs, &read.signature_value.data);
        if is_intact { Ok(certificate) } else { Err(IssueError::Altered) }
    }
}

fn parameters(
    issuer: &Issuer,
    key: &PublicKey,
    serial: Serial,
    not_before: Timestamp,
    not_after: Timestamp,
) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from_slice(serial.as_bytes()));
    params.not_before = not_before.date_time();
    params.not_after = not_after.date_time();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("SCEP {}", issuer.id()));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    // Named, so that nobody takes it for anything else: not for a device, and not for a server.
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Other(oid::CMC_RA.to_vec())];
    params.use_authority_key_identifier_extension = true;
    params.key_identifier_method = KeyIdMethod::PreSpecified(key.identifier());
    params
}

/// Read with another library than the one that wrote it.
fn is_sound(
    der: &[u8],
    issuer: &Issuer,
    key: &PublicKey,
    serial: Serial,
    (not_before, not_after): (Timestamp, Timestamp),
) -> bool {
    let Ok(([], certificate)) = x509_parser::parse_x509_certificate(der) else { return false };
    let validity = certificate.validity();
    certificate.tbs_certificate.raw_serial() == serial.as_bytes()
        && certificate.issuer().as_raw() == issuer.subject()
        && certificate.public_key().raw == key.info()
        && validity.not_before.timestamp() == not_before.seconds()
        && validity.not_after.timestamp() == not_after.seconds()
        && certificate.extensions().len() == 5
        && extensions_are_sound(&certificate, issuer)
}

fn extensions_are_sound(certificate: &X509Certificate<'_>, issuer: &Issuer) -> bool {
    certificate.extensions().iter().all(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(authority) => {
            authority.key_identifier.as_ref().is_some_and(|key| key.0 == issuer.key_identifier())
        }
        ParsedExtension::SubjectKeyIdentifier(_) => !extension.critical,
        ParsedExtension::BasicConstraints(constraints) => extension.critical && !constraints.ca,
        // digitalSignature is bit 0, keyEncipherment bit 2.
        ParsedExtension::KeyUsage(usage) => extension.critical && usage.flags == 0b101,
        ParsedExtension::ExtendedKeyUsage(usage) => {
            let others = usage.any || usage.client_auth || usage.server_auth || usage.ocsp_signing;
            !others && usage.other.len() == 1 && usage.other[0].as_bytes() == oid::CMC_RA_DER
        }
        _ => false,
    })
}

/// The first element inside a certificate.
fn tbs_of(certificate: &[u8]) -> Result<&[u8], IssueError> {
    let altered = |_| IssueError::Altered;
    let outer = Reader::single(certificate, tag::SEQUENCE).map_err(altered)?;
    Ok(Reader::new(outer.content).expect(tag::SEQUENCE).map_err(altered)?.whole)
}
