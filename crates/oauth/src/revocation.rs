//! Revocation (RFC 7009).

use crate::authorization_server::AuthorizationServer;
use crate::client::AuthenticatedRequest;
use crate::error::OAuthError;
use crate::introspection::OwnToken;
use crate::refresh_grant;
use crate::refresh_token::RefreshToken;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::{Refusal, Role, Timestamp};
use tegata_storage::{Actor, StatusCache};
use tokio::time::{sleep, timeout};

/// How long an answer waits for this process's own status cache to hear of the revocation.
const PATIENCE: Duration = Duration::from_millis(250);

/// How often it looks.
const LOOK: Duration = Duration::from_millis(1);

pub(crate) async fn revoke(
    State(tokens): State<Arc<AuthorizationServer>>,
    request: Request,
) -> Result<Response, OAuthError> {
    let asked = AuthenticatedRequest::read(&tokens, request).await?;
    let text = asked.form().require("token", "token is missing")?;
    let now = asked.at();
    if let Some(presented) = RefreshToken::parse(text) {
        let given_back = refresh_grant::give_back(&tokens, &asked, &presented, now).await;
        let event = given_back.map_err(|error| of_gate(&asked).unwrap_or(error))?;
        tokens.heard(event).await;
        return Ok([(CACHE_CONTROL, "no-store")].into_response());
    }
    // A token nobody knows, or that has ended, is as good as revoked (RFC 7009 section 2.2).
    if let Some(own) = tokens.own(text, now) {
        if !own.is_of(&asked) {
            return Err(of_gate(&asked).unwrap_or(Refusal::TokenNotBound.into()));
        }
        tokens.deny(&own, now).await?;
    }
    Ok([(CACHE_CONTROL, "no-store")].into_response())
}

/// A gate gives back what came to it by codes, and may do nothing to the tokens of devices.
fn of_gate(asked: &AuthenticatedRequest) -> Option<OAuthError> {
    let is_gate = matches!(asked, AuthenticatedRequest::Holder(call) if call.client.role != Role::Device);
    is_gate.then(|| Refusal::NotADevice.into())
}

impl AuthorizationServer {
    /// Durable when it returns; and introspection here knows of it, so that nobody who was told "revoked" is then told
    /// "active". When the cache is slow, gates and introspection still hear of it by the feed.
    async fn deny(&self, own: &OwnToken, now: Timestamp) -> Result<(), OAuthError> {
        let (device, actor) = match own {
            OwnToken::Device(claims) => (Some(&claims.device), Actor::Device(claims.device.clone())),
            OwnToken::Client(claims) => (claims.device.as_ref(), Actor::Client(claims.client_id.clone())),
        };
        let mut transaction = self.context.ledger.begin(now).await?;
        let until = Timestamp::from_seconds(own.exp());
        let event = transaction.deny_token(own.jti(), until, device, &actor).await?;
        transaction.commit().await?;
        self.heard(event).await;
        Ok(())
    }

    /// Waits until this process's own status cache has reached an event, but not for ever.
    pub(crate) async fn heard(&self, event: Option<u64>) {
        if let Some(seq) = event {
            let _ = timeout(PATIENCE, applied(&self.context.status, seq)).await;
        }
    }
}

async fn applied(status: &StatusCache, seq: u64) {
    while status.freshness().seq < seq {
        sleep(LOOK).await;
    }
}
