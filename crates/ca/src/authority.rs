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
//! The root publishes no CRL, so the issuing certificate names none: a lost issuing CA is answered by
//! replacing the root in the few places that trust it.

use crate::der;
use crate::issuer::{CA_KEY_USAGES, Issuer, IssuerError, RcgenKey, rcgen_issuer};
use crate::keys::{KeyError, Signer};
use crate::oid;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyIdMethod, KeyUsagePurpose, SanType, SerialNumber,
};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::{Entropy, Serial, Timestamp};

/// The longest life of a server certificate: browsers refuse more than 398 days.
pub const MAX_SERVER_DAYS: u32 = 397;

/// New CAs and servers are valid from a little earlier, for peers whose clocks lag.
const BACKDATE: Duration = Duration::from_hours(1);

/// The longest name of an organisation or CA (RFC 5280 appendix A.1, ub-organization-name, ub-common-name).
const LONGEST_NAME: usize = 64;

/// Why a CA or server certificate was not created.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A name that cannot stand in a certificate.
    #[error("{0:?} cannot be a name in a certificate: use 1 to 64 characters without control characters")]
    Name(String),
    /// Not a DNS name or IP address.
    #[error(
        "{0:?} is not the name of a server: use a DNS name, a wildcard such as *.example.jp, or an IP address"
    )]
    ServerName(String),
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
    Key(#[from] KeyError),
    /// The certificate could not be encoded.
    #[error("the certificate could not be written: {0}")]
    Encoding(String),
}

/// The subject of a CA.
#[derive(Clone, Copy, Debug)]
pub struct AuthorityName<'a> {
    /// Who runs it; the O of the subject.
    pub organization: &'a str,
    /// What it is called; the CN of the subject.
    pub common_name: &'a str,
}

/// The self-signed root above the issuing CAs.
pub fn create_root(
    name: AuthorityName<'_>,
    key: &Arc<dyn Signer>,
    days: u32,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, AuthorityError> {
    let mut params = authority(name, key, days, now, entropy)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    self_signed(&params, key)
}

/// A CA for devices and gates, signed by `root`.
pub fn create_issuing(
    name: AuthorityName<'_>,
    key: &Arc<dyn Signer>,
    root: &Issuer,
    days: u32,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, AuthorityError> {
    let mut params = authority(name, key, days, now, entropy)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.custom_extensions = vec![any_policy()];
    signed_by(params, key, root)
}

/// Without it the policies that profiles name would count for nobody (RFC 5280 section 6.1.3 (e)). Which ones they
/// name is decided after the CA was made.
fn any_policy() -> CustomExtension {
    let policy = der::sequence(&[&der::element(der::tag::OID, &[oid::ANY_POLICY])]);
    CustomExtension::from_oid_content(oid::CERTIFICATE_POLICIES, der::sequence(&[&policy]))
}

/// The self-signed CA of the HTTPS listeners.
pub fn create_server_authority(
    name: AuthorityName<'_>,
    key: &Arc<dyn Signer>,
    days: u32,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, AuthorityError> {
    let mut params = authority(name, key, days, now, entropy)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    self_signed(&params, key)
}

/// The certificate of an HTTPS listener with `names` (DNS names, wildcards, IP addresses), signed by the
/// server CA.
pub fn create_server(
    names: &[&str],
    key: &Arc<dyn Signer>,
    authority: &Issuer,
    days: u32,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, AuthorityError> {
    if names.is_empty() {
        return Err(AuthorityError::NoServerName);
    }
    let mut params = validity(days, MAX_SERVER_DAYS, now)?;
    params.subject_alt_names = names.iter().map(|name| server_name(name)).collect::<Result<_, _>>()?;
    // A common name repeats one of the SANs or is left out (RFC 9525 section 6.1: nobody reads it).
    if let Some(name) = names.iter().find(|name| name.len() <= LONGEST_NAME) {
        params.distinguished_name.push(DnType::CommonName, *name);
    }
    params.serial_number = Some(serial(entropy));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_identifier_method = KeyIdMethod::PreSpecified(key.key_identifier());
    signed_by(params, key, authority)
}

/// What every CA certificate has in common.
fn authority(
    name: AuthorityName<'_>,
    key: &Arc<dyn Signer>,
    days: u32,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<CertificateParams, AuthorityError> {
    /// Longer than any algorithm should be trusted.
    const MAX_DAYS: u32 = 40 * 366;
    let mut params = validity(days, MAX_DAYS, now)?;
    params.distinguished_name.push(DnType::OrganizationName, checked_name(name.organization)?);
    params.distinguished_name.push(DnType::CommonName, checked_name(name.common_name)?);
    params.serial_number = Some(serial(entropy));
    params.key_usages = CA_KEY_USAGES.to_vec();
    params.key_identifier_method = KeyIdMethod::PreSpecified(key.key_identifier());
    Ok(params)
}

/// Valid for `days` including the first and the last second (RFC 5280 section 4.1.2.5).
fn validity(days: u32, max_days: u32, now: Timestamp) -> Result<CertificateParams, AuthorityError> {
    if !(1..=max_days).contains(&days) {
        return Err(AuthorityError::Validity(max_days));
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

fn checked_name(name: &str) -> Result<&str, AuthorityError> {
    let fits = (1..=LONGEST_NAME).contains(&name.chars().count());
    if fits && name.trim() == name && !name.chars().any(char::is_control) {
        Ok(name)
    } else {
        Err(AuthorityError::Name(name.to_owned()))
    }
}

/// RFC 9525 section 6.3: a wildcard is the whole leftmost label.
fn server_name(name: &str) -> Result<SanType, AuthorityError> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let refused = || AuthorityError::ServerName(name.to_owned());
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

fn self_signed(params: &CertificateParams, key: &Arc<dyn Signer>) -> Result<Vec<u8>, AuthorityError> {
    let certificate = params.self_signed(&RcgenKey(key.clone())).map_err(encoding)?;
    Ok(certificate.der().to_vec())
}

fn signed_by(
    mut params: CertificateParams,
    key: &Arc<dyn Signer>,
    issuer: &Issuer,
) -> Result<Vec<u8>, AuthorityError> {
    if params.not_after > issuer.not_after().date_time() {
        return Err(AuthorityError::OutlivesIssuer(issuer.not_after()));
    }
    params.not_before = params.not_before.max(issuer.not_before().date_time());
    params.use_authority_key_identifier_extension = true;
    let parent = rcgen_issuer(issuer.certificate(), issuer.signer().clone())?;
    let certificate = params.signed_by(&RcgenKey(key.clone()), &parent).map_err(encoding)?;
    Ok(certificate.der().to_vec())
}

#[allow(clippy::needless_pass_by_value)]
fn encoding(error: rcgen::Error) -> AuthorityError {
    match error {
        rcgen::Error::RemoteKeyError => AuthorityError::Key(KeyError::Signing),
        other => AuthorityError::Encoding(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::world::{self, NOW};
    use tegata_core::entropy::Seeded;

    #[test]
    fn a_server_has_only_names_a_browser_would_accept() {
        let world = world::World::new();
        let key = world::key();
        let create =
            |names: &[&str], days| create_server(names, &key, &world.server, days, NOW, &Seeded::new(5));
        assert!(create(&["localhost", "*.probe.localhost", "127.0.0.1", "::1"], MAX_SERVER_DAYS).is_ok());
        for wrong in ["", "*", "a..b", "-a.jp", "A.jp", "a b", "x.*.jp", "*x.jp", "薬局.jp"] {
            assert_eq!(create(&[wrong], 90), Err(AuthorityError::ServerName(wrong.into())));
        }
        assert_eq!(create(&[], 90), Err(AuthorityError::NoServerName));
        assert_eq!(create(&["localhost"], 398), Err(AuthorityError::Validity(397)));
    }

    #[test]
    fn no_certificate_outlives_its_issuer() {
        let world = world::World::new();
        let name = AuthorityName { organization: "O", common_name: "C" };
        let created = create_issuing(name, &world::key(), &world.root, 40 * 366, NOW, &Seeded::new(6));
        assert!(matches!(created, Err(AuthorityError::OutlivesIssuer(_))));
    }

    #[test]
    fn a_ca_has_a_readable_name() {
        for wrong in ["", " padded", "line\nbreak", &"長".repeat(65)] {
            let name = AuthorityName { organization: "O", common_name: wrong };
            let created = create_root(name, &world::key(), 365, NOW, &Seeded::new(7));
            assert_eq!(created, Err(AuthorityError::Name(wrong.to_owned())));
        }
    }

    #[test]
    fn a_ca_works_only_with_its_own_key_and_in_its_own_time() {
        let world = world::World::new();
        let load = |certificate: &[u8], key, now| {
            Issuer::load(world.issuing.id().clone(), certificate.to_vec(), key, now).err()
        };
        let certificate = world.issuing.certificate();
        let own = world.issuing.signer();
        assert_eq!(load(certificate, own.clone(), NOW), None);
        assert_eq!(load(certificate, world::key(), NOW), Some(IssuerError::KeyMismatch));
        let late = NOW.plus(Duration::from_hours(40 * 366 * 24));
        assert!(matches!(load(certificate, own.clone(), late), Some(IssuerError::NotValidNow { .. })));
        let device = world.issue("本店", "受付PC");
        assert_eq!(load(&device.der, own.clone(), NOW), Some(IssuerError::NotACa));
        let trailing = [certificate, &[0]].concat();
        assert_eq!(load(&trailing, own.clone(), NOW), Some(IssuerError::Malformed));
    }
}
