//! What all of ACME shares.

use super::attestation::AttestationPolicy;
use super::nonce::NonceSource;
use crate::enrollment_service::EnrollmentService;
use crate::serving::Serving;
use axum::extract::{FromRef, FromRequestParts};
use http::request::Parts;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use tegata_core::Timestamp;

/// The ACME server. Cloning shares it.
#[derive(Clone)]
pub struct AcmeServer {
    pub(super) service: EnrollmentService,
    pub(super) nonces: Arc<NonceSource>,
    pub(super) attestation: Arc<AttestationPolicy>,
}

/// The server that knows who sends this request, and by which time it is judged.
pub(super) struct ServingAcme(pub(super) AcmeServer);

impl FromRef<AcmeServer> for EnrollmentService {
    fn from_ref(acme: &AcmeServer) -> Self {
        acme.service.clone()
    }
}

impl FromRequestParts<AcmeServer> for ServingAcme {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, acme: &AcmeServer) -> Result<Self, Infallible> {
        let Serving(service) = Serving::from_request_parts(parts, acme).await?;
        Ok(Self(AcmeServer { service, ..acme.clone() }))
    }
}

impl AcmeServer {
    /// A server that issues through this enrollment service.
    pub fn new(service: EnrollmentService, attestation: AttestationPolicy) -> Self {
        let nonces = Arc::new(NonceSource::new(service.opening.clone(), service.context.entropy.clone()));
        Self { service, nonces, attestation: Arc::new(attestation) }
    }

    /// The time of the request that is being served.
    pub(super) fn now(&self) -> Timestamp {
        self.service.now()
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.service.context.addresses.portal)
    }

    pub(super) fn directory(&self, new_account: &str, is_bound: bool) -> Value {
        json!({
            "newNonce": self.url("/acme/new-nonce"),
            "newAccount": self.url(new_account),
            "newOrder": self.url("/acme/new-order"),
            "revokeCert": self.url("/acme/revoke-cert"),
            "keyChange": self.url("/acme/key-change"),
            "renewalInfo": self.url("/acme/renewal-info"),
            "meta": {"externalAccountRequired": is_bound},
        })
    }
}
