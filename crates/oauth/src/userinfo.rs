//! UserInfo (OpenID Connect Core section 5.3): what an access token's client may know of whoever is signed in.

use crate::authorization_server::AuthorizationServer;
use crate::error::{NOT_STORED, OAuthError};
use crate::introspection::OwnToken;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use std::sync::Arc;
use tegata_core::{DeviceId, Refusal, SessionId, SiteId, TenantId, Thumbprint, Timestamp};
use tegata_web::Presented;

/// Facts about the person and where they are. Roles within a product are the product's to know.
#[derive(Serialize)]
struct UserInfo {
    sub: String,
    tenant: TenantId,
    site: SiteId,
    device: DeviceId,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amr: Option<Vec<String>>,
    /// What the person is called, and signs in with: for the scope `profile`.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preferred_username: Option<String>,
}

pub(crate) async fn userinfo(
    State(tokens): State<Arc<AuthorizationServer>>,
    Presented(certificate): Presented,
    headers: HeaderMap,
) -> Response {
    let presented = certificate.map(|certificate| certificate.thumbprint);
    let token = bearer(&headers);
    let now = tokens.context.now();
    let told = async {
        let presented = presented.ok_or(Refusal::NoCertificate)?;
        let own = tokens.presented(token.ok_or(Refusal::TokenMissing)?, &presented, now).await?;
        tokens.about(own, now).await
    };
    match told.await {
        Ok(info) => match serde_json::to_string(&info) {
            Ok(body) => (NOT_STORED, body).into_response(),
            Err(_) => OAuthError::from(Refusal::Internal).into_response(),
        },
        Err(refusal) => refused(refusal),
    }
}

impl AuthorizationServer {
    /// The token, if it is in force and bound to the certificate of the connection.
    async fn presented(
        &self,
        text: &str,
        certificate: &Thumbprint,
        now: Timestamp,
    ) -> Result<OwnToken, Refusal> {
        self.fresh_at(now)?;
        let own =
            self.active(text, now).await.map_err(|error| error.refusal().unwrap_or(Refusal::Internal))?;
        let own = own.ok_or(Refusal::TokenInvalid)?;
        if own.certificate() == certificate { Ok(own) } else { Err(Refusal::TokenNotBound) }
    }

    async fn about(&self, own: OwnToken, now: Timestamp) -> Result<UserInfo, Refusal> {
        let (scope, sid, info) = match own {
            OwnToken::Device(claims) => {
                let info = UserInfo {
                    sub: claims.sub,
                    tenant: claims.tenant,
                    site: claims.site,
                    device: claims.device,
                    acr: claims.acr,
                    amr: claims.amr,
                    name: None,
                    preferred_username: None,
                };
                (claims.scope, claims.sid, info)
            }
            OwnToken::Client(claims) => {
                let place = claims.tenant.zip(claims.site).zip(claims.device);
                let ((tenant, site), device) = place.ok_or(Refusal::ScopeInsufficient)?;
                let (acr, amr) = (claims.acr, claims.amr);
                let info = UserInfo {
                    sub: claims.sub,
                    tenant,
                    site,
                    device,
                    acr,
                    amr,
                    name: None,
                    preferred_username: None,
                };
                (claims.scope, claims.sid, info)
            }
        };
        let has = |wanted: &str| scope.as_deref().unwrap_or_default().split(' ').any(|one| one == wanted);
        if !has("openid") {
            return Err(Refusal::ScopeInsufficient);
        }
        match sid.filter(|_| has("profile")) {
            Some(sid) => self.named(info, &sid, now).await,
            None => Ok(info),
        }
    }

    /// With what the person is called, as long as the session lasts.
    async fn named(&self, info: UserInfo, sid: &str, now: Timestamp) -> Result<UserInfo, Refusal> {
        let sid = SessionId::parse(sid).ok_or(Refusal::TokenInvalid)?;
        let session = self.context.ledger.session_named(&sid, &info.device, now).await?;
        let session = session.ok_or(Refusal::TokenRevoked)?;
        Ok(UserInfo { name: Some(session.name), preferred_username: Some(session.login), ..info })
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else { return None };
    let (scheme, token) = field.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whoever brought no token hears of no error (RFC 6750 section 3).
fn refused(refusal: Refusal) -> Response {
    let (status, challenge) = match refusal {
        Refusal::NoCertificate | Refusal::TokenMissing => (StatusCode::UNAUTHORIZED, "Bearer"),
        Refusal::ScopeInsufficient => {
            (StatusCode::FORBIDDEN, "Bearer error=\"insufficient_scope\", scope=\"openid\"")
        }
        Refusal::Unavailable | Refusal::Internal | Refusal::InDoubt | Refusal::Accepted => {
            return OAuthError::from(refusal).into_response();
        }
        _ => (StatusCode::UNAUTHORIZED, "Bearer error=\"invalid_token\""),
    };
    let mut response = OAuthError::of_token(status, refusal).into_response();
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    response
}
