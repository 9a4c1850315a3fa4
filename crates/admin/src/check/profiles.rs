//! Certificates against the rules of their profile.
//!
//! What every profile has in common must hold for every certificate ever issued. What a profile chooses may have been
//! chosen otherwise when the certificate was issued: that is worth a look, not an alarm.

use super::code::FindingCode;
use super::context::CheckContext;
use tegata_ca::audit::{Finding, LintKind, RecordedCertificate};
use tegata_ca::{CertificateProfile, CertificateSubject};
use tegata_core::{DeviceId, Role, Serial, Timestamp};
use tegata_storage::FiledCertificate;

/// Checks that every certificate profile can be loaded.
pub fn look(look: &mut CheckContext<'_>) {
    for (file, role) in [("device.toml", Role::Device), ("gate.toml", Role::Gate)] {
        let text = look.config.profile_text(file);
        let profile = text.map_err(|error| error.to_string()).and_then(|(name, text)| {
            CertificateProfile::parse(&name, &text).map_err(|error| error.to_string())
        });
        match profile {
            Ok(profile) if profile.role() == role => match role {
                Role::Device => look.profiles.device = Some(profile),
                Role::Gate => look.profiles.gate = Some(profile),
            },
            Ok(_) => {
                look.report.add(FindingCode::ProfileRefused, file, format!("it is not for the role {role}"));
            }
            Err(error) => look.report.add(FindingCode::ProfileRefused, file, error),
        }
    }
    look.report.area("profiles", "all load");
}

/// What the lint measures a certificate by: its profile, and what was recorded before it was signed. Nothing where
/// either is missing, which is found elsewhere.
pub fn record_of<'a>(
    look: &CheckContext<'_>,
    row: &'a FiledCertificate,
) -> Option<(CertificateProfile, RecordedCertificate<'a>)> {
    let role = Role::parse(row.role.as_deref()?)?;
    let device = DeviceId::parse(&row.device)?;
    let profile = look.profiles.of(role)?.clone();
    let holder = CertificateSubject {
        installation: &look.config.installation.name,
        role,
        device: &device,
        site: "",
        label: "",
    };
    let record = RecordedCertificate {
        serial: Serial::from_slice(&row.serial)?,
        shard: u16::try_from(row.shard).unwrap_or(u16::MAX),
        not_before: Timestamp::from_millis(row.not_before),
        not_after: Timestamp::from_millis(row.not_after),
        key_hash: &row.key_hash,
        tbs: &row.tbs,
        uri: holder.uri(),
    };
    Some((profile, record))
}

/// The finding code for a finding of the lint.
pub fn code_of(finding: Finding) -> FindingCode {
    match finding {
        Finding::Encoding => FindingCode::CertificateUnreadable,
        Finding::Signature => FindingCode::CertificateForged,
        Finding::Intended => FindingCode::CertificateAltered,
        Finding::Holder | Finding::Shard => FindingCode::CertificateMisnamed,
        Finding::Address => FindingCode::CertificateAddress,
        other => match other.kind() {
            LintKind::Rule => FindingCode::ProfileBroken,
            LintKind::Record => FindingCode::CertificateMisfiled,
            LintKind::Settings => FindingCode::ProfileOlder,
        },
    }
}
