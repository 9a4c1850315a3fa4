//! An OAuth request, and who sent it: the same enforcement at every endpoint.

use crate::authorization_server::AuthorizationServer;
use crate::dpop::PROOF;
use crate::error::OAuthError;
use crate::form::{Charset, FormParameters, check_media_type};
use crate::page_origin::PageOrigin;
use axum::extract::Request;
use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use std::sync::Arc;
use tegata_core::{DeviceId, Refusal, Role, Timestamp};
use tegata_storage::{Actor, CertificateHolder};
use tegata_web::{
    Presented, RecognizedClient, RegisteredClient, ServiceContext, TakenPlace, TenantWork, body,
};

/// Credentials of other authentication methods (RFC 6749 section 2.3: one method in a request).
const OTHER_CREDENTIALS: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];

/// A request of an authenticated client: of who has a certificate in the ledger, or of a registered one.
pub(crate) enum AuthenticatedRequest {
    Holder(DeviceRequest),
    Registered(RegisteredClientRequest),
    /// A registered client without a credential of its own, on a device that has one.
    Public(DeviceRequest, Arc<RegisteredClient>),
}

/// A request of a registered client.
pub(crate) struct RegisteredClientRequest {
    pub(crate) form: FormParameters,
    pub(crate) client: RecognizedClient,
    pub(crate) at: Timestamp,
    _place: TakenPlace,
}

/// A request of a device or a gate.
pub(crate) struct DeviceRequest {
    pub(crate) form: FormParameters,
    pub(crate) client: Arc<CertificateHolder>,
    /// The time by which it is judged.
    pub(crate) at: Timestamp,
    presented: Presented,
    _place: TakenPlace,
}

impl AuthenticatedRequest {
    /// Reads the request and authenticates its sender (RFC 8705 section 2).
    pub(crate) async fn read(tokens: &AuthorizationServer, request: Request) -> Result<Self, OAuthError> {
        let context = &tokens.context;
        let (parts, body) = request.into_parts();
        if parts.uri.query().is_some() {
            return Err(OAuthError::invalid_request("Send parameters in the body, never in the URL"));
        }
        let charset = check_headers(&parts.headers)?;
        let presented: Presented = parts.extensions.get().cloned().ok_or(Refusal::Internal)?;
        let form = FormParameters::parse(&body::read(body, body::LIMIT).await?, charset)?;
        if OTHER_CREDENTIALS.iter().any(|name| form.get(name).is_some()) {
            return Err(OAuthError::invalid_request("A certificate is the only credential"));
        }
        // Not before the body is in: whoever sends it slowly is judged by what is known when it has come.
        let at = context.now();
        let page = PageOrigin::of(&parts.headers, &context.addresses.device)?;
        if let Some(registration) = form.get("client_id").and_then(|name| tokens.clients().get(name)) {
            if registration.is_public() {
                page.must_be_of(&registration)?;
                let client = context.device(presented.0.as_ref(), at).await?;
                let place = context.shares.enter(TenantWork::Tokens, client.tenant.as_str()).await?;
                let call = DeviceRequest { form, client, at, presented, _place: place };
                return Ok(Self::Public(call, registration));
            }
            page.must_be_none()?;
            let client = registration.recognize(context, presented.0.as_ref(), at).await;
            let client = client.map_err(unrecognized)?;
            // It is nobody's device: what it has under way is its own.
            let whose = &client.registration.client_id;
            let place = context.shares.enter(TenantWork::Tokens, whose).await?;
            return Ok(Self::Registered(RegisteredClientRequest { form, client, at, _place: place }));
        }
        page.must_be_none()?;
        let client = authenticate(context, &form, &presented, at).await?;
        let place = context.shares.enter(TenantWork::Tokens, client.tenant.as_str()).await?;
        Ok(Self::Holder(DeviceRequest { form, client, at, presented, _place: place }))
    }

    pub(crate) fn form(&self) -> &FormParameters {
        match self {
            Self::Holder(call) | Self::Public(call, _) => &call.form,
            Self::Registered(call) => &call.form,
        }
    }

    /// The time by which it is judged.
    pub(crate) fn at(&self) -> Timestamp {
        match self {
            Self::Holder(call) | Self::Public(call, _) => call.at,
            Self::Registered(call) => call.at,
        }
    }

    /// The `client_id` of the sender: an identifier of a device, or a registered name.
    pub(crate) fn client_id(&self) -> &str {
        match self {
            Self::Holder(call) => call.client.device.as_str(),
            Self::Registered(call) => &call.client.registration.client_id,
            Self::Public(_, registration) => &registration.client_id,
        }
    }

    /// Whether its tokens are bound to a key of its own.
    pub(crate) fn is_dpop_bound(&self) -> bool {
        match self {
            Self::Holder(_) => false,
            Self::Registered(call) => call.client.registration.dpop_bound_access_tokens,
            Self::Public(_, registration) => registration.dpop_bound_access_tokens,
        }
    }

    /// The device without which a public client is nobody.
    pub(crate) fn public_device(&self) -> Option<&DeviceId> {
        match self {
            Self::Public(call, _) => Some(&call.client.device),
            Self::Holder(_) | Self::Registered(_) => None,
        }
    }

    /// The sender, as the audit log names it.
    pub(crate) fn actor(&self) -> Actor {
        match self {
            Self::Holder(call) | Self::Public(call, _) => Actor::Device(call.client.device.clone()),
            Self::Registered(call) => Actor::Client(call.client.registration.client_id.clone()),
        }
    }

    /// Whether the sender may still go on, after something was waited for.
    pub(crate) async fn authenticate_again(&self, tokens: &AuthorizationServer) -> Result<(), OAuthError> {
        match self {
            Self::Holder(call) | Self::Public(call, _) => call.authenticate_again(&tokens.context).await,
            Self::Registered(call) => call.authenticate_again(&tokens.context).await,
        }
    }
}

impl RegisteredClientRequest {
    /// Whether the sender may still go on: its certificate may have been revoked.
    pub(crate) async fn authenticate_again(&self, context: &ServiceContext) -> Result<(), OAuthError> {
        let (registration, certificate) = (&self.client.registration, &self.client.certificate);
        let again = registration.recognize(context, Some(certificate), context.now()).await;
        again.map(drop).map_err(unrecognized)
    }
}

impl DeviceRequest {
    /// Fails unless the caller is a device: a gate's certificate gives no right to tokens of its own.
    pub(crate) fn of_device(&self) -> Result<&Self, OAuthError> {
        if self.client.role == Role::Device { Ok(self) } else { Err(Refusal::NotADevice.into()) }
    }

    /// Whether the sender may still go on, after something was waited for: by a new look at the clock, since what is known
    /// must be fresh now.
    pub(crate) async fn authenticate_again(&self, context: &ServiceContext) -> Result<(), OAuthError> {
        context.caller(self.presented.0.as_ref(), context.now()).await?;
        Ok(())
    }
}

/// A certificate that is not the registered client's is told as the protocol tells it.
pub(crate) fn unrecognized(refusal: Refusal) -> OAuthError {
    if refusal == Refusal::NotThisClient {
        let error = OAuthError::invalid_client("The certificate is not one that the client registered");
        error.because(refusal)
    } else {
        refusal.into()
    }
}

/// `client_id` is asked for first, so that its absence is always the same error.
async fn authenticate(
    context: &ServiceContext,
    form: &FormParameters,
    presented: &Presented,
    at: Timestamp,
) -> Result<Arc<CertificateHolder>, OAuthError> {
    let Some(client_id) = form.get("client_id") else {
        return Err(OAuthError::invalid_client("client_id is missing"));
    };
    let client = context.caller(presented.0.as_ref(), at).await?;
    if client.device.as_str() == client_id {
        Ok(client)
    } else {
        let error = OAuthError::invalid_client("client_id is not the holder of the certificate");
        Err(error.because(Refusal::NotThisClient))
    }
}

fn check_headers(headers: &HeaderMap) -> Result<Charset, OAuthError> {
    if headers.contains_key(PROOF) {
        return Err(OAuthError::invalid_request("A DPoP proof goes with a request for tokens alone"));
    }
    if headers.contains_key(AUTHORIZATION) {
        return Err(OAuthError::invalid_request("A certificate is the only credential"));
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    match (types.next(), types.next()) {
        (media, None) => check_media_type(media.and_then(|media| media.to_str().ok())),
        _ => Err(OAuthError::invalid_request("There is more than one content type")),
    }
}
