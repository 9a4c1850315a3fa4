//! Successful answers of the token endpoint (RFC 6749 section 5.1).

use crate::authorization_server::AuthorizationServer;
use crate::error::{NOT_STORED, OAuthError};
use crate::refresh_token::RefreshToken;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tegata_core::Refusal;
use tegata_core::claims::{ACCESS_TOKEN, AccessClaims, Confirmation};

/// What the token takes is known before it is written; this is room for all else, so that the answer grows in no step.
const OTHER_MEMBERS: usize = 384;

/// An access token with what its client has to know of it. It does not print itself.
#[derive(Serialize)]
pub struct TokenResponse {
    access_token: String,
    token_type: &'static str,
    /// The lifetime that is left, in seconds (RFC 6749 section 5.1).
    expires_in: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    /// Of an exchange alone (RFC 8693 section 2.2.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<RefreshToken>,
    /// Who is signed in, where a code was redeemed (OpenID Connect Core section 3.1.3.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    /// The product that the token is for, where the client need not have named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
}

/// Claims that become an access token.
pub(crate) trait TokenClaims: Serialize {
    /// Seconds from issuing to the end.
    fn lifetime(&self) -> i64;

    /// What of the product the token is good for.
    fn scope(&self) -> Option<&str>;

    /// What it is bound to.
    fn confirmation(&self) -> &Confirmation;
}

/// What a client has to send a token with (RFC 6750, RFC 9449 section 5).
pub(crate) const fn token_type(confirmation: &Confirmation) -> &'static str {
    match confirmation {
        Confirmation::Certificate(_) => "Bearer",
        Confirmation::Key(_) => "DPoP",
    }
}

impl TokenClaims for AccessClaims {
    fn lifetime(&self) -> i64 {
        self.exp - self.iat
    }

    fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    fn confirmation(&self) -> &Confirmation {
        &self.cnf
    }
}

impl TokenResponse {
    /// With the token type that an exchange has to name.
    pub(crate) fn issued_as(self, issued_token_type: &'static str) -> Self {
        Self { issued_token_type: Some(issued_token_type), ..self }
    }

    /// With the value that the client gets the next token by.
    pub(crate) fn refreshed_by(self, refresh_token: RefreshToken) -> Self {
        Self { refresh_token: Some(refresh_token), ..self }
    }

    /// With what the client is to know of whoever signed in.
    pub(crate) fn identified_by(self, id_token: String) -> Self {
        Self { id_token: Some(id_token), ..self }
    }

    pub(crate) fn access_token(&self) -> &str {
        &self.access_token
    }

    /// With the product's name.
    pub(crate) fn for_resource(self, resource: String) -> Self {
        Self { resource: Some(resource), ..self }
    }
}

impl AuthorizationServer {
    /// Signs the claims. Whoever asks has recorded them before.
    pub(crate) fn token_response(&self, claims: &impl TokenClaims) -> Result<TokenResponse, OAuthError> {
        Ok(TokenResponse {
            access_token: self.sign(ACCESS_TOKEN, claims)?,
            token_type: token_type(claims.confirmation()),
            expires_in: claims.lifetime(),
            scope: claims.scope().map(str::to_owned),
            issued_token_type: None,
            refresh_token: None,
            id_token: None,
            resource: None,
        })
    }
}

impl IntoResponse for TokenResponse {
    fn into_response(self) -> Response {
        let mut body = Vec::with_capacity(self.access_token.len() + OTHER_MEMBERS);
        match serde_json::to_writer(&mut body, &self) {
            Ok(()) => (NOT_STORED, body).into_response(),
            Err(_) => OAuthError::from(Refusal::Internal).into_response(),
        }
    }
}
