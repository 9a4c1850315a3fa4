//! The decision: may the holder of this token and this certificate enter now?

use crate::check_time::CheckTime;
use crate::dpop::ProofRequest;
use crate::policy::GatePolicy;
use crate::state::GateState;
use crate::verified_request::VerifiedRequest;
use std::sync::Arc;
use tegata_core::claims::{ACCESS_TOKEN, AccessClaims, Confirmation};
use tegata_core::dpop::UsedProofs;
use tegata_core::feed::Denial;
use tegata_core::jws::{JwsError, KeySet};
use tegata_core::{DeviceId, Refusal, Thumbprint, VerifiedCache};

/// Applies a [`GatePolicy`] to requests, with what the feed says.
pub(crate) struct RequestVerifier {
    policy: GatePolicy,
    state: Arc<GateState>,
    cache: VerifiedCache<VerifiedToken>,
    used_proofs: UsedProofs,
}

/// A token whose signature held under `keys`. Another key set forgets it.
#[derive(Clone)]
struct VerifiedToken {
    verified: Arc<VerifiedRequest>,
    keys: Arc<KeySet>,
}

impl RequestVerifier {
    pub(crate) fn new(policy: GatePolicy, state: Arc<GateState>, cached_tokens: usize) -> Self {
        Self { policy, state, cache: VerifiedCache::new(cached_tokens), used_proofs: UsedProofs::default() }
    }

    pub(crate) fn policy(&self) -> &GatePolicy {
        &self.policy
    }

    /// The decision about a request with this token, on a connection with this certificate.
    pub(crate) fn check(
        &self,
        token: &str,
        presented: Option<Thumbprint>,
        moment: CheckTime,
    ) -> Result<Arc<VerifiedRequest>, Refusal> {
        if presented.is_none() && self.policy.dpop_origins.is_empty() {
            return Err(Refusal::NoCertificate);
        }
        self.decide(token, moment, |verified| verified.is_bound_to(presented.as_ref()))
    }

    /// The decision about a request with a proof of the key that its token is bound to.
    pub(crate) fn check_proof(
        &self,
        request: &ProofRequest<'_>,
        moment: CheckTime,
    ) -> Result<Arc<VerifiedRequest>, Refusal> {
        let origins = &self.policy.dpop_origins;
        if origins.is_empty() {
            return Err(Refusal::TokenMissing);
        }
        self.decide(request.token, moment, |verified| {
            let bound = &verified.claims().ok_or(Refusal::TokenInvalid)?.cnf;
            request.check(bound, origins, (&self.used_proofs, verified.device()), moment.now)
        })
    }

    /// Only the signature and the claims that cannot change are remembered; time, binding and status
    /// are looked at every time.
    fn decide(
        &self,
        token: &str,
        moment: CheckTime,
        belongs: impl FnOnce(&VerifiedRequest) -> Result<(), Refusal>,
    ) -> Result<Arc<VerifiedRequest>, Refusal> {
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
        belongs(&verified)?;
        self.standing(&verified)?;
        let has_scope = |wanted: &String| verified.claims().is_some_and(|claims| claims.has_scope(wanted));
        if !self.policy.scopes.iter().all(has_scope) {
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
        refused(denials.denial_within(Some(verified.tenant()), verified.device(), verified.thumbprint()))?;
        verified.ended_by(&denials)
    }

    /// Whether the feed denies a device or its certificate, whoever uses it.
    pub(crate) fn standing_of_device(
        &self,
        device: &DeviceId,
        certificate: &Thumbprint,
    ) -> Result<(), Refusal> {
        refused(self.state.denials.load().denial(device, certificate))
    }

    pub(crate) fn fresh(&self, moment: CheckTime) -> Result<(), Refusal> {
        match self.state.age(moment) {
            Some(age) if age <= self.policy.max_staleness => Ok(()),
            _ => Err(Refusal::GateStale),
        }
    }

    /// The payload of a text of this type that a key of the issuer signed.
    pub(crate) fn signed(&self, keys: &KeySet, text: &str, typ: &str) -> Result<Vec<u8>, JwsError> {
        keys.verify(text, typ).inspect_err(|error| {
            if *error == JwsError::UnknownKey {
                self.state.keys_wanted.notify_one();
            }
        })
    }

    fn verify(&self, keys: &KeySet, token: &str) -> Result<VerifiedRequest, Refusal> {
        let payload = self.signed(keys, token, ACCESS_TOKEN).map_err(|_| Refusal::TokenInvalid)?;
        let verified = VerifiedRequest::parse(&payload).ok_or(Refusal::TokenInvalid)?;
        self.expect(verified.claims().ok_or(Refusal::TokenInvalid)?)?;
        Ok(verified)
    }

    fn takes(&self, bound: &Confirmation) -> bool {
        bound.key().is_none() || !self.policy.dpop_origins.is_empty()
    }

    fn expect(&self, claims: &AccessClaims) -> Result<(), Refusal> {
        if claims.iss != self.policy.issuer {
            Err(Refusal::TokenOfAnotherIssuer)
        } else if claims.aud != self.policy.audience {
            Err(Refusal::TokenForAnother)
        } else if claims.names_its_device() && self.takes(&claims.cnf) {
            Ok(())
        } else {
            Err(Refusal::TokenInvalid)
        }
    }
}

fn refused(denial: Option<Denial>) -> Result<(), Refusal> {
    Err(match denial {
        None => return Ok(()),
        Some(Denial::Revoked) => Refusal::CertificateRevoked,
        Some(Denial::Suspended) => Refusal::DeviceSuspended,
        Some(Denial::Retired) => Refusal::CertificateRetired,
    })
}

#[cfg(test)]
pub(crate) mod tests;
