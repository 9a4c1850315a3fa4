//! Refusals of registrations (RFC 7591 section 3.2.2, RFC 6750 section 3).

use crate::error::OAuthError;
use axum::response::{IntoResponse, Response};
use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, StatusCode};
use serde_json::json;
use tegata_core::{Refusal, UnfitRegistration};
use tegata_storage::LedgerError;
use tegata_web::Problem;

/// The longest reason, in characters.
const LONGEST: usize = 300;

/// Why a client is not registered, or not as it wishes.
pub(crate) struct RegistrationRefused {
    error: OAuthError,
    /// What is wrong with the registration.
    why: Option<String>,
}

impl RegistrationRefused {
    /// By something in its metadata.
    pub(super) fn metadata(why: String) -> Self {
        let error = OAuthError::at_registration("invalid_client_metadata", Refusal::ClientMetadataUnfit);
        Self { error, why: Some(why) }
    }

    fn redirect_uri(why: String) -> Self {
        let error = OAuthError::at_registration("invalid_redirect_uri", Refusal::RedirectUriUnfit);
        Self { error, why: Some(why) }
    }
}

impl From<UnfitRegistration> for RegistrationRefused {
    fn from(unfit: UnfitRegistration) -> Self {
        match unfit {
            UnfitRegistration::RedirectUri(why) => Self::redirect_uri(why),
            UnfitRegistration::Metadata(why) => Self::metadata(why),
        }
    }
}

impl From<Refusal> for RegistrationRefused {
    fn from(refusal: Refusal) -> Self {
        let error = match refusal {
            Refusal::RegistrationTokenRefused => OAuthError::of_token(StatusCode::UNAUTHORIZED, refusal),
            refusal => refusal.into(),
        };
        Self { error, why: None }
    }
}

impl From<LedgerError> for RegistrationRefused {
    fn from(error: LedgerError) -> Self {
        Refusal::from(error).into()
    }
}

impl From<Problem> for RegistrationRefused {
    fn from(problem: Problem) -> Self {
        problem.refusal.into()
    }
}

impl IntoResponse for RegistrationRefused {
    fn into_response(self) -> Response {
        let code = self.error.code();
        let is_of_token = code == Refusal::RegistrationTokenRefused.code();
        let mut response = match self.why {
            None => self.error.into_response(),
            Some(why) => {
                let mut body = json!(self.error);
                body["error_description"] = json!(format!("{code}: {}.", sayable(&why)));
                let plain = self.error.into_response();
                let (parts, _) = plain.into_parts();
                Response::from_parts(parts, body.to_string().into())
            }
        };
        if is_of_token {
            let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// In the characters that RFC 6749 section 5.2 allows.
fn sayable(why: &str) -> String {
    let letter = |letter: char| match letter {
        '"' | '\\' => '\'',
        ' '..='~' => letter,
        _ => '?',
    };
    why.trim_end_matches('.').chars().take(LONGEST).map(letter).collect()
}
