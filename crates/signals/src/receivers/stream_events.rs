//! What a receiver may be told, in the order in which the ledger decided it: events of the feed, and issued certificates
//! between them.

use tegata_core::feed::Event;
use tegata_storage::{Issuance, Ledger, ReceiverPosition, Result};

/// One thing that a receiver may be told of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum StreamEvent {
    Changed(Event),
    Issued(Issuance),
}

/// A page of stream events in their order.
pub(super) struct StreamEventPage {
    /// Each with the place after it.
    pub(super) events: Vec<(StreamEvent, ReceiverPosition)>,
    /// The place after all of them, and after entries that no receiver is told of.
    pub(super) place: ReceiverPosition,
    /// Whether that is the end, as it was a moment ago.
    pub(super) is_last: bool,
}

/// What happened after a place. The two lines are merged as far as both were read: an issued certificate knows the event
/// of the feed that came before it, and later entries of the audit log name no earlier one.
pub(super) async fn after(ledger: &Ledger, place: ReceiverPosition) -> Result<StreamEventPage> {
    let ends = ledger.ends().await?;
    let (mut issued, mut scanned) = match place.issued {
        None => (Vec::new(), None),
        Some(after) => {
            let page = ledger.issued_after(after, ends.audit).await?;
            (page.issued, Some(page.until))
        }
    };
    let is_scanned = scanned.is_none_or(|scanned| scanned >= ends.audit);
    let horizon = if is_scanned { ends.feed } else { issued.last().map_or(place.feed, |last| last.after) };
    let mut events = if horizon > place.feed { ledger.feed_after(place.feed).await? } else { Vec::new() };
    events.retain(|event| event.seq <= horizon);
    let reach = events.last().map_or(place.feed, |event| event.seq);
    if reach < horizon {
        // More events than a page has: what was issued after the last of them has to wait.
        let keep = issued.partition_point(|issuance| issuance.after <= reach);
        if let Some(first) = issued.get(keep) {
            scanned = Some(first.entry - 1);
        }
        issued.truncate(keep);
    }
    let is_last = is_scanned && reach >= ends.feed;
    let events = merged(events, issued, place);
    Ok(StreamEventPage {
        events,
        place: ReceiverPosition { feed: reach.max(place.feed), issued: scanned },
        is_last,
    })
}

fn merged(
    events: Vec<Event>,
    issued: Vec<Issuance>,
    from: ReceiverPosition,
) -> Vec<(StreamEvent, ReceiverPosition)> {
    let mut merged = Vec::with_capacity(events.len() + issued.len());
    let mut place = from;
    let mut issued = issued.into_iter().peekable();
    for event in events {
        while let Some(issuance) = issued.next_if(|issuance| issuance.after < event.seq) {
            place.issued = Some(issuance.entry);
            merged.push((StreamEvent::Issued(issuance), place));
        }
        place.feed = event.seq;
        merged.push((StreamEvent::Changed(event), place));
    }
    for issuance in issued {
        place.issued = Some(issuance.entry);
        merged.push((StreamEvent::Issued(issuance), place));
    }
    merged
}
