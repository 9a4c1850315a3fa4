//! From a checked request to exact bytes, and from those bytes to a certificate.
//!
//! [`prepare`] rehearses the certificate without a key and lints the result; what it returns
//! can be recorded and then signed once. Only the issuing function may sign it.

use crate::csr::ParsedRequest;
use crate::der::{self, DerReader};
use crate::endpoints::IssuerEndpoints;
use crate::issuer::Issuer;
use crate::keys::CaKeyError;
use crate::lint::{Finding, IssuerReference, LintExpectation, lint};
use crate::oid;
use crate::policy::CertificatePolicy;
use crate::profile::CertificateProfile;
use crate::public_key::PublicKey;
use crate::subject::CertificateSubject;
use rcgen::{
    CertificateParams, CrlDistributionPoint, CustomExtension, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyUsagePurpose, SanType, SerialNumber,
};
use std::time::Duration;
use tegata_core::{IssuerId, Refusal, Serial, Thumbprint, Timestamp};

/// Why no certificate was made.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PrepareError {
    /// The requester can do something about it.
    #[error("refused: {0:?}")]
    Refused(Refusal),
    /// The profile is for devices and the holder a gate, or the other way round.
    #[error("the profile is for another kind of holder: choose the profile of the holder's role")]
    WrongRole,
    /// The issuing CA has ended or not begun.
    #[error("the issuing CA is not valid now: renew it before issuing")]
    IssuerNotValid,
    /// The certificate was not prepared for this CA.
    #[error("the certificate was prepared for another issuing CA")]
    WrongIssuer,
    /// The certificate could not be written.
    #[error("the certificate could not be written: {0}")]
    Encoding(String),
    /// The certificate would break a rule: a fault of ours or of the configuration. Nothing was signed.
    #[error("the certificate would break these rules, so it was not signed: {}", list(.0))]
    Lint(Vec<Finding>),
    /// The signed bytes are not the prepared ones.
    #[error("the signed certificate differs from the prepared one: stop issuing and tell the operators")]
    Altered,
    /// The key did not work.
    #[error(transparent)]
    Key(#[from] CaKeyError),
}

/// The exact bytes of a certificate to be, linted but unsigned. There is one for each intention: it
/// cannot be copied, and signing consumes it.
#[derive(Debug)]
pub struct Prepared {
    issuer: IssuerId,
    tbs: Vec<u8>,
    serial: Serial,
    shard: u16,
    not_before: Timestamp,
    not_after: Timestamp,
    key_hash: [u8; 32],
}

/// A signed certificate with the two names it has in the ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedCertificate {
    /// The whole certificate in DER.
    pub der: Vec<u8>,
    /// The SHA-256 of its DER, by which ledger, logs and tokens name it.
    pub thumbprint: Thumbprint,
    /// Its serial, unique within its CA.
    pub serial: Serial,
}

/// Builds and lints the certificate that `issuer` is to sign.
///
/// It lives as long as the profile says, but neither begins before nor ends after its issuer.
///
/// # Errors
/// [`PrepareError::Refused`] when the profile does not allow the key; anything else is ours to mend.
pub fn prepare(
    issuer: &Issuer,
    endpoints: &IssuerEndpoints,
    profile: &CertificateProfile,
    holder: &CertificateSubject<'_>,
    request: &ParsedRequest,
    serial: Serial,
    now: Timestamp,
) -> Result<Prepared, PrepareError> {
    if profile.role() != holder.role {
        return Err(PrepareError::WrongRole);
    }
    if !profile.allows(request.key()) {
        return Err(PrepareError::Refused(Refusal::KeyNotAllowed));
    }
    let (not_before, not_after) = validity(issuer, profile, now)?;
    let shard = endpoints.shard_of(&serial);
    let key_hash = request.key_hash();
    let expected = LintExpectation {
        parent: parent(issuer),
        endpoints,
        profile,
        crl: endpoints.crl(shard),
        serial,
        not_before,
        not_after,
        common_name: Some(profile.common_name().render(holder)),
        uri: holder.uri(),
        key_hash: &key_hash,
    };
    let rehearsed = parameters(&expected, request.key())?
        .signed_by(request.key(), issuer.rehearsal())
        .map_err(|error| PrepareError::Encoding(error.to_string()))?;
    let findings = lint(rehearsed.der(), &expected);
    if !findings.is_empty() {
        return Err(PrepareError::Lint(findings));
    }
    let tbs = tbs_of(rehearsed.der()).ok_or(PrepareError::Altered)?.to_vec();
    Ok(Prepared { issuer: issuer.id().clone(), tbs, serial, shard, not_before, not_after, key_hash })
}

impl Prepared {
    /// The DER `TBSCertificate` that will be signed, to be recorded before it is.
    pub fn tbs(&self) -> &[u8] {
        &self.tbs
    }

    /// The reserved serial that the certificate will have.
    pub fn serial(&self) -> Serial {
        self.serial
    }

    /// Which CRL will name it once it ends.
    pub fn shard(&self) -> u16 {
        self.shard
    }

    /// The first second of its validity.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// The last second of its validity.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// SHA-256 of the `SubjectPublicKeyInfo`.
    pub fn key_hash(&self) -> [u8; 32] {
        self.key_hash
    }

    /// Signs exactly the prepared bytes.
    pub(crate) fn sign(self, issuer: &Issuer) -> Result<SignedCertificate, PrepareError> {
        if issuer.id() != &self.issuer {
            return Err(PrepareError::WrongIssuer);
        }
        let der = issuer.sign(&self.tbs)?;
        if tbs_of(&der) != Some(&self.tbs) {
            return Err(PrepareError::Altered);
        }
        Ok(SignedCertificate { thumbprint: Thumbprint::of(&der), der, serial: self.serial })
    }
}

/// RFC 5280 section 4.1.2.5: both ends are included.
pub(crate) fn validity(
    issuer: &Issuer,
    profile: &CertificateProfile,
    now: Timestamp,
) -> Result<(Timestamp, Timestamp), PrepareError> {
    if now < issuer.not_before() || now > issuer.not_after() {
        return Err(PrepareError::IssuerNotValid);
    }
    let begin = now.whole_second().minus(profile.backdate());
    let end = begin.plus(profile.validity()).minus(Duration::from_secs(1));
    Ok((begin.max(issuer.not_before()), end.min(issuer.not_after())))
}

fn parent(issuer: &Issuer) -> IssuerReference<'_> {
    IssuerReference {
        subject: issuer.subject(),
        key_identifier: issuer.key_identifier(),
        not_before: issuer.not_before(),
        not_after: issuer.not_after(),
    }
}

fn parameters(expected: &LintExpectation<'_>, key: &PublicKey) -> Result<CertificateParams, PrepareError> {
    let encoding = |error: rcgen::Error| PrepareError::Encoding(error.to_string());
    let profile = expected.profile;
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from_slice(expected.serial.as_bytes()));
    params.not_before = expected.not_before.date_time();
    params.not_after = expected.not_after.date_time();
    params.distinguished_name = DistinguishedName::new();
    if let Some(country) = profile.country() {
        let country = DnValue::PrintableString(country.try_into().map_err(encoding)?);
        params.distinguished_name.push(DnType::CountryName, country);
    }
    if let Some(organization) = profile.organization() {
        params.distinguished_name.push(DnType::OrganizationName, organization);
    }
    params.distinguished_name.push(DnType::CommonName, expected.common_name.as_deref().unwrap_or_default());
    params.subject_alt_names = vec![SanType::URI(expected.uri.as_str().try_into().map_err(encoding)?)];
    // NoCa would leave out both basicConstraints and the SubjectKeyIdentifier.
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    if profile.key_encipherment(key.key_type()) {
        params.key_usages.push(KeyUsagePurpose::KeyEncipherment);
    }
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.crl_distribution_points = vec![CrlDistributionPoint { uris: vec![expected.crl.clone()] }];
    params.use_authority_key_identifier_extension = true;
    params.key_identifier_method = KeyIdMethod::PreSpecified(key.identifier());
    params.custom_extensions = vec![authority_information(expected.endpoints)];
    params.custom_extensions.extend(certificate_policies(profile.policies()));
    Ok(params)
}

/// `CertificatePolicies` (RFC 5280 section 4.2.1.4), of which there is at least one or no extension.
fn certificate_policies(policies: &[CertificatePolicy]) -> Option<CustomExtension> {
    let list: Vec<u8> = policies.iter().flat_map(CertificatePolicy::der).collect();
    let extension = || CustomExtension::from_oid_content(oid::CERTIFICATE_POLICIES, der::sequence(&[&list]));
    (!policies.is_empty()).then(extension)
}

/// `AuthorityInfoAccess` (RFC 5280 section 4.2.2.1).
fn authority_information(endpoints: &IssuerEndpoints) -> CustomExtension {
    let description = |method: &[u8], url: &str| {
        let location = der::element(der::tag::context(6), &[url.as_bytes()]);
        der::sequence(&[&der::element(der::tag::OID, &[method]), &location])
    };
    let content = der::sequence(&[
        &description(oid::AD_OCSP, endpoints.ocsp()),
        &description(oid::AD_CA_ISSUERS, endpoints.certificate()),
    ]);
    CustomExtension::from_oid_content(oid::AUTHORITY_INFO_ACCESS, content)
}

/// The first element inside a certificate.
pub(crate) fn tbs_of(certificate: &[u8]) -> Option<&[u8]> {
    let outer = DerReader::single(certificate, der::tag::SEQUENCE).ok()?;
    DerReader::new(outer.content).expect(der::tag::SEQUENCE).ok().map(|tbs| tbs.whole)
}

fn list(findings: &[Finding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixture::{CaWorld, NOW, request};
    use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
    use std::collections::HashSet;
    use tegata_core::Role;
    use tegata_core::entropy::Seeded;

    #[test]
    fn what_is_signed_is_what_was_prepared() {
        let world = CaWorld::new();
        let prepared = world.prepare("本店", "受付PC").unwrap();
        let (tbs, serial) = (prepared.tbs().to_vec(), prepared.serial());
        let signed = prepared.sign(&world.issuing).unwrap();
        assert_eq!(tbs_of(&signed.der).unwrap(), tbs);
        assert_eq!((signed.serial, signed.thumbprint), (serial, Thumbprint::of(&signed.der)));
    }

    #[test]
    fn the_rehearsal_is_worth_nothing_to_whoever_steals_it() {
        let world = CaWorld::new();
        let key = request(&rcgen::PKCS_ECDSA_P256_SHA256);
        let rehearsed = CertificateParams::default().signed_by(key.key(), world.issuing.rehearsal()).unwrap();
        let (_, parsed) = x509_parser::parse_x509_certificate(rehearsed.der()).unwrap();
        assert!(!world.issuing.verifies(tbs_of(rehearsed.der()).unwrap(), &parsed.signature_value.data));
        let own =
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &parsed.public_key().subject_public_key.data);
        assert!(own.verify(tbs_of(rehearsed.der()).unwrap(), &parsed.signature_value.data).is_err());
    }

    #[test]
    fn another_ca_does_not_sign_what_was_prepared_for_this_one() {
        let world = CaWorld::new();
        let prepared = world.prepare("本店", "受付PC").unwrap();
        assert_eq!(prepared.sign(&world.root).unwrap_err(), PrepareError::WrongIssuer);
    }

    #[test]
    fn a_key_the_profile_does_not_name_is_refused() {
        let world = CaWorld::new();
        let refused = world.prepare_with(&request(&rcgen::PKCS_ED25519), NOW).unwrap_err();
        assert_eq!(refused, PrepareError::Refused(Refusal::KeyNotAllowed));
    }

    #[test]
    fn a_gate_does_not_get_a_devices_certificate() {
        let world = CaWorld::new();
        let holder = CertificateSubject { role: Role::Gate, ..world.holder("", "edge") };
        let refused = prepare(
            &world.issuing,
            &world.endpoints,
            &world.device_profile,
            &holder,
            &request(&rcgen::PKCS_ECDSA_P256_SHA256),
            Serial::random(&Seeded::new(9)),
            NOW,
        );
        assert_eq!(refused.unwrap_err(), PrepareError::WrongRole);
    }

    #[test]
    fn a_certificate_ends_no_later_than_its_issuer() {
        let world = CaWorld::new();
        let near_the_end = world.issuing.not_after().minus(Duration::from_hours(1));
        let request = request(&rcgen::PKCS_ECDSA_P256_SHA256);
        let prepared = world.prepare_with(&request, near_the_end).unwrap();
        assert_eq!(prepared.not_after(), world.issuing.not_after());
        let too_late = world.issuing.not_after().plus(Duration::from_secs(1));
        assert_eq!(world.prepare_with(&request, too_late).unwrap_err(), PrepareError::IssuerNotValid);
    }

    #[test]
    fn three_years_of_days_each_give_a_certificate_that_passes_the_lint() {
        let world = CaWorld::new();
        let request = request(&rcgen::PKCS_ECDSA_P256_SHA256);
        let mut seen = HashSet::new();
        for day in 0..3 * 365 {
            let now = NOW.plus(Duration::from_secs(day * 86_400 + day));
            let prepared = world.prepare_with(&request, now).unwrap();
            assert!(prepared.not_before() <= now && now < prepared.not_after());
            assert!(seen.insert(prepared.serial()));
        }
    }
}
