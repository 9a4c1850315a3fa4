//! Proofs that whoever sends a request has the key that a token is bound to (DPoP, RFC 9449).
//!
//! A proof is a signed text of a few hundred bytes in the header `DPoP` of one request: it brings its public key along, names
//! the method and the address of the request, says when it was made, and has a name that is used once. Reading it believes
//! nothing but the signature; [`DpopProof::check`] compares it with the request, and [`UsedProofs`] takes it once.

mod key;
mod used;

use crate::Refusal;
use crate::encoding::base64url;
use crate::jws::{Jwk, JwkError, JwsError, JwsParts, SigningKey, decode, is_type, present};
use crate::thumbprint::{JwkThumbprint, Thumbprint};
use crate::timestamp::{CLOCKS_APART, Timestamp};
use crate::url::{HttpOrigin, HttpUrl};
use key::{ProofJwk, ProofKey};
use serde::Deserialize;
use std::borrow::Cow;
use std::time::Duration;

pub use used::UsedProofs;

/// The header that carries a proof, and the scheme of tokens that need one.
pub const DPOP: &str = "dpop";

/// The header by which a server says which nonce the next proof is to repeat (section 8).
pub const DPOP_NONCE: &str = "dpop-nonce";

/// The algorithms that proofs may be signed with, as metadata and challenges name them. `Ed25519` is the newer name of what
/// `EdDSA` means here (RFC 9864).
pub const ALGORITHMS: [&str; 3] = ["ES256", "EdDSA", "Ed25519"];

/// How old a proof may be. It may come from a clock that is [`CLOCKS_APART`] ahead.
pub const PROOF_LIFETIME: Duration = Duration::from_mins(1);

/// The `typ` of a proof (section 4.2).
const PROOF: &str = "dpop+jwt";

/// The longest proof that is looked at, in bytes.
const LONGEST: usize = 4096;

/// A name or a nonce beyond this is none.
const LONGEST_NAME: usize = 256;

/// Why a proof does not hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProofError {
    /// Not three parts of base64url, a header or claims that are not those of section 4.2, or too long.
    Malformed,
    /// `typ` is another than that of proofs.
    Type,
    /// `alg` is none of [`ALGORITHMS`], or `crit` names an extension.
    Algorithm,
    /// The key is private, symmetric, for another purpose, or not for this algorithm.
    Key,
    /// The signature does not hold.
    Signature,
    /// `htm` is another method.
    Method,
    /// `htu` is another address.
    Address,
    /// `iat` is too long ago, or too far ahead.
    Time,
    /// `ath` is missing, or of another token.
    Token,
    /// It was used before.
    Used,
    /// More proofs of one holder, or in all, than are told apart.
    TooMany,
}

impl ProofError {
    /// What is wrong, in the characters of an `error_description` (RFC 6749 section 5.2).
    pub const fn fault(self) -> &'static str {
        match self {
            Self::Malformed => "The DPoP proof is no JWT with jwk, jti, htm, htu and iat",
            Self::Type => "typ of the DPoP proof is not dpop+jwt",
            Self::Algorithm => "The DPoP proof is signed with none of ES256, EdDSA and Ed25519",
            Self::Key => "jwk of the DPoP proof is no public key for its alg",
            Self::Signature => "The signature of the DPoP proof does not hold",
            Self::Method => "htm of the DPoP proof is not the method of the request",
            Self::Address => "htu of the DPoP proof is not the address of the request",
            Self::Time => "iat of the DPoP proof is not now: make one for each request, and check the clock",
            Self::Token => "ath of the DPoP proof is not the hash of the access token",
            Self::Used => "The DPoP proof was used before: make one for each request",
            Self::TooMany => "Too many DPoP proofs in a minute: try again shortly",
        }
    }

    /// How it is refused.
    pub const fn refusal(self) -> Refusal {
        match self {
            Self::TooMany => Refusal::TenantBusy,
            _ => Refusal::DpopProofInvalid,
        }
    }
}

/// A proof whose signature holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DpopProof {
    key: JwkThumbprint,
    claims: ProofClaims,
}

#[derive(Deserialize)]
struct ProofHeader {
    typ: Option<String>,
    alg: String,
    jwk: ProofJwk,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
struct ProofClaims {
    jti: String,
    htm: String,
    htu: String,
    iat: i64,
    ath: Option<String>,
    nonce: Option<String>,
}

/// The request that a proof has to be for.
#[derive(Clone, Copy, Debug)]
pub struct ProofTarget<'a> {
    /// Its method, in the letters of the request.
    pub method: &'a str,
    /// The origins under which clients reach it.
    pub origins: &'a [HttpOrigin],
    /// Its path as the client wrote it, without the query.
    pub path: &'a str,
    /// The access token that comes with it; none where tokens are asked for.
    pub access_token: Option<&'a str>,
}

impl DpopProof {
    /// Reads a proof, if its own key has signed it.
    ///
    /// # Errors
    /// [`ProofError`] says which check failed first.
    pub fn verify(text: &str) -> Result<Self, ProofError> {
        let parts = JwsParts::split(text, LONGEST).ok_or(ProofError::Malformed)?;
        let malformed = |_: JwsError| ProofError::Malformed;
        let header = decode(parts.header).map_err(malformed)?;
        let header: ProofHeader = serde_json::from_slice(&header).map_err(|_| ProofError::Malformed)?;
        if !header.typ.as_deref().is_some_and(|typ| is_type(typ, PROOF)) {
            return Err(ProofError::Type);
        }
        if header.crit || !ALGORITHMS.contains(&&*header.alg) {
            return Err(ProofError::Algorithm);
        }
        let key = ProofKey::read(&header.jwk, &header.alg).ok_or(ProofError::Key)?;
        let signature = decode(parts.signature).map_err(malformed)?;
        if !key.has_signed(parts.signed.as_bytes(), &signature) {
            return Err(ProofError::Signature);
        }
        let claims = decode(parts.payload).map_err(malformed)?;
        let claims: ProofClaims = serde_json::from_slice(&claims).map_err(|_| ProofError::Malformed)?;
        let is_name = |text: &str| (1..=LONGEST_NAME).contains(&text.len());
        let is_sound = is_name(&claims.jti) && claims.nonce.as_deref().is_none_or(is_name);
        if is_sound { Ok(Self { key: key.thumbprint(), claims }) } else { Err(ProofError::Malformed) }
    }

    /// The key that has signed it.
    pub const fn key(&self) -> &JwkThumbprint {
        &self.key
    }

    /// The nonce of a server that it repeats.
    pub fn nonce(&self) -> Option<&str> {
        self.claims.nonce.as_deref()
    }

    /// Whether it was made for this request, lately. Whether it came before is for [`UsedProofs`] to say.
    ///
    /// # Errors
    /// [`ProofError`] says what is another's.
    pub fn check(&self, target: &ProofTarget<'_>, now: Timestamp) -> Result<(), ProofError> {
        if self.claims.htm != target.method {
            return Err(ProofError::Method);
        }
        if !self.is_at(target) {
            return Err(ProofError::Address);
        }
        let made = Timestamp::from_seconds(self.claims.iat);
        if made > now.plus(CLOCKS_APART) || made.plus(PROOF_LIFETIME) < now {
            return Err(ProofError::Time);
        }
        match target.access_token {
            Some(token) if self.claims.ath.as_deref() != Some(&*hash_of(token)) => Err(ProofError::Token),
            _ => Ok(()),
        }
    }

    /// Section 4.3: without query and fragment, and each address in the one form that RFC 3986 sections 6.2.2 and 6.2.3 bring
    /// it to. `.` and `..` are not resolved: whoever sends them has to have written them into the proof.
    fn is_at(&self, target: &ProofTarget<'_>) -> bool {
        let text = &*self.claims.htu;
        let Ok(url) = HttpUrl::parse(&text[..text.find(['?', '#']).unwrap_or(text.len())]) else {
            return false;
        };
        target.origins.contains(url.origin()) && normalized(url.path()) == normalized(target.path)
    }
}

/// A proof as a client makes it: these claims, signed by its key.
///
/// # Errors
/// [`JwkError`] when the operating system yields no randomness.
pub fn proof_by(key: &SigningKey, claims: &[u8]) -> Result<String, JwkError> {
    let Jwk { x, y, .. } = key.public().jwk();
    let (x, y) = (x.unwrap_or_default(), y.unwrap_or_default());
    let jwk = format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#);
    key.sign_under(&format!(r#"{{"typ":"{PROOF}","alg":"ES256","jwk":{jwk}}}"#), claims)
}

/// What `ath` says of an access token (section 4.2).
pub fn hash_of(token: &str) -> String {
    base64url(Thumbprint::of(token.as_bytes()).as_bytes())
}

/// A path with a slash at least, escapes in capital letters, and none where the character may stand for itself.
fn normalized(path: &str) -> Cow<'_, str> {
    if path.is_empty() {
        return Cow::Borrowed("/");
    }
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut text = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        let escaped = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        rest = match escaped {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                text.push(char::from(byte));
                &after[2..]
            }
            Some(_) => {
                text.push('%');
                text.push_str(&after[..2].to_ascii_uppercase());
                &after[2..]
            }
            // No escape: it stays as it is, and equals only itself.
            None => {
                text.push('%');
                after
            }
        };
    }
    text.push_str(rest);
    Cow::Owned(text)
}

#[cfg(test)]
mod tests;
