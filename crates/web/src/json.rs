//! Bodies in JSON, read strictly.

use crate::body;
use crate::problem::{Problem, WebResult};
use axum::extract::{FromRequest, Request};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use tegata_core::Refusal;

const JSON: &str = "application/json";

const LONGEST_NAME: usize = 40;

/// A body of `application/json`, at most 64 KiB, that is exactly one `T`. Derived structs refuse a key
/// that comes twice; `T` must say `#[serde(deny_unknown_fields)]` to refuse keys that it does not know.
#[derive(Clone, Copy, Debug)]
pub struct StrictJson<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for StrictJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> WebResult<Self> {
        if !is_json(request.headers()) {
            return Err(Problem::media_type(JSON));
        }
        let bytes = body::read(request.into_body(), body::LIMIT).await?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| malformed(&error))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(media), None) = (types.next(), types.next()) else { return false };
    let essence = media.to_str().ok().and_then(|media| media.split(';').next()).map(str::trim);
    essence.is_some_and(|essence| essence.eq_ignore_ascii_case(JSON))
}

/// Where the fault is, and at most the name of a key. serde's own message may quote the value that did
/// not fit, and that could be an invitation code.
fn malformed(error: &serde_json::Error) -> Problem {
    let place = format!("line {} column {}", error.line(), error.column());
    let detail = about_a_key(&error.to_string()).map_or(place.clone(), |fault| format!("{place}: {fault}"));
    Problem::with_detail(Refusal::RequestMalformed, detail)
}

fn about_a_key(message: &str) -> Option<String> {
    ["unknown field", "missing field", "duplicate field"].into_iter().find_map(|fault| {
        let name = message.strip_prefix(fault)?.strip_prefix(" `")?.split('`').next()?;
        let name: String = name.chars().filter(|letter| !letter.is_control()).take(LONGEST_NAME).collect();
        Some(format!("{fault} {name}"))
    })
}
