//! The token endpoint.

use crate::authorization_server::AuthorizationServer;
use crate::client::{AuthenticatedRequest, DeviceRequest};
use crate::dpop::DpopVerifier;
use crate::error::OAuthError;
use crate::metadata::{AUTHORIZATION_CODE, CLIENT_CREDENTIALS, REFRESH_TOKEN, TOKEN_EXCHANGE};
use crate::token_response::TokenResponse;
use crate::{client_grant, code_grant, exchange, refresh_grant};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

pub(crate) async fn token(State(tokens): State<Arc<AuthorizationServer>>, request: Request) -> Response {
    let is_about_proofs = DpopVerifier::is_about_proofs(&request);
    let answer = answer(&tokens, request).await.into_response();
    if is_about_proofs { tokens.dpop.with_nonce(answer, tokens.context.now()).await } else { answer }
}

async fn answer(tokens: &AuthorizationServer, request: Request) -> Result<TokenResponse, OAuthError> {
    let (asked, key) = AuthenticatedRequest::read_with_proof(tokens, request, true).await?;
    match asked.form().require("grant_type", "grant_type is missing")? {
        AUTHORIZATION_CODE => code_grant::redeem(tokens, &asked, key).await,
        REFRESH_TOKEN => refresh_grant::refresh(tokens, &asked, key).await,
        grant => match &asked {
            AuthenticatedRequest::Holder(call) => by_certificate(tokens, call.of_device()?, grant).await,
            AuthenticatedRequest::Registered(call) if grant == CLIENT_CREDENTIALS => {
                client_grant::grant(tokens, call, key).await
            }
            _ => Err(OAuthError::unsupported_grant_type("There is no such grant for this client")),
        },
    }
}

async fn by_certificate(
    tokens: &AuthorizationServer,
    call: &DeviceRequest,
    grant: &str,
) -> Result<TokenResponse, OAuthError> {
    match grant {
        CLIENT_CREDENTIALS => for_the_device(tokens, call).await,
        TOKEN_EXCHANGE => exchange::exchange(tokens, call).await,
        _ => Err(OAuthError::unsupported_grant_type("There is no such grant here")),
    }
}

async fn for_the_device(
    tokens: &AuthorizationServer,
    call: &DeviceRequest,
) -> Result<TokenResponse, OAuthError> {
    let claims = tokens.recorded(&call.client, &call.form, call.at).await?;
    // While the record was on its way to the disk, the device may have been stopped.
    call.authenticate_again(&tokens.context).await?;
    tokens.token_response(&claims)
}
