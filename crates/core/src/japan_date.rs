//! Dates and times in Japan's time zone, as pages show them.

use crate::language::Language;
use crate::timestamp::Timestamp;
use std::time::Duration;
use time::OffsetDateTime;

/// Calendar days are those of Japan, where the readers are.
const JAPAN: Duration = Duration::from_hours(9);

/// For people: `2026年11月22日`, `2026-11-22`.
pub fn day(at: Timestamp, language: Language) -> String {
    let date = in_japan(at);
    let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
    match language {
        Language::Ja => format!("{year}年{month}月{day}日"),
        Language::En => format!("{year}-{month:02}-{day:02}"),
    }
}

/// With the time of day: `2026年11月22日 0:30`, `2026-11-22 00:30 (Japan)`.
pub fn moment(at: Timestamp, language: Language) -> String {
    let date = in_japan(at);
    let (day, hour, minute) = (day(at, language), date.hour(), date.minute());
    match language {
        Language::Ja => format!("{day} {hour}:{minute:02}"),
        Language::En => format!("{day} {hour:02}:{minute:02} (Japan)"),
    }
}

/// To the second, for records: `2026年11月22日 0:30:05`, `2026-11-22 00:30:05 (Japan)`.
pub fn second(at: Timestamp, language: Language) -> String {
    let date = in_japan(at);
    let (day, hour, minute, second) = (day(at, language), date.hour(), date.minute(), date.second());
    match language {
        Language::Ja => format!("{day} {hour}:{minute:02}:{second:02}"),
        Language::En => format!("{day} {hour:02}:{minute:02}:{second:02} (Japan)"),
    }
}

/// For records and names of files: `2026-11-22`.
pub fn iso_day(at: Timestamp) -> String {
    day(at, Language::En)
}

/// The wall clock of Japan; its offset says UTC.
pub fn in_japan(at: Timestamp) -> OffsetDateTime {
    at.plus(JAPAN).date_time()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn staff_read_the_day_as_it_is_in_japan() {
        let at = Timestamp::parse("2026-11-21T15:30:00Z").unwrap();
        assert_eq!(day(at, Language::Ja), "2026年11月22日");
        assert_eq!(moment(at, Language::Ja), "2026年11月22日 0:30");
        assert_eq!(moment(at, Language::En), "2026-11-22 00:30 (Japan)");
        assert_eq!(second(at, Language::Ja), "2026年11月22日 0:30:00");
        assert_eq!(second(at, Language::En), "2026-11-22 00:30:00 (Japan)");
    }
}
