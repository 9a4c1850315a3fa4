//! Selects the events that a polling receiver has not acknowledged.

use super::EventStream;
use super::signing::{SignedEvent, of_notice, tokens_for};
use super::stream_events;
use crate::issuer::SignalIssuer;
use std::collections::HashSet;
use tegata_core::Refusal;
use tegata_core::security_event::{EventName, StreamStatus};
use tegata_storage::{ReceiverPosition, ReceiverRow};

/// Pages that are looked through for one answer. What is left is for the next poll.
const PAGES: usize = 16;

/// The tokens that were collected for one response.
pub(super) struct CollectedEvents {
    /// In the order of the feed, notices about the stream first.
    pub(super) tokens: Vec<SignedEvent>,
    /// Whether there are more.
    pub(super) more: bool,
    /// Everything up to here is done with.
    pub(super) place: ReceiverPosition,
}

/// Which events a request asks for.
pub(super) struct EventSelection<'a> {
    pub(super) most: usize,
    /// Acknowledged, of old and by this request.
    pub(super) done: &'a HashSet<EventName>,
    /// Reported as failed by this request: sent again, but not in this response.
    pub(super) later: &'a HashSet<EventName>,
}

/// Looks through what happened after the receiver's place. A stream that is paused is not told, but what it has taken
/// counts; one that is disabled stays where it is.
pub(super) async fn collect(
    issuer: &SignalIssuer,
    stream: &EventStream,
    row: &ReceiverRow,
    wanted: &EventSelection<'_>,
) -> Result<CollectedEvents, Refusal> {
    let mut found = CollectedEvents { tokens: Vec::new(), more: false, place: row.place() };
    found.add_notices(issuer, stream, wanted).await?;
    match row.status() {
        StreamStatus::Enabled => found.add_events(issuer, stream, wanted).await?,
        StreamStatus::Paused => {
            let (told, more) = (found.tokens.len(), found.more);
            found.add_events(issuer, stream, &EventSelection { most: told, ..*wanted }).await?;
            found.more = more;
        }
        StreamStatus::Disabled => {}
    }
    Ok(found)
}

impl CollectedEvents {
    async fn add_notices(
        &mut self,
        issuer: &SignalIssuer,
        stream: &EventStream,
        wanted: &EventSelection<'_>,
    ) -> Result<(), Refusal> {
        let ledger = &issuer.context.ledger;
        let notices = ledger.notices(&stream.receiver.id).await?;
        for notice in notices {
            let unsigned = of_notice(&stream.receiver, notice);
            if wanted.done.contains(&unsigned.told) || wanted.later.contains(&unsigned.told) {
                continue;
            }
            if self.tokens.len() == wanted.most {
                self.more = true;
                return Ok(());
            }
            self.tokens.push(unsigned.sign(issuer, &stream.receiver)?);
        }
        Ok(())
    }

    async fn add_events(
        &mut self,
        issuer: &SignalIssuer,
        stream: &EventStream,
        wanted: &EventSelection<'_>,
    ) -> Result<(), Refusal> {
        let mut all_done = true;
        let mut from = self.place;
        for _ in 0..PAGES {
            let page = stream_events::after(&issuer.context.ledger, from).await?;
            for (stream_event, after) in &page.events {
                let mut left = tokens_for(issuer, &stream.receiver, stream_event).await?;
                left.retain(|unsigned| !wanted.done.contains(&unsigned.told));
                all_done &= left.is_empty();
                if all_done {
                    self.place = *after;
                }
                for unsigned in left.into_iter().filter(|unsigned| !wanted.later.contains(&unsigned.told)) {
                    if self.tokens.len() >= wanted.most {
                        self.more = true;
                        return Ok(());
                    }
                    self.tokens.push(unsigned.sign(issuer, &stream.receiver)?);
                }
            }
            if all_done {
                self.place = page.place;
            }
            if page.is_last {
                return Ok(());
            }
            from = page.place;
        }
        self.more = true;
        Ok(())
    }
}
