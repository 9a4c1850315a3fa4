//! What becomes of each device and person: the one rule that a dry run shows and a transfer follows.

use super::plan::{DeviceDecision, PersonDecision};
use crate::access::{PersonRole, Roles};
use crate::device::{DeviceState, text_form};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What becomes of a device at a site that moves.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceTransferOutcome {
    /// It ends with the tenant that gives, and begins anew with the one that receives.
    Moved,
    /// It goes on with the tenant that gives, at another site.
    Stayed,
    /// Nobody decided, or where it should have stayed is gone: it ends, and waits for a new invitation.
    Undecided,
    /// It was to move and is suspended: it ends, and whoever suspended it says why.
    Suspended,
    /// It had ended before.
    Ended,
}

/// What becomes of a person.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonTransferOutcome {
    /// The person goes along, with password and second factor.
    Moved,
    /// The person stays, without the sites that move.
    Stayed,
    /// Nobody decided: the person stays, without the sites that move.
    Undecided,
    /// The person was to move, and somebody else of the new tenant signs in by this name: they stay, without the sites.
    LoginTaken,
    /// The person was to move, and the account is for emergencies: such an account belongs to its tenant.
    Emergency,
    /// The person was to move, and somebody changed their roles, sites or state after the last approval: nobody approved of that.
    ChangedSince,
    /// The person was to move, and belongs to the tenant that gives no longer.
    Gone,
}

text_form! {
    DeviceTransferOutcome {
        Moved = "moved",
        Stayed = "stayed",
        Undecided = "undecided",
        Suspended = "suspended",
        Ended = "ended",
    }
    PersonTransferOutcome {
        Moved = "moved",
        Stayed = "stayed",
        Undecided = "undecided",
        LoginTaken = "login_taken",
        Emergency = "emergency",
        ChangedSince = "changed_since",
        Gone = "gone",
    }
}

/// What becomes of a device. `may_stay`: the site where it should go is there.
pub fn device_outcome(
    decided: Option<&DeviceDecision>,
    state: DeviceState,
    may_stay: bool,
) -> DeviceTransferOutcome {
    match (state, decided) {
        (DeviceState::Revoked | DeviceState::Retired, _) => DeviceTransferOutcome::Ended,
        (_, Some(DeviceDecision::Stay { .. })) if may_stay => DeviceTransferOutcome::Stayed,
        (DeviceState::Active, Some(DeviceDecision::Move)) => DeviceTransferOutcome::Moved,
        (DeviceState::Suspended, Some(DeviceDecision::Move)) => DeviceTransferOutcome::Suspended,
        (_, Some(DeviceDecision::Stay { .. }) | None) => DeviceTransferOutcome::Undecided,
    }
}

/// What becomes of a person.
pub const fn person_outcome(
    decided: Option<PersonDecision>,
    login_is_taken: bool,
    is_for_emergencies: bool,
    was_changed: bool,
) -> PersonTransferOutcome {
    match decided {
        Some(PersonDecision::Move) if is_for_emergencies => PersonTransferOutcome::Emergency,
        Some(PersonDecision::Move) if was_changed => PersonTransferOutcome::ChangedSince,
        Some(PersonDecision::Move) if login_is_taken => PersonTransferOutcome::LoginTaken,
        Some(PersonDecision::Move) => PersonTransferOutcome::Moved,
        Some(PersonDecision::Stay) => PersonTransferOutcome::Stayed,
        None => PersonTransferOutcome::Undecided,
    }
}

/// The roles that a person takes along: what belongs to sites. Who administrated one company does not administrate the next
/// before somebody there says so.
#[must_use]
pub fn roles_in_new_tenant(roles: &Roles) -> Roles {
    let mut kept: Vec<_> = roles.iter().filter(|role| role.is_of_sites()).collect();
    if kept.is_empty() {
        kept.push(PersonRole::Staff);
    }
    Roles::new(kept)
}
