//! Bodies: one JSON object, whose names are read without regard to case (RFC 7643 section 2.1).

use super::error::{MEDIA_TYPE, ScimError};
use axum::extract::{FromRequest, Request};
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value};
use tegata_web::{Problem, body};

/// The most that a request may send, in bytes: a group with some thousand members.
const LIMIT: usize = 512 * 1024;

/// An object that was sent.
pub(super) struct ScimObject(pub(super) Map<String, Value>);

impl<S: Sync> FromRequest<S> for ScimObject {
    type Rejection = ScimError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ScimError> {
        let media = request.headers().get(CONTENT_TYPE).and_then(|media| media.to_str().ok());
        let essence = media.and_then(|media| media.split(';').next()).map(str::trim).unwrap_or_default();
        if ![MEDIA_TYPE, "application/json"].iter().any(|taken| essence.eq_ignore_ascii_case(taken)) {
            return Err(Problem::media_type(MEDIA_TYPE).into());
        }
        let bytes = body::read(request.into_body(), LIMIT).await?;
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(object)) => Ok(Self(object)),
            _ => Err(ScimError::syntax("the body is not one JSON object")),
        }
    }
}

/// The member of an object with this name.
pub(super) fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// The text that a member is; nothing where it is not there, or null.
pub(super) fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    member(object, name).and_then(Value::as_str)
}

/// The texts of a multi-valued attribute: each an object with a `value`, or the value itself; one may stand for a list.
pub(super) fn values(value: &Value) -> Result<Vec<&str>, ScimError> {
    let list = match value {
        Value::Array(list) => list.as_slice(),
        Value::Null => &[],
        one => std::slice::from_ref(one),
    };
    list.iter()
        .map(|value| single(value).ok_or_else(|| ScimError::value("an element has no value")))
        .collect()
}

fn single(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Object(object) => text(object, "value"),
        _ => None,
    }
}
