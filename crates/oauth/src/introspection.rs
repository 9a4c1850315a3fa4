//! Introspection (RFC 7662), signed where that is asked for (RFC 9701).

use crate::authorization_server::AuthorizationServer;
use crate::client::AuthenticatedRequest;
use crate::client_grant::ClientClaims;
use crate::error::{NOT_STORED, OAuthError};
use crate::token_response::token_type;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use serde::Serialize;
use std::sync::Arc;
use tegata_core::claims::{ACCESS_TOKEN, AccessClaims, Confirmation};
use tegata_core::{Refusal, Role, Standing, Timestamp};

pub(crate) async fn introspect(
    State(tokens): State<Arc<AuthorizationServer>>,
    request: Request,
) -> Result<Response, OAuthError> {
    let signed = wants_signature(request.headers());
    let asked = AuthenticatedRequest::read(&tokens, request).await?;
    let text = asked.form().require("token", "token is missing")?;
    let now = asked.at();
    // Whether a token was taken back is known to the cache alone.
    tokens.fresh_at(now)?;
    let wanted = asked.form().get("audience");
    let found = tokens
        .active(text, now)
        .await?
        .filter(|own| may_ask(&asked, own) && wanted.is_none_or(|wanted| wanted == own.audience()));
    if signed { tokens.signed_answer(&asked, found.as_ref(), now) } else { answer(found.as_ref()) }
}

/// Gates ask about every token, a registered client about those for its products, and everybody about its own.
fn may_ask(asked: &AuthenticatedRequest, own: &OwnToken) -> bool {
    let about_others = match asked {
        AuthenticatedRequest::Holder(call) => call.client.role == Role::Gate,
        AuthenticatedRequest::Registered(call) => {
            call.client.registration.introspects.iter().any(|product| product == own.audience())
        }
        AuthenticatedRequest::Public(..) => false,
    };
    about_others || own.is_of(asked)
}

/// A token that this server issued.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum OwnToken {
    Device(AccessClaims),
    Client(ClientClaims),
}

impl OwnToken {
    fn parse(payload: &[u8]) -> Option<Self> {
        let of_device = serde_json::from_slice(payload).map(Self::Device);
        of_device.or_else(|_| serde_json::from_slice(payload).map(Self::Client)).ok()
    }

    /// Whether it was issued to the sender: on its own device, where the client is nobody without one.
    pub(crate) fn is_of(&self, asked: &AuthenticatedRequest) -> bool {
        let (client_id, device) = match self {
            Self::Device(claims) => (&claims.client_id, Some(&claims.device)),
            Self::Client(claims) => (&claims.client_id, claims.device.as_ref()),
        };
        client_id == asked.client_id() && asked.public_device().is_none_or(|own| Some(own) == device)
    }

    /// Who has it: a device, or a client that has none.
    pub(crate) fn holder(&self) -> &str {
        match self {
            Self::Device(claims) => claims.device.as_str(),
            Self::Client(claims) => {
                claims.device.as_ref().map_or(&claims.client_id, |device| device.as_str())
            }
        }
    }

    /// What it is bound to.
    pub(crate) fn confirmation(&self) -> &Confirmation {
        match self {
            Self::Device(claims) => &claims.cnf,
            Self::Client(claims) => &claims.cnf,
        }
    }

    pub(crate) fn jti(&self) -> &str {
        match self {
            Self::Device(claims) => &claims.jti,
            Self::Client(claims) => &claims.jti,
        }
    }

    pub(crate) fn exp(&self) -> i64 {
        match self {
            Self::Device(claims) => claims.exp,
            Self::Client(claims) => claims.exp,
        }
    }

    pub(crate) fn audience(&self) -> &str {
        match self {
            Self::Device(claims) => &claims.aud,
            Self::Client(claims) => &claims.aud,
        }
    }

    fn issuer(&self) -> &str {
        match self {
            Self::Device(claims) => &claims.iss,
            Self::Client(claims) => &claims.iss,
        }
    }
}

impl AuthorizationServer {
    /// A token that this server issued and that may be used now.
    pub(crate) async fn active(&self, text: &str, now: Timestamp) -> Result<Option<OwnToken>, OAuthError> {
        let Some(own) = self.own(text, now) else { return Ok(None) };
        let good = match &own {
            OwnToken::Device(claims) => self.stands(claims, now).await?,
            OwnToken::Client(claims) => self.stays_registered(claims, now).await?,
        };
        let status = &self.context.status;
        let denied = match &own {
            OwnToken::Device(claims) => status.denies_token(claims),
            OwnToken::Client(claims) => self.denies(claims),
        };
        let active = good && !denied && self.knows_product(own.audience());
        Ok(active.then_some(own))
    }

    /// By its name, by that of its session, or with the device on which it was granted.
    fn denies(&self, claims: &ClientClaims) -> bool {
        let (status, certificate) = (&self.context.status, claims.certificate());
        let of_device = claims.device.as_ref().zip(claims.tenant.as_ref()).is_some_and(|(device, tenant)| {
            let issued = Timestamp::from_seconds(claims.iat);
            certificate.is_none_or(|certificate| status.is_denied(Some(tenant), device, certificate))
                || status.denies_issued(tenant, device, issued)
        });
        let of_session = claims.sid.as_deref().is_some_and(|session| status.token_denied(session));
        of_device || of_session || status.token_denied(&claims.jti)
    }

    async fn stands(&self, claims: &AccessClaims, now: Timestamp) -> Result<bool, OAuthError> {
        let Some(certificate) = claims.certificate() else { return Ok(false) };
        let known = self.context.status.standing(certificate, now).await?;
        Ok(known.is_some_and(|(holder, standing)| {
            standing == Standing::Good && holder.role == Role::Device && holder.device == claims.device
        }))
    }

    /// The client is registered still, and its certificate has not been ended here or taken out of its JWKS. Of
    /// certificates from elsewhere nothing more is known than that the token lives no longer than they do.
    async fn stays_registered(&self, claims: &ClientClaims, now: Timestamp) -> Result<bool, OAuthError> {
        let Some(registration) = self.clients().get(&claims.client_id) else { return Ok(false) };
        let Some(certificate) = claims.certificate() else { return Ok(false) };
        let known = self.context.status.standing(certificate, now).await?;
        let good = known.is_none_or(|(_, standing)| standing == Standing::Good);
        Ok(good && registration.audiences.contains(&claims.aud) && registration.may_hold(certificate))
    }

    /// A token that this server issued and that has not ended.
    pub(crate) fn own(&self, text: &str, now: Timestamp) -> Option<OwnToken> {
        let payload = self.issuer.published().keys.verify(text, ACCESS_TOKEN).ok()?;
        let own = OwnToken::parse(&payload)?;
        (own.issuer() == self.issuer() && now.seconds() < own.exp()).then_some(own)
    }

    /// A signed response (RFC 9701 section 5), for clients that have to show later what was answered.
    fn signed_answer(
        &self,
        asked: &AuthenticatedRequest,
        found: Option<&OwnToken>,
        now: Timestamp,
    ) -> Result<Response, OAuthError> {
        let statement = IntrospectionResponse {
            iss: self.issuer(),
            aud: asked.client_id(),
            iat: now.seconds(),
            token_introspection: IntrospectionResult::of(found),
        };
        let text = self.sign(SIGNED, &statement)?;
        let headers = [(CONTENT_TYPE, SIGNED_MEDIA_TYPE), (CACHE_CONTROL, "no-store")];
        Ok((headers, text).into_response())
    }
}

/// The `typ` of a signed answer, and its media type.
const SIGNED: &str = "token-introspection+jwt";
const SIGNED_MEDIA_TYPE: &str = "application/token-introspection+jwt";

/// Whether the client asks for the signed form by naming its media type.
fn wants_signature(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let types = accepted.flat_map(|value| value.split(','));
    types.map(|item| item.split(';').map(str::trim)).any(|mut parts| {
        let named = parts.next().is_some_and(|media| media.eq_ignore_ascii_case(SIGNED_MEDIA_TYPE));
        named && !parts.any(|parameter| matches!(parameter, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

fn answer(found: Option<&OwnToken>) -> Result<Response, OAuthError> {
    let body = serde_json::to_string(&IntrospectionResult::of(found)).map_err(|_| Refusal::Internal)?;
    Ok((NOT_STORED, body).into_response())
}

#[derive(Serialize)]
struct IntrospectionResponse<'a> {
    iss: &'a str,
    aud: &'a str,
    iat: i64,
    token_introspection: IntrospectionResult<'a>,
}

/// Of a token that is not active nothing else is said, whatever the reason (RFC 7662 section 2.2).
#[derive(Serialize)]
struct IntrospectionResult<'a> {
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    #[serde(flatten)]
    claims: Option<&'a OwnToken>,
}

impl<'a> IntrospectionResult<'a> {
    fn of(found: Option<&'a OwnToken>) -> Self {
        let token_type = found.map(|own| token_type(own.confirmation()));
        Self { active: found.is_some(), token_type, claims: found }
    }
}
