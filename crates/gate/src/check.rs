//! The decision: may the holder of this token and this certificate enter now?

use crate::check_time::CheckTime;
use crate::state::GateState;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::claims::{ACCESS_TOKEN, AccessClaims};
use tegata_core::feed::Denial;
use tegata_core::jws::{JwsError, KeySet};
use tegata_core::{DeviceId, Refusal, SiteId, TenantId, Thumbprint, Timestamp, VerifiedCache};

/// What a gate insists on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GatePolicy {
    /// The only issuer believed, compared character by character.
    pub issuer: String,
    /// The product's name: the only audience accepted.
    pub audience: String,
    /// What a token's scope must have, all of it (RFC 6750 section 3.1). Usually nothing.
    pub scopes: Vec<String>,
    /// How far ahead of the gate's clock `iat` and `nbf` may lie. `exp` gets no leeway.
    pub leeway: Duration,
    /// How old the knowledge of revocations may be before everybody is refused.
    pub max_staleness: Duration,
}

impl GatePolicy {
    /// Ten seconds of leeway and ten seconds of staleness.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        let ten_seconds = Duration::from_secs(10);
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            scopes: Vec::new(),
            leeway: ten_seconds,
            max_staleness: ten_seconds,
        }
    }
}

/// A token that passed, as handlers find it in the request's extensions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifiedRequest {
    claims: AccessClaims,
    not_before: Option<i64>,
}

impl VerifiedRequest {
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

/// Applies a [`GatePolicy`] to requests, with what the feed says.
pub(crate) struct RequestVerifier {
    policy: GatePolicy,
    state: Arc<GateState>,
    cache: VerifiedCache<VerifiedToken>,
}

/// A token whose signature held under `keys`. Another key set forgets it.
#[derive(Clone)]
struct VerifiedToken {
    verified: Arc<VerifiedRequest>,
    keys: Arc<KeySet>,
}

impl RequestVerifier {
    pub(crate) fn new(policy: GatePolicy, state: Arc<GateState>, cached_tokens: usize) -> Self {
        Self { policy, state, cache: VerifiedCache::new(cached_tokens) }
    }

    pub(crate) fn policy(&self) -> &GatePolicy {
        &self.policy
    }

    /// Only the signature and the claims that cannot change are remembered; time, binding and status
    /// are looked at every time.
    pub(crate) fn check(
        &self,
        token: &str,
        presented: Option<Thumbprint>,
        moment: CheckTime,
    ) -> Result<Arc<VerifiedRequest>, Refusal> {
        let presented = presented.ok_or(Refusal::NoCertificate)?;
        self.fresh(moment)?;
        let name = Thumbprint::of(token.as_bytes());
        let keys = self.state.keys();
        let remembered = self.cache.get(&name).filter(|known| Arc::ptr_eq(&known.keys, &keys));
        let cold = remembered.is_none();
        let verified = match remembered {
            Some(known) => known.verified,
            None => Arc::new(self.verify(&keys, token)?),
        };
        verified.in_time(moment.now, self.policy.leeway)?;
        // Both thumbprints are hashes of public certificates: comparing them in varying time tells
        // nobody anything.
        if *verified.thumbprint() != presented {
            return Err(Refusal::TokenNotBound);
        }
        self.standing(&verified)?;
        if !self.policy.scopes.iter().all(|wanted| verified.claims.has_scope(wanted)) {
            return Err(Refusal::ScopeInsufficient);
        }
        if cold {
            self.cache.insert(name, VerifiedToken { verified: Arc::clone(&verified), keys });
        }
        Ok(verified)
    }

    /// Whether the feed denies the tenant, the device, the certificate or the token.
    pub(crate) fn standing(&self, verified: &VerifiedRequest) -> Result<(), Refusal> {
        let denials = self.state.denials.load();
        match denials.denial_within(Some(verified.tenant()), verified.device(), verified.thumbprint()) {
            Some(Denial::Revoked) => Err(Refusal::CertificateRevoked),
            Some(Denial::Suspended) => Err(Refusal::DeviceSuspended),
            Some(Denial::Retired) => Err(Refusal::CertificateRetired),
            None if denials.denies_token(&verified.claims) => Err(Refusal::TokenRevoked),
            None => Ok(()),
        }
    }

    pub(crate) fn fresh(&self, moment: CheckTime) -> Result<(), Refusal> {
        match self.state.age(moment) {
            Some(age) if age <= self.policy.max_staleness => Ok(()),
            _ => Err(Refusal::GateStale),
        }
    }

    fn verify(&self, keys: &KeySet, token: &str) -> Result<VerifiedRequest, Refusal> {
        let payload = keys.verify(token, ACCESS_TOKEN).map_err(|error| {
            if error == JwsError::UnknownKey {
                self.state.keys_wanted.notify_one();
            }
            Refusal::TokenInvalid
        })?;
        let verified = VerifiedRequest::parse(&payload).ok_or(Refusal::TokenInvalid)?;
        self.expect(&verified.claims)?;
        Ok(verified)
    }

    fn expect(&self, claims: &AccessClaims) -> Result<(), Refusal> {
        if claims.iss != self.policy.issuer {
            Err(Refusal::TokenOfAnotherIssuer)
        } else if claims.aud != self.policy.audience {
            Err(Refusal::TokenForAnother)
        } else if claims.names_its_device() {
            Ok(())
        } else {
            Err(Refusal::TokenInvalid)
        }
    }
}

#[derive(Deserialize)]
struct NotBefore {
    nbf: Option<i64>,
}

impl VerifiedRequest {
    fn parse(payload: &[u8]) -> Option<Self> {
        let claims = serde_json::from_slice(payload).ok()?;
        let NotBefore { nbf } = serde_json::from_slice(payload).ok()?;
        Some(Self { claims, not_before: nbf })
    }

    fn in_time(&self, now: Timestamp, leeway: Duration) -> Result<(), Refusal> {
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
}

#[cfg(test)]
mod tests;
