//! Tokens of registered clients: for themselves, bound to their certificate, and unlike any device's.

use crate::access_token::bound_to;
use crate::authorization_server::AuthorizationServer;
use crate::client::RegisteredClientRequest;
use crate::code_facts::CodeFacts;
use crate::error::OAuthError;
use crate::token_response::{TokenClaims, TokenResponse};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tegata_core::claims::{ActorClaim, Confirmation, device_subject};
use tegata_core::encoding::base64url;
use tegata_core::entropy::bytes;
use tegata_core::{DeviceId, JwkThumbprint, Refusal, SiteId, TenantId, Thumbprint, Timestamp};
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
    /// Of a token that is bound to a key: the certificate that the client authenticated with.
    #[serde(default, rename = "x5t#S256", skip_serializing_if = "Option::is_none")]
    pub(crate) shown_certificate: Option<Thumbprint>,
    /// Where `sub` is a person: the device that they use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) act: Option<ActorClaim>,
    /// Of a token that came by an authorization code: the device on which it was granted, and where that stands. It has no
    /// generation, as it is bound to none of the device's certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) device: Option<DeviceId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<TenantId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) site: Option<SiteId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) auth_time: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) acr: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) amr: Option<Vec<String>>,
}

/// What a registered client's token is to be for.
pub(crate) struct ClientTokenRequest<'a> {
    pub(crate) audience: &'a str,
    pub(crate) scope: Option<String>,
    /// The key that it is bound to in place of the certificate.
    pub(crate) key: Option<JwkThumbprint>,
}

impl ClientClaims {
    /// The certificate of the client behind it; none of a token that was made up.
    pub(crate) fn certificate(&self) -> Option<&Thumbprint> {
        self.cnf.certificate(self.shown_certificate.as_ref())
    }

    /// The claims of a token that the client got by a code: about whoever is on a device, or about the device.
    pub(crate) fn on_a_device(
        self,
        facts: &CodeFacts,
        device: &DeviceId,
        tenant: &TenantId,
        site: &SiteId,
    ) -> Self {
        let (itself, person) = (device_subject(device), facts.person.as_ref());
        Self {
            sub: person.map_or_else(|| itself.clone(), |person| person.subject.clone()),
            act: person.map(|_| ActorClaim { sub: itself }),
            device: Some(device.clone()),
            tenant: Some(tenant.clone()),
            site: Some(site.clone()),
            sid: person.map(|person| person.session.to_string()),
            auth_time: person.and_then(|person| person.auth_time).map(Timestamp::seconds),
            acr: Some(facts.acr().to_owned()),
            amr: Some(facts.amr.clone()),
            ..self
        }
    }
}

impl TokenClaims for ClientClaims {
    fn lifetime(&self) -> i64 {
        self.exp - self.iat
    }

    fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    fn confirmation(&self) -> &Confirmation {
        &self.cnf
    }
}

/// The token endpoint, for a registered client that asks for itself.
pub(crate) async fn grant(
    tokens: &AuthorizationServer,
    call: &RegisteredClientRequest,
    key: Option<JwkThumbprint>,
) -> Result<TokenResponse, OAuthError> {
    let RegisteredClientRequest { form, client, at: now, .. } = call;
    let registration = &client.registration;
    if !registration.client_credentials {
        return Err(Refusal::NotADevice.into());
    }
    let audience = tokens.product_named(form)?;
    if !registration.audiences.iter().any(|allowed| allowed == audience) {
        return Err(OAuthError::invalid_target("The client is not registered for this product"));
    }
    let scope = tokens.scope_within(form, audience, Some(&registration.scope))?;
    let claims = client_claims(tokens, client, ClientTokenRequest { audience, scope, key }, *now);
    tokens.context.ledger.group(record_of(&claims, *now)).await?;
    // While the record was on its way to the disk, the certificate may have been revoked.
    call.authenticate_again(&tokens.context).await?;
    tokens.token_response(&claims)
}

/// A token does not outlive its certificate.
pub(crate) fn client_claims(
    tokens: &AuthorizationServer,
    client: &RecognizedClient,
    ClientTokenRequest { audience, scope, key }: ClientTokenRequest<'_>,
    now: Timestamp,
) -> ClientClaims {
    let name = &client.registration.client_id;
    let (cnf, shown_certificate) = bound_to(client.certificate.thumbprint, key);
    ClientClaims {
        iss: tokens.issuer().to_owned(),
        sub: format!("client:{name}"),
        aud: audience.to_owned(),
        scope,
        client_id: name.clone(),
        iat: now.seconds(),
        exp: now.plus(tokens.lifetime).min(client.not_after).seconds(),
        jti: base64url(&bytes::<16>(&*tokens.context.entropy)),
        cnf,
        shown_certificate,
        act: None,
        device: None,
        tenant: None,
        site: None,
        sid: None,
        auth_time: None,
        acr: None,
        amr: None,
    }
}

fn record_of(claims: &ClientClaims, at: Timestamp) -> AuditNote {
    AuditNote {
        actor: Actor::Client(claims.client_id.clone()),
        action: "token.issued",
        device: None,
        detail: json!({"audience": claims.aud, "jti": claims.jti, "thumbprint": claims.certificate()}),
        at,
    }
}
