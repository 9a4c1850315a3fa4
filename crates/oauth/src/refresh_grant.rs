//! Refresh tokens (RFC 6749 section 6, RFC 9700 section 4.14): they belong to the device and outlive its certificates.
//!
//! One that came by a code belongs to the client that redeemed it as well, and to the session of the person: a refresh is a
//! use of the session, and with the session it ends.

mod bound;

use crate::authorization_server::AuthorizationServer;
use crate::client::AuthenticatedRequest;
use crate::error::OAuthError;
use crate::refresh_token::RefreshToken;
use crate::token_response::TokenResponse;
pub(crate) use bound::must_be_registered_for;
use serde_json::json;
use tegata_core::claims::AccessClaims;
use tegata_core::{DeviceId, FamilyId, JwkThumbprint, Refusal, SessionId, Timestamp};
use tegata_storage::{
    AuditNote, FamilyEnd, GrantedToken, LedgerError, RefreshTokenFamily, RotateFamily, Rotation, StartFamily,
};

/// Answers a token request with the grant type `refresh_token` (RFC 6749 section 6).
pub(crate) async fn refresh(
    tokens: &AuthorizationServer,
    asked: &AuthenticatedRequest,
    key: Option<JwkThumbprint>,
) -> Result<TokenResponse, OAuthError> {
    let text = asked.form().require("refresh_token", "refresh_token is missing")?;
    let presented = RefreshToken::parse(text).ok_or(Refusal::SessionEnded)?;
    let now = asked.at();
    let family = living_family(tokens, asked, &presented, key, now).await?;
    let bound = bound::access_token(tokens, asked, &family, key, now).await?;
    let next = RefreshToken::next(&family.id, &*tokens.context.entropy);
    rotate(tokens, &family.device, bound.token, &presented, &next, now).await?;
    asked.authenticate_again(tokens).await?;
    if let Some(device) = &bound.device {
        tokens.context.holder_of(device, tokens.context.now()).await.map_err(OAuthError::of_the_device)?;
    }
    Ok(bound.response.refreshed_by(next))
}

/// What a new family is for.
pub(crate) struct FamilyGrant {
    pub(crate) audience: String,
    pub(crate) scope: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) client: Option<String>,
    pub(crate) session: Option<SessionId>,
    pub(crate) dpop_jkt: Option<JwkThumbprint>,
}

impl FamilyGrant {
    pub(crate) fn starting(
        self,
        tokens: &AuthorizationServer,
        first: &RefreshToken,
        device: DeviceId,
        token: GrantedToken,
        now: Timestamp,
    ) -> StartFamily {
        StartFamily {
            id: first.family.clone(),
            device,
            audience: self.audience,
            subject: self.subject,
            scope: self.scope,
            client: self.client,
            session: self.session,
            dpop_jkt: self.dpop_jkt,
            current: first.secret.hash(),
            idle: tokens.refresh.idle,
            expires_at: now.plus(tokens.refresh.lifetime),
            token,
            at: now,
        }
    }
}

/// The first value of a family of its own.
pub(crate) fn first_value(tokens: &AuthorizationServer) -> RefreshToken {
    let entropy = &*tokens.context.entropy;
    RefreshToken::next(&FamilyId::random(entropy), entropy)
}

/// A family that begins with these claims. Gives its first value.
pub(crate) async fn start(
    tokens: &AuthorizationServer,
    claims: &AccessClaims,
    person: Option<&str>,
    now: Timestamp,
) -> Result<RefreshToken, LedgerError> {
    let first = first_value(tokens);
    let grant = FamilyGrant {
        audience: claims.aud.clone(),
        scope: claims.scope.clone(),
        subject: person.map(str::to_owned),
        client: None,
        session: None,
        dpop_jkt: None,
    };
    let start = grant.starting(tokens, &first, claims.device.clone(), granted(claims), now);
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
    if !is_theirs(asked, &family) {
        return Err(Refusal::TokenNotBound.into());
    }
    let mut transaction = ledger.begin(now).await?;
    let device = &family.device;
    let event = transaction.end_family(&family.id, device, FamilyEnd::Revoked, &asked.actor()).await?;
    transaction.commit().await?;
    Ok(event)
}

/// Whether the family was granted to the sender: to the device, or to a client, and then on its own device where the client is
/// nobody without one.
fn is_theirs(asked: &AuthenticatedRequest, family: &RefreshTokenFamily) -> bool {
    let client = family.client.as_deref().unwrap_or(family.device.as_str());
    client == asked.client_id() && asked.public_device().is_none_or(|device| *device == family.device)
}

/// Another's attempt is written down: somebody has a copy. It does not end the family, for then anybody who had read a
/// family's name could.
async fn living_family(
    tokens: &AuthorizationServer,
    asked: &AuthenticatedRequest,
    presented: &RefreshToken,
    key: Option<JwkThumbprint>,
    now: Timestamp,
) -> Result<RefreshTokenFamily, OAuthError> {
    let family = tokens.context.ledger.family(&presented.family).await?;
    let Some(family) = family else {
        return Err(not_a_device(asked).unwrap_or(Refusal::SessionEnded).into());
    };
    // A public client is whoever has the device and, where it began with one, the key.
    let is_of_key = asked.public_device().is_none() || family.dpop_jkt == key;
    if !(is_theirs(asked, &family) && is_of_key) {
        if let Some(refusal) = not_a_device(asked) {
            return Err(refusal.into());
        }
        let reason = if is_of_key { "another device" } else { "another key" };
        let device = match asked {
            AuthenticatedRequest::Holder(call) | AuthenticatedRequest::Public(call, _) => &call.client.device,
            AuthenticatedRequest::Registered(..) => &family.device,
        };
        let note = AuditNote {
            actor: asked.actor(),
            action: "token_family.refused",
            device: Some(device.clone()),
            detail: json!({"family": family.id, "reason": reason}),
            at: now,
        };
        tokens.context.ledger.group(note).await?;
        return Err(Refusal::SessionEnded.into());
    }
    if family.lives(now) { Ok(family) } else { Err(Refusal::SessionEnded.into()) }
}

/// A gate has only what came to it by codes.
fn not_a_device(asked: &AuthenticatedRequest) -> Option<Refusal> {
    match asked {
        AuthenticatedRequest::Holder(call) => call.of_device().is_err().then_some(Refusal::NotADevice),
        _ => None,
    }
}

async fn rotate(
    tokens: &AuthorizationServer,
    device: &DeviceId,
    token: GrantedToken,
    presented: &RefreshToken,
    next: &RefreshToken,
    now: Timestamp,
) -> Result<(), OAuthError> {
    let rules = &tokens.refresh;
    let rotate = RotateFamily {
        id: presented.family.clone(),
        device: device.clone(),
        presented: presented.secret.hash(),
        next: next.secret.hash(),
        grace: rules.grace,
        idle: rules.idle,
        token,
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

pub(crate) fn granted(claims: &AccessClaims) -> GrantedToken {
    GrantedToken {
        jti: claims.jti.clone(),
        generation: claims.generation,
        until: Timestamp::from_seconds(claims.exp),
    }
}
