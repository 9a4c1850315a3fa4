//! Refusals as ACME errors (RFC 8555 section 6.7), with our code for support.

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use tegata_core::{Language, Refusal};
use tegata_storage::LedgerError;
use tegata_web::{Problem, RequestId};

/// The media type of a request (RFC 8555 section 6.2).
pub(super) const JOSE: &str = "application/jose+json";

/// What a handler answers.
pub(super) type AcmeResult<T> = Result<T, AcmeError>;

/// Why a request is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct AcmeError {
    /// The error type without its prefix `urn:ietf:params:acme:error:`.
    kind: &'static str,
    pub(super) refusal: Refusal,
    /// What exactly, in English. Never a value that was sent.
    detail: Option<&'static str>,
    /// What is taken instead.
    algorithms: &'static [&'static str],
}

impl AcmeError {
    /// What was sent is not what RFC 8555 says it must be.
    pub(super) const fn malformed(detail: &'static str) -> Self {
        Self::of("malformed", Refusal::RequestMalformed, Some(detail))
    }

    /// A key or an algorithm that is not taken. The algorithms are those that would be (RFC 8555 section 6.2).
    pub(super) const fn bad_algorithm(detail: &'static str, algorithms: &'static [&'static str]) -> Self {
        Self { algorithms, ..Self::of("badSignatureAlgorithm", Refusal::AcmeSignature, Some(detail)) }
    }

    /// A body in another media type than the one that there is.
    pub(super) const fn media_type() -> Self {
        Self::of("malformed", Refusal::MediaType, None)
    }

    /// A key that no algorithm here can use.
    pub(super) const fn bad_key(detail: &'static str) -> Self {
        Self::of("badPublicKey", Refusal::AcmeSignature, Some(detail))
    }

    /// An attestation that does not prove what it should.
    pub(super) const fn attestation(detail: &'static str) -> Self {
        Self::of("badAttestationStatement", Refusal::AcmeAttestation, Some(detail))
    }

    /// There is nothing here, or nothing for this account: nobody learns which.
    pub(super) const fn not_found() -> Self {
        Self::of("malformed", Refusal::NotFound, None)
    }

    const fn of(kind: &'static str, refusal: Refusal, detail: Option<&'static str>) -> Self {
        Self { kind, refusal, detail, algorithms: &[] }
    }

    /// Reports the refusal under another ACME error type.
    pub(super) const fn named(self, kind: &'static str) -> Self {
        Self { kind, ..self }
    }

    /// Whether the same request may succeed a moment later.
    pub(super) fn is_passing(&self) -> bool {
        matches!(
            self.refusal,
            Refusal::Unavailable | Refusal::TenantBusy | Refusal::Internal | Refusal::ApprovalPending
        )
    }

    /// The `error` member of an order that became invalid (RFC 8555 section 7.1.3).
    pub(super) fn member(&self) -> Value {
        json!({"type": self.urn(), "detail": self.detail(), "status": self.status().as_u16(), "code": self.refusal.code()})
    }

    fn urn(&self) -> String {
        format!("urn:ietf:params:acme:error:{}", self.kind)
    }

    fn status(&self) -> StatusCode {
        let status = match self.kind {
            "badCSR" | "badPublicKey" | "badRevocationReason" | "alreadyRevoked" => 400,
            "unauthorized" => 403,
            _ => self.refusal.status(),
        };
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn detail(&self) -> String {
        let (code, language) = (self.refusal.code(), Language::En);
        let title = self.refusal.title(language);
        let advice = if self.refusal == Refusal::MediaType {
            Refusal::media_type_advice(JOSE, language)
        } else {
            self.refusal.advice(language).to_owned()
        };
        match self.detail {
            Some(detail) => format!("{code}: {title}. {advice} ({detail})"),
            None => format!("{code}: {title}. {advice}"),
        }
    }
}

/// The name under which ACME clients know a refusal.
impl From<Refusal> for AcmeError {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal {
            Refusal::AcmeNonce => "badNonce",
            Refusal::AcmeAccountUnknown => "accountDoesNotExist",
            Refusal::AcmeNotBound => "externalAccountRequired",
            Refusal::AcmeIdentifier | Refusal::InvitationUnknown => "rejectedIdentifier",
            Refusal::AcmeOrderNotReady => "orderNotReady",
            Refusal::AcmeAttestation => "badAttestationStatement",
            Refusal::AcmeAlreadyReplaced => "alreadyReplaced",
            Refusal::TooManyRequests
            | Refusal::TenantBusy
            | Refusal::TooManyGuesses
            | Refusal::TooManyLinks
            | Refusal::TooManyWaiting
            | Refusal::KittingTooFast => "rateLimited",
            Refusal::CsrMalformed
            | Refusal::CsrTooLarge
            | Refusal::KeyNotAllowed
            | Refusal::CsrNotSigned
            | Refusal::KeyReused
            | Refusal::KeyBlocked => "badCSR",
            Refusal::Unavailable
            | Refusal::Accepted
            | Refusal::InDoubt
            | Refusal::Internal
            | Refusal::NoIssuer => "serverInternal",
            Refusal::RequestMalformed
            | Refusal::RequestTooLarge
            | Refusal::MediaType
            | Refusal::NotFound
            | Refusal::MethodNotAllowed
            | Refusal::Misdirected
            | Refusal::AcmeSignature
            | Refusal::AcmeKeyTaken => "malformed",
            _ => "unauthorized",
        };
        Self::of(kind, refusal, None)
    }
}

impl From<LedgerError> for AcmeError {
    fn from(error: LedgerError) -> Self {
        Refusal::from(error).into()
    }
}

impl From<Problem> for AcmeError {
    fn from(problem: Problem) -> Self {
        problem.refusal.into()
    }
}

impl IntoResponse for AcmeError {
    fn into_response(self) -> Response {
        let status = self.status();
        let request_id = RequestId::current();
        let body = AcmeProblemBody {
            r#type: self.urn(),
            title: self.refusal.title(Language::En),
            status: status.as_u16(),
            detail: self.detail(),
            code: self.refusal.code(),
            algorithms: self.algorithms,
            request_id: request_id.as_ref().map(RequestId::as_str),
        };
        let text = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (status, [(CONTENT_TYPE, "application/problem+json")], text).into_response();
        let wait = match status {
            StatusCode::SERVICE_UNAVAILABLE => Some("1"),
            _ if self.refusal == Refusal::TenantBusy => Some("1"),
            StatusCode::TOO_MANY_REQUESTS => Some("600"),
            _ => None,
        };
        if let Some(wait) = wait {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(wait));
        }
        // For the middleware that counts refusals.
        response.extensions_mut().insert(self.refusal);
        response
    }
}

#[derive(Serialize)]
struct AcmeProblemBody<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: String,
    code: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    algorithms: &'static [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_ours_is_never_told_as_the_clients() {
        for refusal in [Refusal::Unavailable, Refusal::Internal, Refusal::NoIssuer] {
            let error = AcmeError::from(refusal);
            assert!(error.status().is_server_error() && error.kind == "serverInternal", "{refusal:?}");
        }
        for &refusal in Refusal::ALL {
            assert!(AcmeError::from(refusal).detail().starts_with(refusal.code()));
        }
    }
}
