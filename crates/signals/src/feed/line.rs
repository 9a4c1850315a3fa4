//! Lines of the feed.

use crate::issuer::SignalIssuer;
use axum::body::Bytes;
use std::sync::Arc;
use tegata_core::feed::{Event, FEED, FeedClaims, FeedMessage};
use tegata_core::{Refusal, Timestamp};

/// A line signed once for all gates.
#[derive(Clone, Debug)]
pub(crate) struct FeedLine {
    pub(crate) meaning: LineMeaning,
    pub(crate) text: Bytes,
}

/// What it says, for those who decide whether to pass it on.
#[derive(Clone, Debug)]
pub(crate) enum LineMeaning {
    /// The change that follows the last event.
    Event(Arc<Event>),
    /// By `at`, nothing had come after `seq`.
    Heartbeat { seq: u64, at: Timestamp },
}

impl FeedLine {
    pub(crate) fn event(issuer: &SignalIssuer, event: Arc<Event>) -> Result<Self, Refusal> {
        let text = signed(issuer, FeedMessage::Event(Event::clone(&event)))?;
        Ok(Self { meaning: LineMeaning::Event(event), text })
    }

    pub(crate) fn heartbeat(issuer: &SignalIssuer, seq: u64, at: Timestamp) -> Result<Self, Refusal> {
        let text = signed(issuer, FeedMessage::Heartbeat { seq, at })?;
        Ok(Self { meaning: LineMeaning::Heartbeat { seq, at }, text })
    }
}

/// A message as its line.
pub(crate) fn signed(issuer: &SignalIssuer, message: FeedMessage) -> Result<Bytes, Refusal> {
    let claims = FeedClaims { iss: issuer.url().to_owned(), message };
    let mut line = issuer.sign(FEED, &claims)?;
    line.push('\n');
    Ok(line.into())
}
