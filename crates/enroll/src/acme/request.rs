//! Reading a signed request: who says what, fresh, and for this URL (RFC 8555 sections 6.2 to 6.5).

use super::Acme;
use super::jwk::Jwk;
use super::jws::{Claimed, Jws};
use super::problem::{AcmeError, Answer};
use axum::extract::Request;
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use tegata_core::{AcmeAccountId, Refusal};
use tegata_storage::AcmeAccount;
use tegata_web::body;

/// A request whose signature holds.
pub(super) struct Signed {
    pub(super) signer: Signer,
    /// Where it was sent.
    pub(super) url: String,
    payload: Vec<u8>,
}

/// Who has signed.
pub(super) enum Signer {
    /// An open account.
    Account(AcmeAccount),
    /// A key without an account, or one that does not say which.
    Key(Jwk),
}

impl Signed {
    /// What is said, as one JSON object. Members that are not known say nothing (RFC 8555 section 7.1).
    pub(super) fn json<T: DeserializeOwned>(&self) -> Answer<T> {
        serde_json::from_slice(&self.payload)
            .map_err(|_| AcmeError::malformed("the payload is not what belongs here"))
    }

    /// That nothing is said: a POST-as-GET (RFC 8555 section 6.3).
    pub(super) fn nothing(&self) -> Answer<()> {
        if self.is_empty() { Ok(()) } else { Err(AcmeError::malformed("the payload must be empty here")) }
    }

    /// Whether nothing is said.
    pub(super) fn is_empty(&self) -> bool {
        self.payload.is_empty()
    }

    /// The account; a bare key has no business here.
    pub(super) fn account(&self) -> Answer<&AcmeAccount> {
        match &self.signer {
            Signer::Account(account) => Ok(account),
            Signer::Key(_) => Err(AcmeError::malformed("this is for accounts: name yours by kid")),
        }
    }
}

impl Acme {
    /// Reads and verifies a request. Its nonce is used up whatever comes of it.
    pub(super) async fn signed(&self, request: Request) -> Answer<Signed> {
        let url = self.url(request.uri().path());
        if !is_jose(&request) {
            return Err(AcmeError::media_type());
        }
        let body = body::read(request.into_body(), body::LIMIT).await?;
        let jws = Jws::parse(&body)?;
        if !jws.nonce().is_some_and(|nonce| self.nonces.redeem(nonce)) {
            return Err(Refusal::AcmeNonce.into());
        }
        jws.check_algorithm()?;
        if jws.url() != url {
            return Err(AcmeError::malformed("it was signed for another URL").named("unauthorized"));
        }
        match jws.claimed()? {
            Claimed::Key(key) => Ok(Signed { payload: jws.verify(&key)?, signer: Signer::Key(key), url }),
            Claimed::Known(kid) => {
                let account = self.account_at(kid).await?;
                let payload = jws.verify(&key_of(&account)?)?;
                // Only its holder learns that an account was closed.
                if !account.is_valid {
                    return Err(Refusal::AcmeAccountClosed.into());
                }
                Ok(Signed { payload, signer: Signer::Account(account), url })
            }
        }
    }

    async fn account_at(&self, url: &str) -> Answer<AcmeAccount> {
        let id = url.strip_prefix(&self.url("/acme/account/")).and_then(AcmeAccountId::parse);
        let id = id.ok_or(Refusal::AcmeAccountUnknown)?;
        let account = self.desk.context.ledger.acme_account(&id).await?;
        Ok(account.ok_or(Refusal::AcmeAccountUnknown)?)
    }
}

/// The key of an account as the ledger keeps it.
pub(super) fn key_of(account: &AcmeAccount) -> Answer<Jwk> {
    let value = serde_json::from_str(&account.jwk).map_err(|_| Refusal::Internal)?;
    Jwk::parse(&value)
}

/// The media type of a request (RFC 8555 section 6.2).
pub(super) const JOSE: &str = "application/jose+json";

fn is_jose(request: &Request) -> bool {
    let media = request.headers().get(CONTENT_TYPE).and_then(|media| media.to_str().ok());
    let essence = media.and_then(|media| media.split(';').next()).map(str::trim);
    essence.is_some_and(|essence| essence.eq_ignore_ascii_case(JOSE))
}
