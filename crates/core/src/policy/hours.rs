//! Hours of the week in a shop's local time.

use crate::language::Language;
use crate::timestamp::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

const DAY: u16 = 24 * 60;
const WEEK: u8 = 7;

/// 1970-01-01 was a Thursday, the fourth day after Monday's zeroth.
const EPOCH: i64 = 3;

/// When enrollment is allowed: within any of the windows. Without a window it is never allowed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpeningHours {
    /// The offset from UTC in which the windows are written.
    #[serde(default)]
    pub zone: FixedOffset,
    /// When enrollment is open; at any other time it is closed.
    pub windows: Vec<WeeklyWindow>,
}

/// A clock that is ahead of UTC by a fixed number of minutes, all year round; Japan's by default. Written as
/// `+09:00`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FixedOffset(i16);

/// On certain days, from one time of the day up to, but not including, another: `mon-fri 09:00-20:00`,
/// `sat,sun 10:00-18:00`, `09:00-20:00` on every day, `sun` all day. `22:00-06:00` ends on the next day, and belongs to the
/// day on which it begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WeeklyWindow {
    days: Weekdays,
    /// Minutes after midnight, 0 to 1439.
    from: u16,
    /// Minutes after midnight, 1 to 1440; not after `from` where it is on the next day.
    to: u16,
}

/// Days of the week, Monday in the lowest bit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Weekdays(u8);

/// The text is no window.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("hours are written like \"mon-fri 09:00-20:00\", \"sat,sun 10:00-18:00\" or \"22:00-06:00\"")]
pub struct NotAWindow;

/// The text is no zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a zone is written like +09:00, from -12:00 to +14:00")]
pub struct NotAZone;

impl OpeningHours {
    /// Whether this moment is within them.
    pub fn include(&self, at: Timestamp) -> bool {
        let minutes = at.seconds().div_euclid(60) + i64::from(self.zone.0);
        let day = (minutes.div_euclid(i64::from(DAY)) + EPOCH).rem_euclid(i64::from(WEEK));
        let minute = minutes.rem_euclid(i64::from(DAY));
        // Both are remainders of what fits.
        let (day, minute) = (u8::try_from(day).unwrap_or(0), u16::try_from(minute).unwrap_or(0));
        self.windows.iter().any(|window| window.includes(day, minute))
    }

    /// The hours in words, for a person who has to come again at another time: `日本時間で月〜金 9:00〜20:00`.
    pub fn text(&self, language: Language) -> String {
        let windows: Vec<_> = self.windows.iter().map(|window| window.text(language)).collect();
        let zone = if self.zone == FixedOffset::JAPAN {
            language.pick("日本時間", "Japan time").to_owned()
        } else {
            format!("UTC{}", self.zone)
        };
        match language {
            Language::Ja => format!("{zone}で{}", windows.join("、")),
            Language::En => format!("{}, {zone}", windows.join(", ")),
        }
    }
}

impl FixedOffset {
    /// Nine hours ahead of UTC, without a summer time.
    pub const JAPAN: Self = Self(9 * 60);

    /// The day of the calendar by this clock.
    pub fn date(self, at: Timestamp) -> time::Date {
        Timestamp::from_seconds(at.seconds().saturating_add(i64::from(self.0) * 60)).date_time().date()
    }
}

impl Default for FixedOffset {
    fn default() -> Self {
        Self::JAPAN
    }
}

impl WeeklyWindow {
    fn includes(self, day: u8, minute: u16) -> bool {
        if self.from < self.to {
            return self.days.has(day) && (self.from..self.to).contains(&minute);
        }
        let yesterday = (day + WEEK - 1) % WEEK;
        (self.days.has(day) && minute >= self.from) || (self.days.has(yesterday) && minute < self.to)
    }

    fn text(self, language: Language) -> String {
        let (days, clock) =
            (self.days.text(language), |minutes: u16| format!("{}:{:02}", minutes / 60, minutes % 60));
        let (from, to) = (clock(self.from), clock(self.to));
        match language {
            Language::Ja => format!("{days} {from}〜{to}"),
            Language::En => format!("{days} {from}–{to}"),
        }
    }
}

impl Weekdays {
    /// Every day of the week.
    pub const ALL: Self = Self(0b111_1111);

    const NAMES: [&str; WEEK as usize] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    const JA: [&str; WEEK as usize] = ["月", "火", "水", "木", "金", "土", "日"];
    const EN: [&str; WEEK as usize] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

    fn has(self, day: u8) -> bool {
        self.0 & (1 << day) != 0
    }

    /// Days that follow one another, first and last of each row.
    fn rows(self) -> Vec<(usize, usize)> {
        let mut rows: Vec<(usize, usize)> = Vec::new();
        for day in (0..WEEK).filter(|day| self.has(*day)).map(usize::from) {
            match rows.last_mut() {
                Some((_, last)) if *last + 1 == day => *last = day,
                _ => rows.push((day, day)),
            }
        }
        rows
    }

    fn written(self, names: [&str; WEEK as usize], to: &str, and: &str) -> String {
        let row = |(first, last): &(usize, usize)| {
            if first == last {
                names[*first].to_owned()
            } else {
                format!("{}{to}{}", names[*first], names[*last])
            }
        };
        self.rows().iter().map(row).collect::<Vec<_>>().join(and)
    }

    fn text(self, language: Language) -> String {
        match language {
            _ if self == Self::ALL => language.pick("毎日", "every day").to_owned(),
            Language::Ja => self.written(Self::JA, "〜", "・"),
            Language::En => self.written(Self::EN, "–", ", "),
        }
    }
}

impl FromStr for Weekdays {
    type Err = NotAWindow;

    fn from_str(text: &str) -> Result<Self, NotAWindow> {
        let day = |name: &str| {
            Self::NAMES.iter().position(|known| name.eq_ignore_ascii_case(known)).ok_or(NotAWindow)
        };
        let mut days = 0;
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (mut one, last) = (day(first)?, day(last)?);
            days |= 1 << one;
            while one != last {
                one = (one + 1) % usize::from(WEEK);
                days |= 1 << one;
            }
        }
        Ok(Self(days))
    }
}

impl FromStr for WeeklyWindow {
    type Err = NotAWindow;

    fn from_str(text: &str) -> Result<Self, NotAWindow> {
        let parts: Vec<_> = text.split_whitespace().collect();
        let (days, times) = match &parts[..] {
            [times] if times.contains(':') => (Weekdays::ALL, *times),
            [days] => (days.parse()?, "00:00-24:00"),
            [days, times] => (days.parse()?, *times),
            _ => return Err(NotAWindow),
        };
        let (from, to) = times.split_once('-').ok_or(NotAWindow)?;
        let (from, to) = (minutes(from).ok_or(NotAWindow)?, minutes(to).ok_or(NotAWindow)?);
        if from == to || from == DAY || to == 0 {
            return Err(NotAWindow);
        }
        Ok(Self { days, from, to })
    }
}

impl FromStr for FixedOffset {
    type Err = NotAZone;

    fn from_str(text: &str) -> Result<Self, NotAZone> {
        let (sign, rest) = match text.split_at_checked(1) {
            Some(("+", rest)) => (1, rest),
            Some(("-", rest)) => (-1, rest),
            _ => return Err(NotAZone),
        };
        let ahead = minutes(rest).and_then(|minutes| i16::try_from(minutes).ok()).ok_or(NotAZone)? * sign;
        if (-12 * 60..=14 * 60).contains(&ahead) { Ok(Self(ahead)) } else { Err(NotAZone) }
    }
}

/// `9:00` or `09:00`, up to `24:00`.
fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str, longest| {
        let is_number =
            !text.is_empty() && text.len() <= longest && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<u16>().ok()).flatten()
    };
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2).filter(|_| minutes.len() == 2)?);
    let all = hours * 60 + minutes;
    (minutes < 60 && all <= DAY).then_some(all)
}

impl fmt::Display for WeeklyWindow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { days, from, to } = self;
        if *days != Weekdays::ALL {
            write!(formatter, "{} ", days.written(Weekdays::NAMES, "-", ","))?;
        }
        write!(formatter, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

impl fmt::Display for FixedOffset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, ahead) = (if self.0 < 0 { '-' } else { '+' }, self.0.unsigned_abs());
        write!(formatter, "{sign}{:02}:{:02}", ahead / 60, ahead % 60)
    }
}

macro_rules! as_text {
    ($($type:ident),*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

as_text!(WeeklyWindow, FixedOffset);
