//! Signed requests: the flattened JSON form of a JWS (RFC 7515 section 7.2.2) with the headers that RFC 8555 section 6.2
//! asks for.

use super::jwk::{ALGORITHMS, AcmeJwk};
use super::problem::{AcmeError, AcmeResult};
use ring::hmac;
use serde::Deserialize;
use serde_json::Value;
use tegata_core::Refusal;
use tegata_core::encoding::from_base64url;
use tegata_core::jws::present;

/// A JWS as it travels. An unprotected header, or several signatures, do not fit.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenJws {
    protected: String,
    payload: String,
    signature: String,
}

/// The protected header of a request (RFC 8555 section 6.2).
#[derive(Deserialize)]
struct AcmeHeader {
    alg: String,
    nonce: Option<String>,
    url: String,
    jwk: Option<Value>,
    kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
    #[serde(default, deserialize_with = "present")]
    b64: bool,
}

/// A JWS that was taken apart; whether its signature holds was not asked yet.
pub(super) struct AcmeJws {
    header: AcmeHeader,
    pub(super) payload: Vec<u8>,
    signed: Vec<u8>,
    signature: Vec<u8>,
}

/// Who says to have signed.
pub(super) enum ClaimedSigner<'a> {
    /// A key that comes along.
    Key(AcmeJwk),
    /// An account, by its URL, or the identifier of a MAC key.
    Known(&'a str),
}

impl AcmeJws {
    /// From the bytes of a body.
    pub(super) fn parse(body: &[u8]) -> AcmeResult<Self> {
        let written = serde_json::from_slice(body).map_err(|_| NOT_A_JWS)?;
        Self::take_apart(&written)
    }

    /// From JSON within JSON.
    pub(super) fn parse_value(value: &Value) -> AcmeResult<Self> {
        Self::take_apart(&WrittenJws::deserialize(value).map_err(|_| NOT_A_JWS)?)
    }

    /// The URL it was signed for.
    pub(super) fn url(&self) -> &str {
        &self.header.url
    }

    /// The nonce it was signed with, where one is needed.
    pub(super) fn nonce(&self) -> Option<&str> {
        self.header.nonce.as_deref()
    }

    /// Who says to have signed it: exactly one of key and name.
    pub(super) fn claimed(&self) -> AcmeResult<ClaimedSigner<'_>> {
        match (&self.header.jwk, &self.header.kid) {
            (Some(jwk), None) => Ok(ClaimedSigner::Key(AcmeJwk::parse(jwk)?)),
            (None, Some(kid)) => Ok(ClaimedSigner::Known(kid)),
            _ => Err(AcmeError::malformed("a request names its key by jwk or by kid")),
        }
    }

    /// That it is signed by an algorithm that is taken: said before anything about the key, which a client could not
    /// mend (RFC 8555 section 6.2).
    pub(super) fn check_algorithm(&self) -> AcmeResult<()> {
        if ALGORITHMS.contains(&self.header.alg.as_str()) {
            Ok(())
        } else {
            Err(AcmeError::bad_algorithm("sign by one of the algorithms in this answer", &ALGORITHMS))
        }
    }

    /// Its payload, if this key has signed it.
    pub(super) fn verify(self, key: &AcmeJwk) -> AcmeResult<Vec<u8>> {
        key.verify(&self.header.alg, &self.signed, &self.signature)?;
        Ok(self.payload)
    }

    /// Its payload, if this secret has authenticated it by HS256.
    pub(super) fn verify_mac(self, key: &hmac::Key) -> AcmeResult<Vec<u8>> {
        if self.header.alg != "HS256" {
            return Err(AcmeError::bad_algorithm("a binding is authenticated by HS256", &["HS256"]));
        }
        hmac::verify(key, &self.signed, &self.signature).map_err(|_| Refusal::AcmeNotBound)?;
        Ok(self.payload)
    }

    fn take_apart(written: &WrittenJws) -> AcmeResult<Self> {
        let decode = |part: &str| from_base64url(part).ok_or(NOT_A_JWS);
        let header: AcmeHeader =
            serde_json::from_slice(&decode(&written.protected)?).map_err(|_| NOT_A_JWS)?;
        if header.crit || header.b64 {
            return Err(AcmeError::malformed("no extension of JWS is understood"));
        }
        Ok(Self {
            header,
            payload: decode(&written.payload)?,
            signature: decode(&written.signature)?,
            signed: format!("{}.{}", written.protected, written.payload).into_bytes(),
        })
    }
}

const NOT_A_JWS: AcmeError = AcmeError::malformed("not a JWS in its flattened JSON form with alg and url");
