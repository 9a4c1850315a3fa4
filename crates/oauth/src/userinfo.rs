//! UserInfo (OpenID Connect Core section 5.3): what an access token's client may know of whoever is signed in.

use crate::authorization_server::AuthorizationServer;
use crate::dpop::{ProofOfToken, SentProof};
use crate::error::{NOT_STORED, OAuthError};
use crate::introspection::OwnToken;
use crate::metadata::USERINFO;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde::Serialize;
use std::sync::Arc;
use tegata_core::claims::Confirmation;
use tegata_core::dpop::{ALGORITHMS, DPOP};
use tegata_core::{DeviceId, Refusal, SessionId, SiteId, TenantId, Timestamp};
use tegata_web::{PeerCertificate, Presented};

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
    method: Method,
    headers: HeaderMap,
) -> Response {
    let now = tokens.context.now();
    let told = async {
        let (scheme, token) = credential(&headers).ok_or(match &certificate {
            Some(_) => Refusal::TokenMissing,
            None => Refusal::NoCertificate,
        })?;
        let own = match scheme {
            TokenScheme::Bearer => tokens.by_certificate(token, certificate.as_ref(), now).await?,
            TokenScheme::Dpop => tokens.by_proof(token, (method.as_str(), USERINFO), &headers, now).await?,
        };
        tokens.about(own, now).await
    };
    match told.await {
        Ok(info) => match serde_json::to_string(&info) {
            Ok(body) => (NOT_STORED, body).into_response(),
            Err(_) => OAuthError::from(Refusal::Internal).into_response(),
        },
        Err(refusal) => refused(refusal, &headers),
    }
}

impl AuthorizationServer {
    /// The token, if it is in force and bound to the certificate of the connection.
    pub(crate) async fn by_certificate(
        &self,
        text: &str,
        presented: Option<&PeerCertificate>,
        now: Timestamp,
    ) -> Result<OwnToken, Refusal> {
        let presented = presented.ok_or(Refusal::NoCertificate)?;
        let own = self.in_force(text, now).await?;
        match own.confirmation() {
            Confirmation::Certificate(bound) if *bound == presented.thumbprint => Ok(own),
            Confirmation::Certificate(_) => Err(Refusal::TokenNotBound),
            Confirmation::Key(_) => Err(Refusal::DpopProofInvalid),
        }
    }

    /// The token, if it is in force and bound to the key of the proof that comes along. Only with such a token is a proof
    /// remembered: strangers fill no memory.
    pub(crate) async fn by_proof(
        &self,
        text: &str,
        (method, path): (&str, &str),
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<OwnToken, Refusal> {
        let own = self.in_force(text, now).await?;
        let Confirmation::Key(key) = own.confirmation() else { return Err(Refusal::DpopProofInvalid) };
        let proof = SentProof::of(headers);
        let shown = ProofOfToken { method, path, text, holder: own.holder() };
        self.dpop.prove_with_token(&proof, key, shown, now)?;
        Ok(own)
    }

    async fn in_force(&self, text: &str, now: Timestamp) -> Result<OwnToken, Refusal> {
        self.fresh_at(now)?;
        let own =
            self.active(text, now).await.map_err(|error| error.refusal().unwrap_or(Refusal::Internal))?;
        own.ok_or(Refusal::TokenInvalid)
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

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TokenScheme {
    Bearer,
    Dpop,
}

pub(crate) fn credential(headers: &HeaderMap) -> Option<(TokenScheme, &str)> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else { return None };
    let (scheme, token) = field.to_str().ok()?.split_once(' ')?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "bearer" => TokenScheme::Bearer,
        DPOP => TokenScheme::Dpop,
        _ => return None,
    };
    Some((scheme, token.trim()))
}

/// Whoever brought no token hears of no error (RFC 6750 section 3), and which ways there are.
fn refused(refusal: Refusal, headers: &HeaderMap) -> Response {
    let by_key = format!("DPoP algs=\"{}\"", ALGORITHMS.join(" "));
    let is_by_key = matches!(credential(headers), Some((TokenScheme::Dpop, _)));
    let (status, error) = match refusal {
        Refusal::NoCertificate | Refusal::TokenMissing => (StatusCode::UNAUTHORIZED, None),
        Refusal::ScopeInsufficient => {
            (StatusCode::FORBIDDEN, Some("error=\"insufficient_scope\", scope=\"openid\""))
        }
        Refusal::Unavailable
        | Refusal::Internal
        | Refusal::InDoubt
        | Refusal::Accepted
        | Refusal::TenantBusy => {
            return OAuthError::from(refusal).into_response();
        }
        Refusal::DpopProofInvalid => (StatusCode::UNAUTHORIZED, Some("error=\"invalid_dpop_proof\"")),
        _ => (StatusCode::UNAUTHORIZED, Some("error=\"invalid_token\"")),
    };
    let challenges = match error {
        None => vec!["Bearer".to_owned(), by_key],
        Some(error) if is_by_key || refusal == Refusal::DpopProofInvalid => {
            vec![format!("{by_key}, {error}")]
        }
        Some(error) => vec![format!("Bearer {error}")],
    };
    let mut response = OAuthError::of_token(status, refusal).into_response();
    for challenge in challenges {
        if let Ok(challenge) = HeaderValue::try_from(challenge) {
            response.headers_mut().append(WWW_AUTHENTICATE, challenge);
        }
    }
    response
}
