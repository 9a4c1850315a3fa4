//! `[audit]`: how long the audit log keeps what.

use serde::Deserialize;
use std::time::Duration;
use tegata_storage::AuditRetention;

/// What `tegata init` writes about it.
pub const TEMPLATE: &str = "\
# How long the audit log keeps its entries. Those about routine tokens become one number for each device and day; what says why
# a certificate or device is as it is stays. `tegata audit export` writes files that prove themselves. See docs/operations.md.
# [audit]
# keep_years = 10
# token_hours = 24
";

/// The section `[audit]`: how long the audit log keeps its entries.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditConfig {
    /// How long entries are kept.
    pub keep_years: u32,
    /// How long each token has an entry of its own.
    pub token_hours: u32,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self { keep_years: 10, token_hours: 24 }
    }
}

impl AuditConfig {
    /// Guidelines ask for five years.
    pub fn check(&self) -> Result<(), String> {
        if !(5..=100).contains(&self.keep_years) {
            return Err("audit.keep_years must lie between 5 and 100".into());
        }
        if !(1..=self.keep_years * 365 * 24).contains(&self.token_hours) {
            return Err("audit.token_hours must be at least 1 and no longer than audit.keep_years".into());
        }
        Ok(())
    }

    /// Both periods as durations. A year is counted as 366 days, so that nothing is let go too early.
    pub fn retention(&self) -> AuditRetention {
        let hours = |hours: u32| Duration::from_hours(u64::from(hours));
        AuditRetention { tokens: hours(self.token_hours), others: hours(self.keep_years * 366 * 24) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_keeps_less_than_the_guidelines_ask_for() {
        let read = |text: &str| toml::from_str::<AuditConfig>(text).unwrap().check().is_ok();
        assert!(read("") && read("keep_years = 5") && read("token_hours = 1"));
        for wrong in
            ["keep_years = 4", "keep_years = 101", "token_hours = 0", "keep_years = 5\ntoken_hours = 50000"]
        {
            assert!(!read(wrong), "{wrong}");
        }
    }
}
