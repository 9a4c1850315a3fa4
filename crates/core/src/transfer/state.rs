//! How far a transfer is.

use crate::device::text_form;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a transfer stands.
///
/// ```text
/// draft ⇄ approved ─→ running ─→ done
///   └────────┴──→ aborted          (by somebody, until it begins)
///   └────────┴──→ lapsed           (nothing began in time)
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferState {
    /// Approvals of it are missing.
    Draft,
    /// Everybody has approved of this very plan: it begins at its minute.
    Approved,
    /// It has begun, and goes on to its end whatever happens.
    Running,
    /// Everything that was planned was done.
    Done,
    /// Somebody took it back before it began.
    Aborted,
    /// It could not begin in time, and does not begin any more.
    Lapsed,
}

/// What happens to a transfer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TransferEvent {
    /// Somebody approved; `is_last` where nobody is missing now.
    Approve {
        /// Whether all approvals are there.
        is_last: bool,
    },
    /// The plan was changed: every approval was of another plan.
    Change,
    /// Somebody took it back.
    Abort,
    /// Its minute has come.
    Begin,
    /// The last step was done.
    Finish,
    /// It is too late to begin.
    Lapse,
}

text_form! {
    TransferState {
        Draft = "draft",
        Approved = "approved",
        Running = "running",
        Done = "done",
        Aborted = "aborted",
        Lapsed = "lapsed",
    }
}

impl TransferState {
    /// The state after an event; `None` where the event cannot happen in this state.
    pub const fn after(self, event: TransferEvent) -> Option<Self> {
        match (self, event) {
            (Self::Draft, TransferEvent::Approve { is_last: true }) => Some(Self::Approved),
            (Self::Draft, TransferEvent::Approve { is_last: false })
            | (Self::Draft | Self::Approved, TransferEvent::Change) => Some(Self::Draft),
            (Self::Draft | Self::Approved, TransferEvent::Abort) => Some(Self::Aborted),
            (Self::Draft | Self::Approved, TransferEvent::Lapse) => Some(Self::Lapsed),
            (Self::Approved, TransferEvent::Begin) => Some(Self::Running),
            (Self::Running, TransferEvent::Finish) => Some(Self::Done),
            _ => None,
        }
    }

    /// Whether it may still be changed, approved or taken back.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Draft | Self::Approved)
    }

    /// Whether anything may still come of it.
    pub const fn is_alive(self) -> bool {
        matches!(self, Self::Draft | Self::Approved | Self::Running)
    }
}
