//! Lines of the feed.

use crate::issuer::Issuer;
use axum::body::Bytes;
use std::sync::Arc;
use tegata_core::Timestamp;
use tegata_core::feed::{Event, FEED, FeedClaims, FeedMessage};
use tegata_core::jws::KeyError;

/// A line signed once for all gates.
#[derive(Clone, Debug)]
pub(crate) struct FeedLine {
    pub(crate) meaning: LineMeaning,
    pub(crate) text: Bytes,
}

/// What it says, for those who decide whether to pass it on.
#[derive(Clone, Debug)]
pub(crate) enum LineMeaning {
    /// The next change.
    Event(Arc<Event>),
    /// By `at`, nothing had come after `seq`.
    Heartbeat { seq: u64, at: Timestamp },
}

impl FeedLine {
    pub(crate) fn event(issuer: &Issuer, event: Arc<Event>) -> Result<Self, KeyError> {
        let text = signed(issuer, FeedMessage::Event(Event::clone(&event)))?;
        Ok(Self { meaning: LineMeaning::Event(event), text })
    }

    pub(crate) fn heartbeat(issuer: &Issuer, seq: u64, at: Timestamp) -> Result<Self, KeyError> {
        let text = signed(issuer, FeedMessage::Heartbeat { seq, at })?;
        Ok(Self { meaning: LineMeaning::Heartbeat { seq, at }, text })
    }
}

/// A message as its line.
pub(crate) fn signed(issuer: &Issuer, message: FeedMessage) -> Result<Bytes, KeyError> {
    let claims = FeedClaims { iss: issuer.url().to_owned(), message };
    let mut line = issuer.sign(FEED, &claims)?;
    line.push('\n');
    Ok(line.into())
}
