//! The decision: may the holder of this token and this certificate enter now?

use crate::check_time::CheckTime;
use crate::policy::GatePolicy;
use crate::state::GateState;
use crate::verified_request::VerifiedRequest;
use std::sync::Arc;
use tegata_core::claims::{ACCESS_TOKEN, AccessClaims};
use tegata_core::feed::Denial;
use tegata_core::jws::{JwsError, KeySet};
use tegata_core::{Refusal, Thumbprint, VerifiedCache};

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

#[cfg(test)]
mod tests;
