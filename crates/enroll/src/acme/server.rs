//! What all of ACME shares.

use super::attestation::AttestationPolicy;
use super::nonce::NonceSource;
use crate::enrollment_service::EnrollmentService;
use crate::requester::Requester;
use axum::extract::Request;
use serde_json::{Value, json};
use std::sync::Arc;
use tegata_core::Timestamp;

/// The ACME server. Cloning shares it.
#[derive(Clone)]
pub struct AcmeServer {
    pub(super) service: EnrollmentService,
    pub(super) nonces: Arc<NonceSource>,
    pub(super) attestation: Arc<AttestationPolicy>,
}

impl AcmeServer {
    /// A server that issues through this enrollment service.
    pub fn new(service: EnrollmentService, attestation: AttestationPolicy) -> Self {
        let nonces = Arc::new(NonceSource::new(service.opening.clone(), service.context.entropy.clone()));
        Self { service, nonces, attestation: Arc::new(attestation) }
    }

    /// This server with the sender of `request` as its requester, by whom rate limits and rules are decided.
    pub(super) fn serving(mut self, request: &Request) -> Self {
        self.service = self.service.serving(Requester::of(request.extensions(), request.headers()));
        self
    }

    pub(super) fn now(&self) -> Timestamp {
        self.service.context.now()
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
