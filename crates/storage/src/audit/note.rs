//! What is written down of a refusal.

use crate::actor::Actor;
use tegata_core::{DeviceId, Timestamp};

/// An audit entry of its own, for what was refused: nothing else is written.
#[derive(Debug)]
pub struct AuditNote {
    /// Who has done it.
    pub actor: Actor,
    /// What was done, as `device.revoked`.
    pub action: &'static str,
    /// The device that it concerns, if it concerns one.
    pub device: Option<DeviceId>,
    /// No secret, nothing about a person.
    pub detail: serde_json::Value,
    /// When it was done, by the clock of the server.
    pub at: Timestamp,
}
