//! The feed: one gapless, signed sequence of status changes per installation.
//!
//! A gate takes a [`Snapshot`], then [`Event`]s in order, and hears a heartbeat in between. All three travel
//! as a [`FeedMessage`] inside a JWS of type [`FEED`], signed with a key of the issuer's JWK Set, one
//! compact JWS a line. [`Denials`] is what anybody who follows the feed keeps in memory: the platform's
//! own token endpoint and every gate use the same fold.
//!
//! A snapshot has its devices and certificates as [`Records`]: 20 bytes each, so that a gate takes a million of them
//! in a tenth of a second and holds them in 20 MB.

use crate::device::DeviceState;
use crate::id::DeviceId;
use crate::thumbprint::Thumbprint;
use crate::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

mod denials;
mod records;

pub use denials::Denials;
pub use records::{Deny, Records};

/// The JWS `typ` of feed messages: no token can pass for one, and none of them for a token.
pub const FEED: &str = "tegata-feed+jwt";

/// Why something is denied.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Denial {
    /// Reversible.
    Suspended,
    /// For ever.
    Revoked,
    /// As planned.
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
        /// The device.
        device: DeviceId,
        /// Why.
        reason: Denial,
    },
    /// The device is accepted again.
    DeviceAllowed {
        /// The device.
        device: DeviceId,
    },
    /// One certificate is refused, with the tokens bound to it.
    CertificateDenied {
        /// The certificate.
        thumbprint: Thumbprint,
        /// Why.
        reason: Denial,
        /// Its last second of validity: afterwards nobody need remember.
        until: Timestamp,
    },
    /// One access token is refused.
    TokenDenied {
        /// Its `jti`.
        jti: String,
        /// Its expiry: afterwards nobody need remember.
        until: Timestamp,
    },
}

/// A change at its place in the sequence, which starts at 1.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// Its number, one more than its predecessor's.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// What changed.
    #[serde(flatten)]
    pub change: Change,
}

/// Everything denied at one place in the sequence.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// The last event it contains.
    pub seq: u64,
    /// When it was taken.
    pub at: Timestamp,
    /// Denied devices, by the 128 bits of their identifier.
    pub devices: Records,
    /// Denied certificates, by the first 128 bits of their thumbprint.
    pub certificates: Records,
    /// Denied tokens with their expiry.
    pub tokens: Vec<(String, Timestamp)>,
}

/// What one line of the feed says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub enum FeedMessage {
    /// Everything so far.
    Snapshot(Snapshot),
    /// The next change.
    Event(Event),
    /// Nothing new: `seq` is still the last event.
    Heartbeat {
        /// The last event.
        seq: u64,
        /// When this was said.
        at: Timestamp,
    },
}

/// The claims of a feed JWS: whose feed it is, and the message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FeedClaims {
    /// The issuer's URL.
    pub iss: String,
    /// The message.
    #[serde(flatten)]
    pub message: FeedMessage,
}

/// A gate's acknowledgement: it now refuses everything up to `seq`.
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
mod tests {
    use super::*;
    use crate::entropy::Seeded;

    fn event(seq: u64, change: Change) -> Event {
        Event { seq, at: Timestamp::from_seconds(1), change }
    }

    #[test]
    fn a_gate_that_missed_an_event_notices() {
        let device = DeviceId::random(&Seeded::new(1));
        let mut denials = Denials::default();
        let denied = Change::DeviceDenied { device: device.clone(), reason: Denial::Revoked };
        assert_eq!(denials.apply(&event(2, denied.clone())), Err(Gap { applied: 0, found: 2 }));
        assert_eq!(denials.denial(&device, &Thumbprint::of(b"x")), None);
        denials.apply(&event(1, denied)).unwrap();
        denials.apply(&event(2, Change::DeviceAllowed { device: device.clone() })).unwrap();
        assert_eq!(denials.denial(&device, &Thumbprint::of(b"x")), None);
    }

    #[test]
    fn a_snapshot_says_the_same_as_the_events_before_it() {
        let device = DeviceId::random(&Seeded::new(1));
        let until = Timestamp::from_seconds(100);
        let thumbprint = Thumbprint::of(b"certificate");
        let mut denials = Denials::default();
        denials
            .apply(&event(1, Change::DeviceDenied { device: device.clone(), reason: Denial::Suspended }))
            .unwrap();
        denials
            .apply(&event(2, Change::CertificateDenied { thumbprint, reason: Denial::Retired, until }))
            .unwrap();
        denials.apply(&event(3, Change::TokenDenied { jti: "t".into(), until })).unwrap();
        let claims = FeedClaims {
            iss: "https://issuer".into(),
            message: FeedMessage::Snapshot(denials.snapshot(until)),
        };
        let travelled: FeedClaims = serde_json::from_str(&serde_json::to_string(&claims).unwrap()).unwrap();
        let FeedMessage::Snapshot(snapshot) = travelled.message else { panic!("a snapshot stays one") };
        let copy = Denials::from(snapshot);
        assert_eq!(copy, denials);
        assert!(copy.token_denied("t"));
        assert_eq!(copy.denial(&device, &thumbprint), Some(Denial::Suspended));
    }

    #[test]
    fn what_has_ended_is_forgotten_and_what_has_not_stays() {
        let mut denials = Denials::default();
        let until = Timestamp::from_seconds(100);
        denials.apply(&event(1, Change::TokenDenied { jti: "t".into(), until })).unwrap();
        denials.forget(until);
        assert!(denials.token_denied("t"));
        denials.forget(Timestamp::from_seconds(101));
        assert!(!denials.token_denied("t"));
    }
}
