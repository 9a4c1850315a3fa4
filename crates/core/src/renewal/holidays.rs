//! The public holidays of Japan, computed from the law (国民の祝日に関する法律).
//!
//! The days of the two equinoxes are announced by the Cabinet Office in February of the year before. The formula here gives what
//! was announced for every year so far, and holds until 2099. Should a law move a holiday for a year, as it did for the
//! Olympic Games, the moved day is written among the closed days of a place.

use time::{Date, Duration, Month, Weekday};

/// Whether nobody works on this day by law: a holiday, the day after one that fell on a Sunday, or a day between two.
pub fn is_public_holiday(day: Date) -> bool {
    is_named(day) || is_substitute(day) || is_between_two(day)
}

/// One of the sixteen holidays of article 2.
fn is_named(day: Date) -> bool {
    let (month, number) = (day.month(), day.day());
    match month {
        Month::January => number == 1 || is_monday(day, 2),
        Month::February => matches!(number, 11 | 23),
        Month::March => number == equinox(20.8431, day.year()),
        Month::April => number == 29,
        Month::May => matches!(number, 3..=5),
        Month::July => is_monday(day, 3),
        Month::August => number == 11,
        Month::September => is_monday(day, 3) || number == equinox(23.2488, day.year()),
        Month::October => is_monday(day, 2),
        Month::November => matches!(number, 3 | 23),
        Month::June | Month::December => false,
    }
}

/// Article 3, paragraph 2: the next day that is no holiday, after one on a Sunday.
fn is_substitute(day: Date) -> bool {
    if is_named(day) {
        return false;
    }
    let mut before = day.saturating_sub(Duration::DAY);
    while is_named(before) {
        if before.weekday() == Weekday::Sunday {
            return true;
        }
        before = before.saturating_sub(Duration::DAY);
    }
    false
}

/// Article 3, paragraph 3: a day that is no holiday, with one before and one after it.
fn is_between_two(day: Date) -> bool {
    !is_named(day)
        && is_named(day.saturating_sub(Duration::DAY))
        && is_named(day.saturating_add(Duration::DAY))
}

/// The so manieth Monday of its month.
fn is_monday(day: Date, which: u8) -> bool {
    day.weekday() == Weekday::Monday && (day.day() - 1) / 7 + 1 == which
}

/// The day of March or September on which day and night are equal, by the approximation in common use for 1980 to 2099.
fn equinox(in_1980: f64, year: i32) -> u8 {
    let years = year - 1980;
    let day = in_1980 + 0.242_194 * f64::from(years) - f64::from(years.div_euclid(4));
    // Between 19 and 24, so nothing is lost.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a day of a month")]
    let day = day.floor() as u8;
    day
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every day off by law, as the Cabinet Office published them.
    const PUBLISHED: [(i32, &str); 4] = [
        (
            2024,
            "0101 0108 0211 0212 0223 0320 0429 0503 0504 0505 0506 0715 0811 0812 0916 0922 0923 1014 1103 1104 1123",
        ),
        (
            2025,
            "0101 0113 0211 0223 0224 0320 0429 0503 0504 0505 0506 0721 0811 0915 0923 1013 1103 1123 1124",
        ),
        (2026, "0101 0112 0211 0223 0320 0429 0503 0504 0505 0506 0720 0811 0921 0922 0923 1012 1103 1123"),
        (2027, "0101 0111 0211 0223 0321 0322 0429 0503 0504 0505 0719 0811 0920 0923 1011 1103 1123"),
    ];

    #[test]
    fn a_planner_knows_the_holidays_that_the_cabinet_office_published() {
        for (year, published) in PUBLISHED {
            let mut day = Date::from_calendar_date(year, Month::January, 1).unwrap();
            let mut found = Vec::new();
            while day.year() == year {
                if is_public_holiday(day) {
                    found.push(format!("{:02}{:02}", u8::from(day.month()), day.day()));
                }
                day += Duration::DAY;
            }
            assert_eq!(found.join(" "), published, "{year}");
        }
    }
}
