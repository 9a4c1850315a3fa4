//! Time as an argument, in milliseconds since the epoch.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::time::{Duration, UNIX_EPOCH};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Milliseconds since 1970-01-01T00:00:00Z. Written in JSON as RFC 3339.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp(i64);

/// Clocks of one installation are this far apart at most. A time that lies further ahead was written by a clock that was
/// wrong, and nobody waits for it.
pub const CLOCKS_APART: Duration = Duration::from_secs(10);

/// A source of the current time. Only the program and its request handlers have one; all else takes the time as an
/// argument.
pub trait Clock: Send + Sync {
    /// The current time by this clock.
    fn now(&self) -> Timestamp;
}

impl Timestamp {
    /// Later than everything that happens.
    pub const END: Self = Self(i64::MAX);

    /// From milliseconds since the epoch, as the ledger keeps it.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From seconds since the epoch, as tokens and certificates carry it.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This time without its fraction of a second, which certificates cannot express.
    #[must_use]
    pub const fn whole_second(self) -> Self {
        Self::from_seconds(self.seconds())
    }

    /// Later by `duration`, saturating.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// Earlier by `duration`, saturating.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }

    /// Whether a clock that was ahead must have written it.
    pub fn is_ahead_of(self, now: Self) -> bool {
        self.since(now) > CLOCKS_APART
    }

    /// How long ago `earlier` was; zero when it lies in the future.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The calendar form. Times outside the years 1 to 9999 are clamped to the epoch.
    pub fn date_time(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// From RFC 3339 text, to the millisecond.
    pub fn parse(text: &str) -> Option<Self> {
        let nanos = OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp_nanos();
        i64::try_from(nanos.div_euclid(1_000_000)).ok().map(Self)
    }

    /// From a date of HTTP, in any of the three forms that a recipient must read (RFC 9110 section 5.6.7).
    pub fn parse_http_date(text: &str) -> Option<Self> {
        let since = httpdate::parse_http_date(text.trim()).ok()?.duration_since(UNIX_EPOCH).ok()?;
        i64::try_from(since.as_secs()).ok().map(Self::from_seconds)
    }

    /// The time as an HTTP date, in whole seconds (RFC 9110 section 5.6.7). Times outside the years 1970 to 9999 are
    /// clamped.
    pub fn http_date(self) -> String {
        let seconds = self.seconds().clamp(0, LAST_SECOND).unsigned_abs();
        httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
    }
}

/// 9999-12-31T23:59:59Z in seconds since the epoch, the last date that HTTP and X.509 can write.
const LAST_SECOND: i64 = 253_402_300_799;

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl From<i64> for Timestamp {
    fn from(millis: i64) -> Self {
        Self(millis)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.date_time().format(&Rfc3339).map_err(|_| fmt::Error)?;
        formatter.write_str(&text)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not an RFC 3339 time"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_number_say_the_same_instant() {
        let at = Timestamp::from_millis(1_700_000_000_123);
        assert_eq!(at.to_string(), "2023-11-14T22:13:20.123Z");
        assert_eq!(Timestamp::parse("2023-11-15T07:13:20.123+09:00"), Some(at));
        assert_eq!(at.whole_second().millis(), 1_700_000_000_000);
    }

    #[test]
    fn a_date_of_http_is_read_in_its_three_forms_and_written_in_one() {
        let at = Timestamp::from_seconds(784_111_777);
        for form in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(Timestamp::parse_http_date(form), Some(at), "{form}");
        }
        assert_eq!(at.http_date(), "Sun, 06 Nov 1994 08:49:37 GMT");
        for none in ["", "yesterday", "784111777", "Sun, 06 Foo 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"] {
            assert_eq!(Timestamp::parse_http_date(none), None, "{none}");
        }
        assert_eq!(Timestamp::from_millis(i64::MIN).http_date(), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(Timestamp::from_millis(i64::MAX).http_date(), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    #[test]
    fn a_time_in_the_future_is_no_time_ago() {
        let now = Timestamp::from_seconds(10);
        assert_eq!(now.since(Timestamp::from_seconds(11)), Duration::ZERO);
        assert_eq!(now.plus(Duration::from_secs(5)).since(now), Duration::from_secs(5));
    }
}
