//! Proofs of a client's own key at the endpoints (DPoP, RFC 9449), for tokens that are bound to that key.
//!
//! A proof stands beside the certificate and never in its place: whoever asks for tokens authenticates as every client does,
//! a page by the certificate of its device. What the key changes is where the access token may be used: also where no
//! certificate arrives, at gates that take such tokens.

mod nonces;

use crate::error::OAuthError;
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};
use nonces::ProofNonces;
use tegata_core::dpop::{DPOP, DPOP_NONCE, DpopProof, ProofError, ProofTarget, UsedProofs};
use tegata_core::{HttpOrigin, JwkThumbprint, Refusal, Timestamp};
use tegata_web::{InstallationSecretSource, OpenInstallationSecret};

pub(crate) const PROOF: HeaderName = HeaderName::from_static(DPOP);
const NONCE: HeaderName = HeaderName::from_static(DPOP_NONCE);

/// What proofs are compared with, and which of them were used.
pub(crate) struct DpopVerifier {
    /// The origin of the device listener; none where its address is no origin, and then no proof holds.
    origins: Vec<HttpOrigin>,
    nonces: ProofNonces,
    used: UsedProofs,
}

/// The proof that a request carries, before anybody looked at it.
pub(crate) enum SentProof {
    None,
    One(HeaderValue),
    Several,
}

/// A request with an access token, for which a proof has to be made.
pub(crate) struct ProofOfToken<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) text: &'a str,
    /// Whose it is: a device, or a client that has none.
    pub(crate) holder: &'a str,
}

impl SentProof {
    /// The one in these headers, which stays there.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(PROOF).iter();
        match (values.next(), values.next()) {
            (None, _) => Self::None,
            (Some(value), None) => Self::One(value.clone()),
            _ => Self::Several,
        }
    }

    /// Takes it out of the headers.
    pub(crate) fn take(headers: &mut HeaderMap) -> Self {
        let sent = Self::of(headers);
        headers.remove(PROOF);
        sent
    }

    /// The proof, if it has been signed by its own key.
    pub(crate) fn read(&self) -> Result<Option<DpopProof>, OAuthError> {
        let text = match self {
            Self::None => return Ok(None),
            Self::Several => {
                return Err(OAuthError::invalid_dpop_proof("There is more than one DPoP header"));
            }
            Self::One(value) => value.to_str().map_err(|_| fault_of(ProofError::Malformed))?,
        };
        DpopProof::verify(text).map(Some).map_err(fault_of)
    }
}

impl DpopVerifier {
    pub(crate) fn new(device: &str, secret: OpenInstallationSecret) -> Self {
        Self {
            origins: HttpOrigin::parse(device).into_iter().collect(),
            nonces: ProofNonces::new(InstallationSecretSource::new(secret)),
            used: UsedProofs::default(),
        }
    }

    /// The key of a proof that was made for this request, with a nonce of ours, and is used here for the first time.
    pub(crate) async fn prove(
        &self,
        proof: &DpopProof,
        (method, path): (&str, &str),
        holder: &str,
        now: Timestamp,
    ) -> Result<JwkThumbprint, OAuthError> {
        let target = ProofTarget { method, origins: &self.origins, path, access_token: None };
        proof.check(&target, now).map_err(fault_of)?;
        // Fresh by our own clock, so that nobody makes proofs in advance (section 11.2).
        let is_fresh = match proof.nonce() {
            Some(nonce) => self.nonces.is_fresh(nonce, now).await?,
            None => false,
        };
        if !is_fresh {
            return Err(OAuthError::use_dpop_nonce());
        }
        self.used.take(proof, holder, now).map_err(fault_of)?;
        Ok(*proof.key())
    }

    /// Whether a proof that comes with an access token is of the key that the token is bound to. The hash of the token in the
    /// proof stands for the nonce: such a proof is good for as long as its token at most.
    pub(crate) fn prove_with_token(
        &self,
        sent: &SentProof,
        key: &JwkThumbprint,
        ProofOfToken { method, path, text, holder }: ProofOfToken<'_>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let proof = sent.read().ok().flatten().ok_or(Refusal::DpopProofInvalid)?;
        let target = ProofTarget { method, origins: &self.origins, path, access_token: Some(text) };
        proof.check(&target, now).map_err(ProofError::refusal)?;
        if proof.key() != key {
            return Err(Refusal::DpopProofInvalid);
        }
        self.used.take(&proof, holder, now).map_err(ProofError::refusal)
    }

    /// Whether the answer to a request says which nonce the next proof is to repeat.
    pub(crate) fn is_about_proofs(request: &Request) -> bool {
        request.headers().contains_key(PROOF)
    }

    /// An answer with the nonce for the next proof.
    pub(crate) async fn with_nonce(&self, mut answer: Response, now: Timestamp) -> Response {
        if let Ok(nonce) = self.nonces.issue(now).await
            && let Ok(nonce) = HeaderValue::try_from(nonce)
        {
            answer.headers_mut().insert(NONCE, nonce);
        }
        answer
    }
}

/// What is wrong with a proof, as the protocol tells it (section 5).
fn fault_of(error: ProofError) -> OAuthError {
    match error {
        ProofError::TooMany => Refusal::TenantBusy.into(),
        other => OAuthError::invalid_dpop_proof(other.fault()),
    }
}
