//! Tokens of registered clients: for themselves, bound to their certificate, and unlike any device's.

use crate::authorization_server::AuthorizationServer;
use crate::client::{RegisteredClientRequest, unrecognized};
use crate::error::OAuthError;
use crate::metadata::CLIENT_CREDENTIALS;
use crate::token_response::{TokenClaims, TokenResponse};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tegata_core::claims::Confirmation;
use tegata_core::encoding::base64url;
use tegata_core::entropy::bytes;
use tegata_core::{Refusal, Timestamp};
use tegata_storage::{Actor, AuditNote};
use tegata_web::RecognizedClient;

/// The claims of a registered client's token. No gate takes it for a device's: it has none of a device's claims, and
/// the prefix of `sub` is another.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientClaims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    pub(crate) aud: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<String>,
    pub(crate) client_id: String,
    pub(crate) iat: i64,
    pub(crate) exp: i64,
    pub(crate) jti: String,
    pub(crate) cnf: Confirmation,
}

impl TokenClaims for ClientClaims {
    fn lifetime(&self) -> i64 {
        self.exp - self.iat
    }

    fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }
}

/// The token endpoint, for a registered client.
pub(crate) async fn grant(
    tokens: &AuthorizationServer,
    call: &RegisteredClientRequest,
) -> Result<TokenResponse, OAuthError> {
    let RegisteredClientRequest { form, client, at: now, .. } = call;
    let registration = &client.registration;
    if form.require("grant_type", "grant_type is missing")? != CLIENT_CREDENTIALS {
        return Err(OAuthError::unsupported_grant_type(
            "The only grant of registered clients is client_credentials",
        ));
    }
    if !registration.client_credentials {
        return Err(Refusal::NotADevice.into());
    }
    let audience = tokens.product_named(form)?;
    if !registration.audiences.iter().any(|allowed| allowed == audience) {
        return Err(OAuthError::invalid_target("The client is not registered for this product"));
    }
    let scope = tokens.scope_within(form, audience, Some(&registration.scope))?;
    let claims = claims(tokens, client, audience, scope, *now);
    tokens.context.ledger.group(record_of(&claims, *now)).await?;
    // While the record was on its way to the disk, the certificate may have been revoked.
    let again = registration.recognize(&tokens.context, Some(&client.certificate), tokens.context.now());
    again.await.map_err(unrecognized)?;
    tokens.token_response(&claims)
}

/// A token does not outlive its certificate.
fn claims(
    tokens: &AuthorizationServer,
    client: &RecognizedClient,
    audience: &str,
    scope: Option<String>,
    now: Timestamp,
) -> ClientClaims {
    let name = &client.registration.client_id;
    ClientClaims {
        iss: tokens.issuer().to_owned(),
        sub: format!("client:{name}"),
        aud: audience.to_owned(),
        scope,
        client_id: name.clone(),
        iat: now.seconds(),
        exp: now.plus(tokens.lifetime).min(client.not_after).seconds(),
        jti: base64url(&bytes::<16>(&*tokens.context.entropy)),
        cnf: Confirmation { x5t_s256: client.certificate.thumbprint },
    }
}

fn record_of(claims: &ClientClaims, at: Timestamp) -> AuditNote {
    AuditNote {
        actor: Actor::Client(claims.client_id.clone()),
        action: "token.issued",
        device: None,
        detail: json!({"audience": claims.aud, "jti": claims.jti, "thumbprint": claims.cnf.x5t_s256}),
        at,
    }
}
