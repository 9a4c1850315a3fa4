//! When a certificate is due for renewal, when its device is asked to renew it, and how long its predecessor stays.

mod holidays;
mod plan;
mod rules;
#[cfg(test)]
mod tests;

pub use holidays::is_public_holiday;
pub use plan::{PlanBasis, PlannedRenewal, RenewalSubject};
pub use rules::{CalendarDays, NotCalendarDays, RenewalRules, SiteTime};

use crate::timestamp::Timestamp;
use serde::Deserialize;
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);

/// The rules of renewal. Days.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RenewalPolicy {
    /// A certificate is due when fewer days than this are left, or two thirds of its life are over,
    /// whichever is later.
    pub due_days: u32,
    /// How long the old generation is accepted after the new one has been used.
    pub grace_days: u32,
}

impl Default for RenewalPolicy {
    fn default() -> Self {
        Self { due_days: 30, grace_days: 7 }
    }
}

impl RenewalPolicy {
    /// From when a certificate should be renewed. For lives of three times `due_days` or more it is
    /// `due_days` before the end; shorter lives renew at two thirds, as RFC 9773 suggests.
    pub fn due_at(&self, not_before: Timestamp, not_after: Timestamp) -> Timestamp {
        let two_thirds = not_before.plus(not_after.since(not_before) * 2 / 3);
        two_thirds.max(not_after.minus(DAY * self.due_days))
    }

    /// When an automatic client should renew (RFC 9773): a window of a fiftieth of the life from the moment on which it
    /// is due, so that not all come at once.
    pub fn window(&self, not_before: Timestamp, not_after: Timestamp) -> (Timestamp, Timestamp) {
        let due = self.due_at(not_before, not_after);
        (due, due.plus(not_after.since(not_before) / 50).min(not_after))
    }

    /// No certificate is due earlier than this before its end.
    pub fn longest_notice(&self) -> Duration {
        DAY * self.due_days
    }

    /// When an old generation retires whose successor was first used at `successor_used`.
    pub fn retire_at(&self, successor_used: Timestamp) -> Timestamp {
        successor_used.plus(DAY * self.grace_days)
    }
}
