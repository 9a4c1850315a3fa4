//! Refusals in the form of RFC 6749 section 5.2.

use crate::form::FORM;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA, RETRY_AFTER};
use serde::{Serialize, Serializer};
use tegata_core::{Language, Refusal};
use tegata_storage::LedgerError;
use tegata_web::{Problem, RequestId};

/// Every answer of the OAuth endpoints concerns one client at one moment.
pub(crate) const NOT_STORED: [(http::HeaderName, &str); 3] =
    [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")];

/// Why an OAuth request is refused. Written as the members of RFC 6749 section 5.2, a `code` and
/// `error_description_ja`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OAuthError {
    status: StatusCode,
    error: &'static str,
    refusal: Refusal,
    /// What exactly is wrong with the request, in English without quotes or backslashes (RFC 6749 section 5.2).
    fault: Option<&'static str>,
}

impl OAuthError {
    /// The request itself is at fault.
    pub(crate) const fn invalid_request(fault: &'static str) -> Self {
        Self::of_protocol("invalid_request", fault)
    }

    /// The client did not authenticate.
    pub(crate) const fn invalid_client(fault: &'static str) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, ..Self::of_protocol("invalid_client", fault) }
    }

    /// A grant other than the one there is.
    pub(crate) const fn unsupported_grant_type(fault: &'static str) -> Self {
        Self::of_protocol("unsupported_grant_type", fault)
    }

    /// A scope where there are none.
    pub(crate) const fn invalid_scope(fault: &'static str) -> Self {
        Self::of_protocol("invalid_scope", fault)
    }

    /// No product of ours (RFC 8707 section 2).
    pub(crate) const fn invalid_target(fault: &'static str) -> Self {
        Self::of_protocol("invalid_target", fault)
    }

    /// A proof that does not hold (RFC 9449 section 5).
    pub(crate) const fn invalid_dpop_proof(fault: &'static str) -> Self {
        Self::of_protocol("invalid_dpop_proof", fault).because(Refusal::DpopProofInvalid)
    }

    /// A proof without a nonce of ours, or with one that is too old (RFC 9449 section 8).
    pub(crate) const fn use_dpop_nonce() -> Self {
        let fault = "Send the request again, with a proof that has the nonce of the header DPoP-Nonce";
        Self::of_protocol("use_dpop_nonce", fault).because(Refusal::DpopProofInvalid)
    }

    /// An error of the authorization endpoint alone (RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6).
    pub(crate) const fn at_authorization(error: &'static str, fault: &'static str) -> Self {
        Self::of_protocol(error, fault)
    }

    /// A registration that cannot be served (RFC 7591 section 3.2.2).
    pub(crate) const fn at_registration(error: &'static str, refusal: Refusal) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error, refusal, fault: None }
    }

    /// An access token that is not taken (RFC 6750 section 3.1).
    pub(crate) fn of_token(status: StatusCode, refusal: Refusal) -> Self {
        let error = match refusal {
            Refusal::ScopeInsufficient => "insufficient_scope",
            Refusal::DpopProofInvalid => "invalid_dpop_proof",
            _ => "invalid_token",
        };
        Self { status, error, refusal, fault: None }
    }

    /// The device on which a code was granted is in no good standing: the client is, so that it is not told otherwise.
    pub(crate) fn of_the_device(refusal: Refusal) -> Self {
        let error = Self::from(refusal);
        let is_of_client = error.status == StatusCode::UNAUTHORIZED;
        if is_of_client {
            Self { status: StatusCode::BAD_REQUEST, error: "invalid_grant", ..error }
        } else {
            error
        }
    }

    /// Reports the same OAuth error with a more specific refusal, whose code support can look up.
    pub(crate) const fn because(self, refusal: Refusal) -> Self {
        Self { refusal, ..self }
    }

    /// Why, unless the protocol itself is at fault.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.fault.is_none().then_some(self.refusal)
    }

    /// The code that support looks up.
    pub const fn code(&self) -> &'static str {
        self.refusal.code()
    }

    /// The value of the `error` member (RFC 6749 section 5.2).
    pub(crate) const fn error(&self) -> &'static str {
        self.error
    }

    const fn of_protocol(error: &'static str, fault: &'static str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            error,
            refusal: Refusal::RequestMalformed,
            fault: Some(fault),
        }
    }

    /// `error_description`: the code first, for support.
    pub(crate) fn description(&self) -> String {
        let text = Language::En;
        match self.fault {
            Some(fault) => format!("{}: {fault}.", self.refusal.code()),
            None => {
                format!(
                    "{}: {}. {}",
                    self.refusal.code(),
                    self.refusal.title(text),
                    self.refusal.advice(text)
                )
            }
        }
    }

    fn description_ja(&self) -> String {
        let text = Language::Ja;
        if self.refusal == Refusal::MediaType {
            let advice = Refusal::media_type_advice(FORM, text);
            return format!("{}: {}。{advice}", self.refusal.code(), self.refusal.title(text));
        }
        format!("{}: {}。{}", self.refusal.code(), self.refusal.title(text), self.refusal.advice(text))
    }
}

impl From<Refusal> for OAuthError {
    fn from(refusal: Refusal) -> Self {
        let (status, error) = match refusal {
            Refusal::Unavailable | Refusal::Accepted | Refusal::InDoubt => {
                (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable")
            }
            Refusal::TenantBusy => (StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable"),
            Refusal::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
            Refusal::NotADevice | Refusal::NotAGate | Refusal::TokenNotBound => {
                (StatusCode::BAD_REQUEST, "unauthorized_client")
            }
            Refusal::RequestTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "invalid_request"),
            Refusal::NotFound => (StatusCode::NOT_FOUND, "invalid_request"),
            Refusal::RedirectUriUnfit => (StatusCode::BAD_REQUEST, "invalid_redirect_uri"),
            Refusal::ClientMetadataUnfit => (StatusCode::BAD_REQUEST, "invalid_client_metadata"),
            Refusal::RegistrationTokenRefused => (StatusCode::UNAUTHORIZED, "invalid_token"),
            Refusal::SessionEnded | Refusal::PersonElsewhere | Refusal::CodeRefused => {
                (StatusCode::BAD_REQUEST, "invalid_grant")
            }
            Refusal::DpopProofInvalid => (StatusCode::BAD_REQUEST, "invalid_dpop_proof"),
            Refusal::ProductNotLicensed | Refusal::ProductUnknown => {
                (StatusCode::BAD_REQUEST, "invalid_target")
            }
            // The proof of a person: RFC 8693 section 2.2.2.
            Refusal::PersonUnproven
            | Refusal::RequestMalformed
            | Refusal::MediaType
            | Refusal::RedirectUnregistered => (StatusCode::BAD_REQUEST, "invalid_request"),
            _ => (StatusCode::UNAUTHORIZED, "invalid_client"),
        };
        Self { status, error, refusal, fault: None }
    }
}

impl From<Problem> for OAuthError {
    fn from(problem: Problem) -> Self {
        problem.refusal.into()
    }
}

impl From<LedgerError> for OAuthError {
    fn from(error: LedgerError) -> Self {
        Refusal::from(error).into()
    }
}

impl Serialize for OAuthError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let request_id = RequestId::current();
        let body = OAuthErrorBody {
            error: self.error,
            error_description: self.description(),
            error_description_ja: self.description_ja(),
            code: self.code(),
            request_id: request_id.as_ref().map(RequestId::as_str),
        };
        body.serialize(serializer)
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let text = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.status, NOT_STORED, text).into_response();
        if matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            response.headers_mut().insert(RETRY_AFTER, http::HeaderValue::from_static("1"));
        }
        // For the middleware that counts refusals.
        response.extensions_mut().insert(self.refusal);
        response
    }
}

#[derive(Serialize)]
struct OAuthErrorBody<'a> {
    error: &'static str,
    error_description: String,
    error_description_ja: String,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_can_be_said_in_the_characters_oauth_allows() {
        for &refusal in Refusal::ALL {
            let description = OAuthError::from(refusal).description();
            let allowed = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            assert!(description.bytes().all(allowed), "{description}");
            assert!(description.starts_with(refusal.code()));
        }
    }

    #[test]
    fn a_fault_of_ours_is_never_told_as_the_client_s() {
        for refusal in [Refusal::Unavailable, Refusal::Internal] {
            assert!(OAuthError::from(refusal).status.is_server_error());
        }
        assert_eq!(OAuthError::from(Refusal::TenantBusy).status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(OAuthError::from(Refusal::CertificateRevoked).status, StatusCode::UNAUTHORIZED);
    }
}
