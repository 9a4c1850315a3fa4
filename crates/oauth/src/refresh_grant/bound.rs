//! The access token of a refresh, and what it is bound to: the device's present certificate, the client's own, or its key.

use crate::access_token::{TokenRequest, by_code};
use crate::authorization_server::AuthorizationServer;
use crate::client::AuthenticatedRequest;
use crate::client_grant::{ClientTokenRequest, client_claims};
use crate::code_facts::CodeFacts;
use crate::error::OAuthError;
use crate::token_response::TokenResponse;
use std::sync::Arc;
use tegata_core::{JwkThumbprint, Refusal, Thumbprint, Timestamp};
use tegata_storage::{CertificateHolder, GrantedToken, RefreshTokenFamily};
use tegata_web::{RecognizedClient, RegisteredClient};

/// An access token that is not handed out yet.
pub(super) struct BoundToken {
    pub(super) response: TokenResponse,
    pub(super) token: GrantedToken,
    /// The device's certificate that it is bound to, where somebody else than the device asks.
    pub(super) device: Option<Thumbprint>,
}

/// The access token that goes with the next value of a family.
pub(super) async fn access_token(
    tokens: &AuthorizationServer,
    asked: &AuthenticatedRequest,
    family: &RefreshTokenFamily,
    key: Option<JwkThumbprint>,
    now: Timestamp,
) -> Result<BoundToken, OAuthError> {
    let names_one = asked.form().get("resource").or(asked.form().get("audience")).is_some();
    // The product stays the one of the grant (RFC 8707 section 2.2).
    if names_one && tokens.product_named(asked.form())? != family.audience {
        return Err(OAuthError::invalid_target("The refresh token is for another product"));
    }
    let Some(client_id) = &family.client else { return for_the_device(tokens, asked, family, now).await };
    must_be_registered_for(asked, &family.audience)?;
    let facts = facts_of(tokens, family, now).await?;
    let granted = family.scope.as_deref().unwrap_or_default();
    let limit = registration_of(asked).map(|registration| registration.scope.as_str());
    let scope = tokens.sign_in_scope_left(asked.form().get("scope"), granted, &family.audience, limit)?;
    if let AuthenticatedRequest::Registered(call) = asked {
        let request = ClientTokenRequest { audience: &family.audience, scope, key };
        return for_a_client(tokens, &call.client, family, &facts, request, now).await;
    }
    let holder = holder_of(tokens, asked, family).await?;
    tokens.check_license(&family.audience, &holder).await?;
    let person = facts.person.as_ref().map(|person| &*person.subject);
    let request = TokenRequest { audience: &family.audience, scope, person, key };
    let claims = tokens.claims(&holder, request, now);
    let claims = by_code(claims, client_id, &facts);
    Ok(BoundToken {
        response: tokens.token_response(&claims)?,
        token: super::granted(&claims),
        device: asked.public_device().is_none().then_some(holder.thumbprint),
    })
}

/// Of a sign-in that the device itself brought.
async fn for_the_device(
    tokens: &AuthorizationServer,
    asked: &AuthenticatedRequest,
    family: &RefreshTokenFamily,
    now: Timestamp,
) -> Result<BoundToken, OAuthError> {
    let AuthenticatedRequest::Holder(call) = asked else { return Err(Refusal::SessionEnded.into()) };
    tokens.check_license(&family.audience, &call.client).await?;
    let granted = family.scope.as_deref().unwrap_or_default();
    // That of the grant, or as much of it as is asked for (RFC 6749 section 6).
    let scope = match call.form.get("scope") {
        Some(_) => tokens.scope_within(&call.form, &family.audience, Some(granted))?,
        None => tokens.scope_left(granted, &family.audience),
    };
    let person = family.subject.as_deref();
    let request = TokenRequest { audience: &family.audience, scope, person, key: None };
    let claims = tokens.claims(&call.client, request, now);
    let token = super::granted(&claims);
    Ok(BoundToken { response: tokens.token_response(&claims)?, token, device: None })
}

/// A client may have lost a product since its grant. Gates are registered for none: they serve those that they name.
pub(crate) fn must_be_registered_for(asked: &AuthenticatedRequest, audience: &str) -> Result<(), OAuthError> {
    let Some(registration) = registration_of(asked) else { return Ok(()) };
    if registration.audiences.iter().any(|own| own == audience) {
        Ok(())
    } else {
        Err(OAuthError::invalid_target("The client is not registered for this product"))
    }
}

/// What is registered of the client; nothing of a gate.
fn registration_of(asked: &AuthenticatedRequest) -> Option<&RegisteredClient> {
    match asked {
        AuthenticatedRequest::Registered(call) => Some(&call.client.registration),
        AuthenticatedRequest::Public(_, registration) => Some(registration),
        AuthenticatedRequest::Holder(_) => None,
    }
}

/// How the person is known, by the session as it is now; it has to last, and to fit the device still.
async fn facts_of(
    tokens: &AuthorizationServer,
    family: &RefreshTokenFamily,
    now: Timestamp,
) -> Result<CodeFacts, OAuthError> {
    match (&family.session, &family.subject) {
        (Some(session), Some(subject)) => {
            let session = tokens.context.ledger.session_named(session, &family.device, now).await?;
            let session = session.ok_or(Refusal::SessionEnded)?;
            Ok(CodeFacts::of_session(&session, subject.clone()))
        }
        (None, None) => Ok(CodeFacts::of_device()),
        _ => Err(Refusal::SessionEnded.into()),
    }
}

/// A gate has the device before it, and says by `device_certificate` which certificate of it. Whoever calls from the device has
/// proved its own.
async fn holder_of(
    tokens: &AuthorizationServer,
    asked: &AuthenticatedRequest,
    family: &RefreshTokenFamily,
) -> Result<Arc<CertificateHolder>, OAuthError> {
    if let AuthenticatedRequest::Public(call, _) = asked {
        return Ok(call.client.clone());
    }
    let fault = "device_certificate is missing: x5t#S256 of the certificate that the device shows now";
    let thumbprint = Thumbprint::parse(asked.form().require("device_certificate", fault)?);
    let thumbprint = thumbprint.ok_or(OAuthError::invalid_request("device_certificate is no x5t#S256"))?;
    let holder =
        tokens.context.holder_of(&thumbprint, asked.at()).await.map_err(OAuthError::of_the_device)?;
    if holder.device == family.device { Ok(holder) } else { Err(Refusal::SessionEnded.into()) }
}

/// Bound to the certificate or the key of the client, about a device that is where it is now.
async fn for_a_client(
    tokens: &AuthorizationServer,
    client: &RecognizedClient,
    family: &RefreshTokenFamily,
    facts: &CodeFacts,
    request: ClientTokenRequest<'_>,
    now: Timestamp,
) -> Result<BoundToken, OAuthError> {
    tokens.check_license_at(&family.audience, &family.tenant, &family.site).await?;
    let claims = client_claims(tokens, client, request, now);
    let claims = claims.on_a_device(facts, &family.device, &family.tenant, &family.site);
    let until = Timestamp::from_seconds(claims.exp);
    let token = GrantedToken { jti: claims.jti.clone(), generation: 0, until };
    Ok(BoundToken { response: tokens.token_response(&claims)?, token, device: None })
}
