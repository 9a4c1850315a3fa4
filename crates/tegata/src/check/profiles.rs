//! Certificates against the rules of their profile.
//!
//! What every profile has in common must hold for every certificate ever issued. What a profile chooses may have been
//! chosen otherwise when the certificate was issued: that is worth a look, not an alarm.

use super::Look;
use super::code::Code;
use tegata_ca::Profile;
use tegata_core::{Role, Timestamp};
use tegata_storage::{FiledCertificate, StoredIssuer};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::x509::X509Version;

/// The profiles of the installation; what is refused is found by [`look`].
#[derive(Default)]
pub struct Loaded {
    device: Option<Profile>,
    gate: Option<Profile>,
}

impl Loaded {
    fn of(&self, role: &str) -> Option<&Profile> {
        match Role::parse(role)? {
            Role::Device => self.device.as_ref(),
            Role::Gate => self.gate.as_ref(),
        }
    }

    /// All that could be loaded.
    pub fn all(&self) -> impl Iterator<Item = &Profile> {
        self.device.iter().chain(&self.gate)
    }
}

/// Loads the profiles.
pub fn look(look: &mut Look<'_>) {
    for (file, role) in [("device.toml", Role::Device), ("gate.toml", Role::Gate)] {
        let text = look.config.profile_text(file);
        let profile = text
            .map_err(|error| error.to_string())
            .and_then(|(name, text)| Profile::parse(&name, &text).map_err(|error| error.to_string()));
        match profile {
            Ok(profile) if profile.role() == role => match role {
                Role::Device => look.profiles.device = Some(profile),
                Role::Gate => look.profiles.gate = Some(profile),
            },
            Ok(_) => look.report.add(Code::ProfileRefused, file, format!("it is not for the role {role}")),
            Err(error) => look.report.add(Code::ProfileRefused, file, error),
        }
    }
    look.report.area("profiles", "all load");
}

/// One certificate of ours.
pub fn lint(
    look: &mut Look<'_>,
    row: &FiledCertificate,
    issuer: &StoredIssuer,
    certificate: &X509Certificate<'_>,
) {
    let subject = format!("device {} generation {}", row.device, row.generation);
    for (holds, rule) in always(certificate, issuer) {
        if !holds {
            look.report.add(Code::ProfileBroken, &subject, format!("it breaks: {rule}"));
        }
    }
    let Some(profile) = row.role.as_deref().and_then(|role| look.profiles.of(role)) else { return };
    let validity = certificate.validity();
    let life = Timestamp::from_seconds(validity.not_after.timestamp() + 1)
        .since(Timestamp::from_seconds(validity.not_before.timestamp()));
    let organization: Vec<_> =
        certificate.subject().iter_organization().map(|value| value.as_str().unwrap_or_default()).collect();
    let chosen = [
        (life <= profile.validity(), "it lives longer than its profile says"),
        (
            organization == profile.organization().into_iter().collect::<Vec<_>>(),
            "its organisation is not its profile's",
        ),
    ];
    for (holds, detail) in chosen {
        if !holds {
            look.report.add(Code::ProfileOlder, &subject, detail);
        }
    }
}

/// What no profile may vary.
fn always<'a>(certificate: &X509Certificate<'a>, issuer: &StoredIssuer) -> [(bool, &'static str); 6] {
    let within = x509_parser::parse_x509_certificate(&issuer.certificate).is_ok_and(|(_, authority)| {
        let (own, its) = (certificate.validity(), authority.validity());
        own.not_before >= its.not_before
            && own.not_after <= its.not_after
            && certificate.issuer().as_raw() == authority.subject().as_raw()
    });
    let any = |holds: fn(&ParsedExtension<'a>) -> bool| {
        certificate.extensions().iter().any(|extension| holds(extension.parsed_extension()))
    };
    let no_ca = certificate.basic_constraints().is_ok_and(|found| found.is_none_or(|found| !found.value.ca));
    [
        (certificate.version() == X509Version::V3, "version 3 (RFC 5280 section 4.1.2.1)"),
        (within, "the issuer's name, and a life within the issuer's"),
        (no_ca, "no CA (section 4.2.1.9)"),
        (any(is_signing_only), "KeyUsage digitalSignature alone (section 4.2.1.3)"),
        (any(is_client_only), "ExtendedKeyUsage clientAuth alone (section 4.2.1.12)"),
        (
            any(|found| matches!(found, ParsedExtension::AuthorityInfoAccess(_))),
            "AuthorityInfoAccess (section 4.2.2.1)",
        ),
    ]
}

fn is_signing_only(found: &ParsedExtension<'_>) -> bool {
    matches!(found, ParsedExtension::KeyUsage(usage) if usage.flags == 1)
}

fn is_client_only(found: &ParsedExtension<'_>) -> bool {
    let ParsedExtension::ExtendedKeyUsage(usage) = found else { return false };
    usage.client_auth
        && !(usage.any
            || usage.server_auth
            || usage.code_signing
            || usage.email_protection
            || usage.time_stamping
            || usage.ocsp_signing)
        && usage.other.is_empty()
}
