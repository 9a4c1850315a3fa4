//! Every field of a certificate, for those who review it.

use super::run::sha256;
use serde_json::{Map, Value, json};
use tegata_core::encoding::hex;
use tegata_core::{Thumbprint, Timestamp};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{
    BasicConstraints, CRLDistributionPoint, DistributionPointName, ExtendedKeyUsage, GeneralName,
    ParsedExtension, X509Extension,
};
use x509_parser::oid_registry::{OidRegistry, format_oid};
use x509_parser::prelude::FromDer;

/// What chance decides when an act is performed, and no rehearsal can say.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum OpenField {
    /// Nothing: the certificate exists.
    Nothing,
    /// The serial, which is drawn when the certificate is signed.
    Serial,
    /// The serial, and the key that will be made.
    SerialAndKey,
}

const LATER: &str = "(decided by chance when performed)";

/// The fields of a certificate, in order.
pub fn certificate(der: &[u8], open: OpenField) -> Value {
    let Ok((_, parsed)) = X509Certificate::from_der(der) else { return json!({"unreadable": sha256(der)}) };
    let time = |time: &x509_parser::time::ASN1Time| Timestamp::from_seconds(time.timestamp());
    let settled = |value: String, by: OpenField| {
        let is_open =
            open == OpenField::SerialAndKey || (open == OpenField::Serial && by == OpenField::Serial);
        if is_open { LATER.to_owned() } else { value }
    };
    let mut extensions = Map::new();
    for extension in parsed.extensions() {
        let (name, value) = describe(extension);
        let is_own_key = matches!(extension.parsed_extension(), ParsedExtension::SubjectKeyIdentifier(_));
        let value = if is_own_key { settled(value, OpenField::SerialAndKey) } else { value };
        let criticality = if extension.critical { "critical, " } else { "" };
        extensions.insert(name, format!("{criticality}{value}").into());
    }
    let mut fields = json!({
        "version": parsed.version().to_string(),
        "serial": settled(hex(parsed.raw_serial()), OpenField::Serial),
        "signature": oid(&parsed.signature_algorithm.algorithm),
        "issuer": parsed.issuer().to_string(),
        "not_before": time(&parsed.validity().not_before),
        "not_after": time(&parsed.validity().not_after),
        "subject": parsed.subject().to_string(),
        "public_key": oid(&parsed.public_key().algorithm.algorithm),
        "public_key_sha256": settled(sha256(parsed.public_key().raw), OpenField::SerialAndKey),
        "extensions": extensions,
    });
    if open == OpenField::Nothing {
        fields["thumbprint"] = json!(Thumbprint::of(der));
        fields["sha256"] = sha256(der).into();
    }
    fields
}

fn describe(extension: &X509Extension<'_>) -> (String, String) {
    let (name, value) = match extension.parsed_extension() {
        ParsedExtension::BasicConstraints(constraints) => ("basicConstraints", basic(constraints)),
        ParsedExtension::KeyUsage(usage) => ("keyUsage", usage.to_string()),
        ParsedExtension::ExtendedKeyUsage(usage) => ("extKeyUsage", purposes(usage)),
        ParsedExtension::SubjectKeyIdentifier(id) => ("subjectKeyIdentifier", hex(id.0)),
        ParsedExtension::AuthorityKeyIdentifier(id) => {
            ("authorityKeyIdentifier", id.key_identifier.as_ref().map_or_else(String::new, |id| hex(id.0)))
        }
        ParsedExtension::CRLDistributionPoints(points) => {
            ("cRLDistributionPoints", points.points.iter().map(point).collect::<Vec<_>>().join(", "))
        }
        ParsedExtension::CertificatePolicies(policies) => (
            "certificatePolicies",
            policies.iter().map(|policy| oid(&policy.policy_id)).collect::<Vec<_>>().join(", "),
        ),
        ParsedExtension::AuthorityInfoAccess(access) => {
            let one = |access: &x509_parser::extensions::AccessDescription<'_>| {
                format!("{} {}", oid(&access.access_method), name_text(&access.access_location))
            };
            ("authorityInfoAccess", access.accessdescs.iter().map(one).collect::<Vec<_>>().join(", "))
        }
        _ => return (oid(&extension.oid), hex(extension.value)),
    };
    (name.to_owned(), value)
}

fn basic(constraints: &BasicConstraints) -> String {
    match constraints.path_len_constraint {
        Some(length) => format!("CA:{}, pathlen {length}", constraints.ca),
        None => format!("CA:{}, no pathlen", constraints.ca),
    }
}

fn purposes(usage: &ExtendedKeyUsage<'_>) -> String {
    let named = [
        (usage.any, "any"),
        (usage.client_auth, "clientAuth"),
        (usage.server_auth, "serverAuth"),
        (usage.code_signing, "codeSigning"),
        (usage.email_protection, "emailProtection"),
        (usage.time_stamping, "timeStamping"),
        (usage.ocsp_signing, "OCSPSigning"),
    ];
    let named = named.iter().filter(|(is_set, _)| *is_set).map(|(_, name)| (*name).to_owned());
    named.chain(usage.other.iter().map(oid)).collect::<Vec<_>>().join(", ")
}

fn point(point: &CRLDistributionPoint<'_>) -> String {
    match &point.distribution_point {
        Some(DistributionPointName::FullName(names)) => {
            names.iter().map(name_text).collect::<Vec<_>>().join(", ")
        }
        _ => "(relative to its issuer)".to_owned(),
    }
}

fn name_text(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::URI(url) => (*url).to_owned(),
        other => other.to_string(),
    }
}

fn oid(oid: &x509_parser::der_parser::asn1_rs::Oid<'_>) -> String {
    format_oid(oid, &OidRegistry::default().with_crypto().with_x509())
}
