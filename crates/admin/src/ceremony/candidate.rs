//! An issuing CA before it is taken in: whether it is what the ceremony was to make, no more and no less.

use crate::ListenerTrust;
use tegata_ca::create_ca::RootAddresses;
use tegata_core::{Serial, Timestamp};
use tegata_installation::{Failure, FailureContext};
use tegata_storage::StoredIssuer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{DistributionPointName, GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;

/// id-ad-caIssuers, 1.3.6.1.5.5.7.48.2, as the content bytes of its OID.
const CA_ISSUERS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 0x30, 2];

/// Whether `certificate` is an issuing CA of this installation below `root`, which publishes at `addresses`.
pub fn examine(
    certificate: &[u8],
    root: &[u8],
    addresses: RootAddresses<'_>,
    (trust, now): (&dyn ListenerTrust, Timestamp),
) -> Result<(), Failure> {
    // What the device listener will ask of it: signature, CA, keyCertSign, clientAuth.
    trust.issuing_ca(root, certificate).doing("this cannot be an issuing CA below this root")?;
    let read = |der| X509Certificate::from_der(der).doing("a certificate cannot be read");
    let ((rest, issuing), (_, root)) = (read(certificate)?, read(root)?);
    let faults = [
        (rest.is_empty(), "something follows the certificate"),
        (is_now(&root, now), "the root is not valid now"),
        (is_now(&issuing, now), "the issuing CA is not valid now"),
        (issuing.validity().not_after <= root.validity().not_after, "it ends after its root"),
        (issuing.subject().as_raw() != root.subject().as_raw(), "it has the name of its root"),
        (has_path_length_zero(&issuing), "it could have CAs below it (pathLenConstraint must be 0)"),
        (is_for_clients_alone(&issuing), "it is not for clientAuth alone"),
        (authority_key(&issuing) == subject_key(&root), "its authorityKeyIdentifier is not the root's"),
        (
            list_address(&issuing).as_deref() == Some(addresses.crl),
            "it names another list than the root's here",
        ),
        (
            root_address(&issuing).as_deref() == Some(addresses.certificate),
            "it names another place of the root's certificate than the one here",
        ),
        (has_nothing_unknown(&issuing), "it has a critical extension that does not belong there"),
    ];
    match faults.iter().find(|(holds, _)| !holds) {
        None => Ok(()),
        Some((_, fault)) => Err(Failure::wrong(format!("this certificate is not taken: {fault}"))),
    }
}

/// A name that no CA of the installation has: chains are built by names, and people choose by them.
pub fn name_is_new(issuers: &[StoredIssuer], organization: &str, common_name: &str) -> Result<(), Failure> {
    let has_name = |issuer: &&StoredIssuer| {
        X509Certificate::from_der(&issuer.certificate).is_ok_and(|(_, known)| {
            let subject = known.subject();
            let common_name_of = subject.iter_common_name().next().and_then(|name| name.as_str().ok());
            let organization_of = subject.iter_organization().next().and_then(|name| name.as_str().ok());
            common_name_of == Some(common_name) && organization_of == Some(organization)
        })
    };
    issuers.iter().find(has_name).map_or(Ok(()), |known| Err(taken(known)))
}

/// Fails if a CA of the ledger has the subject of this certificate, byte for byte.
pub fn must_have_own_name(issuers: &[StoredIssuer], certificate: &[u8]) -> Result<(), Failure> {
    let (_, certificate) =
        X509Certificate::from_der(certificate).doing("a CA's certificate cannot be read")?;
    let has_name = |issuer: &&StoredIssuer| {
        X509Certificate::from_der(&issuer.certificate)
            .is_ok_and(|(_, known)| known.subject().as_raw() == certificate.subject().as_raw())
    };
    issuers.iter().find(has_name).map_or(Ok(()), |known| Err(taken(known)))
}

fn taken(known: &StoredIssuer) -> Failure {
    Failure::misuse(format!("the CA {} has this name already: give the new one a name of its own", known.id))
}

/// The serial by which a root's list names it.
pub fn ca_serial(certificate: &[u8]) -> Result<Serial, Failure> {
    let (_, parsed) = X509Certificate::from_der(certificate).doing("a CA's certificate cannot be read")?;
    Serial::from_slice(parsed.raw_serial()).ok_or_else(|| Failure::wrong("a CA's serial cannot be read"))
}

/// Its first and last second contain `now`.
fn is_now(certificate: &X509Certificate<'_>, now: Timestamp) -> bool {
    let validity = certificate.validity();
    (validity.not_before.timestamp()..=validity.not_after.timestamp()).contains(&now.seconds())
}

fn has_path_length_zero(certificate: &X509Certificate<'_>) -> bool {
    certificate
        .basic_constraints()
        .is_ok_and(|found| found.is_some_and(|found| found.value.path_len_constraint == Some(0)))
}

fn is_for_clients_alone(certificate: &X509Certificate<'_>) -> bool {
    certificate.extended_key_usage().is_ok_and(|found| {
        found.is_some_and(|found| {
            let usage = found.value;
            usage.client_auth
                && !(usage.any
                    || usage.server_auth
                    || usage.code_signing
                    || usage.email_protection
                    || usage.time_stamping
                    || usage.ocsp_signing)
                && usage.other.is_empty()
        })
    })
}

fn subject_key(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
        _ => None,
    })
}

fn authority_key(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| id.0.to_vec()),
        _ => None,
    })
}

/// The URL of the certificate's CRL; none unless it names exactly one.
fn list_address(certificate: &X509Certificate<'_>) -> Option<String> {
    certificate.iter_extensions().find_map(|extension| {
        let ParsedExtension::CRLDistributionPoints(points) = extension.parsed_extension() else {
            return None;
        };
        let [point] = points.points.as_slice() else { return None };
        let Some(DistributionPointName::FullName(names)) = &point.distribution_point else { return None };
        match names.as_slice() {
            [GeneralName::URI(url)] => Some((*url).to_owned()),
            _ => None,
        }
    })
}

fn root_address(certificate: &X509Certificate<'_>) -> Option<String> {
    certificate.iter_extensions().find_map(|extension| {
        let ParsedExtension::AuthorityInfoAccess(access) = extension.parsed_extension() else { return None };
        access.accessdescs.iter().find_map(|one| match &one.access_location {
            GeneralName::URI(url) if one.access_method.as_bytes() == CA_ISSUERS => Some((*url).to_owned()),
            _ => None,
        })
    })
}

fn has_nothing_unknown(certificate: &X509Certificate<'_>) -> bool {
    certificate.iter_extensions().filter(|extension| extension.critical).all(|extension| {
        matches!(
            extension.parsed_extension(),
            ParsedExtension::BasicConstraints(_)
                | ParsedExtension::KeyUsage(_)
                | ParsedExtension::ExtendedKeyUsage(_)
        )
    })
}
