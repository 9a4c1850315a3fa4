//! The way back to the client.

use crate::error::OAuthError;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderValue, StatusCode};
use tegata_core::encoding::percent_encoded;
use tegata_core::{AuthorizationCode, Language, Refusal};
use tegata_web::{OnwardPage, OnwardPurpose, Problem};

/// Where an answer goes, and what the client wants to hear again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ReturnAddress {
    /// One that was registered.
    pub(crate) redirect_uri: String,
    pub(crate) state: Option<String>,
}

/// A redirect to the client.
pub(crate) struct AuthorizationAnswer {
    location: String,
    issuer: String,
    state: Option<String>,
    /// In which the page is written that leads there, where the browser has just sent a form.
    by_page: Option<Language>,
}

impl AuthorizationAnswer {
    pub(crate) fn to(address: &ReturnAddress, issuer: &str) -> Self {
        let ReturnAddress { redirect_uri, state } = address.clone();
        Self { location: redirect_uri, issuer: issuer.to_owned(), state, by_page: None }
    }

    /// For a browser that has just sent a form.
    pub(crate) fn after_a_form(self, language: Language) -> Self {
        Self { by_page: Some(language), ..self }
    }

    pub(crate) fn with_code(self, code: &AuthorizationCode) -> Self {
        self.with("code", code.reveal()).with_rest()
    }

    pub(crate) fn with_error(self, error: OAuthError) -> Self {
        self.with("error", error.error()).with("error_description", &error.description()).with_rest()
    }

    fn with_rest(mut self) -> Self {
        if let Some(state) = self.state.take() {
            self = self.with("state", &state);
        }
        let issuer = self.issuer.clone();
        self.with("iss", &issuer)
    }

    fn with(self, name: &str, value: &str) -> Self {
        Self { location: with_parameter(self.location, name, value), ..self }
    }
}

/// An address with one parameter more. It keeps the query that it was registered with (RFC 6749 section 3.1.2).
pub(crate) fn with_parameter(mut address: String, name: &str, value: &str) -> String {
    address.push(if address.contains('?') { '&' } else { '?' });
    address.push_str(name);
    address.push('=');
    address.push_str(&percent_encoded(value));
    address
}

impl IntoResponse for AuthorizationAnswer {
    fn into_response(self) -> Response {
        match self.by_page {
            Some(language) => {
                OnwardPage { language, address: self.location, purpose: OnwardPurpose::Product }
                    .into_response()
            }
            None => see_other(&self.location),
        }
    }
}

/// Another address, to be asked for by `GET` (RFC 9700 section 4.12).
pub(crate) fn see_other(location: &str) -> Response {
    match HeaderValue::try_from(location) {
        Ok(location) => {
            let no_store = HeaderValue::from_static("no-store");
            (StatusCode::SEE_OTHER, [(LOCATION, location), (CACHE_CONTROL, no_store)]).into_response()
        }
        Err(_) => Problem::from(Refusal::Internal).into_response(),
    }
}
