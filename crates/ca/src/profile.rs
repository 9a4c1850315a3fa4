//! Profiles: what certificates of one kind look like, from `ca-config/*.toml`, checked when loaded.
//!
//! A profile chooses within what RFC 5280 and Tegata allow. What may not vary (clientAuth only, no
//! CA, one identity, where the CRL and the responder are) is not in it.

mod written;

use crate::policy::CertificatePolicy;
use crate::public_key::{KeyType, PublicKey};
use crate::subject::CommonNameTemplate;
use std::fmt;
use std::time::Duration;
use tegata_core::Role;
use written::WrittenProfile;

/// A profile that was checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CertificateProfile {
    role: Role,
    keys: Vec<KeyType>,
    rsa_bits: usize,
    rsa_key_encipherment: bool,
    validity: Duration,
    backdate: Duration,
    common_name: CommonNameTemplate,
    organization: Option<String>,
    country: Option<String>,
    policies: Vec<CertificatePolicy>,
}

impl CertificateProfile {
    /// From the text of `file`, whose name appears in errors.
    ///
    /// ```toml
    /// role = "device"                 # or "gate"
    /// keys = ["p256", "rsa"]          # p256, p384, rsa, ed25519
    /// rsa_bits = 3072                 # the least, 2048 to 4096; only with rsa
    /// rsa_key_encipherment = false    # only with rsa
    /// validity_days = 365             # first and last second included
    /// backdate_minutes = 5
    /// [subject]
    /// common_name = "{site} {label}"
    /// organization = "Example K.K."   # optional
    /// country = "JP"                  # optional
    /// [[policies]]                    # optional, any number
    /// oid = "1.3.6.1.4.1.32473.1"
    /// cps = "https://pki.example.jp/cps"      # optional
    /// notice = "For terminals of pharmacies"  # optional
    /// ```
    ///
    /// # Errors
    /// Names the file, the line, what to change, and the section of the RFC that wants it.
    pub fn parse(file: &str, text: &str) -> Result<Self, ProfileError> {
        let error = |offset: usize, message: String| ProfileError {
            file: file.to_owned(),
            line: text.get(..offset).unwrap_or(text).matches('\n').count() + 1,
            message,
        };
        let written: WrittenProfile = toml::from_str(text)
            .map_err(|wrong| error(wrong.span().map_or(0, |span| span.start), wrong.message().to_owned()))?;
        written.check().map_err(|(offset, message)| error(offset, message))
    }

    /// Whom it is for.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Whether it allows a key, by its kind and length.
    pub fn allows(&self, key: &PublicKey) -> bool {
        let is_long_enough = key.key_type() != KeyType::Rsa || key.bits() >= self.rsa_bits;
        self.keys.contains(&key.key_type()) && is_long_enough
    }

    /// The kind of key it would rather have.
    pub fn preferred_key(&self) -> KeyType {
        // A profile without any kind is refused when it is read.
        self.keys.first().copied().unwrap_or(KeyType::P256)
    }

    /// Whether it allows keys of this kind.
    pub fn allows_kind(&self, key: KeyType) -> bool {
        self.keys.contains(&key)
    }

    /// The kinds of keys it allows, the best first, as browsers name them: `P-256`, `P-384`, `RSA-2048` (with the least
    /// length that is customary and long enough), `Ed25519`.
    pub fn key_kinds(&self) -> Vec<String> {
        let rsa = [2048, 3072, 4096].into_iter().find(|&bits| bits >= self.rsa_bits).unwrap_or(4096);
        let name = |kind: &KeyType| match kind {
            KeyType::P256 => "P-256".to_owned(),
            KeyType::P384 => "P-384".to_owned(),
            KeyType::Rsa => format!("RSA-{rsa}"),
            KeyType::Ed25519 => "Ed25519".to_owned(),
        };
        self.keys.iter().map(name).collect()
    }

    /// The least length of an RSA key, bits.
    pub fn rsa_bits(&self) -> usize {
        self.rsa_bits
    }

    /// Whether keys of a kind may also encrypt other keys. Only RSA keys can (RFC 5480 section 3, RFC 8410 section 5).
    pub fn key_encipherment(&self, key: KeyType) -> bool {
        key == KeyType::Rsa && self.rsa_key_encipherment
    }

    /// How long a certificate lives, from its first to its last second.
    pub fn validity(&self) -> Duration {
        self.validity
    }

    /// How much earlier than now a certificate begins.
    pub fn backdate(&self) -> Duration {
        self.backdate
    }

    /// This profile with a validity of at most `longest` from now, backdating not counted.
    #[must_use]
    pub fn ending_within(&self, longest: Duration) -> Self {
        Self { validity: self.validity.min(self.backdate + longest), ..self.clone() }
    }

    /// How the common name is made.
    pub fn common_name(&self) -> &CommonNameTemplate {
        &self.common_name
    }

    /// The organization in the subject.
    pub fn organization(&self) -> Option<&str> {
        self.organization.as_deref()
    }

    /// The country in the subject, two capital letters.
    pub fn country(&self) -> Option<&str> {
        self.country.as_deref()
    }

    /// The policies that certificates name.
    pub fn policies(&self) -> &[CertificatePolicy] {
        &self.policies
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

#[cfg(test)]
mod tests;
