//! `POST {portal}/backchannel-logout`: a provider says that somebody has signed out, or was signed out, there (OIDC
//! Back-Channel Logout section 2.5). The portal asks for no certificate, and a provider has none of ours: what it says is
//! believed by its signature.

use super::begun::STANDS;
use crate::service::{IdentityService, refusal};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CACHE_CONTROL;
use ring::digest::{Context, SHA256};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use tegata_core::claims::person_subject;
use tegata_core::jws::foreign::unverified_payload;
use tegata_core::{Language, Refusal, Timestamp};
use tegata_federation::{LogoutToken, Provider};
use tegata_storage::{Principal, ProviderLogout, UsedChallenge};
use tegata_web::{Problem, RequestTime, StrictForm};

/// The longest token that is looked at, in bytes.
const LONGEST: usize = 16 * 1024;

/// A session that began by this much after the token is meant still: the clock of a provider may be behind.
const LEEWAY: Duration = Duration::from_secs(10);

/// Other fields are passed over, as the specification wants.
#[derive(Deserialize)]
pub(crate) struct LogoutForm {
    #[serde(default)]
    logout_token: String,
}

/// Who signed, as the token says by itself.
#[derive(Deserialize)]
struct LogoutIssuer {
    iss: String,
}

pub(crate) async fn receive(
    State(service): State<IdentityService>,
    time: RequestTime,
    form: Result<StrictForm<LogoutForm>, Problem>,
) -> Response {
    let outcome = match form {
        Ok(StrictForm(form)) => service.provider_logout(&form.logout_token, time.now()).await,
        Err(problem) => Err(problem.refusal),
    };
    let no_store = (CACHE_CONTROL, "no-store");
    match outcome {
        Ok(()) => (StatusCode::OK, [no_store]).into_response(),
        Err(refusal) => {
            let why = format!("{}: {}", refusal.code(), refusal.title(Language::En));
            let body = Json(json!({"error": "invalid_request", "error_description": why}));
            let mut response = (StatusCode::BAD_REQUEST, [no_store], body).into_response();
            response.extensions_mut().insert(refusal);
            response
        }
    }
}

impl IdentityService {
    /// Tenants that share a provider may share its client as well: all of them hear of it.
    async fn provider_logout(&self, token: &str, now: Timestamp) -> Result<(), Refusal> {
        let payload = unverified_payload(token, LONGEST).ok_or(Refusal::LogoutTokenRefused)?;
        let named: LogoutIssuer =
            serde_json::from_slice(&payload).map_err(|_| Refusal::LogoutTokenRefused)?;
        let (mut is_done, mut failure) = (false, None);
        for provider in self.providers().with_issuer(&named.iss) {
            let ended = match provider.logout_token(token, now).await {
                Ok(logout) => self.end_by_provider(provider, &logout, now).await,
                Err(refusal) => Err(refusal),
            };
            match ended {
                Ok(()) => is_done = true,
                // Of another client, or a repetition after a failure at one of several tenants.
                Err(Refusal::LogoutTokenRefused) => {}
                Err(other) => failure = Some(other),
            }
        }
        match failure {
            Some(other) => Err(other),
            None if is_done => Ok(()),
            None => Err(Refusal::LogoutTokenRefused),
        }
    }

    async fn end_by_provider(
        &self,
        provider: &Provider,
        token: &LogoutToken,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let configured = provider.configured();
        let subject = token.subject.as_ref().map(|subject| person_subject(&configured.issuer, subject));
        let mut hash = Context::new(&SHA256);
        for part in [&token.hash[..], configured.tenant.as_str().as_bytes()] {
            hash.update(part);
        }
        let used = UsedChallenge { hash: hash.finish().as_ref().to_vec(), expires_at: token.expires_at };
        let logout = ProviderLogout {
            tenant: &configured.tenant,
            issuer: &configured.issuer,
            subject: subject.as_deref(),
            session: token.session.as_deref(),
            before: token.issued_at.plus(LEEWAY),
            remembered_until: now.plus(STANDS),
            token: &used,
        };
        let principal = Principal::provider(&configured.issuer, &configured.tenant);
        let ended = async {
            let mut transaction = self.context.ledger.within(principal.scope()).begin(now).await?;
            transaction.end_provider_sessions(&logout, principal.actor()).await?;
            transaction.commit().await
        };
        ended.await.map_err(refusal)
    }
}
