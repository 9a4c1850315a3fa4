//! The token endpoint.

use crate::authorization_server::AuthorizationServer;
use crate::client::{AuthenticatedRequest, DeviceRequest};
use crate::error::{NOT_STORED, OAuthError};
use crate::form::FormParameters;
use crate::{client_grant, exchange, refresh, scope};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use tegata_core::claims::{ACCESS_TOKEN, AccessClaims, ActorClaim, Confirmation, device_subject};
use tegata_core::encoding::base64url;
use tegata_core::entropy::bytes;
use tegata_core::{Refusal, Timestamp};
use tegata_storage::{CertificateHolder, IssuedToken};

pub(crate) async fn token(
    State(tokens): State<Arc<AuthorizationServer>>,
    request: Request,
) -> Result<Response, OAuthError> {
    let call = match AuthenticatedRequest::read(&tokens, request).await? {
        AuthenticatedRequest::Holder(call) => call.of_device()?,
        AuthenticatedRequest::Registered(form, client) => {
            return client_grant::grant(&tokens, &form, &client).await;
        }
    };
    let grant = call.form.require("grant_type", "grant_type is missing")?;
    match grant {
        "client_credentials" => for_the_device(&tokens, &call).await,
        "refresh_token" => refresh::refresh(&tokens, &call).await,
        exchange::GRANT => exchange::exchange(&tokens, &call).await,
        _ => Err(OAuthError::unsupported_grant_type("There is no such grant here")),
    }
}

async fn for_the_device(tokens: &AuthorizationServer, call: &DeviceRequest) -> Result<Response, OAuthError> {
    let claims = tokens.recorded(&call.client, &call.form).await?;
    // While the record was on its way to the disk, the device may have been stopped.
    call.authenticate_again(&tokens.context).await?;
    tokens.granted(&claims, "")
}

/// What a token is to be for, beside the device.
pub(crate) struct TokenRequest<'a> {
    pub(crate) audience: &'a str,
    pub(crate) scope: Option<String>,
    pub(crate) person: Option<&'a str>,
}

impl AuthorizationServer {
    /// What a token for the device itself will say, as the form asks for it. It is recorded, and not signed yet: the caller
    /// looks once more whether the device may have it.
    pub(crate) async fn recorded(
        &self,
        device: &CertificateHolder,
        form: &FormParameters,
    ) -> Result<AccessClaims, OAuthError> {
        let audience = self.audience_for(form, device).await?;
        let scope = self.scope(form, audience)?;
        let now = self.context.now();
        let claims = self.claims(device, TokenRequest { audience, scope, person: None }, now);
        self.context.ledger.record_token(record_of(&claims, now)).await?;
        Ok(claims)
    }

    /// A token does not outlive its certificate, and is not dated before its holder was last signed out: tokens count
    /// whole seconds, and those of the same second are denied by their age. It is the person's where there is one, with
    /// the device acting.
    pub(crate) fn claims(
        &self,
        device: &CertificateHolder,
        terms: TokenRequest<'_>,
        now: Timestamp,
    ) -> AccessClaims {
        let TokenRequest { audience, scope, person } = terms;
        let itself = device_subject(&device.device);
        let at = self.issued_at(device, now);
        AccessClaims {
            iss: self.issuer().to_owned(),
            sub: person.unwrap_or(&itself).to_owned(),
            act: person.is_some().then_some(ActorClaim { sub: itself }),
            aud: audience.to_owned(),
            scope,
            client_id: device.device.to_string(),
            iat: at.seconds(),
            exp: at.plus(self.lifetime).min(device.not_after).seconds(),
            jti: base64url(&bytes::<16>(&*self.context.entropy)),
            cnf: Confirmation { x5t_s256: device.thumbprint },
            tenant: device.tenant.clone(),
            site: device.site.clone(),
            device: device.device.clone(),
            generation: device.generation,
            status: device.status_place.and_then(|place| self.status_lists().claim(place)),
        }
    }

    fn issued_at(&self, device: &CertificateHolder, now: Timestamp) -> Timestamp {
        self.context.status.tokens_before(device).map_or(now, |signed_out| now.max(signed_out))
    }

    /// `more` are further members, each after a comma. Nothing in it needs escaping: the token is base64url and dots.
    pub(crate) fn granted(&self, claims: &AccessClaims, more: &str) -> Result<Response, OAuthError> {
        let token = self.sign(ACCESS_TOKEN, claims).map_err(|_| Refusal::Internal)?;
        let lifetime = claims.exp - claims.iat;
        let scope = scope::member(claims.scope.as_deref());
        let body = format!(
            r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":{lifetime}{scope}{more}}}"#
        );
        Ok((NOT_STORED, body).into_response())
    }
}

fn record_of(claims: &AccessClaims, at: Timestamp) -> IssuedToken {
    IssuedToken {
        jti: claims.jti.clone(),
        device: claims.device.clone(),
        generation: claims.generation,
        audience: claims.aud.clone(),
        at,
    }
}
