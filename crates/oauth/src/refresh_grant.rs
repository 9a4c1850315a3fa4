//! Refresh tokens (RFC 6749 section 6, RFC 9700 section 4.14): they belong to the device and outlive its certificates.

use crate::access_token::TokenRequest;
use crate::authorization_server::AuthorizationServer;
use crate::client::{AuthenticatedRequest, DeviceRequest};
use crate::error::OAuthError;
use crate::refresh_token::RefreshToken;
use crate::token_response::TokenResponse;
use serde_json::json;
use tegata_core::claims::AccessClaims;
use tegata_core::{FamilyId, Refusal, Timestamp};
use tegata_storage::{
    Actor, AuditNote, FamilyEnd, GrantedToken, LedgerError, RefreshTokenFamily, RotateFamily, Rotation,
    StartFamily,
};

/// Answers a token request with the grant type `refresh_token` (RFC 6749 section 6).
pub(crate) async fn refresh(
    tokens: &AuthorizationServer,
    call: &DeviceRequest,
) -> Result<TokenResponse, OAuthError> {
    let text = call.form.require("refresh_token", "refresh_token is missing")?;
    let presented = RefreshToken::parse(text).ok_or(Refusal::SessionEnded)?;
    let now = call.at;
    let family = living_family(tokens, call, &presented, now).await?;
    check_target(tokens, call, &family).await?;
    let (audience, person) = (family.audience.as_str(), family.subject.as_deref());
    let scope = scope_of(tokens, call, &family)?;
    let claims = tokens.claims(&call.client, TokenRequest { audience, scope, person }, now);
    let next = RefreshToken::next(&family.id, &*tokens.context.entropy);
    rotate(tokens, &claims, &presented, &next, now).await?;
    call.authenticate_again(&tokens.context).await?;
    Ok(tokens.token_response(&claims)?.refreshed_by(next))
}

/// A family that begins with these claims. Gives its first value.
pub(crate) async fn start(
    tokens: &AuthorizationServer,
    claims: &AccessClaims,
    person: Option<&str>,
    now: Timestamp,
) -> Result<RefreshToken, LedgerError> {
    let entropy = &*tokens.context.entropy;
    let first = RefreshToken::next(&FamilyId::random(entropy), entropy);
    let rules = &tokens.refresh;
    let start = StartFamily {
        id: first.family.clone(),
        device: claims.device.clone(),
        audience: claims.aud.clone(),
        subject: person.map(str::to_owned),
        scope: claims.scope.clone(),
        current: first.secret.hash(),
        idle: rules.idle,
        expires_at: now.plus(rules.lifetime),
        token: granted(claims),
        at: now,
    };
    tokens.context.ledger.group(start).await?;
    Ok(first)
}

/// Revocation (RFC 7009) of any value of a family ends the family; what is over already is as good as revoked. Gives the
/// event that gates hear of.
pub(crate) async fn give_back(
    tokens: &AuthorizationServer,
    asked: &AuthenticatedRequest,
    presented: &RefreshToken,
    now: Timestamp,
) -> Result<Option<u64>, OAuthError> {
    let ledger = &tokens.context.ledger;
    let Some(family) = ledger.family(&presented.family).await? else { return Ok(None) };
    let device = &family.device;
    if device.as_str() != asked.client_id() {
        return Err(Refusal::TokenNotBound.into());
    }
    let mut transaction = ledger.begin(now).await?;
    let actor = Actor::Device(device.clone());
    let event = transaction.end_family(&family.id, device, FamilyEnd::Revoked, &actor).await?;
    transaction.commit().await?;
    Ok(event)
}

/// Another device's attempt is written down: somebody has a copy. It does not end the family, for then anybody who
/// had read a family's name could.
async fn living_family(
    tokens: &AuthorizationServer,
    call: &DeviceRequest,
    presented: &RefreshToken,
    now: Timestamp,
) -> Result<RefreshTokenFamily, OAuthError> {
    let family = tokens.context.ledger.family(&presented.family).await?.ok_or(Refusal::SessionEnded)?;
    if family.device != call.client.device {
        let device = call.client.device.clone();
        let note = AuditNote {
            actor: Actor::Device(device.clone()),
            action: "token_family.refused",
            device: Some(device),
            detail: json!({"family": family.id, "reason": "another device"}),
            at: now,
        };
        tokens.context.ledger.group(note).await?;
        return Err(Refusal::SessionEnded.into());
    }
    if family.lives(now) { Ok(family) } else { Err(Refusal::SessionEnded.into()) }
}

/// The product stays the one of the grant (RFC 8707 section 2.2), and has to be licensed still.
async fn check_target(
    tokens: &AuthorizationServer,
    call: &DeviceRequest,
    family: &RefreshTokenFamily,
) -> Result<(), OAuthError> {
    let names_one = call.form.get("resource").or(call.form.get("audience")).is_some();
    if names_one && tokens.product_named(&call.form)? != family.audience {
        return Err(OAuthError::invalid_target("The refresh token is for another product"));
    }
    tokens.check_license(&family.audience, &call.client).await
}

/// That of the grant, or as much of it as is asked for (RFC 6749 section 6).
fn scope_of(
    tokens: &AuthorizationServer,
    call: &DeviceRequest,
    family: &RefreshTokenFamily,
) -> Result<Option<String>, OAuthError> {
    let granted = family.scope.as_deref().unwrap_or_default();
    match call.form.get("scope") {
        Some(_) => tokens.scope_within(&call.form, &family.audience, Some(granted)),
        None => Ok(tokens.scope_left(granted, &family.audience)),
    }
}

async fn rotate(
    tokens: &AuthorizationServer,
    claims: &AccessClaims,
    presented: &RefreshToken,
    next: &RefreshToken,
    now: Timestamp,
) -> Result<(), OAuthError> {
    let rules = &tokens.refresh;
    let rotate = RotateFamily {
        id: presented.family.clone(),
        device: claims.device.clone(),
        presented: presented.secret.hash(),
        next: next.secret.hash(),
        grace: rules.grace,
        idle: rules.idle,
        token: granted(claims),
        at: now,
    };
    match tokens.context.ledger.group(rotate).await? {
        Rotation::Rotated | Rotation::Retried => Ok(()),
        Rotation::Refused => Err(Refusal::SessionEnded.into()),
        Rotation::Replayed(event) => {
            tokens.heard(event).await;
            Err(Refusal::SessionEnded.into())
        }
    }
}

fn granted(claims: &AccessClaims) -> GrantedToken {
    GrantedToken {
        jti: claims.jti.clone(),
        generation: claims.generation,
        until: Timestamp::from_seconds(claims.exp),
    }
}
