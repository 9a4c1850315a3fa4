//! A code becomes tokens (RFC 6749 section 4.1.3): once, for the client and the device that it was granted to, and for whoever
//! knows the verifier.

use crate::access_token::TokenRequest;
use crate::authorization_server::AuthorizationServer;
use crate::client::AuthenticatedRequest;
use crate::client_grant::{ClientTokenRequest, client_claims};
use crate::code_facts::CodeFacts;
use crate::error::OAuthError;
use crate::form::FormParameters;
use crate::id_token::IdTokenSubject;
use crate::refresh_grant::{FamilyGrant, first_value, granted, must_be_registered_for};
use crate::token_response::TokenResponse;
use serde_json::json;
use std::sync::Arc;
use tegata_core::encoding::base64url;
use tegata_core::{AuthorizationCode, JwkThumbprint, Refusal, Thumbprint, Timestamp};
use tegata_storage::{
    AuditNote, CertificateHolder, CodeGrant, CodeRedemption, GrantedToken, KnownCode, RedeemCode, SpendCode,
};

/// What of its scope a token for this has an ID token beside it.
const OPENID: &str = "openid";

/// Answers a token request with the grant type `authorization_code`.
pub(crate) async fn redeem(
    tokens: &AuthorizationServer,
    asked: &AuthenticatedRequest,
    key: Option<JwkThumbprint>,
) -> Result<TokenResponse, OAuthError> {
    let form = asked.form();
    let text = form.require("code", "code is missing")?;
    let verifier = form.require("code_verifier", "code_verifier is missing")?;
    let code = AuthorizationCode::parse(text).ok_or(Refusal::CodeRefused)?;
    let (hash, now) = (code.hash(), asked.at());
    let known = living(tokens, asked, &hash, now).await?;
    check(tokens, asked, &known.grant, (verifier, key), &hash, now).await?;
    let grant = &known.grant;
    must_be_registered_for(asked, &grant.audience)?;
    let holder = device_of(tokens, asked, grant).await?;
    tokens.check_license(&grant.audience, &holder).await?;
    let facts = CodeFacts::of_code(grant);
    let bound = GrantHolder { holder: &holder, key };
    let (response, token) = access_token(tokens, asked, grant, &facts, &bound, now)?;
    let first = first_value(tokens);
    let family = FamilyGrant {
        audience: grant.audience.clone(),
        scope: grant.scope.clone(),
        subject: facts.person.as_ref().map(|person| person.subject.clone()),
        client: Some(grant.client.clone()),
        session: facts.person.as_ref().map(|person| person.session.clone()),
        // A client with a certificate of its own refreshes by that, with whichever key it has by then (RFC 9449 section 5).
        dpop_jkt: key.filter(|_| asked.public_device().is_some()),
    };
    let family = family.starting(tokens, &first, grant.device.clone(), token, now);
    let redeem = RedeemCode { hash, client: grant.client.clone(), family };
    match tokens.context.ledger.group(redeem).await? {
        CodeRedemption::Redeemed => {}
        CodeRedemption::Refused => return Err(Refusal::CodeRefused.into()),
        CodeRedemption::Replayed(event) => {
            tokens.heard(event).await;
            return Err(Refusal::CodeRefused.into());
        }
    }
    // While the record was on its way to the disk, somebody may have been stopped.
    asked.authenticate_again(tokens).await?;
    device_again(tokens, &holder).await?;
    let response = response.refreshed_by(first);
    if !grant.scope.as_deref().unwrap_or_default().split(' ').any(|one| one == OPENID) {
        return Ok(response);
    }
    let about = IdTokenSubject {
        client_id: &grant.client,
        nonce: grant.nonce.as_deref(),
        access_token: response.access_token(),
        holder: &holder,
    };
    let id_token = tokens.id_token(&about, &facts, now)?;
    Ok(response.identified_by(id_token))
}

/// The code, if it is this client's, and its device's where the client is nobody without one. Another's attempt is written
/// down; it uses nothing up, for then anybody who sees codes could.
async fn living(
    tokens: &AuthorizationServer,
    asked: &AuthenticatedRequest,
    hash: &[u8],
    now: Timestamp,
) -> Result<KnownCode, OAuthError> {
    let known = tokens.context.ledger.authorization_code(hash).await?.ok_or(Refusal::CodeRefused)?;
    let is_own = known.grant.client == asked.client_id()
        && asked.public_device().is_none_or(|device| *device == known.grant.device);
    if !is_own {
        let note = AuditNote {
            actor: asked.actor(),
            action: "code.refused",
            device: Some(known.grant.device),
            detail: json!({"reason": "another client's or device's"}),
            at: now,
        };
        tokens.context.ledger.group(note).await?;
        return Err(Refusal::CodeRefused.into());
    }
    if known.is_used {
        spend(tokens, asked, hash, "used before", now).await?;
        return Err(Refusal::CodeRefused.into());
    }
    if now >= known.grant.expires_at { Err(Refusal::CodeRefused.into()) } else { Ok(known) }
}

/// Whoever shows it wrongly has used it up: it was not meant for the conversation that it came into.
async fn check(
    tokens: &AuthorizationServer,
    asked: &AuthenticatedRequest,
    grant: &CodeGrant,
    (verifier, key): (&str, Option<JwkThumbprint>),
    hash: &[u8],
    now: Timestamp,
) -> Result<(), OAuthError> {
    let form = asked.form();
    if names_another_product(tokens, form, grant)? {
        return Err(OAuthError::invalid_target("The code is for another product"));
    }
    let wrong = if !is_verifier(verifier) || challenge_of(verifier) != grant.challenge {
        "another verifier"
    } else if form.get("redirect_uri") != Some(&grant.redirect_uri) {
        "another redirect_uri"
    } else if grant.dpop_jkt.is_some() && grant.dpop_jkt != key {
        "another key"
    } else {
        return Ok(());
    };
    spend(tokens, asked, hash, wrong, now).await?;
    Err(Refusal::CodeRefused.into())
}

fn names_another_product(
    tokens: &AuthorizationServer,
    form: &FormParameters,
    grant: &CodeGrant,
) -> Result<bool, OAuthError> {
    let names_one = form.get("resource").or(form.get("audience")).is_some();
    Ok(names_one && tokens.product_named(form)? != grant.audience)
}

async fn spend(
    tokens: &AuthorizationServer,
    asked: &AuthenticatedRequest,
    hash: &[u8],
    reason: &'static str,
    now: Timestamp,
) -> Result<(), OAuthError> {
    let spend = SpendCode { hash: hash.to_vec(), actor: asked.actor(), reason, at: now };
    let event = tokens.context.ledger.group(spend).await?;
    tokens.heard(event).await;
    Ok(())
}

/// RFC 7636 section 4.1.
fn is_verifier(text: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&text.len()) && text.bytes().all(unreserved)
}

fn challenge_of(verifier: &str) -> String {
    base64url(Thumbprint::of(verifier.as_bytes()).as_bytes())
}

/// Whoever calls from the device has proved its present certificate; of all others the device is known by the one that it
/// showed when it asked.
async fn device_of(
    tokens: &AuthorizationServer,
    asked: &AuthenticatedRequest,
    grant: &CodeGrant,
) -> Result<Arc<CertificateHolder>, OAuthError> {
    match asked {
        AuthenticatedRequest::Public(call, _) => Ok(call.client.clone()),
        _ => tokens.context.holder_of(&grant.thumbprint, asked.at()).await.map_err(OAuthError::of_the_device),
    }
}

async fn device_again(tokens: &AuthorizationServer, holder: &CertificateHolder) -> Result<(), OAuthError> {
    let again = tokens.context.holder_of(&holder.thumbprint, tokens.context.now()).await;
    again.map(drop).map_err(OAuthError::of_the_device)
}

/// The device of a grant, and the key of its client where tokens are bound to that.
struct GrantHolder<'a> {
    holder: &'a CertificateHolder,
    key: Option<JwkThumbprint>,
}

/// Bound to the client's key, to the certificate of a registered client, or to the device's.
fn access_token(
    tokens: &AuthorizationServer,
    asked: &AuthenticatedRequest,
    grant: &CodeGrant,
    facts: &CodeFacts,
    &GrantHolder { holder, key }: &GrantHolder<'_>,
    now: Timestamp,
) -> Result<(TokenResponse, GrantedToken), OAuthError> {
    let scope = grant.scope.clone();
    if let AuthenticatedRequest::Registered(call) = asked {
        let request = ClientTokenRequest { audience: &grant.audience, scope, key };
        let claims = client_claims(tokens, &call.client, request, now);
        let claims = claims.on_a_device(facts, &holder.device, &holder.tenant, &holder.site);
        let generation = holder.generation;
        let until = Timestamp::from_seconds(claims.exp);
        let token = GrantedToken { jti: claims.jti.clone(), generation, until };
        return Ok((tokens.token_response(&claims)?, token));
    }
    let person = facts.person.as_ref().map(|person| &*person.subject);
    let request = TokenRequest { audience: &grant.audience, scope, person, key };
    let claims = tokens.claims(holder, request, now);
    let claims = crate::access_token::by_code(claims, asked.client_id(), facts);
    let token = granted(&claims);
    Ok((tokens.token_response(&claims)?, token))
}
