//! Clients that register and manage themselves (RFC 7591, RFC 7592), where the operator allows it.
//!
//! Whoever holds an initial access token registers a client for the products and the scope of that token, and gets a token of its
//! own, by which the client reads, changes and removes its registration. A change never gives it more than it has.

mod document;
mod error;

use crate::authorization_server::AuthorizationServer;
use crate::bearer::bearer;
use crate::error::NOT_STORED;
use crate::metadata::REGISTRATION;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use document::{ClientDocument, RegistrationLimits};
use error::RegistrationRefused;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use tegata_core::encoding::base64url;
use tegata_core::entropy::bytes;
use tegata_core::{
    ClientMetadata, ClientRegistration, InitialAccessToken, Refusal, RegistrationAccessToken, Timestamp,
};
use tegata_storage::{Actor, LedgerError, NewClient, StoredClient};
use tegata_web::{RegisteredClient, Registrant, TakenPlace, TenantWork, body};

/// The longest registration, in bytes.
const LONGEST: usize = 16 * 1024;

/// Whose share requests about registrations are: nobody has proved who it is when they begin.
const SHARE: &str = "registration";

/// A client that manages itself.
struct SelfManagedClient {
    stored: StoredClient,
    token: RegistrationAccessToken,
    at: Timestamp,
    _place: TakenPlace,
}

/// `POST` (RFC 7591 section 3.1).
pub(crate) async fn register(
    State(tokens): State<Arc<AuthorizationServer>>,
    request: Request,
) -> Result<Response, RegistrationRefused> {
    let _place = tokens.context.shares.enter(TenantWork::Tokens, SHARE).await?;
    let (parts, sent) = request.into_parts();
    let initial = bearer(&parts.headers).and_then(InitialAccessToken::parse);
    let initial = initial.ok_or(Refusal::RegistrationTokenRefused)?;
    let now = tokens.context.now();
    let allowed = tokens.context.ledger.initial_token(&initial.hash(), now).await?;
    let allowed = allowed.ok_or(Refusal::RegistrationTokenRefused)?;
    let wanted = ClientDocument::parse(&read(&parts.headers, sent).await?)?;
    let limits = RegistrationLimits { audiences: allowed.audiences, scope: allowed.scope };
    let entropy = &*tokens.context.entropy;
    let id = format!("client-{}", base64url(&bytes::<16>(entropy)));
    let registration = tokens.verified(wanted.into_metadata(id.clone(), &limits)?)?;
    let access = RegistrationAccessToken::random(entropy);
    let new = NewClient {
        id: id.clone(),
        registration: registration.written.clone(),
        initial_token: Some(allowed.id),
        access_hash: Some(access.hash()),
    };
    let mut transaction = tokens.context.ledger.begin(now).await?;
    // Somebody else may have used it up meanwhile.
    transaction.register_client(&initial.hash(), &new).await.map_err(token_refused)?;
    transaction.commit().await?;
    Ok(tokens.described(StatusCode::CREATED, &registration.written, &access, now))
}

/// `GET` (RFC 7592 section 2.1).
pub(crate) async fn read_own(
    State(tokens): State<Arc<AuthorizationServer>>,
    Path(client_id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, RegistrationRefused> {
    let own = tokens.managed(&client_id, &headers).await?;
    Ok(tokens.described(StatusCode::OK, &own.stored.registration, &own.token, own.stored.created_at))
}

/// `PUT` (RFC 7592 section 2.2): what is left out is taken away.
pub(crate) async fn change_own(
    State(tokens): State<Arc<AuthorizationServer>>,
    Path(client_id): Path<String>,
    request: Request,
) -> Result<Response, RegistrationRefused> {
    let (parts, sent) = request.into_parts();
    // No body is read of strangers, and what counts is the registration as it is when the body is there.
    tokens.managed(&client_id, &parts.headers).await?;
    let wanted = ClientDocument::parse(&read(&parts.headers, sent).await?)?;
    wanted.must_be_of(&client_id)?;
    let own = tokens.managed(&client_id, &parts.headers).await?;
    let limits = RegistrationLimits::of(&own.stored.registration);
    let registration = tokens.verified(wanted.into_metadata(client_id.clone(), &limits)?)?;
    let mut transaction = tokens.context.ledger.begin(own.at).await?;
    let actor = Actor::Client(client_id.clone());
    transaction.change_client(&client_id, &registration.written, &actor).await.map_err(token_refused)?;
    transaction.commit().await?;
    Ok(tokens.described(StatusCode::OK, &registration.written, &own.token, own.stored.created_at))
}

/// `DELETE` (RFC 7592 section 2.3).
pub(crate) async fn remove_own(
    State(tokens): State<Arc<AuthorizationServer>>,
    Path(client_id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, RegistrationRefused> {
    let own = tokens.managed(&client_id, &headers).await?;
    let mut transaction = tokens.context.ledger.begin(own.at).await?;
    let removed = transaction.remove_client(&client_id, &Actor::Client(client_id.clone())).await;
    let event = removed.map_err(token_refused)?.event;
    transaction.commit().await?;
    tokens.heard(event).await;
    Ok((StatusCode::NO_CONTENT, NOT_STORED).into_response())
}

async fn read(headers: &HeaderMap, sent: axum::body::Body) -> Result<Vec<u8>, RegistrationRefused> {
    let media = headers.get(CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
    if !media.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        return Err(RegistrationRefused::metadata("send application/json".into()));
    }
    Ok(body::read(sent, LONGEST).await?.to_vec())
}

impl AuthorizationServer {
    /// By the rules of every registration, whoever makes it.
    fn verified(&self, metadata: ClientMetadata) -> Result<ClientRegistration, RegistrationRefused> {
        let rules = self.registration.as_ref().ok_or(Refusal::NotFound)?;
        let registration = ClientRegistration::for_the_ledger(metadata)?;
        let client = RegisteredClient::of_the_ledger(&registration, Registrant::Itself, rules.cas.as_ref())?;
        let servable = client.check(&|audience| self.knows_product(audience));
        servable.map_err(|unfit| RegistrationRefused::metadata(unfit.to_string()))?;
        Ok(registration)
    }

    /// The client of this name, if it shows the token that it was given.
    async fn managed(
        &self,
        client_id: &str,
        headers: &HeaderMap,
    ) -> Result<SelfManagedClient, RegistrationRefused> {
        let place = self.context.shares.enter(TenantWork::Tokens, SHARE).await?;
        let token = bearer(headers).and_then(RegistrationAccessToken::parse);
        let token = token.ok_or(Refusal::RegistrationTokenRefused)?;
        let stored = self.context.ledger.client_of_access(client_id, &token.hash()).await?;
        let stored = stored.ok_or(Refusal::RegistrationTokenRefused)?;
        Ok(SelfManagedClient { stored, token, at: self.context.now(), _place: place })
    }

    /// The client information response (RFC 7591 section 3.2.1, RFC 7592 section 3).
    fn described(
        &self,
        status: StatusCode,
        registration: &Value,
        token: &RegistrationAccessToken,
        registered_at: Timestamp,
    ) -> Response {
        let mut document = document::described(registration);
        let client_id = registration["client_id"].as_str().unwrap_or_default();
        document["client_id_issued_at"] = json!(registered_at.seconds());
        document["registration_access_token"] = json!(token.reveal());
        let device = &self.context.addresses.device;
        document["registration_client_uri"] = json!(format!("{device}{REGISTRATION}/{client_id}"));
        (status, NOT_STORED, document.to_string()).into_response()
    }
}

/// What was shown is good no longer.
fn token_refused(error: LedgerError) -> RegistrationRefused {
    match error {
        LedgerError::Guard(_) => Refusal::RegistrationTokenRefused.into(),
        error => error.into(),
    }
}
