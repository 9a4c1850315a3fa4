//! Token exchange (RFC 8693): a person's sign-in and the device's certificate become one token that names both.

use crate::access_token::TokenRequest;
use crate::authorization_server::AuthorizationServer;
use crate::client::DeviceRequest;
use crate::error::OAuthError;
use crate::refresh_grant;
use crate::token_response::TokenResponse;
use tegata_core::Refusal;
use tegata_federation::{RecognizedPerson, SubjectTokenKind};
use tegata_storage::{Actor, Principal, RefusalNote};

const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:id_token";

/// What is given, whatever is asked for: an access token that is a JWT.
const REQUESTED: [&str; 2] = [ACCESS_TOKEN_TYPE, "urn:ietf:params:oauth:token-type:jwt"];

/// The grant. The actor is the device, and the certificate its only proof.
pub(crate) async fn exchange(
    tokens: &AuthorizationServer,
    call: &DeviceRequest,
) -> Result<TokenResponse, OAuthError> {
    if call.form.get("actor_token").or(call.form.get("actor_token_type")).is_some() {
        return Err(OAuthError::invalid_request("The actor is the device, by its certificate"));
    }
    if call.form.get("requested_token_type").is_some_and(|wanted| !REQUESTED.contains(&wanted)) {
        return Err(OAuthError::invalid_request("There are access tokens only"));
    }
    let audience = tokens.audience_for(&call.form, &call.client).await?;
    let scope = tokens.scope(&call.form, audience)?;
    let person = match recognize(tokens, call).await {
        Ok(person) => person,
        Err(error) => return Err(refused(tokens, call, error).await),
    };
    let now = call.at;
    let request = TokenRequest { audience, scope, person: Some(&person.subject), key: None };
    let claims = tokens.claims(&call.client, request, now);
    let refresh_token = refresh_grant::start(tokens, &claims, Some(&person.subject), now).await?;
    call.authenticate_again(&tokens.context).await?;
    let response = tokens.token_response(&claims)?;
    Ok(response.issued_as(ACCESS_TOKEN_TYPE).refreshed_by(refresh_token))
}

async fn recognize(
    tokens: &AuthorizationServer,
    call: &DeviceRequest,
) -> Result<RecognizedPerson, OAuthError> {
    let token = call.form.require("subject_token", "subject_token is missing")?;
    let kind = match call.form.require("subject_token_type", "subject_token_type is missing")? {
        ID_TOKEN_TYPE => SubjectTokenKind::IdToken,
        ACCESS_TOKEN_TYPE => SubjectTokenKind::AccessToken,
        _ => return Err(OAuthError::invalid_request("The subject is an ID token or an access token")),
    };
    let person = tokens.people.recognize(token, kind, &call.client.tenant, call.at).await?;
    refuse_signed_out(tokens, call, &person).await?;
    if works_here(tokens, call, &person).await? { Ok(person) } else { Err(Refusal::PersonElsewhere.into()) }
}

/// Whoever signed in here before the device was signed out does so again: what the application has kept is no sign-in.
async fn refuse_signed_out(
    tokens: &AuthorizationServer,
    call: &DeviceRequest,
    person: &RecognizedPerson,
) -> Result<(), OAuthError> {
    let client = &call.client;
    let signed_out = tokens.context.ledger.tokens_before(&client.tenant, &client.device).await?;
    // Nobody can have signed in since a moment that lies in the future: the cache has counted it as its own beginning.
    let signed_out = signed_out.map(|moment| {
        let is_ahead = moment.is_ahead_of(call.at);
        let counted = || tokens.context.status.tokens_before(client).unwrap_or(moment);
        if is_ahead { counted() } else { moment }
    });
    match signed_out {
        Some(moment) if person.at < moment => Err(Refusal::SessionEnded.into()),
        _ => Ok(()),
    }
}

async fn works_here(
    tokens: &AuthorizationServer,
    call: &DeviceRequest,
    person: &RecognizedPerson,
) -> Result<bool, OAuthError> {
    let Some(sites) = &person.sites else { return Ok(true) };
    let site = &call.client.site;
    if sites.iter().any(|named| named == site.as_str()) {
        return Ok(true);
    }
    let device = tokens
        .context
        .ledger
        .within(Principal::device(&call.client).scope())
        .device(&call.client.device)
        .await?
        .ok_or(Refusal::Internal)?;
    Ok(sites.contains(&device.site_name))
}

/// Records a refusal under the device, without anything about the person.
async fn refused(tokens: &AuthorizationServer, call: &DeviceRequest, error: OAuthError) -> OAuthError {
    if let Some(refusal @ (Refusal::PersonElsewhere | Refusal::PersonUnproven)) = error.refusal() {
        let device = call.client.device.clone();
        let note = RefusalNote {
            actor: Actor::Device(device.clone()),
            action: "token_exchange.refused",
            device: Some(device),
            code: refusal.code(),
            at: call.at,
        };
        if let Err(error) = tokens.context.ledger.note_refusal(note).await {
            return error.into();
        }
    }
    error
}
