//! Requests that wait until somebody has signed in, and those that their clients have pushed. Each is taken once.

use crate::authorization::answer::see_other;
use crate::authorization::client::RequestingClient;
use crate::authorization::request::AuthorizationRequest;
use crate::authorization_server::AuthorizationServer;
use axum::response::Response;
use std::time::Duration;
use tegata_core::encoding::percent_encoded;
use tegata_core::{Language, Refusal, RequestReference, Timestamp};
use tegata_storage::{CertificateHolder, LedgerError, PendingRequest, StoredRequest};
use tegata_web::Problem;

/// How long a person may take to sign in.
const PATIENCE: Duration = Duration::from_mins(30);

/// What the name of a pushed request begins with (RFC 9126 section 2.2).
pub(crate) const REQUEST_URI: &str = "urn:ietf:params:oauth:request_uri:";

/// A request that somebody has come with.
pub(crate) struct BegunRequest {
    pub(crate) request: AuthorizationRequest,
    /// When they first did.
    pub(crate) begun_at: Timestamp,
    /// Whether they come from a sign-in.
    pub(crate) resumed: bool,
}

/// The way to the sign-in, and back to a request.
pub(crate) struct ToSignIn {
    name: RequestReference,
    login_hint: Option<String>,
    /// For a provider that remembers people: this server asks its own anew in any case.
    max_age: Option<u32>,
}

impl AuthorizationServer {
    /// The request that waited on this device for a sign-in.
    pub(crate) async fn take_up(
        &self,
        name: &str,
        holder: &CertificateHolder,
        now: Timestamp,
    ) -> Result<BegunRequest, Problem> {
        let name = RequestReference::parse(name).ok_or(Refusal::AuthorizationRequestOver)?;
        let mut transaction = self.context.ledger.begin(now).await?;
        let taken = transaction.take_request(&name.hash(), &holder.device).await?;
        transaction.commit().await?;
        let stored = taken.ok_or(Refusal::AuthorizationRequestOver)?;
        let client = self.requesting_client(Some(&stored.client)).await?;
        Ok(BegunRequest { resumed: true, begun_at: stored.begun_at, request: self.again(&client, &stored)? })
    }

    /// The request that this client has pushed. Whoever brings it under another client's name uses nothing up.
    pub(crate) async fn take_pushed(
        &self,
        request_uri: &str,
        client: &RequestingClient,
        now: Timestamp,
    ) -> Result<BegunRequest, Problem> {
        let name = request_uri.strip_prefix(REQUEST_URI).and_then(RequestReference::parse);
        let name = name.ok_or(Refusal::AuthorizationRequestOver)?;
        let mut transaction = self.context.ledger.begin(now).await?;
        let taken = transaction.take_pushed_request(&name.hash(), client.client_id()).await?;
        transaction.commit().await?;
        let stored = taken.ok_or(Refusal::AuthorizationRequestOver)?;
        // What its client kept out of the address of the browser stays out of it.
        let request = self.again(client, &stored)?.without_login_hint();
        Ok(BegunRequest { resumed: false, begun_at: now, request })
    }

    /// The configuration may have changed meanwhile: the address has to be the client's still.
    fn again(
        &self,
        client: &RequestingClient,
        stored: &StoredRequest,
    ) -> Result<AuthorizationRequest, Problem> {
        let request: AuthorizationRequest =
            serde_json::from_str(&stored.parameters).map_err(|_| Refusal::AuthorizationRequestOver)?;
        client.address(self, &request.as_form())?;
        Ok(request)
    }

    /// Keeps the request on the device until whoever sits there has signed in.
    pub(crate) async fn wait_for_sign_in(
        &self,
        begun: &BegunRequest,
        holder: &CertificateHolder,
        now: Timestamp,
    ) -> Result<ToSignIn, Problem> {
        let name = RequestReference::random(&*self.context.entropy);
        let stored = StoredRequest {
            client: begun.request.client_id.clone(),
            device: Some(holder.device.clone()),
            parameters: serde_json::to_string(&begun.request).map_err(|_| Refusal::Internal)?,
            begun_at: begun.begun_at,
        };
        // Whoever comes back without having signed in gets no more time by it.
        self.keep(&name, stored, now, begun.begun_at.plus(PATIENCE)).await?;
        Ok(ToSignIn {
            name,
            login_hint: begun.request.login_hint.clone(),
            max_age: begun.request.longest_since_sign_in(),
        })
    }

    pub(crate) async fn keep(
        &self,
        name: &RequestReference,
        request: StoredRequest,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), LedgerError> {
        let mut transaction = self.context.ledger.begin(now).await?;
        transaction.keep_request(&PendingRequest { name_hash: name.hash(), request, expires_at }).await?;
        transaction.commit().await
    }
}

impl ToSignIn {
    /// A redirect that leads there.
    pub(crate) fn in_language(self, language: Language) -> Response {
        let next = percent_encoded(&format!("/authorize?continue={}", self.name.reveal()));
        let hint = self.login_hint.map(|hint| format!("&login_hint={}", percent_encoded(&hint)));
        let hint = hint.unwrap_or_default();
        let max_age = self.max_age.map(|seconds| format!("&max_age={seconds}")).unwrap_or_default();
        see_other(&format!("/sign-in?next={next}&lang={}{hint}{max_age}", language.tag()))
    }
}
