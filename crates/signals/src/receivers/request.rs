//! The requests of receivers, parsed before anything acts on them.

use super::error::StreamError;
use axum::extract::Request;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value};
use tegata_core::Refusal;
use tegata_core::security_event::{StreamStatus, quotable};
use tegata_web::{Presented, body};

/// Tokens in one answer.
pub(super) const MOST: usize = 100;

/// Acknowledgments and errors in one request.
const ANSWERS: usize = 1000;

/// The longest `state` of a verification, in bytes.
const LONGEST_STATE: usize = 1024;

/// A request for tokens (RFC 8936 section 2.4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct PollRequest {
    /// How many tokens the response may have, at most [`MOST`].
    pub(super) max_events: usize,
    pub(super) return_immediately: bool,
    /// The names of tokens that were taken.
    pub(super) ack: Vec<String>,
    /// The names of tokens that could not be, and why.
    pub(super) errors: Vec<ReportedError>,
}

/// An error that a receiver reports of one token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ReportedError {
    pub(super) jti: String,
    pub(super) err: String,
    /// The receiver's description, shortened and without control characters, so that it can be logged.
    pub(super) said: String,
}

/// Another status for a stream (SSF 1.0 section 8.1.2.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct StatusRequest {
    pub(super) stream_id: String,
    pub(super) status: StreamStatus,
    pub(super) reason: Option<String>,
}

/// A verification that is asked for (SSF 1.0 section 8.1.4.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct VerificationRequest {
    pub(super) stream_id: String,
    pub(super) state: String,
}

/// A JSON object of a request, and the certificate that came with it.
pub(super) async fn object(request: Request) -> Result<(Presented, Map<String, Value>), StreamError> {
    let (parts, body) = request.into_parts();
    let presented: Presented = parts.extensions.get().cloned().ok_or(Refusal::Internal)?;
    check_media_type(&parts.headers)?;
    let text = body::read(body, body::LIMIT).await?;
    Ok((presented, read(&text)?))
}

fn read(text: &[u8]) -> Result<Map<String, Value>, StreamError> {
    serde_json::from_slice(text).map_err(|_| StreamError::malformed("the body is not a JSON object"))
}

fn check_media_type(headers: &HeaderMap) -> Result<(), StreamError> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (first, second) = (types.next(), types.next());
    let media = first.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_json =
        media.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("application/json"));
    if is_json && second.is_none() { Ok(()) } else { Err(Refusal::MediaType.into()) }
}

impl PollRequest {
    /// Members that are not known are somebody's extension and left alone.
    pub(super) fn parse(object: &Map<String, Value>) -> Result<Self, StreamError> {
        let ack = match object.get("ack") {
            None => Vec::new(),
            Some(value) => strings(value).ok_or(StreamError::malformed("ack is not an array of strings"))?,
        };
        let errors = match object.get("setErrs") {
            None => Vec::new(),
            Some(value) => errors(value).ok_or(StreamError::malformed(
                "setErrs is not an object with an err, and perhaps a description, for each jti",
            ))?,
        };
        if ack.len() + errors.len() > ANSWERS {
            return Err(StreamError::malformed("more than 1000 tokens are answered for at once"));
        }
        if errors.iter().any(|error| ack.contains(&error.jti)) {
            return Err(StreamError::malformed("a token is in ack and in setErrs"));
        }
        Ok(Self { max_events: max_events(object)?, return_immediately: immediately(object)?, ack, errors })
    }
}

fn max_events(object: &Map<String, Value>) -> Result<usize, StreamError> {
    let Some(value) = object.get("maxEvents") else { return Ok(MOST) };
    let number = value.as_u64().ok_or(StreamError::malformed("maxEvents is not a whole number from 0 on"))?;
    Ok(usize::try_from(number).unwrap_or(MOST).min(MOST))
}

fn immediately(object: &Map<String, Value>) -> Result<bool, StreamError> {
    let Some(value) = object.get("returnImmediately") else { return Ok(false) };
    value.as_bool().ok_or(StreamError::malformed("returnImmediately is neither true nor false"))
}

fn strings(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

fn errors(value: &Value) -> Option<Vec<ReportedError>> {
    let reported = |(jti, error): (&String, &Value)| {
        let err = error.get("err")?.as_str()?;
        let description = match error.get("description") {
            None => "",
            Some(description) => description.as_str()?,
        };
        let said = quotable(&format!("{err} {description}"));
        Some(ReportedError { jti: jti.clone(), err: err.to_owned(), said })
    };
    value.as_object()?.iter().map(reported).collect()
}

impl StatusRequest {
    pub(super) fn parse(object: &Map<String, Value>) -> Result<Self, StreamError> {
        let status = object.get("status").and_then(Value::as_str).and_then(StreamStatus::parse);
        let reason = match object.get("reason") {
            None | Some(Value::Null) => None,
            Some(value) => {
                let text = value.as_str().ok_or(StreamError::malformed("reason is not a string"))?;
                Some(quotable(text)).filter(|text| !text.is_empty())
            }
        };
        Ok(Self {
            stream_id: stream_id(object)?,
            status: status.ok_or(StreamError::malformed("status is enabled, paused or disabled"))?,
            reason,
        })
    }
}

impl VerificationRequest {
    pub(super) fn parse(object: &Map<String, Value>) -> Result<Self, StreamError> {
        let state = match object.get("state") {
            None => "",
            Some(value) => value.as_str().ok_or(StreamError::malformed("state is not a string"))?,
        };
        if state.len() > LONGEST_STATE {
            return Err(StreamError::malformed("state is longer than 1024 bytes"));
        }
        Ok(Self { stream_id: stream_id(object)?, state: state.to_owned() })
    }
}

fn stream_id(object: &Map<String, Value>) -> Result<String, StreamError> {
    let id = object.get("stream_id").and_then(Value::as_str);
    id.map(str::to_owned).ok_or(StreamError::malformed("stream_id is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn poll(value: &Value) -> Result<PollRequest, StreamError> {
        PollRequest::parse(value.as_object().expect("an object"))
    }

    #[test]
    fn a_receiver_that_says_nothing_waits_for_as_many_as_there_may_be() {
        let expected =
            PollRequest { max_events: MOST, return_immediately: false, ack: vec![], errors: vec![] };
        assert_eq!(poll(&json!({})).unwrap(), expected);
        assert_eq!(poll(&json!({"ack": [], "setErrs": {}, "vendor": 1})).unwrap(), expected);
        assert_eq!(poll(&json!({"maxEvents": 7_000_000_000_u64})).unwrap(), expected);
        assert_eq!(poll(&json!({"maxEvents": 0})).unwrap().max_events, 0);
    }

    #[test]
    fn what_is_not_as_the_rfc_has_it_is_refused_rather_than_guessed_at() {
        for value in [
            json!({"maxEvents": -1}),
            json!({"maxEvents": 1.5}),
            json!({"maxEvents": "1"}),
            json!({"returnImmediately": 1}),
            json!({"ack": "1"}),
            json!({"ack": [1]}),
            json!({"ack": null}),
            json!({"setErrs": []}),
            json!({"setErrs": {"1": "no"}}),
            json!({"setErrs": {"1": {"description": "no"}}}),
            json!({"setErrs": {"1": {"err": "invalid_request", "description": 1}}}),
            json!({"ack": ["1"], "setErrs": {"1": {"err": "invalid_request"}}}),
            json!({"ack": vec!["1"; ANSWERS + 1]}),
        ] {
            assert!(poll(&value).is_err(), "{value}");
        }
        assert!(read(b"[]").is_err() && read(b"").is_err() && read(b"{\"ack\":[]").is_err());
    }

    #[test]
    fn what_a_receiver_reports_is_kept_short_and_on_one_line() {
        let said = "x\n".repeat(1000);
        let poll = poll(&json!({"setErrs": {"1": {"err": "invalid_key", "description": said}}})).unwrap();
        assert!(poll.errors[0].said.starts_with("invalid_key xx") && poll.errors[0].said.len() <= 200);
    }

    #[test]
    fn a_status_is_one_of_three() {
        let parse = |value: Value| StatusRequest::parse(value.as_object().unwrap());
        assert!(parse(json!({"stream_id": "a", "status": "paused", "reason": null})).is_ok());
        for value in [
            json!({"status": "paused"}),
            json!({"stream_id": "a"}),
            json!({"stream_id": "a", "status": "Paused"}),
            json!({"stream_id": "a", "status": "paused", "reason": 1}),
        ] {
            assert!(parse(value.clone()).is_err(), "{value}");
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_the_handlers_panic(text in ".{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            for body in [text.as_bytes(), &bytes] {
                if let Ok(object) = read(body) {
                    let _ = (PollRequest::parse(&object), StatusRequest::parse(&object), VerificationRequest::parse(&object));
                }
            }
        }
    }
}
