//! Profiles: what certificates of one kind look like, from `ca-config/*.toml`, checked when loaded.
//!
//! A profile chooses within what RFC 5280 and this house allow. What may not vary (clientAuth only, no
//! CA, one identity) is not in it.

use crate::csr::KeyType;
use crate::subject::{LONGEST, Template, is_invisible};
use serde::Deserialize;
use std::fmt;
use std::time::Duration;
use tegata_core::Role;
use toml::Spanned;

/// The longest life a profile may give, in days.
const MAX_VALIDITY_DAYS: u32 = 3 * 366;

/// How far a profile may date back, in minutes: enough for any clock that TLS still works with.
const MAX_BACKDATE_MINUTES: u32 = 24 * 60;

/// A profile that was checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Profile {
    role: Role,
    keys: Vec<KeyType>,
    validity: Duration,
    backdate: Duration,
    common_name: Template,
    organization: Option<String>,
}

impl Profile {
    /// From the text of `file`, whose name appears in errors.
    ///
    /// ```toml
    /// role = "device"             # or "gate"
    /// keys = ["p256"]             # p256, p384, rsa, ed25519
    /// validity_days = 365         # first and last second included
    /// backdate_minutes = 5
    /// [subject]
    /// common_name = "{site} {label}"
    /// organization = "Example K.K."   # optional
    /// ```
    ///
    /// # Errors
    /// Names the file, the line and what to change.
    pub fn parse(file: &str, text: &str) -> Result<Self, ProfileError> {
        let error = |offset: usize, message: String| ProfileError {
            file: file.to_owned(),
            line: text[..offset.min(text.len())].matches('\n').count() + 1,
            message,
        };
        let written: Written = toml::from_str(text)
            .map_err(|wrong| error(wrong.span().map_or(0, |span| span.start), wrong.message().to_owned()))?;
        written.check().map_err(|(offset, message)| error(offset, message))
    }

    /// Whom it is for.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Whether it allows a kind of key.
    pub fn allows(&self, key: KeyType) -> bool {
        self.keys.contains(&key)
    }

    /// How long a certificate lives, from its first to its last second.
    pub fn validity(&self) -> Duration {
        self.validity
    }

    /// How much earlier than now a certificate begins.
    pub fn backdate(&self) -> Duration {
        self.backdate
    }

    /// How the common name is made.
    pub fn common_name(&self) -> &Template {
        &self.common_name
    }

    /// The organisation in the subject.
    pub fn organization(&self) -> Option<&str> {
        self.organization.as_deref()
    }
}

/// A profile that is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProfileError {
    file: String,
    line: usize,
    message: String,
}

impl fmt::Display for ProfileError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.file, self.line, self.message)
    }
}

impl std::error::Error for ProfileError {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    role: Role,
    #[serde(default = "only_p256")]
    keys: Spanned<Vec<KeyType>>,
    validity_days: Spanned<u32>,
    backdate_minutes: Spanned<u32>,
    subject: WrittenSubject,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSubject {
    common_name: Spanned<String>,
    organization: Option<Spanned<String>>,
}

fn only_p256() -> Spanned<Vec<KeyType>> {
    Spanned::new(0..0, vec![KeyType::P256])
}

/// Where in the text, and what to change.
type Fault = (usize, String);

impl Written {
    fn check(self) -> Result<Profile, Fault> {
        let validity =
            Duration::from_secs(u64::from(in_range(&self.validity_days, 1, MAX_VALIDITY_DAYS)?) * 86_400);
        let backdate =
            Duration::from_secs(u64::from(in_range(&self.backdate_minutes, 0, MAX_BACKDATE_MINUTES)?) * 60);
        let WrittenSubject { common_name, organization } = self.subject;
        let at = common_name.span().start;
        let common_name = Template::parse(common_name.get_ref()).map_err(|message| (at, message))?;
        if self.keys.get_ref().is_empty() {
            return Err((self.keys.span().start, "no kind of key is allowed: name at least p256".into()));
        }
        if backdate >= validity {
            let at = self.backdate_minutes.span().start;
            return Err((at, "certificates would have expired when issued: date back by less".into()));
        }
        Ok(Profile {
            role: self.role,
            keys: self.keys.into_inner(),
            validity,
            backdate,
            common_name,
            organization: organization.map(organization_name).transpose()?,
        })
    }
}

fn in_range(value: &Spanned<u32>, least: u32, most: u32) -> Result<u32, Fault> {
    let number = *value.get_ref();
    if (least..=most).contains(&number) {
        Ok(number)
    } else {
        Err((value.span().start, format!("{number} is out of range: use {least} to {most}")))
    }
}

fn organization_name(name: Spanned<String>) -> Result<String, Fault> {
    let at = name.span().start;
    let name = name.into_inner();
    let fits = (1..=LONGEST).contains(&name.chars().count()) && name.trim() == name;
    if fits && !name.chars().any(is_invisible) {
        Ok(name)
    } else {
        Err((
            at,
            format!("an organisation has 1 to {LONGEST} visible characters (RFC 5280, ub-organization-name)"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: &str = include_str!("../../../ca-config/device.toml");
    const GATE: &str = include_str!("../../../ca-config/gate.toml");

    #[test]
    fn the_profiles_that_come_with_tegata_load() {
        let device = Profile::parse("ca-config/device.toml", DEVICE).unwrap();
        assert_eq!(device.role(), Role::Device);
        assert!(device.allows(KeyType::P256) && !device.allows(KeyType::Rsa));
        assert_eq!(Profile::parse("ca-config/gate.toml", GATE).unwrap().role(), Role::Gate);
    }

    #[test]
    fn an_operator_is_told_the_file_and_the_line_of_a_mistake() {
        let good = "role = \"device\"\nvalidity_days = 365\nbackdate_minutes = 5\n[subject]\ncommon_name = \"{label}\"\n";
        assert!(Profile::parse("device.toml", good).is_ok());
        for (from, to, line) in [
            ("role", "rule", 1),
            ("\"device\"", "\"person\"", 1),
            ("365", "0", 2),
            ("365", "4000", 2),
            ("365", "-1", 2),
            ("= 5", "= 2000", 3),
            ("= 5", "= 5\nis_ca = true", 4),
            ("= 5", "= 5\nkeys = []", 4),
            ("= 5", "= 5\nkeys = [\"md5\"]", 4),
            ("{label}", "{person}", 5),
            ("{label}", "always", 5),
            ("{label}\"", "{label}\"\norganization = \"\"", 6),
        ] {
            let error = Profile::parse("device.toml", &good.replacen(from, to, 1)).unwrap_err();
            assert!(error.to_string().starts_with(&format!("device.toml:{line}: ")), "{to}: {error}");
        }
        let ends_at_once = good.replace("365", "1").replace("= 5", "= 1440");
        assert!(Profile::parse("device.toml", &ends_at_once).is_err());
    }
}
