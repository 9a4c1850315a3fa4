//! Bodies of forms, read strictly.

use crate::body;
use crate::problem::{Problem, WebResult};
use axum::extract::{FromRequest, Request};
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use tegata_core::Refusal;

const FORM: &str = "application/x-www-form-urlencoded";

/// A form of at most 64 KiB that is exactly one `T`. A field without a value counts as absent, as everywhere in OAuth and
/// where a person left it empty.
#[derive(Clone, Copy, Debug)]
pub struct StrictForm<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for StrictForm<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> WebResult<Self> {
        let media = request.headers().get(CONTENT_TYPE).and_then(|media| media.to_str().ok());
        let essence = media.and_then(|media| media.split(';').next()).map(str::trim);
        if !essence.is_some_and(|essence| essence.eq_ignore_ascii_case(FORM)) {
            return Err(Problem::media_type(FORM));
        }
        let bytes = body::read(request.into_body(), body::LIMIT).await?;
        let has_value = |field: &&[u8]| {
            field.iter().position(|byte| *byte == b'=').is_some_and(|at| at + 1 < field.len())
        };
        let fields: Vec<&[u8]> = bytes.split(|byte| *byte == b'&').filter(has_value).collect();
        let form = serde_urlencoded::from_bytes(&fields.join(&b'&'));
        form.map(Self).map_err(|_| Refusal::RequestMalformed.into())
    }
}
