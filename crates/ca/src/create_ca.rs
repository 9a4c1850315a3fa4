//! Creating CAs, and the certificates of the HTTPS listeners.
//!
//! ```text
//! root ── issuing CA (pathlen 0, clientAuth) ── devices and gates
//! server CA (pathlen 0, serverAuth) ── HTTPS listeners
//! ```
//! The two trees share nothing: the issuing CA is limited to clientAuth and cannot name a server, and
//! whoever trusts the server CA for HTTPS does not thereby trust any device.
//!
//! The issuing CA carries no `OCSPSigning` although it signs its own OCSP responses: RFC 6960 section
//! 4.2.2.2 needs none for that, and with it the CA could answer for the *root's* other certificates.
//! It names the root's CRL, which says when an issuing CA was revoked, and where the root's certificate is.

use crate::issuer::{CA_KEY_USAGES, CaCertificate, Issuer, IssuerError, RcgenKey, rcgen_issuer};
use crate::keys::{CaKey, CaKeyError};
use crate::public_key::{KeyType, PublicKey};
use crate::{der, oid, rehearsal};
use rcgen::{
    BasicConstraints, CertificateParams, CrlDistributionPoint, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::{Entropy, Name, Serial, Timestamp};

/// The longest life of a server certificate: browsers refuse more than 398 days.
pub const MAX_SERVER_DAYS: u32 = 397;

/// New CAs and servers are valid from a little earlier, for peers whose clocks lag.
const BACKDATE: Duration = Duration::from_hours(1);

/// The longest name of an organization or CA (RFC 5280 appendix A.1, ub-organization-name, ub-common-name).
const LONGEST_NAME: usize = 64;

/// Why a CA or server certificate was not created.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CreateCaError {
    /// A name that cannot stand in a certificate.
    #[error("{0:?} cannot be a name in a certificate: use 1 to 64 characters without control characters")]
    Name(String),
    /// Not a DNS name or IP address.
    #[error(
        "{0:?} is not the name of a server: use a DNS name, a wildcard such as *.example.jp, or an IP address"
    )]
    ServerName(String),
    /// A CA's key is of another kind than CAs have here.
    #[error("the key of a CA must be P-256, and this one is {0}")]
    KeyType(KeyType),
    /// An address that cannot stand in a certificate.
    #[error(
        "{0:?} cannot be written into a certificate: use http:// and printable ASCII without spaces, at most 255"
    )]
    Address(String),
    /// No name at all.
    #[error("a server certificate needs at least one name")]
    NoServerName,
    /// Too long or no life.
    #[error("the validity must be 1 to {0} days")]
    Validity(u32),
    /// The parent would end sooner.
    #[error(
        "the signing CA ends on {0}, before the new certificate would: ask for fewer days or renew that CA first"
    )]
    OutlivesIssuer(Timestamp),
    /// The parent cannot work.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// The key did not work.
    #[error(transparent)]
    Key(#[from] CaKeyError),
    /// The certificate could not be encoded.
    #[error("the certificate could not be written: {0}")]
    Encoding(String),
}

/// The subject of a CA.
#[derive(Clone, Copy, Debug)]
pub struct CaName<'a> {
    /// Who runs it; the O of the subject.
    pub organization: &'a str,
    /// What it is called; the CN of the subject.
    pub common_name: &'a str,
}

/// How long a new certificate lives, and from when.
#[derive(Clone, Copy)]
pub struct Validity<'a> {
    /// Whole days, both ends included.
    pub days: u32,
    /// When it is made.
    pub now: Timestamp,
    /// Where its serial comes from.
    pub entropy: &'a dyn Entropy,
}

/// Where a root's CRL and certificate are found by whoever checks what it signed: http:// URLs.
#[derive(Clone, Copy, Debug)]
pub struct RootAddresses<'a> {
    /// The URL of the root's revocation list.
    pub crl: &'a str,
    /// The URL of the root's certificate in DER.
    pub certificate: &'a str,
}

/// The self-signed root above the issuing CAs.
pub fn create_root(
    name: CaName<'_>,
    key: &Arc<dyn CaKey>,
    terms: Validity<'_>,
) -> Result<Vec<u8>, CreateCaError> {
    let mut params = authority(name, &PublicKey::of(key.as_ref()), terms)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    self_signed(&params, key)
}

/// A CA for devices and gates, signed by `root`. Its key may be far away: only its public half is needed.
pub fn create_issuing(
    name: CaName<'_>,
    key: &PublicKey,
    root: &Issuer,
    addresses: RootAddresses<'_>,
    terms: Validity<'_>,
) -> Result<Vec<u8>, CreateCaError> {
    signed_by(issuing(name, key, addresses, terms)?, key, root)
}

/// What [`create_issuing`] would sign, with a signature that is worth nothing: to be read before the root's key is
/// fetched. The serial is another one each time.
pub fn rehearse_issuing(
    name: CaName<'_>,
    key: &PublicKey,
    root: &[u8],
    addresses: RootAddresses<'_>,
    terms: Validity<'_>,
) -> Result<Vec<u8>, CreateCaError> {
    let facts = CaCertificate::read(root)?;
    let params = below(issuing(name, key, addresses, terms)?, facts.not_before, facts.not_after)?;
    let root = rehearsal::issuer(root).map_err(|_| IssuerError::Malformed)?;
    Ok(params.signed_by(key, &root).map_err(encoding)?.der().to_vec())
}

/// Without it the policies that profiles name would count for nobody (RFC 5280 section 6.1.3 (e)). Which ones they
/// name is decided after the CA was made.
fn any_policy() -> CustomExtension {
    let policy = der::sequence(&[&der::element(der::tag::OID, &[oid::ANY_POLICY])]);
    CustomExtension::from_oid_content(oid::CERTIFICATE_POLICIES, der::sequence(&[&policy]))
}

/// The self-signed CA of the HTTPS listeners.
pub fn create_server_authority(
    name: CaName<'_>,
    key: &Arc<dyn CaKey>,
    terms: Validity<'_>,
) -> Result<Vec<u8>, CreateCaError> {
    let mut params = authority(name, &PublicKey::of(key.as_ref()), terms)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    self_signed(&params, key)
}

/// The certificate of an HTTPS listener with `names` (DNS names, wildcards, IP addresses), signed by the
/// server CA.
pub fn create_server(
    names: &[&str],
    key: &Arc<dyn CaKey>,
    authority: &Issuer,
    terms: Validity<'_>,
) -> Result<Vec<u8>, CreateCaError> {
    if names.is_empty() {
        return Err(CreateCaError::NoServerName);
    }
    let mut params = validity(terms, MAX_SERVER_DAYS)?;
    params.subject_alt_names = names.iter().map(|name| server_name(name)).collect::<Result<_, _>>()?;
    // A common name repeats one of the SANs or is left out (RFC 9525 section 6.1: nobody reads it).
    if let Some(name) = names.iter().find(|name| name.len() <= LONGEST_NAME) {
        params.distinguished_name.push(DnType::CommonName, *name);
    }
    params.serial_number = Some(serial(terms.entropy));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_identifier_method = KeyIdMethod::PreSpecified(key.key_identifier());
    signed_by(params, &RcgenKey(key.clone()), authority)
}

fn issuing(
    name: CaName<'_>,
    key: &PublicKey,
    addresses: RootAddresses<'_>,
    terms: Validity<'_>,
) -> Result<CertificateParams, CreateCaError> {
    let mut params = authority(name, key, terms)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.crl_distribution_points =
        vec![CrlDistributionPoint { uris: vec![address(addresses.crl)?.to_owned()] }];
    params.custom_extensions = vec![ca_issuers(address(addresses.certificate)?), any_policy()];
    Ok(params)
}

/// `AuthorityInfoAccess` with the one place of the signer's certificate (RFC 5280 section 4.2.2.1).
fn ca_issuers(url: &str) -> CustomExtension {
    let location = der::element(der::tag::context(6), &[url.as_bytes()]);
    let description = der::sequence(&[&der::element(der::tag::OID, &[oid::AD_CA_ISSUERS]), &location]);
    CustomExtension::from_oid_content(oid::AUTHORITY_INFO_ACCESS, der::sequence(&[&description]))
}

/// Not https: whoever checks a certificate cannot first check another one (RFC 5280 section 8).
fn address(url: &str) -> Result<&str, CreateCaError> {
    let host = url.strip_prefix("http://").unwrap_or_default();
    let fits = !host.is_empty() && url.len() <= 255 && host.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(url) } else { Err(CreateCaError::Address(url.to_owned())) }
}

/// What every CA certificate has in common.
fn authority(
    name: CaName<'_>,
    key: &PublicKey,
    terms: Validity<'_>,
) -> Result<CertificateParams, CreateCaError> {
    /// Longer than any algorithm should be trusted.
    const MAX_DAYS: u32 = 40 * 366;
    if key.key_type() != KeyType::P256 {
        return Err(CreateCaError::KeyType(key.key_type()));
    }
    let mut params = validity(terms, MAX_DAYS)?;
    params.distinguished_name.push(DnType::OrganizationName, checked_name(name.organization)?);
    params.distinguished_name.push(DnType::CommonName, checked_name(name.common_name)?);
    params.serial_number = Some(serial(terms.entropy));
    params.key_usages = CA_KEY_USAGES.to_vec();
    params.key_identifier_method = KeyIdMethod::PreSpecified(key.identifier());
    Ok(params)
}

/// Valid for `days` including the first and the last second (RFC 5280 section 4.1.2.5).
fn validity(terms: Validity<'_>, max_days: u32) -> Result<CertificateParams, CreateCaError> {
    let Validity { days, now, .. } = terms;
    if !(1..=max_days).contains(&days) {
        return Err(CreateCaError::Validity(max_days));
    }
    let not_before = now.whole_second().minus(BACKDATE);
    let mut params = CertificateParams::default();
    params.not_before = not_before.date_time();
    params.not_after = not_before.plus(Duration::from_secs(u64::from(days) * 86_400 - 1)).date_time();
    params.distinguished_name = DistinguishedName::new();
    Ok(params)
}

fn serial(entropy: &dyn Entropy) -> SerialNumber {
    SerialNumber::from_slice(Serial::random(entropy).as_bytes())
}

fn checked_name(name: &str) -> Result<&str, CreateCaError> {
    match Name::parse(name, LONGEST_NAME) {
        Ok(parsed) if parsed.as_str() == name => Ok(name),
        _ => Err(CreateCaError::Name(name.to_owned())),
    }
}

/// RFC 9525 section 6.3: a wildcard is the whole leftmost label.
fn server_name(name: &str) -> Result<SanType, CreateCaError> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let refused = || CreateCaError::ServerName(name.to_owned());
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let host = name.strip_prefix("*.").unwrap_or(name);
    if name.len() > 253 || !host.split('.').all(is_label) {
        return Err(refused());
    }
    name.try_into().map(SanType::DnsName).map_err(|_| refused())
}

fn self_signed(params: &CertificateParams, key: &Arc<dyn CaKey>) -> Result<Vec<u8>, CreateCaError> {
    let certificate = params.self_signed(&RcgenKey(key.clone())).map_err(encoding)?;
    Ok(certificate.der().to_vec())
}

fn signed_by(
    params: CertificateParams,
    key: &impl PublicKeyData,
    issuer: &Issuer,
) -> Result<Vec<u8>, CreateCaError> {
    let params = below(params, issuer.not_before(), issuer.not_after())?;
    let parent = rcgen_issuer(issuer.certificate(), issuer.signer().clone())?;
    let certificate = params.signed_by(key, &parent).map_err(encoding)?;
    Ok(certificate.der().to_vec())
}

/// Within the life of the CA that signs.
fn below(
    mut params: CertificateParams,
    not_before: Timestamp,
    not_after: Timestamp,
) -> Result<CertificateParams, CreateCaError> {
    if params.not_after > not_after.date_time() {
        return Err(CreateCaError::OutlivesIssuer(not_after));
    }
    params.not_before = params.not_before.max(not_before.date_time());
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

#[allow(clippy::needless_pass_by_value)]
fn encoding(error: rcgen::Error) -> CreateCaError {
    match error {
        rcgen::Error::RemoteKeyError => CreateCaError::Key(CaKeyError::Signing),
        other => CreateCaError::Encoding(other.to_string()),
    }
}

#[cfg(test)]
mod tests;
