//! Authorizations and their one challenge, `device-attest-01` (RFC 8555 section 7.5, draft-ietf-acme-device-attest).
//!
//! An account that was bound to an invitation needs no challenge. A device that shows an invitation's code as its
//! permanent identifier has shown its right with that, once; the challenge is where its maker's attestation may come along,
//! which then fixes the key.

use super::AcmeServer;
use super::order::OrderIdentifier;
use super::problem::{AcmeError, AcmeResult};
use super::request::SignedAcmeRequest;
use super::server::ServingAcme;
use axum::Json;
use axum::extract::{Path, Request};
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::LINK;
use serde::{Deserialize, Serialize};
use tegata_core::encoding::from_base64url;
use tegata_core::{Refusal, Timestamp};
use tegata_storage::{AcmeOrder, AcmeState, Actor, AuthorizationState};

#[derive(Deserialize)]
struct AuthorizationUpdate {
    status: Option<String>,
}

/// Empty or absent when the device does not attest.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChallengeAttempt {
    att_obj: Option<String>,
}

#[derive(Serialize)]
struct AuthorizationObject {
    status: &'static str,
    expires: Timestamp,
    identifier: OrderIdentifier,
    challenges: Vec<ChallengeObject>,
}

#[derive(Serialize)]
struct ChallengeObject {
    r#type: &'static str,
    url: String,
    status: &'static str,
    token: String,
}

pub(super) async fn authorization(
    ServingAcme(acme): ServingAcme,
    Path(id): Path<String>,
    request: Request,
) -> AcmeResult<Response> {
    let signed = acme.signed(request).await?;
    let order = acme.own_order(&signed, &id).await?;
    let wanted = if signed.is_empty() { None } else { signed.json::<AuthorizationUpdate>()?.status };
    match wanted.as_deref() {
        None => Ok(Json(acme.shown_authorization(&order).await?).into_response()),
        Some("deactivated") => {
            let order = acme.end(&order, AuthorizationState::Deactivated).await?;
            Ok(Json(acme.shown_authorization(&order).await?).into_response())
        }
        Some(_) => Err(AcmeError::malformed("an authorization can be deactivated, nothing else")),
    }
}

/// The challenge: read, or met.
pub(super) async fn challenge(
    ServingAcme(acme): ServingAcme,
    Path(id): Path<String>,
    request: Request,
) -> AcmeResult<Response> {
    let signed = acme.signed(request).await?;
    let order = acme.own_order(&signed, &id).await?;
    let order = if signed.is_empty() { order } else { acme.respond(&signed, order).await? };
    let up = format!("<{}>;rel=\"up\"", acme.url(&format!("/acme/authorization/{id}")));
    let mut response = Json(acme.shown_challenge(&order)).into_response();
    response.headers_mut().append(LINK, HeaderValue::from_str(&up).map_err(|_| Refusal::Internal)?);
    Ok(response)
}

impl AcmeServer {
    async fn respond(&self, signed: &SignedAcmeRequest, order: AcmeOrder) -> AcmeResult<AcmeOrder> {
        if self.state(&order) != AcmeState::Pending {
            // Said twice, it is not asked twice.
            return if order.state == AcmeState::Ready {
                Ok(order)
            } else {
                Err(Refusal::AcmeOrderNotReady.into())
            };
        }
        match self.attested(signed, &order) {
            Ok(key) => {
                let ledger = &self.service.context.ledger;
                let actor = Actor::Invitation(order.invitation.clone());
                let mut transaction = ledger.begin(self.now()).await?;
                transaction.authorize_acme_order(&order.id, key.as_ref(), &actor).await?;
                transaction.commit().await?;
                Ok(ledger.acme_order(&order.id).await?.ok_or(Refusal::Internal)?)
            }
            Err(error) if error.refusal == Refusal::AcmeAttestation => {
                self.end(&order, AuthorizationState::Invalid).await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    fn attested(&self, signed: &SignedAcmeRequest, order: &AcmeOrder) -> AcmeResult<Option<[u8; 32]>> {
        let attempt: ChallengeAttempt = signed.json()?;
        let Some(object) = attempt.att_obj.filter(|object| !object.is_empty()) else {
            let is_enough = !self.attestation.is_required;
            return if is_enough {
                Ok(None)
            } else {
                Err(AcmeError::attestation("an attestation is required here"))
            };
        };
        let object = from_base64url(&object)
            .ok_or(AcmeError::attestation("the attestation object is not base64url"))?;
        let authorization = format!("{}.{}", order.token, signed.account()?.thumbprint);
        self.attestation.attested_key(&object, &[&order.token, &authorization], self.now()).map(Some)
    }

    async fn end(&self, order: &AcmeOrder, authorization: AuthorizationState) -> AcmeResult<AcmeOrder> {
        let ledger = &self.service.context.ledger;
        let actor = Actor::Invitation(order.invitation.clone());
        let mut transaction = ledger.begin(self.now()).await?;
        transaction.end_acme_order(&order.id, authorization, &actor).await?;
        transaction.commit().await?;
        Ok(ledger.acme_order(&order.id).await?.ok_or(Refusal::Internal)?)
    }

    async fn shown_authorization(&self, order: &AcmeOrder) -> AcmeResult<AuthorizationObject> {
        let is_over =
            order.authorization == AuthorizationState::Pending && self.state(order) == AcmeState::Invalid;
        // Whoever was bound was never challenged.
        let is_challenged = self.account_is_unbound(order).await?;
        Ok(AuthorizationObject {
            status: if is_over { "expired" } else { order.authorization.as_str() },
            expires: order.expires_at.whole_second(),
            identifier: self.identifier(order).await?,
            challenges: if is_challenged { vec![self.shown_challenge(order)] } else { Vec::new() },
        })
    }

    fn shown_challenge(&self, order: &AcmeOrder) -> ChallengeObject {
        ChallengeObject {
            r#type: "device-attest-01",
            url: self.url(&format!("/acme/challenge/{}", order.id)),
            status: match order.authorization {
                AuthorizationState::Pending => "pending",
                AuthorizationState::Valid => "valid",
                AuthorizationState::Invalid | AuthorizationState::Deactivated => "invalid",
            },
            token: order.token.clone(),
        }
    }
}
