//! Refusals to receivers, in the form of RFC 8936: `err` from the registry of security event token errors (RFC 8935
//! section 7.1) and `description`, with a `code` that support looks up and `description_ja` beside them.
//!
//! What the registry has no word for says `temporarily_unavailable` or `server_error`, as OAuth does.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use tegata_core::{Language, Refusal};
use tegata_storage::LedgerError;
use tegata_web::{Problem, RequestId};

/// Why a receiver is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct StreamError {
    refusal: Refusal,
    /// What exactly is wrong with the request, in English.
    fault: Option<&'static str>,
    /// When to ask again, in seconds.
    retry_after: Option<u32>,
}

impl StreamError {
    /// The request itself is at fault.
    pub(crate) const fn malformed(fault: &'static str) -> Self {
        Self { refusal: Refusal::RequestMalformed, fault: Some(fault), retry_after: None }
    }

    /// It may come again after so many seconds.
    pub(crate) const fn too_often(seconds: u32) -> Self {
        Self { refusal: Refusal::TooManyRequests, fault: None, retry_after: Some(seconds) }
    }

    const fn err(self) -> &'static str {
        match self.refusal.status() {
            401 => "authentication_failed",
            403 | 404 | 429 => "access_denied",
            503 => "temporarily_unavailable",
            500 => "server_error",
            _ => "invalid_request",
        }
    }

    fn description(self, language: Language) -> String {
        let title = self.refusal.title(language);
        let advice = if self.refusal == Refusal::MediaType {
            Refusal::media_type_advice("application/json", language)
        } else {
            self.refusal.advice(language).to_owned()
        };
        let end = language.pick("。", ". ");
        match self.fault {
            Some(fault) => format!("{title}{end}{advice} ({fault})"),
            None => format!("{title}{end}{advice}"),
        }
    }
}

impl From<Refusal> for StreamError {
    fn from(refusal: Refusal) -> Self {
        let retry_after = (refusal == Refusal::Unavailable).then_some(1);
        Self { refusal, fault: None, retry_after }
    }
}

impl From<LedgerError> for StreamError {
    fn from(error: LedgerError) -> Self {
        Refusal::from(error).into()
    }
}

impl From<Problem> for StreamError {
    fn from(problem: Problem) -> Self {
        problem.refusal.into()
    }
}

#[derive(Serialize)]
struct StreamErrorBody<'a> {
    err: &'static str,
    description: String,
    description_ja: String,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

impl IntoResponse for StreamError {
    fn into_response(self) -> Response {
        let request_id = RequestId::current();
        let body = StreamErrorBody {
            err: self.err(),
            description: self.description(Language::En),
            description_ja: self.description(Language::Ja),
            code: self.refusal.code(),
            request_id: request_id.as_ref().map(RequestId::as_str),
        };
        let status = StatusCode::from_u16(self.refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = [
            (CONTENT_TYPE, "application/json"),
            (CACHE_CONTROL, "no-store"),
            (CONTENT_LANGUAGE, Language::En.tag()),
        ];
        let text = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (status, headers, text).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        // For the middleware that counts refusals.
        response.extensions_mut().insert(self.refusal);
        response
    }
}
