//! The endpoints by which a receiver manages its stream (SSF 1.0 section 8.1). Streams themselves are the operator's.

use super::client::ReceiverClient;
use super::error::StreamError;
use super::request::{self, StatusRequest, VerificationRequest};
use super::{DeliveryMethod, EventReceiver, EventStream};
use crate::issuer::SignalIssuer;
use crate::metadata::POLL;
use crate::signals::Signals;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::Refusal;
use tegata_core::security_event::{EventType, StreamStatus};
use tegata_storage::{Actor, ChangeStream, ReceiverRow, StreamChange, VerificationAsked};
use tegata_web::Presented;
use tegata_web::document::written;

/// RFC 8935 and RFC 8936, as SSF names them.
pub(crate) const PUSH_DELIVERY: &str = "urn:ietf:rfc:8935";
pub(crate) const POLL_DELIVERY: &str = "urn:ietf:rfc:8936";

/// Between two verifications that a receiver asks for.
const VERIFICATION_INTERVAL: Duration = Duration::from_secs(5);
const VERIFICATION_SECONDS: u32 = 5;

#[derive(Deserialize)]
pub(crate) struct StreamQuery {
    stream_id: Option<String>,
}

/// Its stream, or all that are its own (section 8.1.1.2).
pub(crate) async fn configuration(
    State(signals): State<Arc<Signals>>,
    Query(which): Query<StreamQuery>,
    presented: Presented,
) -> Result<Response, StreamError> {
    let caller = ReceiverClient::recognize(&signals, &presented).await?;
    let issuer = signals.issuer();
    if let Some(id) = &which.stream_id {
        return Ok(json_answer(&StreamConfiguration::of(issuer, &caller.stream(id)?.receiver)));
    }
    let own = caller.streams.iter().map(|stream| StreamConfiguration::of(issuer, &stream.receiver));
    Ok(json_answer(&own.collect::<Vec<_>>()))
}

/// To make, change or delete a stream is not a receiver's to do.
pub(crate) async fn fixed(
    State(signals): State<Arc<Signals>>,
    presented: Presented,
) -> Result<Response, StreamError> {
    ReceiverClient::recognize(&signals, &presented).await?;
    Err(Refusal::StreamFixed.into())
}

pub(crate) async fn status(
    State(signals): State<Arc<Signals>>,
    Query(which): Query<StreamQuery>,
    presented: Presented,
) -> Result<Response, StreamError> {
    let caller = ReceiverClient::recognize(&signals, &presented).await?;
    let id = which.stream_id.ok_or(StreamError::malformed("stream_id is missing"))?;
    let stream = caller.stream(&id)?;
    let row = signals.issuer().context.ledger.receiver(&stream.receiver.id).await?;
    let enabled = StreamStatusResponse { stream_id: &id, status: StreamStatus::Enabled, reason: None };
    Ok(json_answer(&row.as_ref().map_or(enabled, StreamStatusResponse::from)))
}

/// A change is durable when it is answered. What the operator has stopped, only the operator lets go on.
pub(crate) async fn set_status(
    State(signals): State<Arc<Signals>>,
    request: Request,
) -> Result<Response, StreamError> {
    let (presented, object) = request::object(request).await?;
    let caller = ReceiverClient::recognize(&signals, &presented).await?;
    let wanted = StatusRequest::parse(&object)?;
    let stream = caller.stream(&wanted.stream_id)?;
    stream.make_known(signals.issuer()).await?;
    let change = ChangeStream {
        id: wanted.stream_id,
        status: wanted.status,
        reason: wanted.reason,
        by: Actor::Client(caller.client_id.clone()),
        as_operator: false,
        at: signals.issuer().context.now(),
    };
    match signals.issuer().context.ledger.group(change).await? {
        StreamChange::Done(row) => {
            stream.stirred.notify_waiters();
            Ok(json_answer(&StreamStatusResponse::from(&*row)))
        }
        StreamChange::Held => Err(Refusal::StreamHeld.into()),
        StreamChange::Unknown => Err(Refusal::StreamUnknown.into()),
    }
}

/// The event comes by the stream, whatever its status.
pub(crate) async fn verify(
    State(signals): State<Arc<Signals>>,
    request: Request,
) -> Result<Response, StreamError> {
    let (presented, object) = request::object(request).await?;
    let caller = ReceiverClient::recognize(&signals, &presented).await?;
    let wanted = VerificationRequest::parse(&object)?;
    let stream = caller.stream(&wanted.stream_id)?;
    stream.make_known(signals.issuer()).await?;
    let (ledger, now) = (&signals.issuer().context.ledger, signals.issuer().context.now());
    match ledger.ask_verification(&wanted.stream_id, &wanted.state, VERIFICATION_INTERVAL, now).await? {
        VerificationAsked::Noted => {
            stream.stirred.notify_waiters();
            Ok((StatusCode::NO_CONTENT, [(CACHE_CONTROL, "no-store")]).into_response())
        }
        VerificationAsked::TooOften => Err(StreamError::too_often(VERIFICATION_SECONDS)),
        VerificationAsked::Unknown => Err(Refusal::StreamUnknown.into()),
    }
}

impl EventStream {
    /// It may come before this server has got round to introducing it.
    async fn make_known(&self, issuer: &SignalIssuer) -> Result<(), StreamError> {
        let (receiver, ledger) = (&self.receiver, &issuer.context.ledger);
        if ledger.receiver(&receiver.id).await?.is_none() {
            ledger.introduce_receiver(&receiver.id, receiver.issuance, issuer.context.now()).await?;
        }
        Ok(())
    }
}

fn json_answer(answer: &impl Serialize) -> Response {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], written(answer)).into_response()
}

/// Section 8.1.1. The operator's configuration is what was requested.
#[derive(Serialize)]
struct StreamConfiguration<'a> {
    stream_id: &'a str,
    iss: &'a str,
    aud: &'a str,
    delivery: StreamDelivery<'a>,
    events_supported: Vec<&'static str>,
    events_requested: Vec<&'static str>,
    events_delivered: Vec<&'static str>,
    min_verification_interval: u32,
}

#[derive(Serialize)]
struct StreamDelivery<'a> {
    method: &'static str,
    endpoint_url: Cow<'a, str>,
}

/// The status of a stream (SSF 1.0 section 8.1.2).
#[derive(Serialize)]
struct StreamStatusResponse<'a> {
    stream_id: &'a str,
    status: StreamStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> StreamConfiguration<'a> {
    fn of(issuer: &'a SignalIssuer, receiver: &'a EventReceiver) -> Self {
        let uris = |kinds: &[EventType]| kinds.iter().map(|kind| kind.uri()).collect::<Vec<_>>();
        Self {
            stream_id: &receiver.id,
            iss: issuer.url(),
            aud: &receiver.audience,
            delivery: StreamDelivery::of(issuer, receiver),
            events_supported: uris(&EventType::CHANGES),
            events_requested: uris(&receiver.events),
            events_delivered: uris(&receiver.events),
            min_verification_interval: VERIFICATION_SECONDS,
        }
    }
}

impl<'a> StreamDelivery<'a> {
    fn of(issuer: &SignalIssuer, receiver: &'a EventReceiver) -> Self {
        match &receiver.way {
            DeliveryMethod::Push { endpoint, .. } => {
                Self { method: PUSH_DELIVERY, endpoint_url: endpoint.as_str().into() }
            }
            DeliveryMethod::Poll => {
                let address = format!("{}{POLL}/{}", issuer.context.addresses.device, receiver.id);
                Self { method: POLL_DELIVERY, endpoint_url: address.into() }
            }
        }
    }
}

impl<'a> From<&'a ReceiverRow> for StreamStatusResponse<'a> {
    fn from(row: &'a ReceiverRow) -> Self {
        Self { stream_id: &row.id, status: row.status(), reason: row.status_reason.as_deref() }
    }
}
