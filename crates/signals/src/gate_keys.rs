//! The keys of gates, by which products verify what a gate asserts about a request.
//!
//! Anybody may ask, so the list is made anew at most every few seconds, and at once after any change of status: a gate
//! that was stopped is not in the next answer.

use crate::issuer::SignalIssuer;
use axum::body::Bytes;
use std::time::Duration;
use tegata_core::jws::Jwks;
use tegata_core::{Refusal, Thumbprint, Timestamp};
use tegata_web::certificate_keys::p256_key;
use tegata_web::document::written;
use tokio::sync::Mutex;

/// How long a list may be answered again. A gate that was just enrolled is known after this time.
const KEPT: Duration = Duration::from_secs(2);

/// The list as it was made last.
#[derive(Default)]
pub(crate) struct GateKeys(Mutex<Option<PublishedGateKeys>>);

struct PublishedGateKeys {
    /// The last event of the feed that it takes into account.
    seq: u64,
    at: Timestamp,
    jwks: Bytes,
}

impl GateKeys {
    /// A JWK Set (RFC 7517) of all living certificates of gates; `kid` is the certificate's `x5t#S256`. One question to the ledger at a time, whoever asks.
    pub(crate) async fn jwks(&self, issuer: &SignalIssuer) -> Result<Bytes, Refusal> {
        let context = &issuer.context;
        let mut made = self.0.lock().await;
        let now = context.now();
        issuer.fresh_at(now)?;
        let seq = context.status.freshness().seq;
        if let Some(made) = &*made
            && made.seq == seq
            && now >= made.at
            && now.since(made.at) < KEPT
        {
            return Ok(made.jwks.clone());
        }
        let certificates = context.ledger.gate_certificates(now).await?;
        let keys = certificates.iter().filter_map(|der| {
            let key = p256_key(der)?;
            Some(key.named(Thumbprint::of(der).to_string()).jwk())
        });
        let jwks = written(&Jwks { keys: keys.collect() });
        *made = Some(PublishedGateKeys { seq, at: now, jwks: jwks.clone() });
        Ok(jwks)
    }
}
