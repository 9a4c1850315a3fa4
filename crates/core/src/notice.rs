//! Who is told that a certificate will end, and when: at steps before the end, and higher up at each step.

use crate::japan_date::in_japan;
use crate::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);

/// Days before the end at which somebody is told, and the end itself.
const STEPS: [u16; 6] = [60, 30, 14, 7, 1, 0];

/// How long before its end a certificate is looked at first: the day of the first step, from its beginning on.
pub const FIRST_NOTICE: Duration = DAY.saturating_mul(61);

/// Whole days of Japan's calendar until the day of `end`; none once that is over.
pub fn days_until(end: Timestamp, now: Timestamp) -> u32 {
    let days = (in_japan(end).date() - in_japan(now).date()).whole_days();
    u32::try_from(days).unwrap_or(0)
}

/// Days before the end of a certificate; 0 is that it has ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(transparent)]
pub struct NoticeStep(u16);

/// Who is told. The later ones are told when those before them have not acted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeLevel {
    /// Whose device it is.
    Person,
    /// Who manages the site.
    Site,
    /// The head office of the tenant.
    HeadOffice,
    /// The support of the vendor.
    Support,
    /// Whoever runs the installation: told of the day's work, and of no renewals.
    Operator,
}

impl NoticeStep {
    /// The step that a certificate has come to, by days of the calendar: whoever is told once a day is told the whole day before.
    /// The steps of a certificate lie in the last third of its life, so that one that lives a month is not told of before it begins.
    pub fn at(not_before: Timestamp, not_after: Timestamp, now: Timestamp) -> Option<Self> {
        let third = not_after.since(not_before) / 3;
        let steps = STEPS.iter().filter(|days| DAY * u32::from(**days) <= third);
        let reached = steps.filter(|days| match days {
            0 => now > not_after,
            days => days_until(not_after, now) <= u32::from(**days),
        });
        reached.min().map(|days| Self(*days))
    }

    /// From its number of days, as the ledger keeps it.
    pub fn from_days(days: i64) -> Option<Self> {
        STEPS.iter().find(|step| i64::from(**step) == days).map(|step| Self(*step))
    }

    /// How many days it is before the end.
    pub const fn days(self) -> u16 {
        self.0
    }

    /// Whether the certificate has ended.
    pub const fn is_over(self) -> bool {
        self.0 == 0
    }

    /// Up to whom it goes.
    pub const fn reaches(self) -> NoticeLevel {
        match self.0 {
            0 | 1 => NoticeLevel::Support,
            2..=7 => NoticeLevel::HeadOffice,
            8..=14 => NoticeLevel::Site,
            _ => NoticeLevel::Person,
        }
    }

    /// Which of those who are named are told at this step, by level and whether they can be reached: all up to the level that it
    /// reaches. Where nobody of the highest of these levels can be reached, the first level above that has somebody is told too.
    pub fn addressed<T: Copy>(self, named: &[(NoticeLevel, T, bool)]) -> Vec<T> {
        let of_renewals = || named.iter().filter(|(level, ..)| *level < NoticeLevel::Operator);
        let reachable = || of_renewals().filter(|(.., is_reachable)| *is_reachable);
        let highest = of_renewals().map(|(level, ..)| *level).filter(|level| *level <= self.reaches()).max();
        let is_covered = highest.is_some_and(|highest| reachable().any(|(level, ..)| *level == highest));
        let above = || reachable().map(|(level, ..)| *level).filter(|level| Some(*level) > highest).min();
        let instead = if is_covered { None } else { above() };
        let top = instead.map_or(self.reaches(), |level| level.max(self.reaches()));
        reachable().filter(|(level, ..)| *level <= top).map(|(_, who, _)| *who).collect()
    }
}

impl NoticeLevel {
    /// All of them, from the device upward.
    pub const ALL: [Self; 5] = [Self::Person, Self::Site, Self::HeadOffice, Self::Support, Self::Operator];

    /// The word in the ledger and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Site => "site",
            Self::HeadOffice => "head-office",
            Self::Support => "support",
            Self::Operator => "operator",
        }
    }

    /// The level that a word of the ledger names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == word)
    }
}

impl fmt::Display for NoticeLevel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::NoticeLevel::{HeadOffice, Operator, Person, Site, Support};
    use super::*;

    const BEGIN: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn days_told(life: u32, left: Duration) -> Option<u16> {
        let end = BEGIN.plus(DAY * life);
        NoticeStep::at(BEGIN, end, end.minus(left)).map(NoticeStep::days)
    }

    #[test]
    fn a_certificate_is_told_of_in_steps_within_its_last_third() {
        let hour = Duration::from_hours(1);
        for (life, left, step) in [
            (365, DAY * 61, None),
            (365, DAY * 60 + hour, Some(60)),
            (365, DAY * 60, Some(60)),
            (365, DAY * 31, Some(60)),
            (365, DAY * 30, Some(30)),
            (365, DAY * 13, Some(14)),
            (365, DAY * 2, Some(7)),
            (365, hour, Some(1)),
            (90, DAY * 31, None),
            (90, DAY * 30, Some(30)),
            (30, DAY * 14, None),
            (30, DAY * 7, Some(7)),
            (2, hour, None),
        ] {
            assert_eq!(days_told(life, left), step, "{life} days of life, {left:?} left");
        }
        let over = NoticeStep::at(BEGIN, BEGIN.plus(DAY), BEGIN.plus(DAY * 2));
        assert_eq!(over.map(NoticeStep::is_over), Some(true), "however short it lived");
    }

    #[test]
    fn nobody_is_left_out_because_somebody_cannot_be_told() {
        let step = |days| NoticeStep::from_days(days).unwrap();
        let everybody = NoticeLevel::ALL.map(|level| (level, level, true));
        let without =
            |away: &[NoticeLevel]| everybody.map(|(level, who, _)| (level, who, !away.contains(&level)));
        assert_eq!(step(30).addressed(&without(&[Person])), [Site]);
        assert_eq!(
            step(14).addressed(&without(&[Site])),
            [Person, HeadOffice],
            "in the place of who is away"
        );
        assert_eq!(step(7).addressed(&without(&[HeadOffice])), [Person, Site, Support]);
        assert_eq!(
            step(1).addressed(&without(&[Support])),
            [Person, Site, HeadOffice],
            "there is nobody above"
        );
        assert_eq!(step(60).addressed(&everybody), [Person]);
        assert_eq!(step(14).addressed(&everybody), [Person, Site]);
        assert_eq!(step(7).addressed(&everybody), [Person, Site, HeadOffice]);
        assert_eq!(step(1).addressed(&everybody), [Person, Site, HeadOffice, Support]);
        assert_eq!(step(0).addressed(&everybody), [Person, Site, HeadOffice, Support]);
        assert_eq!(step(60).addressed(&everybody[2..]), [HeadOffice], "the first who can be told");
        assert_eq!(step(60).addressed(&everybody[3..]), [Support]);
        assert_eq!(step(0).addressed(&[(Operator, Operator, true)]), [], "who is told of no renewals");
    }
}
