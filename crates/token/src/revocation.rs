//! Revocation (RFC 7009).

use crate::client::Call;
use crate::error::OAuthError;
use crate::tokens::Tokens;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::claims::AccessClaims;
use tegata_core::{Refusal, Timestamp};
use tegata_storage::{Actor, Status};
use tokio::time::{sleep, timeout};

/// How long an answer waits for this process's own memory to hear of the revocation.
const PATIENCE: Duration = Duration::from_millis(250);

/// How often it looks.
const LOOK: Duration = Duration::from_millis(1);

pub(crate) async fn revoke(
    State(tokens): State<Arc<Tokens>>,
    request: Request,
) -> Result<Response, OAuthError> {
    let call = Call::read_from_device(&tokens.context, request).await?;
    let text = call.form.require("token", "token is missing")?;
    let now = tokens.context.now();
    // A token nobody knows, or that has ended, is as good as revoked (RFC 7009 section 2.2).
    if let Some(claims) = tokens.own(text, now) {
        if claims.device != call.client.device {
            return Err(Refusal::TokenNotBound.into());
        }
        tokens.deny(&claims, now).await?;
    }
    Ok([(CACHE_CONTROL, "no-store")].into_response())
}

impl Tokens {
    /// Durable when it returns; and introspection here knows of it, so that nobody who was told "revoked" is then told
    /// "active". When the memory is slow, gates and introspection still hear of it by the feed.
    async fn deny(&self, claims: &AccessClaims, now: Timestamp) -> Result<(), OAuthError> {
        let mut transaction = self.context.ledger.begin(now).await?;
        let actor = Actor::Device(claims.device.clone());
        let until = Timestamp::from_seconds(claims.exp);
        let event = transaction.deny_token(&claims.jti, until, &claims.device, &actor).await?;
        transaction.commit().await?;
        if let Some(seq) = event {
            let _ = timeout(PATIENCE, applied(&self.context.status, seq)).await;
        }
        Ok(())
    }
}

async fn applied(status: &Status, seq: u64) {
    while status.freshness().seq < seq {
        sleep(LOOK).await;
    }
}
