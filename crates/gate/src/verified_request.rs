//! A request that a gate let in.

use serde::Deserialize;
use std::time::Duration;
use tegata_core::claims::AccessClaims;
use tegata_core::{DeviceId, Refusal, SiteId, TenantId, Thumbprint, Timestamp};

/// A token that passed, as handlers find it in the request's extensions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifiedRequest {
    pub(crate) claims: AccessClaims,
    not_before: Option<i64>,
}

impl VerifiedRequest {
    /// What a signed text says.
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let claims = serde_json::from_slice(payload).ok()?;
        let NotBefore { nbf } = serde_json::from_slice(payload).ok()?;
        Some(Self { claims, not_before: nbf })
    }

    /// Whether it may be used now.
    pub(crate) fn in_time(&self, now: Timestamp, leeway: Duration) -> Result<(), Refusal> {
        let horizon = now.plus(leeway);
        let begun = |seconds: i64| Timestamp::from_seconds(seconds) <= horizon;
        if now >= Timestamp::from_seconds(self.claims.exp) {
            Err(Refusal::TokenEnded)
        } else if begun(self.claims.iat) && self.not_before.is_none_or(begun) {
            Ok(())
        } else {
            Err(Refusal::TokenNotYetValid)
        }
    }

    /// Everything the token says.
    pub fn claims(&self) -> &AccessClaims {
        &self.claims
    }

    /// The device that asks.
    pub fn device(&self) -> &DeviceId {
        &self.claims.device
    }

    /// Who asks: `device:{id}`, or `person:{hash}` where a person uses the device.
    pub fn subject(&self) -> &str {
        &self.claims.sub
    }

    /// The person who uses it, by a name that is stable and says nothing; none where the device asks for itself.
    pub fn person(&self) -> Option<&str> {
        self.claims.person()
    }

    /// The legal entity it belongs to.
    pub fn tenant(&self) -> &TenantId {
        &self.claims.tenant
    }

    /// The store it stands in.
    pub fn site(&self) -> &SiteId {
        &self.claims.site
    }

    /// Which certificate of the device it presented, counted from 1.
    pub fn generation(&self) -> u32 {
        self.claims.generation
    }

    /// The certificate it presented.
    pub fn thumbprint(&self) -> &Thumbprint {
        &self.claims.cnf.x5t_s256
    }
}

#[derive(Deserialize)]
struct NotBefore {
    nbf: Option<i64>,
}
