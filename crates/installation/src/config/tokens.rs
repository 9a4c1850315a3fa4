//! What an operator decides about tokens and products.

use serde::Deserialize;
use std::time::Duration;
use tegata_core::client_sign_in::check_origin;

/// How tokens and the keys that sign them live.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokensConfig {
    /// How long an access token lives.
    pub lifetime_seconds: u32,
    /// How long a person stays signed in on a device, however much it is used.
    pub refresh_minutes: u32,
    /// How long so without using it.
    pub refresh_idle_minutes: u32,
    /// How long a replaced refresh token works once more, for answers that were lost.
    pub refresh_grace_seconds: u32,
    /// How many days a key signs tokens before the next one is made; 0 for until somebody says so.
    pub key_days: u32,
}

/// A product behind a gate.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductConfig {
    /// The `aud` of its tokens and the `resource` that asks for them.
    pub audience: String,
    /// Whether devices need a license for it: `tegata license grant`.
    #[serde(default)]
    pub licensed: bool,
    /// What of it a token may be good for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Origins under which gates serve it to browsers, beside that of its audience.
    #[serde(default)]
    pub origins: Vec<String>,
}

impl Default for TokensConfig {
    /// People stay signed in for a long working day, over a long lunch, and when the network comes back.
    fn default() -> Self {
        Self {
            lifetime_seconds: 300,
            refresh_minutes: 16 * 60,
            refresh_idle_minutes: 3 * 60,
            refresh_grace_seconds: 60,
            key_days: 90,
        }
    }
}

impl TokensConfig {
    /// How long a key signs, if that has an end.
    pub fn key_age(&self) -> Option<Duration> {
        (self.key_days > 0).then(|| Duration::from_hours(24) * self.key_days)
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if !(30..=3600).contains(&self.lifetime_seconds) {
            return Err("tokens.lifetime_seconds must lie between 30 and 3600".into());
        }
        if self.refresh_grace_seconds > 600 {
            return Err("tokens.refresh_grace_seconds must not be above 600".into());
        }
        let idle = u64::from(self.refresh_idle_minutes);
        if idle * 60 < u64::from(self.lifetime_seconds.max(self.refresh_grace_seconds + 1)) {
            return Err("tokens.refresh_idle_minutes must be longer than lifetime and grace".into());
        }
        if self.refresh_minutes < self.refresh_idle_minutes {
            return Err("tokens.refresh_minutes must not be shorter than tokens.refresh_idle_minutes".into());
        }
        Ok(())
    }
}

impl ProductConfig {
    /// Browsers are sent there with codes.
    pub(super) fn check(&self) -> Result<(), String> {
        let unfit = self.origins.iter().try_for_each(|origin| check_origin(origin));
        unfit.map_err(|unfit| format!("product.origins {unfit}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refresh_tokens_outlive_access_tokens_and_their_own_grace() {
        let check = |text: &str| toml::from_str::<TokensConfig>(text).unwrap().check();
        assert_eq!(check(""), Ok(()));
        assert_eq!(check("lifetime_seconds = 60\nrefresh_minutes = 600\nrefresh_idle_minutes = 600"), Ok(()));
        for wrong in [
            "lifetime_seconds = 10",
            "refresh_minutes = 60\nrefresh_idle_minutes = 61",
            "refresh_idle_minutes = 4",
            "refresh_grace_seconds = 601",
            "refresh_idle_minutes = 5\nrefresh_grace_seconds = 300",
        ] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}
