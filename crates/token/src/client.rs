//! An OAuth request, and who sent it: the same enforcement at every endpoint.

use crate::error::OAuthError;
use crate::form::{Form, check_media_type};
use axum::extract::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName};
use std::sync::Arc;
use tegata_core::{Refusal, Role};
use tegata_storage::Facts;
use tegata_web::{Context, Presented, body};

const DPOP: HeaderName = HeaderName::from_static("dpop");

/// Credentials of other authentication methods (RFC 6749 section 2.3: one method in a request).
const OTHER_CREDENTIALS: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];

/// A request of an authenticated client.
pub(crate) struct Call {
    pub(crate) form: Form,
    pub(crate) client: Arc<Facts>,
    presented: Presented,
}

impl Call {
    /// Reads the request and authenticates its sender by `tls_client_auth` (RFC 8705 section 2.1).
    pub(crate) async fn read(context: &Context, request: Request) -> Result<Self, OAuthError> {
        let (parts, body) = request.into_parts();
        if parts.uri.query().is_some() {
            return Err(OAuthError::invalid_request("Send parameters in the body, never in the URL"));
        }
        check_headers(&parts.headers)?;
        let presented: Presented = parts.extensions.get().cloned().ok_or(Refusal::Internal)?;
        let form = Form::parse(&body::read(body, body::LIMIT).await?)?;
        if OTHER_CREDENTIALS.iter().any(|name| form.get(name).is_some()) {
            return Err(OAuthError::invalid_request("A certificate is the only credential"));
        }
        let client = authenticate(context, &form, &presented).await?;
        Ok(Self { form, client, presented })
    }

    /// As [`Call::read`], where only devices have business: tokens are theirs.
    pub(crate) async fn read_from_device(context: &Context, request: Request) -> Result<Self, OAuthError> {
        let call = Self::read(context, request).await?;
        if call.client.role == Role::Device { Ok(call) } else { Err(Refusal::NotADevice.into()) }
    }

    /// Whether the sender may still go on.
    pub(crate) async fn authenticate_again(&self, context: &Context) -> Result<(), OAuthError> {
        context.caller(self.presented.0.as_ref()).await?;
        Ok(())
    }
}

/// `client_id` is asked for first, so that its absence is always the same error.
async fn authenticate(
    context: &Context,
    form: &Form,
    presented: &Presented,
) -> Result<Arc<Facts>, OAuthError> {
    let Some(client_id) = form.get("client_id") else {
        return Err(OAuthError::invalid_client("client_id is missing"));
    };
    let client = context.caller(presented.0.as_ref()).await?;
    if client.device.as_str() == client_id {
        Ok(client)
    } else {
        Err(OAuthError::invalid_client("client_id is not the holder of the certificate"))
    }
}

fn check_headers(headers: &HeaderMap) -> Result<(), OAuthError> {
    if headers.contains_key(DPOP) {
        return Err(OAuthError::invalid_request("Tokens are bound to the certificate, not by DPoP"));
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
