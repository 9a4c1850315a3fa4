//! A code becomes an ID token (OIDC Core section 3.1.3): one request from here to the provider.

use crate::provider::Provider;
use crate::sign_in::{BegunSignIn, encoded};
use crate::transport::TransportAnswer;
use http::StatusCode;
use serde::Deserialize;
use std::time::Duration;
use tegata_core::{Entropy, Refusal, Timestamp};
use tokio::time::timeout;

/// How long a person waits for others of the same tenant at a provider that is slow.
const TURN: Duration = Duration::from_secs(2);

/// How long a provider may take in all.
const PATIENCE: Duration = Duration::from_secs(10);

/// The answer, as far as it is read: what it says besides the ID token, nobody here uses.
#[derive(Deserialize)]
struct CodeAnswer {
    id_token: String,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    error: String,
}

impl Provider {
    /// The ID token for a code, not verified yet.
    pub(crate) async fn redeem(
        &self,
        code: &str,
        begun: &BegunSignIn<'_>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<String, Refusal> {
        let (client, issuer) = (self.client()?, &self.configured().issuer);
        let known = self.discovered(now).await.map_err(|_| Refusal::ProviderUnavailable)?;
        let endpoint = known.metadata.token_endpoint(client.shows_certificate());
        let endpoint = endpoint.ok_or(Refusal::ProviderUnavailable)?;
        let proof = client.proof(issuer, now, entropy)?;
        let mut fields = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", code.to_owned()),
            ("redirect_uri", begun.redirect_uri.to_owned()),
            ("code_verifier", begun.verifier.to_owned()),
        ];
        fields.extend(proof.fields);
        let turn = timeout(TURN, self.exchanges.acquire()).await;
        let _turn = turn.ok().and_then(Result::ok).ok_or(Refusal::TenantBusy)?;
        let transport = &self.configured().transport;
        let answer = transport.post_form(endpoint, proof.authorization, encoded(&fields));
        let answer = timeout(PATIENCE, answer).await.ok().flatten().ok_or(Refusal::ProviderUnavailable)?;
        self.id_token_of(&answer)
    }

    fn id_token_of(&self, answer: &TransportAnswer) -> Result<String, Refusal> {
        if answer.status == StatusCode::OK {
            let read: Result<CodeAnswer, _> = serde_json::from_slice(&answer.body);
            return read.map(|read| read.id_token).map_err(|_| self.failed("its token answer is unreadable"));
        }
        if answer.status.is_server_error() || answer.status == StatusCode::TOO_MANY_REQUESTS {
            return Err(Refusal::ProviderUnavailable);
        }
        let error: Option<ErrorAnswer> = serde_json::from_slice(&answer.body).ok();
        let issuer = &self.configured().issuer;
        match error.as_ref().map(|answer| answer.error.as_str()) {
            Some("invalid_grant") => Err(self.failed("the code is used, over, or another's")),
            Some("invalid_client" | "unauthorized_client") => {
                tracing::error!(issuer, "a provider does not take this installation for its client");
                Err(Refusal::ProviderSignInFailed)
            }
            _ => Err(self.failed("it gives no token for a code")),
        }
    }
}
