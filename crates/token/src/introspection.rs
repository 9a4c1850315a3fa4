//! Introspection (RFC 7662).

use crate::client::Call;
use crate::error::{NOT_STORED, OAuthError};
use crate::tokens::Tokens;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::sync::Arc;
use tegata_core::claims::{ACCESS_TOKEN, AccessClaims};
use tegata_core::{Refusal, Role, Standing, Timestamp};
use tegata_storage::Facts;

/// All that is said of a token that is not active, whatever the reason (RFC 7662 section 2.2).
const INACTIVE: &str = r#"{"active":false}"#;

pub(crate) async fn introspect(
    State(tokens): State<Arc<Tokens>>,
    request: Request,
) -> Result<Response, OAuthError> {
    let call = Call::read(&tokens.context, request).await?;
    let text = call.form.require("token", "token is missing")?;
    let now = tokens.context.now();
    // Whether a token was taken back is known to the memory alone.
    tokens.fresh_at(now)?;
    let claims = tokens.active(text, now).await?.filter(|claims| {
        may_ask(&call.client, claims) && call.form.get("audience").is_none_or(|wanted| wanted == claims.aud)
    });
    let body = match claims {
        Some(claims) => active(&claims)?,
        None => INACTIVE.to_owned(),
    };
    Ok((NOT_STORED, body).into_response())
}

/// Gates ask about every token, a device about its own.
fn may_ask(client: &Facts, claims: &AccessClaims) -> bool {
    client.role == Role::Gate || client.device == claims.device
}

impl Tokens {
    /// The claims of a token that this server issued and that may be used now.
    async fn active(&self, text: &str, now: Timestamp) -> Result<Option<AccessClaims>, OAuthError> {
        let Some(claims) = self.own(text, now) else { return Ok(None) };
        let status = &self.context.status;
        let known = status.standing(&claims.cnf.x5t_s256, now).await?;
        let good = known.is_some_and(|(holder, standing)| {
            standing == Standing::Good && holder.role == Role::Device && holder.device == claims.device
        });
        let active = good && !status.token_denied(&claims.jti) && self.knows_product(&claims.aud);
        Ok(active.then_some(claims))
    }

    /// The claims of a token that this server issued and that has not ended.
    pub(crate) fn own(&self, text: &str, now: Timestamp) -> Option<AccessClaims> {
        let payload = self.keys.verify(text, ACCESS_TOKEN).ok()?;
        let claims: AccessClaims = serde_json::from_slice(&payload).ok()?;
        (claims.iss == self.issuer() && now.seconds() < claims.exp).then_some(claims)
    }
}

fn active(claims: &AccessClaims) -> Result<String, OAuthError> {
    let answer = Living { active: true, token_type: "Bearer", claims };
    serde_json::to_string(&answer).map_err(|_| Refusal::Internal.into())
}

#[derive(Serialize)]
struct Living<'a> {
    active: bool,
    token_type: &'static str,
    #[serde(flatten)]
    claims: &'a AccessClaims,
}
