//! Requests whose token is bound to a key (DPoP, RFC 9449), for clients whose certificate does not arrive here: behind a proxy
//! that ends TLS and passes none on.
//!
//! The platform gives such a token to a client of an enrolled device alone, which shows the device's certificate each time, and
//! the token says which; so what is denied of device, certificate and session is denied here too, and within minutes nothing is
//! left of a key that was taken away. A gate takes none unless its configuration says under which origins.

use crate::bearer::www_authenticate;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use tegata_core::claims::Confirmation;
use tegata_core::dpop::{ALGORITHMS, DPOP, DpopProof, ProofError, ProofTarget, UsedProofs};
use tegata_core::{DeviceId, HttpOrigin, Language, Refusal, Timestamp};

const PROOF: HeaderName = HeaderName::from_static(DPOP);

/// Method and path of a request in the letters of its client: what a proof has to name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestLine<'a> {
    /// The method, in capital letters as a rule.
    pub method: &'a str,
    /// The path without the query.
    pub path: &'a str,
}

/// What a request that came unchanged asks for.
pub(crate) fn line_of<B>(request: &Request<B>) -> RequestLine<'_> {
    RequestLine { method: request.method().as_str(), path: request.uri().path() }
}

/// A request with a token that is bound to a key.
#[derive(Clone, Copy)]
pub(crate) struct ProofRequest<'a> {
    pub(crate) token: &'a str,
    pub(crate) headers: &'a HeaderMap,
    /// None where nobody says for sure what the client asked for.
    pub(crate) line: Option<RequestLine<'a>>,
}

impl ProofRequest<'_> {
    /// Whether a proof of the token's key is there, made for this request at one of these origins, and not used before. The
    /// token is a good one, so nobody fills the memory of used proofs who has none, and no device more than its part.
    ///
    /// # Errors
    /// [`Refusal::DpopProofInvalid`], or [`Refusal::TenantBusy`] for too many.
    pub(crate) fn check(
        &self,
        bound: &Confirmation,
        origins: &[HttpOrigin],
        used: (&UsedProofs, &DeviceId),
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let (key, line) = bound.key().zip(self.line).ok_or(Refusal::DpopProofInvalid)?;
        let proof = self.proof().ok_or(Refusal::DpopProofInvalid)?;
        let RequestLine { method, path } = line;
        let target = ProofTarget { method, origins, path, access_token: Some(self.token) };
        proof.check(&target, now).map_err(ProofError::refusal)?;
        if proof.key() != key {
            return Err(Refusal::DpopProofInvalid);
        }
        let (used, holder) = used;
        used.take(&proof, holder.as_str(), now).map_err(ProofError::refusal)
    }

    /// The one proof that came along.
    fn proof(&self) -> Option<DpopProof> {
        let mut values = self.headers.get_all(PROOF).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        DpopProof::verify(value.to_str().ok()?).ok()
    }
}

/// Says in the answer to whom is refused that a token with a proof is taken here (RFC 9449 section 7.1): beside the challenge for
/// other tokens where there was none, and in its place where `by_key` there was such a one.
pub(crate) fn challenge(refusal: Refusal, by_key: bool, headers: &mut HeaderMap) {
    if www_authenticate(refusal).is_none() {
        return;
    }
    let algorithms = ALGORITHMS.join(" ");
    let error = match refusal {
        Refusal::TokenMissing | Refusal::SessionMissing => {
            if let Ok(challenge) = HeaderValue::try_from(format!(r#"DPoP algs="{algorithms}""#)) {
                headers.append(WWW_AUTHENTICATE, challenge);
            }
            return;
        }
        Refusal::DpopProofInvalid => "invalid_dpop_proof",
        Refusal::ScopeInsufficient if by_key => "insufficient_scope",
        _ if by_key => "invalid_token",
        _ => return,
    };
    let (code, title) = (refusal.code(), refusal.title(Language::En));
    let challenge =
        format!(r#"DPoP error="{error}", error_description="{code} {title}", algs="{algorithms}""#);
    if let Ok(challenge) = HeaderValue::try_from(challenge) {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
}

#[cfg(test)]
mod tests;
