//! Receivers of security events: the way to each.

use crate::client::SYSTEM_TRUST;
use crate::server::Server;
use http::{HeaderValue, StatusCode, Uri};
use serde::Deserialize;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use tegata_core::name::position_of;
use tegata_core::security_event::quotable;
use tegata_installation::{
    Config, Failure, FailureContext,
    config::{PushConfig, ReceiverConfig},
};
use tegata_net::HttpsClient;
use tegata_net::client::Destinations;
use tegata_signals::{EventPusher, EventReceiver, PushOutcome, is_for_good};
use tegata_storage::Principal;

/// The receivers that are configured.
pub async fn open(server: &Server) -> Result<Vec<EventReceiver>, Failure> {
    let tenants = server
        .ledger
        .within(Principal::system("startup").scope())
        .tenants()
        .await
        .doing("cannot read the tenants")?;
    let receiver = |configured: &ReceiverConfig| {
        let tenant = configured.tenant.as_ref().map(|named| {
            let position = position_of(&tenants, named, |tenant| (tenant.id.as_str(), &tenant.name));
            position.map(|place| tenants[place].id.clone()).map_err(|_| {
                Failure::misuse(format!("receiver {}: there is no one tenant {named}", configured.id))
            })
        });
        Ok(EventReceiver {
            id: configured.id.clone(),
            audience: configured.audience.clone(),
            tenant: tenant.transpose()?,
            events: configured.events.clone(),
            issuance: configured.issuance,
            client: configured.client.clone(),
            way: match &configured.push {
                None => tegata_signals::DeliveryMethod::Poll,
                Some(push) => tegata_signals::DeliveryMethod::Push {
                    endpoint: push.endpoint.clone(),
                    push: Arc::new(HttpsPusher::open(server, push)?),
                },
            },
        })
    };
    server.config.receivers.iter().map(receiver).collect()
}

/// HTTPS by the one client of the workspace, with its limits. It follows no redirects.
struct HttpsPusher {
    client: HttpsClient,
    endpoint: Uri,
    authorization: Option<HeaderValue>,
}

impl HttpsPusher {
    fn open(server: &Server, push: &PushConfig) -> Result<Self, Failure> {
        let config = &server.config;
        let ca = push.ca.as_ref().map(|file| config.path(file));
        let trust = tegata_net::tls::trust_from_pem_file(ca.as_deref().unwrap_or(Path::new(SYSTEM_TRUST)));
        let endpoint: Uri =
            push.endpoint.parse().map_err(|_| Failure::misuse(format!("no URL: {}", push.endpoint)))?;
        let (trust, destinations) = (trust.map_err(Failure::misuse)?, Destinations::host_of(&endpoint));
        let client = HttpsClient::new(trust, server.context.clock.clone(), None, destinations);
        Ok(Self {
            client: client.map_err(Failure::wrong)?,
            endpoint,
            authorization: push.authorization.as_deref().map(|file| secret(config, file)).transpose()?,
        })
    }

    async fn send(&self, token: &str) -> PushOutcome {
        let sent = self.client.post_security_event(&self.endpoint, self.authorization.as_ref(), token).await;
        match sent {
            Ok((status, _)) if status.is_success() => PushOutcome::Taken,
            Ok((StatusCode::BAD_REQUEST, body)) => refused(&body),
            Ok((status, _)) => PushOutcome::Failed(format!("it answers {status}")),
            Err(error) => PushOutcome::Failed(error.to_string()),
        }
    }
}

impl EventPusher for HttpsPusher {
    fn push<'a>(&'a self, token: &'a str) -> Pin<Box<dyn Future<Output = PushOutcome> + Send + 'a>> {
        Box::pin(self.send(token))
    }
}

fn secret(config: &Config, file: &Path) -> Result<HeaderValue, Failure> {
    let file = config.path(file);
    let text = std::fs::read_to_string(&file).doing(format!("cannot read {}", file.display()))?;
    let value = HeaderValue::from_str(text.trim());
    let mut value =
        value.map_err(|_| Failure::misuse(format!("{} is no value of a header", file.display())))?;
    value.set_sensitive(true);
    Ok(value)
}

/// RFC 8935 section 2.3.
fn refused(body: &[u8]) -> PushOutcome {
    #[derive(Deserialize)]
    struct PushRefused {
        err: String,
        #[serde(default)]
        description: String,
    }
    let Ok(refused) = serde_json::from_slice::<PushRefused>(body) else {
        return PushOutcome::Failed("it answers 400 without saying why".into());
    };
    let text = quotable(&format!("{} {}", refused.err, refused.description));
    if is_for_good(&refused.err) { PushOutcome::Rejected(text) } else { PushOutcome::Failed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_token_that_makes_no_sense_is_given_up() {
        let answer = |body: &str| refused(body.as_bytes());
        assert_eq!(
            answer(r#"{"err":"invalid_request","description":"no such event"}"#),
            PushOutcome::Rejected("invalid_request no such event".into())
        );
        assert_eq!(answer(r#"{"err":"invalid_state"}"#), PushOutcome::Rejected("invalid_state".into()));
        for err in
            ["invalid_key", "invalid_issuer", "invalid_audience", "authentication_failed", "access_denied"]
        {
            assert_eq!(answer(&format!(r#"{{"err":"{err}"}}"#)), PushOutcome::Failed(err.into()));
        }
        assert!(matches!(answer("<html>"), PushOutcome::Failed(_)));
    }

    #[test]
    fn what_a_receiver_says_cannot_fill_or_forge_a_log() {
        let long = format!(r#"{{"err":"access_denied","description":"a\nb{}"}}"#, "c".repeat(1000));
        let PushOutcome::Failed(text) = refused(long.as_bytes()) else { panic!("a failure") };
        assert!(text.starts_with("access_denied abc") && text.chars().count() == 200);
    }
}
