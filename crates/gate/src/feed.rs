//! Verifies the lines of the feed: signature, order and freshness.

use crate::check_time::{CheckTime, LastHeard};
use crate::state::{GateState, GateStateWriter};
use std::sync::Arc;
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_core::feed::{Denials, Event, FEED, FeedClaims, FeedMessage, Gap, Snapshot};
use tegata_core::jws::JwsError;

/// What has ended is kept this much longer, for gates whose clock is a little slow.
const FORGET_AFTER: Duration = Duration::from_mins(1);

/// How often what has ended is dropped.
const FORGET_EVERY: Duration = Duration::from_mins(1);

/// Why a line ends the connection. The state stays as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum FeedError {
    #[error("a line is not believed: {0}")]
    Signature(#[from] JwsError),
    #[error("the platform says what this version of the gate does not understand: bring the gate up to date")]
    NotUnderstood,
    #[error("a line is from another issuer")]
    Issuer,
    #[error("the first line is not a snapshot")]
    NoSnapshot,
    #[error(transparent)]
    Gap(#[from] Gap),
    #[error(
        "the feed went back, from event {held} to {found}: an old line again, or a platform that lost events"
    )]
    WentBack { held: u64, found: u64 },
    #[error("the feed's clock went back from {held} to {found}")]
    ClockWentBack { held: Timestamp, found: Timestamp },
}

/// What a believed line was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BelievedLine {
    Snapshot,
    Event,
    Heartbeat,
}

/// The follower's side of the protocol, without the wire.
pub(crate) struct FeedFollowerState {
    issuer: String,
    state: Arc<GateState>,
    writer: GateStateWriter,
    snapshot_seen: bool,
    forgotten: Timestamp,
}

impl FeedFollowerState {
    pub(crate) fn new(issuer: String, state: Arc<GateState>) -> Self {
        let writer = GateStateWriter::new(Arc::clone(&state));
        Self { issuer, state, writer, snapshot_seen: false, forgotten: Timestamp::default() }
    }

    /// A new connection: its first line must be a snapshot.
    pub(crate) fn begin(&mut self) {
        self.snapshot_seen = false;
    }

    /// Believes and applies one line, or says why not and changes nothing.
    pub(crate) fn take(&mut self, line: &str, moment: CheckTime) -> Result<BelievedLine, FeedError> {
        let payload = self.state.keys().verify_up_to(line, FEED, crate::line_reader::MAX_LINE)?;
        let claims: FeedClaims = serde_json::from_slice(&payload).map_err(|_| FeedError::NotUnderstood)?;
        if claims.iss != self.issuer {
            return Err(FeedError::Issuer);
        }
        match claims.message {
            FeedMessage::Snapshot(snapshot) => self.snapshot(snapshot, moment),
            _ if !self.snapshot_seen => Err(FeedError::NoSnapshot),
            FeedMessage::Event(event) => self.event(event),
            FeedMessage::Heartbeat { seq, at } => self.heartbeat(seq, at, moment),
        }
    }

    fn snapshot(&mut self, snapshot: Snapshot, moment: CheckTime) -> Result<BelievedLine, FeedError> {
        let (held, found) = (self.seq(), snapshot.seq);
        if found < held {
            return Err(FeedError::WentBack { held, found });
        }
        let at = snapshot.at;
        self.not_before_the_last_word(at, moment)?;
        self.writer.replace(Denials::from(snapshot));
        self.state.hear(LastHeard::new(at, moment));
        self.snapshot_seen = true;
        Ok(BelievedLine::Snapshot)
    }

    /// An event is dated by its decision, perhaps on another machine of the platform, so its place is
    /// proved by its number and its date proves nothing: only heartbeats make knowledge younger.
    fn event(&mut self, event: Event) -> Result<BelievedLine, FeedError> {
        self.writer.apply(event)?;
        Ok(BelievedLine::Event)
    }

    fn heartbeat(&mut self, seq: u64, at: Timestamp, moment: CheckTime) -> Result<BelievedLine, FeedError> {
        let held = self.seq();
        if seq > held {
            return Err(Gap { applied: held, found: seq }.into());
        }
        if seq < held {
            return Err(FeedError::WentBack { held, found: seq });
        }
        self.not_before_the_last_word(at, moment)?;
        self.state.hear(LastHeard::new(at, moment));
        self.forget(at.min(moment.now));
        Ok(BelievedLine::Heartbeat)
    }

    /// A last message that is dated in the future was signed by a clock that was ahead: it does not keep newer ones
    /// from being accepted.
    fn not_before_the_last_word(&self, found: Timestamp, moment: CheckTime) -> Result<(), FeedError> {
        match self.state.heard().map(|heard| heard.at()) {
            Some(held) if found < held && !held.is_ahead_of(moment.now) => {
                Err(FeedError::ClockWentBack { held, found })
            }
            _ => Ok(()),
        }
    }

    fn forget(&mut self, at: Timestamp) {
        if at.since(self.forgotten) >= FORGET_EVERY || self.forgotten.is_ahead_of(at) {
            self.writer.forget(at.minus(FORGET_AFTER));
            self.forgotten = at;
        }
    }

    fn seq(&self) -> u64 {
        self.state.denials.load().seq()
    }
}

#[cfg(test)]
mod tests;
