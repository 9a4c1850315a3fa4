//! Poll-based delivery (RFC 8936).
//!
//! An answer has what the receiver has not acknowledged, in the order of the feed; the same again until it does. What it
//! acknowledges is durable before it is answered. Any number of its processes may ask any number of servers: one may
//! be told what another was told already, and nothing is lost between them.

use super::client::ReceiverClient;
use super::delivery::is_worth_noting;
use super::error::StreamError;
use super::request::{self, PollRequest};
use super::selection::{CollectedEvents, EventSelection, collect};
use super::signing::SignedEvent;
use super::{EventStream, is_for_good};
use crate::signals::Signals;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::Refusal;
use tegata_core::security_event::EventName;
use tegata_storage::{Ledger, PollAcknowledgment, ReceiverRow};
use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, sleep_until};

/// How often a poll that waits looks into the ledger for what its own process is not told of: verifications, the
/// status of the stream, issued certificates.
const PERIOD: Duration = Duration::from_secs(1);

/// How often it looks where issued certificates are wanted, which the process is never notified of.
const PERIOD_OF_ISSUED: Duration = Duration::from_millis(250);

/// A receiver that only waits is written down as heard of this often.
const HEARD: Duration = Duration::from_mins(1);

pub(crate) async fn poll(
    State(signals): State<Arc<Signals>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, StreamError> {
    let (presented, object) = request::object(request).await?;
    let caller = ReceiverClient::recognize(&signals, &presented).await?;
    let stream = caller.polled(&id)?;
    let asked = PollRequest::parse(&object)?;
    let report = PollReport::of(&asked, &id).so_far(&signals.issuer().context.ledger, &id).await?;
    let polling = PollState { signals: &signals, stream, report, most: asked.max_events };
    let _turn = polling.turn(&asked)?;
    let deadline = Instant::now() + stream.longest_poll;
    let mut first = true;
    loop {
        // Listened to from before the ledger is read, so that nothing falls in between.
        let mut events = signals.issuer().context.status.listen();
        let mut stirred = pin!(stream.stirred.notified());
        let found = polling.look(first).await?;
        if !first {
            // It may have been stopped while it waited.
            ReceiverClient::recognize(&signals, &presented).await?.polled(&id)?;
        }
        first = false;
        if !found.tokens.is_empty() || found.more || asked.max_events == 0 || asked.return_immediately {
            return Ok(answer(&found));
        }
        let look = deadline.min(Instant::now() + polling.period());
        tokio::select! {
            _ = events.recv() => {}
            () = &mut stirred => {}
            () = sleep_until(look) => {}
            () = signals.feed().closed() => return Ok(answer(&found)),
        }
        if Instant::now() >= deadline {
            return Ok(answer(&found));
        }
    }
}

struct PollState<'a> {
    signals: &'a Signals,
    stream: &'a EventStream,
    report: PollReport,
    most: usize,
}

/// The acknowledgments and errors of the request.
struct PollReport {
    done: HashSet<EventName>,
    later: HashSet<EventName>,
    rejected: Vec<String>,
    failed: Option<String>,
}

impl PollReport {
    /// A name that was never one of this receiver's tokens means nothing, and one that is done with means nothing more.
    fn of(asked: &PollRequest, id: &str) -> Self {
        let mut report = Self {
            done: asked.ack.iter().filter_map(|jti| EventName::parse(jti, id)).collect(),
            later: HashSet::new(),
            rejected: Vec::new(),
            failed: None,
        };
        for error in &asked.errors {
            let Some(name) = EventName::parse(&error.jti, id) else { continue };
            let text = format!("{}: {}", error.jti, error.said);
            tracing::warn!(receiver = id, jti = error.jti, why = error.said, "a receiver reports an error");
            if is_for_good(&error.err) {
                report.done.insert(name);
                report.rejected.push(text);
            } else {
                report.later.insert(name);
                report.failed = Some(text);
            }
        }
        report
    }

    /// Without what had not happened when it was said: names are easily guessed, and a poll that waits would take the event
    /// that it waits for as told.
    async fn so_far(mut self, ledger: &Ledger, id: &str) -> Result<Self, StreamError> {
        if self.done.is_empty() && self.later.is_empty() {
            return Ok(self);
        }
        let (ends, notices) = (ledger.ends().await?, ledger.notices(id).await?);
        let has_happened = |name: &EventName| match *name {
            EventName::Change { seq, .. } => seq <= ends.feed,
            EventName::Issued { entry } => entry <= ends.audit,
            EventName::Notice { number, .. } => notices.iter().any(|notice| notice.number == number),
        };
        self.done.retain(has_happened);
        self.later.retain(has_happened);
        Ok(self)
    }

    fn is_empty(&self) -> bool {
        self.done.is_empty() && self.failed.is_none()
    }
}

impl PollState<'_> {
    /// Only so many wait at one time.
    fn turn(&self, asked: &PollRequest) -> Result<Option<SemaphorePermit<'_>>, StreamError> {
        if asked.return_immediately || asked.max_events == 0 {
            return Ok(None);
        }
        self.stream.waiting.try_acquire().map(Some).map_err(|_| StreamError::too_often(1))
    }

    /// What there is for the receiver; the first time, what it said is made durable on the way.
    async fn look(&self, first: bool) -> Result<CollectedEvents, StreamError> {
        let row = self.row().await?;
        let mut done: HashSet<_> =
            self.signals.issuer().context.ledger.acknowledged(&row.id).await?.into_iter().collect();
        done.extend(&self.report.done);
        let none = HashSet::new();
        // An error that can be mended is given the time of one wait; where nobody waits, of one answer.
        let later = if self.report.failed.is_some() { &self.report.later } else { &none };
        let wanted = EventSelection { most: self.most, done: &done, later };
        let found = collect(self.signals.issuer(), self.stream, &row, &wanted).await?;
        let has_report = first && !self.report.is_empty();
        if has_report || is_worth_noting(row.place(), found.place) || (first && self.is_silent(&row)) {
            self.take(&found, first).await?;
        }
        Ok(found)
    }

    async fn row(&self) -> Result<ReceiverRow, StreamError> {
        let (receiver, ledger) = (&self.stream.receiver, &self.signals.issuer().context.ledger);
        let is_known = |row: &ReceiverRow| row.place().issued.is_some() == receiver.issuance;
        if let Some(row) = ledger.receiver(&receiver.id).await?.filter(is_known) {
            return Ok(row);
        }
        ledger
            .introduce_receiver(&receiver.id, receiver.issuance, self.signals.issuer().context.now())
            .await?;
        Ok(ledger.receiver(&receiver.id).await?.ok_or(Refusal::Internal)?)
    }

    async fn take(&self, found: &CollectedEvents, first: bool) -> Result<(), StreamError> {
        let report = first.then_some(&self.report);
        let take = PollAcknowledgment {
            id: self.stream.receiver.id.clone(),
            place: found.place,
            told: report.map(|report| report.done.iter().copied().collect()).unwrap_or_default(),
            rejected: report.map(|report| report.rejected.clone()).unwrap_or_default(),
            failed: report.and_then(|report| report.failed.clone()),
            at: self.signals.issuer().context.now(),
        };
        Ok(self.signals.issuer().context.ledger.group(take).await?)
    }

    fn is_silent(&self, row: &ReceiverRow) -> bool {
        let now = self.signals.issuer().context.now();
        row.heard_at().is_none_or(|heard| now.since(heard) >= HEARD || heard.is_ahead_of(now))
    }

    fn period(&self) -> Duration {
        if self.stream.receiver.issuance { PERIOD_OF_ISSUED } else { PERIOD }
    }
}

#[derive(Serialize)]
struct PollResponse<'a> {
    sets: PolledTokens<'a>,
    #[serde(rename = "moreAvailable", skip_serializing_if = "std::ops::Not::not")]
    more_available: bool,
}

/// Written in the order of the feed, for whoever reads members in the order in which they come.
struct PolledTokens<'a>(&'a [SignedEvent]);

impl Serialize for PolledTokens<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for token in self.0 {
            map.serialize_entry(&token.jti, &token.text)?;
        }
        map.end()
    }
}

fn answer(found: &CollectedEvents) -> Response {
    let answer = PollResponse { sets: PolledTokens(&found.tokens), more_available: found.more };
    let text = serde_json::to_vec(&answer).unwrap_or_default();
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], text).into_response()
}
