//! The feed: one gapless, signed sequence of status changes per installation.
//!
//! A gate takes a [`Snapshot`], then [`Event`]s in order, and hears a heartbeat in between. All three travel
//! as a [`FeedMessage`] inside a JWS of type [`FEED`], signed with a key of the issuer's JWK Set, one
//! compact JWS a line. [`Denials`] is what anybody who follows the feed keeps in memory: the platform's
//! own token endpoint and every gate use the same fold.
//!
//! A snapshot has its devices and certificates as [`DenialRecords`]: 20 bytes each, so that a gate takes a million of them
//! in a tenth of a second and holds them in 19 MB.
//!
//! # What may be added
//! Followers are brought up to date later than the platform, and must not go on in ignorance of a denial. So a new kind of
//! denial is a new `change`, and a new member of [`Snapshot`] that is left out while it is empty: a follower that knows
//! neither refuses the line, hears nothing from then on, and fails closed. A member added to what is there already says
//! nothing that a follower needs to know.

use crate::device::DeviceState;
use crate::id::{DeviceId, TenantId};
use crate::thumbprint::Thumbprint;
use crate::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

mod denials;
mod records;

pub use denials::Denials;
pub use records::{DenialReason, DenialRecords};

/// The JWS `typ` of feed messages: no token can pass for one, and none of them for a token.
pub const FEED: &str = "tegata-feed+jwt";

/// Why something is denied.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Denial {
    /// The operator may lift this denial.
    Suspended,
    /// The denial is permanent, after a loss or a mistake.
    Revoked,
    /// The denial is permanent and planned: the device went out of use.
    Retired,
}

impl From<Denial> for DeviceState {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::Suspended => Self::Suspended,
            Denial::Revoked => Self::Revoked,
            Denial::Retired => Self::Retired,
        }
    }
}

/// One change of status.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// The device with all its certificates, tokens and connections is refused.
    DeviceDenied {
        /// The device that is refused from now on.
        device: DeviceId,
        /// Why it is refused.
        reason: Denial,
    },
    /// The device is accepted again.
    DeviceAllowed {
        /// The device that may authenticate again.
        device: DeviceId,
    },
    /// One certificate is refused, with the tokens bound to it.
    CertificateDenied {
        /// The certificate that is refused from now on.
        thumbprint: Thumbprint,
        /// Why it is refused.
        reason: Denial,
        /// Its last second of validity: afterwards the denial can be forgotten.
        until: Timestamp,
    },
    /// One access token is refused, or whatever came from one session of a person. Names of both are random: neither passes
    /// for the other.
    TokenDenied {
        /// The `jti` of the refused access token, or the `sid` of the session.
        jti: String,
        /// Its expiry: afterwards the denial can be forgotten.
        until: Timestamp,
    },
    /// All devices of the tenant are refused, with their certificates, tokens and connections. Its gates are not.
    TenantDenied {
        /// The tenant whose devices are refused from now on.
        tenant: TenantId,
        /// Why they are refused.
        reason: Denial,
    },
    /// The tenant's devices are accepted again, but for those denied for themselves.
    TenantAllowed {
        /// The tenant whose devices may authenticate again.
        tenant: TenantId,
    },
    /// Access tokens of a device or of all devices of a tenant are refused by their age: a device is signed out, and may
    /// obtain others.
    TokensDenied(TokensBefore),
}

/// Tokens whose `iat` is earlier than a moment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TokensBefore {
    /// The device or person whose tokens are meant.
    #[serde(flatten)]
    pub of: TokenHolder,
    /// Tokens that were issued before this moment are refused.
    pub issued_before: Timestamp,
    /// When the last of them has expired: afterwards the denial can be forgotten.
    pub until: Timestamp,
}

/// The holder whose tokens are denied.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenHolder {
    /// All access tokens of one device.
    Device(DeviceId),
    /// Those of all devices of a tenant.
    Tenant(TenantId),
}

/// A change at its place in the sequence, which starts at 1.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// Its number, one more than its predecessor's.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// The one change that this event reports.
    #[serde(flatten)]
    pub change: Change,
}

/// Everything denied at one place in the sequence.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// The last event it contains.
    pub seq: u64,
    /// When it was taken.
    pub at: Timestamp,
    /// Denied devices, by the 128 bits of their identifier.
    pub devices: DenialRecords,
    /// Denied certificates, by the first 128 bits of their thumbprint.
    pub certificates: DenialRecords,
    /// Denied tokens with their expiry.
    pub tokens: Vec<(String, Timestamp)>,
    /// The tenants whose devices are refused, each with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<(TenantId, Denial)>,
    /// Tokens denied by their age.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens_before: Vec<TokensBefore>,
}

/// The message of one line of the feed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub enum FeedMessage {
    /// Everything that is denied at the beginning of a connection.
    Snapshot(Snapshot),
    /// The change that follows the snapshot or the last event.
    Event(Event),
    /// Nothing new: `seq` is still the last event.
    Heartbeat {
        /// The number of the last event that was sent.
        seq: u64,
        /// When it was sent.
        at: Timestamp,
    },
}

/// The claims of a feed JWS: whose feed it is, and the message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FeedClaims {
    /// The issuer identifier of the server that signed the message.
    pub iss: String,
    /// What the server reports.
    #[serde(flatten)]
    pub message: FeedMessage,
}

/// A gate's acknowledgment: it now refuses everything up to `seq`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The last event applied.
    pub seq: u64,
}

/// An event did not follow its predecessor: the follower must take a new snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("event {found} does not follow {applied}")]
pub struct Gap {
    /// The last event applied.
    pub applied: u64,
    /// The number that came.
    pub found: u64,
}

#[cfg(test)]
mod tests;
