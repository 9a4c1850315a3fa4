//! Pushed authorization requests (RFC 9126): a client that can authenticate says what it wants where no browser sees or changes
//! it, and sends the browser with the name of its request alone.

use crate::authorization::{AuthorizationRequest, REQUEST_URI, RequestingClient};
use crate::authorization_server::AuthorizationServer;
use crate::client::AuthenticatedRequest;
use crate::dpop::DpopVerifier;
use crate::error::{NOT_STORED, OAuthError};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::{Refusal, RequestReference, Role};
use tegata_storage::StoredRequest;

/// How long a browser may take to come with the name (FAPI 2.0 Security Profile section 5.3.2.2: under ten minutes).
const LIFETIME: Duration = Duration::from_mins(1);

pub(crate) async fn push(State(tokens): State<Arc<AuthorizationServer>>, request: Request) -> Response {
    let is_about_proofs = DpopVerifier::is_about_proofs(&request);
    let answer = keep(&tokens, request).await.into_response();
    if is_about_proofs { tokens.dpop.with_nonce(answer, tokens.context.now()).await } else { answer }
}

async fn keep(tokens: &AuthorizationServer, request: Request) -> Result<Response, OAuthError> {
    let (asked, key) = AuthenticatedRequest::read_with_proof(tokens, request, false).await?;
    let client = client_of(&asked)?;
    let form = asked.form();
    if form.get("request_uri").is_some() {
        return Err(OAuthError::invalid_request(
            "A pushed request has no request_uri (RFC 9126 section 2.1)",
        ));
    }
    client.address(tokens, form)?;
    let request = AuthorizationRequest::read(tokens, &client, form)?.proved_by(key)?;
    let (name, now) = (RequestReference::random(&*tokens.context.entropy), asked.at());
    let stored = StoredRequest {
        client: client.client_id().to_owned(),
        device: None,
        parameters: serde_json::to_string(&request).map_err(|_| Refusal::Internal)?,
        begun_at: now,
    };
    tokens.keep(&name, stored, now, now.plus(LIFETIME)).await?;
    let body = json!({
        "request_uri": format!("{REQUEST_URI}{}", name.reveal()),
        "expires_in": LIFETIME.as_secs(),
    });
    Ok((StatusCode::CREATED, NOT_STORED, body.to_string()).into_response())
}

/// A public client proves nothing of its own that a pushed request would be worth more by.
fn client_of(asked: &AuthenticatedRequest) -> Result<RequestingClient, OAuthError> {
    match asked {
        AuthenticatedRequest::Registered(call) => {
            Ok(RequestingClient::Registered(call.client.registration.clone()))
        }
        AuthenticatedRequest::Holder(call) if call.client.role == Role::Gate => {
            Ok(RequestingClient::Gate(call.client.device.clone()))
        }
        AuthenticatedRequest::Holder(_) | AuthenticatedRequest::Public(..) => Err(Refusal::NotAGate.into()),
    }
}
