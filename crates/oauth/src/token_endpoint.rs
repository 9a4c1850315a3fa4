//! The token endpoint.

use crate::authorization_server::AuthorizationServer;
use crate::client::{AuthenticatedRequest, DeviceRequest};
use crate::error::OAuthError;
use crate::metadata::{CLIENT_CREDENTIALS, REFRESH_TOKEN, TOKEN_EXCHANGE};
use crate::token_response::TokenResponse;
use crate::{client_grant, exchange, refresh_grant};
use axum::extract::{Request, State};
use std::sync::Arc;

pub(crate) async fn token(
    State(tokens): State<Arc<AuthorizationServer>>,
    request: Request,
) -> Result<TokenResponse, OAuthError> {
    let call = match AuthenticatedRequest::read(&tokens, request).await? {
        AuthenticatedRequest::Holder(call) => call.of_device()?,
        AuthenticatedRequest::Registered(call) => {
            return client_grant::grant(&tokens, &call).await;
        }
    };
    let grant = call.form.require("grant_type", "grant_type is missing")?;
    match grant {
        CLIENT_CREDENTIALS => for_the_device(&tokens, &call).await,
        REFRESH_TOKEN => refresh_grant::refresh(&tokens, &call).await,
        TOKEN_EXCHANGE => exchange::exchange(&tokens, &call).await,
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
