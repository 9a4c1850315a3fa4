//! Which hour of which day a device is to renew in.
//!
//! The plan of a device follows from its certificate, its name and the rules of its place, and from nothing else: no server keeps
//! one, any of them says the same, and rules that change have planned everybody anew.

use super::RenewalPolicy;
use super::rules::{RenewalRules, SiteTime};
use crate::id::DeviceId;
use crate::thumbprint::Thumbprint;
use crate::timestamp::Timestamp;
use serde::Serialize;
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);

/// How long the window of one device is.
const SLOT: Duration = Duration::from_hours(1);

/// Over how many days renewals are spread where no rule says it.
const SPREAD_DAYS: u16 = 14;

/// Nobody is planned for later than this before the end of the certificate; of short lives, than half of the time between due
/// and over.
const LAST_CALL: Duration = Duration::from_hours(7 * 24);

/// Hours that are looked at for one device: three months of them.
const MOST_SLOTS: usize = 24 * 92;

/// When a device is to renew.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct PlannedRenewal {
    /// From when it is asked to.
    pub from: Timestamp,
    /// When it should be done; an automatic client chooses a moment in between (RFC 9773).
    pub to: Timestamp,
    /// Why it is this moment.
    pub basis: PlanBasis,
}

/// Why a renewal is planned for the moment it is planned for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlanBasis {
    /// No rule says when, so it is as soon as the certificate is due.
    Due,
    /// Somebody is there and has time.
    Open,
    /// Somebody is there, on a busy day: there is no other.
    Busy,
    /// Nobody is there at any time that is left, so the rules are set aside.
    NoOpenTime,
    /// It was asked for at once.
    Urgent,
}

/// A certificate that will be renewed.
#[derive(Clone, Copy, Debug)]
pub struct RenewalSubject<'a> {
    /// The device that presents it.
    pub device: &'a DeviceId,
    /// Which of the device's certificates.
    pub generation: u32,
    /// When it was made, which is later than its beginning where a profile makes up for clocks that are behind.
    pub made_at: Timestamp,
    /// The first second of its validity.
    pub not_before: Timestamp,
    /// The last second of its validity.
    pub not_after: Timestamp,
}

impl RenewalPolicy {
    /// When this certificate is to be renewed at a place with these rules: from the day on which it is due, in an hour that the
    /// device's name chooses among those in which somebody is there. So devices of a chain do not all come at once, and none
    /// comes later than the last call.
    pub fn plan(&self, rules: &RenewalRules, subject: &RenewalSubject<'_>) -> PlannedRenewal {
        let plan = self.unhurried(rules, subject);
        match rules.urgent_since.filter(|since| *since > subject.made_at && *since < plan.to) {
            Some(since) => PlannedRenewal {
                from: since.min(plan.from),
                to: since.plus(SLOT).min(subject.not_after),
                basis: PlanBasis::Urgent,
            },
            None => plan,
        }
    }

    /// The plan of a place that is in no hurry.
    fn unhurried(self, rules: &RenewalRules, subject: &RenewalSubject<'_>) -> PlannedRenewal {
        let (not_before, not_after) = (subject.not_before, subject.not_after);
        let (due, end_of_due) = self.window(not_before, not_after);
        let last_call = not_after.minus(LAST_CALL.min(not_after.since(due) / 2));
        let start = rules.paused_until.map_or(due, |until| until.max(due)).min(last_call);
        if !rules.has_calendar() {
            let moved = start.since(due);
            return PlannedRenewal {
                from: start,
                to: end_of_due.plus(moved).min(not_after),
                basis: PlanBasis::Due,
            };
        }
        let spread =
            start.plus(DAY * u32::from(rules.spread_days.unwrap_or(SPREAD_DAYS).max(1))).min(last_call);
        let choice = choice(subject);
        let wanted = [
            (spread, SiteTime::Open),
            (last_call, SiteTime::Open),
            (spread, SiteTime::Busy),
            (last_call, SiteTime::Busy),
        ];
        for (until, worst) in wanted {
            if let Some(from) = slot(rules, start, until, worst, choice) {
                let basis = if rules.at(from) == SiteTime::Open { PlanBasis::Open } else { PlanBasis::Busy };
                return PlannedRenewal { from, to: from.plus(SLOT), basis };
            }
        }
        PlannedRenewal { from: start, to: start.plus(SLOT).min(not_after), basis: PlanBasis::NoOpenTime }
    }
}

/// The hour that the choice falls upon, among the full hours of this time that are as good as that.
fn slot(
    rules: &RenewalRules,
    start: Timestamp,
    until: Timestamp,
    worst: SiteTime,
    choice: u64,
) -> Option<Timestamp> {
    let hour = i64::try_from(SLOT.as_secs()).ok()?;
    let first = Timestamp::from_seconds(start.seconds().checked_add(hour - 1)?.div_euclid(hour) * hour);
    let slots = || {
        let hours = std::iter::successors(Some(first), |slot| Some(slot.plus(SLOT))).take(MOST_SLOTS);
        hours.take_while(|slot| slot.plus(SLOT) <= until).filter(|slot| {
            let last_minute = slot.plus(SLOT).minus(Duration::from_mins(1));
            rules.at(*slot).max(rules.at(last_minute)) <= worst
        })
    };
    let count = u64::try_from(slots().count()).ok().filter(|count| *count > 0)?;
    slots().nth(usize::try_from(choice % count).ok()?)
}

/// A number that nobody can steer and that is another one for each generation.
fn choice(subject: &RenewalSubject<'_>) -> u64 {
    let hash = Thumbprint::of(format!("renewal\0{}\0{}", subject.device, subject.generation).as_bytes());
    hash.as_bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
