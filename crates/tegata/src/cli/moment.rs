//! Moments as options name them.

use tegata_core::Timestamp;

/// A day of Japan, or a moment.
pub fn day_or_moment(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).or_else(|| Timestamp::parse(&format!("{text}T00:00:00+09:00"))).ok_or_else(|| {
        "neither a day such as 2026-04-01 nor a moment such as 2026-04-01T09:00:00+09:00".to_owned()
    })
}
