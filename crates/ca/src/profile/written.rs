//! A profile as its author wrote it, and every way in which it can be wrong.

use super::CertificateProfile;
use crate::policy::CertificatePolicy;
use crate::public_key::KeyType;
use crate::rsa;
use crate::subject::{CommonNameTemplate, LONGEST, is_invisible};
use serde::Deserialize;
use std::time::Duration;
use tegata_core::Role;
use toml::Spanned;

/// The longest life a profile may give, in days.
const MAX_VALIDITY_DAYS: u32 = 3 * 366;

/// How far a profile may date back, in minutes: enough for any clock that TLS still works with.
const MAX_BACKDATE_MINUTES: u32 = 24 * 60;

/// More would only make certificates long.
const MOST_POLICIES: usize = 8;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenProfile {
    role: Role,
    #[serde(default = "only_p256")]
    keys: Spanned<Vec<Spanned<KeyType>>>,
    rsa_bits: Option<Spanned<u32>>,
    rsa_key_encipherment: Option<Spanned<bool>>,
    validity_days: Spanned<u32>,
    backdate_minutes: Spanned<u32>,
    subject: Spanned<WrittenSubject>,
    #[serde(default)]
    policies: Vec<WrittenPolicy>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSubject {
    common_name: Option<Spanned<String>>,
    organization: Option<Spanned<String>>,
    country: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPolicy {
    oid: Spanned<String>,
    cps: Option<Spanned<String>>,
    notice: Option<Spanned<String>>,
}

fn only_p256() -> Spanned<Vec<Spanned<KeyType>>> {
    Spanned::new(0..0, vec![Spanned::new(0..0, KeyType::P256)])
}

/// Where in the text, and what to change.
pub(super) type ProfileFault = (usize, String);

fn fault<T>(at: &Spanned<T>, message: impl Into<String>) -> ProfileFault {
    (at.span().start, message.into())
}

impl WrittenProfile {
    pub(super) fn check(self) -> Result<CertificateProfile, ProfileFault> {
        let (validity, backdate) = self.times()?;
        let keys = self.keys()?;
        let rsa_bits = self.rsa_bits(&keys)?;
        let rsa_key_encipherment = self.rsa_key_encipherment(&keys)?;
        let subject = self.subject.get_ref();
        Ok(CertificateProfile {
            role: self.role,
            keys,
            rsa_bits,
            rsa_key_encipherment,
            validity,
            backdate,
            common_name: self.common_name()?,
            organization: subject.organization.as_ref().map(organization).transpose()?,
            country: subject.country.as_ref().map(country).transpose()?,
            policies: policies(&self.policies)?,
        })
    }

    fn times(&self) -> Result<(Duration, Duration), ProfileFault> {
        let days = in_range(&self.validity_days, 1, MAX_VALIDITY_DAYS)?;
        let minutes = in_range(&self.backdate_minutes, 0, MAX_BACKDATE_MINUTES)?;
        let (validity, backdate) =
            (Duration::from_secs(u64::from(days) * 86_400), Duration::from_secs(u64::from(minutes) * 60));
        if backdate >= validity {
            return Err(fault(
                &self.backdate_minutes,
                "certificates would have expired when issued: date back by less (RFC 5280 section 4.1.2.5)",
            ));
        }
        Ok((validity, backdate))
    }

    fn keys(&self) -> Result<Vec<KeyType>, ProfileFault> {
        let mut kinds = Vec::new();
        for key in self.keys.get_ref() {
            let kind = *key.get_ref();
            if kinds.contains(&kind) {
                return Err(fault(key, format!("{kind} stands twice: name every kind of key once")));
            }
            kinds.push(kind);
        }
        if kinds.is_empty() {
            return Err(fault(&self.keys, "no kind of key is allowed: name at least p256"));
        }
        Ok(kinds)
    }

    fn rsa_bits(&self, keys: &[KeyType]) -> Result<usize, ProfileFault> {
        let Some(written) = &self.rsa_bits else { return Ok(*rsa::BITS.start()) };
        needs_rsa(written, keys, "rsa_bits")?;
        match usize::try_from(*written.get_ref()) {
            Ok(bits) if rsa::BITS.contains(&bits) && bits.is_multiple_of(8) => Ok(bits),
            _ => Err(fault(
                written,
                format!(
                    "{} is no length for RSA keys here: use {} to {} in steps of 8, such as 2048 or 3072 (shorter ones \
                     can be broken: NIST SP 800-131A section 3)",
                    written.get_ref(),
                    rsa::BITS.start(),
                    rsa::BITS.end()
                ),
            )),
        }
    }

    fn rsa_key_encipherment(&self, keys: &[KeyType]) -> Result<bool, ProfileFault> {
        let Some(written) = &self.rsa_key_encipherment else { return Ok(false) };
        needs_rsa(written, keys, "rsa_key_encipherment")?;
        Ok(*written.get_ref())
    }

    /// The subject is never empty, so `SubjectAltName` is never critical (RFC 5280 section 4.1.2.6).
    fn common_name(&self) -> Result<CommonNameTemplate, ProfileFault> {
        let Some(written) = &self.subject.get_ref().common_name else {
            return Err(fault(
                &self.subject,
                "certificates would have an empty subject, for which their SubjectAltName would have to be critical: add \
                 common_name (RFC 5280 section 4.1.2.6)",
            ));
        };
        CommonNameTemplate::parse(written.get_ref(), self.role).map_err(|message| fault(written, message))
    }
}

fn needs_rsa<T>(at: &Spanned<T>, keys: &[KeyType], name: &str) -> Result<(), ProfileFault> {
    if keys.contains(&KeyType::Rsa) {
        return Ok(());
    }
    Err(fault(
        at,
        format!(
            "{name} says something about RSA keys, and keys does not allow them: add \"rsa\" to keys or remove {name} \
             (only RSA keys encrypt keys: RFC 5480 section 3, RFC 8410 section 5)"
        ),
    ))
}

fn in_range(value: &Spanned<u32>, least: u32, most: u32) -> Result<u32, ProfileFault> {
    let number = *value.get_ref();
    if (least..=most).contains(&number) {
        Ok(number)
    } else {
        Err(fault(value, format!("{number} is out of range: use {least} to {most}")))
    }
}

fn organization(written: &Spanned<String>) -> Result<String, ProfileFault> {
    let name = written.get_ref();
    let fits = (1..=LONGEST).contains(&name.chars().count()) && name.trim() == name;
    if fits && !name.chars().any(is_invisible) {
        return Ok(name.clone());
    }
    Err(fault(
        written,
        format!(
            "an organization has 1 to {LONGEST} visible characters (RFC 5280 appendix A.1, ub-organization-name)"
        ),
    ))
}

fn country(written: &Spanned<String>) -> Result<String, ProfileFault> {
    let code = written.get_ref();
    if code.len() == 2 && code.bytes().all(|letter| letter.is_ascii_uppercase()) {
        Ok(code.clone())
    } else {
        Err(fault(written, "a country has two capital letters, such as JP (RFC 5280 appendix A.1, ISO 3166)"))
    }
}

fn policies(written: &[WrittenPolicy]) -> Result<Vec<CertificatePolicy>, ProfileFault> {
    let mut all: Vec<CertificatePolicy> = Vec::new();
    for one in written {
        let policy = policy(one)?;
        if all.iter().any(|known| known.oid() == policy.oid()) {
            let message =
                format!("{} stands twice: name every policy once (RFC 5280 section 4.2.1.4)", policy.oid());
            return Err(fault(&one.oid, message));
        }
        if all.len() == MOST_POLICIES {
            return Err(fault(
                &one.oid,
                format!("at most {MOST_POLICIES} policies: every certificate carries them"),
            ));
        }
        all.push(policy);
    }
    Ok(all)
}

fn policy(written: &WrittenPolicy) -> Result<CertificatePolicy, ProfileFault> {
    let mut policy =
        CertificatePolicy::new(written.oid.get_ref()).map_err(|message| fault(&written.oid, message))?;
    if let Some(cps) = &written.cps {
        policy = policy.with_cps(cps.get_ref()).map_err(|message| fault(cps, message))?;
    }
    if let Some(notice) = &written.notice {
        policy = policy.with_notice(notice.get_ref()).map_err(|message| fault(notice, message))?;
    }
    Ok(policy)
}
