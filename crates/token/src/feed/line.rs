//! Lines of the feed.

use crate::tokens::Tokens;
use axum::body::Bytes;
use std::sync::Arc;
use tegata_core::Timestamp;
use tegata_core::feed::{Event, FEED, FeedClaims, FeedMessage};
use tegata_core::jws::KeyError;

/// A line signed once for all gates.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) meaning: Meaning,
    pub(crate) text: Bytes,
}

/// What it says, for those who decide whether to pass it on.
#[derive(Clone, Debug)]
pub(crate) enum Meaning {
    /// The next change.
    Event(Arc<Event>),
    /// By `at`, nothing had come after `seq`.
    Heartbeat { seq: u64, at: Timestamp },
}

impl Line {
    pub(crate) fn event(tokens: &Tokens, event: Arc<Event>) -> Result<Self, KeyError> {
        let text = signed(tokens, FeedMessage::Event(Event::clone(&event)))?;
        Ok(Self { meaning: Meaning::Event(event), text })
    }

    pub(crate) fn heartbeat(tokens: &Tokens, seq: u64, at: Timestamp) -> Result<Self, KeyError> {
        let text = signed(tokens, FeedMessage::Heartbeat { seq, at })?;
        Ok(Self { meaning: Meaning::Heartbeat { seq, at }, text })
    }
}

/// A message as its line.
pub(crate) fn signed(tokens: &Tokens, message: FeedMessage) -> Result<Bytes, KeyError> {
    let claims = FeedClaims { iss: tokens.issuer().to_owned(), message };
    let mut line = tokens.sign(FEED, &claims)?;
    line.push('\n');
    Ok(line.into())
}
