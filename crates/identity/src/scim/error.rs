//! Refusals in the form of RFC 7644 section 3.12. Strict clients take no other members: our code begins the detail, and the
//! number of the request ends it.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::json;
use tegata_core::{Language, Refusal};
use tegata_storage::LedgerError;
use tegata_web::{Problem, RequestId};

/// The media type of what is sent and answered (RFC 7644 section 3.1).
pub(super) const MEDIA_TYPE: &str = "application/scim+json";

/// What a handler answers.
pub(super) type ScimResult<T> = Result<T, ScimError>;

/// Why a request is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ScimError {
    refusal: Refusal,
    status: u16,
    scim_type: Option<&'static str>,
    /// What exactly, in English. Never a value that was sent.
    detail: Option<String>,
}

impl ScimError {
    /// A filter that is not taken.
    pub(super) fn filter(detail: &'static str) -> Self {
        Self::of(Refusal::ScimRequestUnfit, Some("invalidFilter"), detail)
    }

    /// A path that leads nowhere.
    pub(super) fn path(detail: &'static str) -> Self {
        Self::of(Refusal::ScimRequestUnfit, Some("invalidPath"), detail)
    }

    /// A value that is of another kind.
    pub(super) fn value(detail: impl Into<String>) -> Self {
        Self::of(Refusal::ScimRequestUnfit, Some("invalidValue"), detail)
    }

    /// What is said of a person cannot be taken.
    pub(super) fn unfit(detail: impl Into<String>) -> Self {
        Self::of(Refusal::PersonUnfit, Some("invalidValue"), detail)
    }

    /// A body that is no request.
    pub(super) fn syntax(detail: &'static str) -> Self {
        Self::of(Refusal::RequestMalformed, Some("invalidSyntax"), detail)
    }

    /// Something that cannot be changed.
    pub(super) fn fixed(refusal: Refusal) -> Self {
        Self { status: 400, ..Self::from(refusal) }.typed("mutability")
    }

    pub(super) fn with_status(self, status: StatusCode) -> Self {
        Self { status: status.as_u16(), ..self }
    }

    pub(super) fn with_detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    #[cfg(test)]
    pub(super) fn scim_type(&self) -> Option<&'static str> {
        self.scim_type
    }

    fn typed(self, scim_type: &'static str) -> Self {
        Self { scim_type: Some(scim_type), ..self }
    }

    fn of(refusal: Refusal, scim_type: Option<&'static str>, detail: impl Into<String>) -> Self {
        Self { refusal, status: refusal.status(), scim_type, detail: Some(detail.into()) }
    }

    fn text(&self) -> String {
        let (code, title) = (self.refusal.code(), self.refusal.title(Language::En));
        let advice = match self.refusal {
            Refusal::MediaType => Refusal::media_type_advice(MEDIA_TYPE, Language::En),
            refusal => refusal.advice(Language::En).to_owned(),
        };
        let detail = self.detail.as_deref().map_or_else(String::new, |detail| format!(" ({detail})"));
        let request = RequestId::current().map_or_else(String::new, |id| format!(" [{}]", id.as_str()));
        format!("{code}: {title}. {advice}{detail}{request}")
    }
}

impl From<Refusal> for ScimError {
    fn from(refusal: Refusal) -> Self {
        let scim_type = match refusal {
            Refusal::PersonKnown => Some("uniqueness"),
            Refusal::LoginFixed => Some("mutability"),
            Refusal::PersonUnfit | Refusal::ScimRequestUnfit => Some("invalidValue"),
            Refusal::RequestMalformed => Some("invalidSyntax"),
            _ => None,
        };
        Self { refusal, status: refusal.status(), scim_type, detail: None }
    }
}

impl From<LedgerError> for ScimError {
    fn from(error: LedgerError) -> Self {
        crate::service::refusal(error).into()
    }
}

impl From<Problem> for ScimError {
    fn from(problem: Problem) -> Self {
        Self { detail: problem.detail, ..Self::from(problem.refusal) }
    }
}

impl IntoResponse for ScimError {
    fn into_response(self) -> Response {
        let mut body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": self.status.to_string(),
            "detail": self.text(),
        });
        if let Some(scim_type) = self.scim_type {
            body["scimType"] = scim_type.into();
        }
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = [(CONTENT_TYPE, MEDIA_TYPE), (CACHE_CONTROL, "no-store")];
        let mut response = (status, headers, body.to_string()).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if matches!(self.refusal, Refusal::TenantBusy | Refusal::Unavailable) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        // For whoever counts refusals.
        response.extensions_mut().insert(self.refusal);
        response
    }
}
