//! When a place wants its renewals: the hours in which somebody is there, the days on which nobody is, and those on which
//! nobody has time.

use crate::policy::{FixedOffset, OpeningHours};
use crate::renewal::holidays::is_public_holiday;
use crate::timestamp::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use time::{Date, Month};

/// What a tenant or a site says of its renewals. They are wishes: a certificate is renewed in time however they are written.
/// In JSON what is not said is left out; a member that is not known is an error, so that a program which is too old for a rule
/// does not pass over it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RenewalRules {
    /// When somebody is there; at any time if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<OpeningHours>,
    /// Whether the place is open on public holidays. It is not, unless it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_on_holidays: Option<bool>,
    /// Days on which nobody is there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub closed: Vec<CalendarDays>,
    /// Days on which nobody has time, as when claims are sent in. Taken only where there are no others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub busy: Vec<CalendarDays>,
    /// Over how many days renewals are spread, from the day on which a certificate is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spread_days: Option<u16>,
    /// Nobody is asked to renew before, as long as there is time enough left afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<Timestamp>,
    /// Every certificate that was made before is to be renewed now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub urgent_since: Option<Timestamp>,
}

/// Days of the calendar: `2026-12-29`, `2026-12-29..2027-01-03`, or in every month `1-10` or `25`; the last one counts too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CalendarDays {
    /// A row of days that comes once.
    Dates {
        /// The day on which it begins.
        from: Date,
        /// The last day, not before the first.
        to: Date,
    },
    /// In every month, by their numbers.
    OfMonth {
        /// The number of the first day.
        from: u8,
        /// The last day, not before the first.
        to: u8,
    },
}

/// The text means no days.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("days are written like 2026-12-29, 2026-12-29..2027-01-03, or 1-10 for every month")]
pub struct NotCalendarDays;

/// What a moment is at a place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SiteTime {
    /// Somebody is there and has time.
    Open,
    /// Somebody is there and has no time.
    Busy,
    /// Nobody is there to renew.
    Closed,
}

impl RenewalRules {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether anything is said of hours and days.
    pub fn has_calendar(&self) -> bool {
        self.hours.is_some() || !self.closed.is_empty() || !self.busy.is_empty() || self.spread_days.is_some()
    }

    /// The rules of a site with those of its tenant: what the site says of hours, holidays and busy days goes before; closed
    /// days are those of both; a pause or a hurry of the tenant is one of each of its sites.
    #[must_use]
    pub fn within(self, tenant: &Self) -> Self {
        let mut closed = self.closed;
        closed.extend(tenant.closed.iter().copied());
        Self {
            hours: self.hours.or_else(|| tenant.hours.clone()),
            open_on_holidays: self.open_on_holidays.or(tenant.open_on_holidays),
            closed,
            busy: if self.busy.is_empty() { tenant.busy.clone() } else { self.busy },
            spread_days: self.spread_days.or(tenant.spread_days),
            paused_until: self.paused_until.max(tenant.paused_until),
            urgent_since: self.urgent_since.max(tenant.urgent_since),
        }
    }

    /// What a moment is. Where nothing is said of hours and days, every moment is open.
    pub fn at(&self, moment: Timestamp) -> SiteTime {
        let zone = self.hours.as_ref().map_or(FixedOffset::JAPAN, |hours| hours.zone);
        let day = zone.date(moment);
        let is_open_by_day = !has(&self.closed, day)
            && (self.hours.is_none() || self.open_on_holidays == Some(true) || !is_public_holiday(day));
        if !is_open_by_day || self.hours.as_ref().is_some_and(|hours| !hours.include(moment)) {
            SiteTime::Closed
        } else if has(&self.busy, day) {
            SiteTime::Busy
        } else {
            SiteTime::Open
        }
    }
}

impl CalendarDays {
    fn has(self, day: Date) -> bool {
        match self {
            Self::Dates { from, to } => (from..=to).contains(&day),
            Self::OfMonth { from, to } => (from..=to).contains(&day.day()),
        }
    }
}

fn has(days: &[CalendarDays], day: Date) -> bool {
    days.iter().any(|days| days.has(day))
}

impl FromStr for CalendarDays {
    type Err = NotCalendarDays;

    fn from_str(text: &str) -> Result<Self, NotCalendarDays> {
        if let Some((from, to)) = text.split_once("..") {
            let (from, to) = (date(from)?, date(to)?);
            return if from <= to { Ok(Self::Dates { from, to }) } else { Err(NotCalendarDays) };
        }
        if let Ok(day) = date(text) {
            return Ok(Self::Dates { from: day, to: day });
        }
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        let (from, to) = (number(from, 2)?, number(to, 2)?);
        match (u8::try_from(from), u8::try_from(to)) {
            (Ok(from), Ok(to)) if (1..=31).contains(&from) && from <= to && to <= 31 => {
                Ok(Self::OfMonth { from, to })
            }
            _ => Err(NotCalendarDays),
        }
    }
}

/// A day as ISO 8601 writes it: `2026-12-29`.
fn date(text: &str) -> Result<Date, NotCalendarDays> {
    let parts: Vec<_> = text.split('-').collect();
    let [year, month, day] = parts[..] else { return Err(NotCalendarDays) };
    if year.len() != 4 || month.len() != 2 || day.len() != 2 {
        return Err(NotCalendarDays);
    }
    let (year, month, day) = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
    let small = |number: u16| u8::try_from(number).map_err(|_| NotCalendarDays);
    let month = Month::try_from(small(month)?).map_err(|_| NotCalendarDays)?;
    Date::from_calendar_date(i32::from(year), month, small(day)?).map_err(|_| NotCalendarDays)
}

fn number(text: &str, longest: usize) -> Result<u16, NotCalendarDays> {
    let is_number =
        !text.is_empty() && text.len() <= longest && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten().ok_or(NotCalendarDays)
}

impl fmt::Display for CalendarDays {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dates { from, to } if from == to => write!(formatter, "{from}"),
            Self::Dates { from, to } => write!(formatter, "{from}..{to}"),
            Self::OfMonth { from, to } if from == to => write!(formatter, "{from}"),
            Self::OfMonth { from, to } => write!(formatter, "{from}-{to}"),
        }
    }
}

impl Serialize for CalendarDays {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CalendarDays {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
