//! Reading a signed request: who says what, fresh, and for this URL (RFC 8555 sections 6.2 to 6.5).

use super::AcmeServer;
use super::jwk::AcmeJwk;
use super::jws::{AcmeJws, ClaimedSigner};
use super::nonce::Nonce;
use super::problem::{AcmeError, AcmeResult, JOSE};
use axum::extract::Request;
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use tegata_core::encoding::{base32, from_base64url};
use tegata_core::{AcmeAccountId, Refusal};
use tegata_storage::AcmeAccount;
use tegata_web::body;

/// A request whose signature holds.
pub(super) struct SignedAcmeRequest {
    pub(super) signer: AcmeSigner,
    /// Where it was sent.
    pub(super) url: String,
    /// What it was signed with.
    pub(super) nonce: Nonce,
    payload: Vec<u8>,
}

/// The signer of a request, as its header names it.
pub(super) enum AcmeSigner {
    /// An account that is valid.
    Account(AcmeAccount),
    /// A key without an account, or one that does not say which.
    Key(AcmeJwk),
}

impl SignedAcmeRequest {
    /// The payload as a JSON object. Members that are not known say nothing (RFC 8555 section 7.1).
    pub(super) fn json<T: DeserializeOwned>(&self) -> AcmeResult<T> {
        serde_json::from_slice(&self.payload)
            .map_err(|_| AcmeError::malformed("the payload is not what belongs here"))
    }

    /// Checks that the payload is empty: a POST-as-GET (RFC 8555 section 6.3).
    pub(super) fn nothing(&self) -> AcmeResult<()> {
        if self.is_empty() { Ok(()) } else { Err(AcmeError::malformed("the payload must be empty here")) }
    }

    /// Whether the payload is empty.
    pub(super) fn is_empty(&self) -> bool {
        self.payload.is_empty()
    }

    /// The account; a bare key has no business here.
    pub(super) fn account(&self) -> AcmeResult<&AcmeAccount> {
        match &self.signer {
            AcmeSigner::Account(account) => Ok(account),
            AcmeSigner::Key(_) => Err(AcmeError::malformed("this is for accounts: name yours by kid")),
        }
    }
}

impl AcmeServer {
    /// Reads a request by an account that says nothing but who asks.
    pub(super) async fn as_get(&self, request: Request) -> AcmeResult<()> {
        let signed = self.signed(request).await?;
        signed.account()?;
        signed.nothing()
    }

    /// Reads and verifies a request. Its nonce is used up whatever comes of it.
    pub(super) async fn signed(&self, request: Request) -> AcmeResult<SignedAcmeRequest> {
        let url = self.url(request.uri().path());
        if !is_jose(&request) {
            return Err(AcmeError::media_type());
        }
        let body = body::read(request.into_body(), body::LIMIT).await?;
        let jws = AcmeJws::parse(&body)?;
        let nonce = self.nonces.redeem(jws.nonce().unwrap_or_default(), self.now()).await?;
        let nonce = nonce.ok_or(Refusal::AcmeNonce)?;
        jws.check_algorithm()?;
        if jws.url() != url {
            return Err(AcmeError::malformed("it was signed for another URL").named("unauthorized"));
        }
        match jws.claimed()? {
            ClaimedSigner::Key(key) => {
                Ok(SignedAcmeRequest { payload: jws.verify(&key)?, signer: AcmeSigner::Key(key), url, nonce })
            }
            ClaimedSigner::Known(kid) => {
                let account = self.account_at(kid).await?;
                let payload = jws.verify(&key_of(&account)?)?;
                // Only its holder learns that an account was closed.
                if !account.is_valid {
                    return Err(Refusal::AcmeAccountClosed.into());
                }
                if account.is_stored {
                    self.use_up(nonce).await?;
                }
                Ok(SignedAcmeRequest { payload, signer: AcmeSigner::Account(account), url, nonce })
            }
        }
    }

    /// No server takes the nonce again. Called once it is certain that the request comes from somebody with a right: each is
    /// a row for a while.
    pub(super) async fn use_up(&self, nonce: Nonce) -> AcmeResult<()> {
        let is_first = self.service.context.ledger.group(nonce.used(self.now())).await?;
        if is_first { Ok(()) } else { Err(Refusal::AcmeNonce.into()) }
    }

    /// Whether the account at this URL is in the ledger or in name only.
    async fn account_at(&self, url: &str) -> AcmeResult<AcmeAccount> {
        let named = url.strip_prefix(&self.url("/acme/account/")).ok_or(Refusal::AcmeAccountUnknown)?;
        let (id, key) = named.split_once('.').map_or((named, None), |(id, key)| (id, Some(key)));
        let id = AcmeAccountId::parse(id).ok_or(Refusal::AcmeAccountUnknown)?;
        if let Some(account) = self.service.context.ledger.acme_account(&id).await? {
            return Ok(account);
        }
        let key = key.and_then(from_base64url).and_then(|key| serde_json::from_slice(&key).ok());
        let key = AcmeJwk::parse(&key.ok_or(Refusal::AcmeAccountUnknown)?)?;
        let account = self.account_in_name(&key).await?;
        if account.id == id { Ok(account) } else { Err(Refusal::AcmeAccountUnknown.into()) }
    }

    /// The account that a key has with nobody's invitation: every server finds the same one, and none remembers it.
    pub(super) async fn account_in_name(&self, key: &AcmeJwk) -> AcmeResult<AcmeAccount> {
        let secret = self.service.opening.secret().await?;
        let derived = secret.derived(&format!("account of {}", key.thumbprint()));
        let id = AcmeAccountId::parse(&base32(&derived.as_ref()[..16])).ok_or(Refusal::Internal)?;
        Ok(AcmeAccount {
            id,
            thumbprint: key.thumbprint(),
            jwk: key.canonical(),
            invitation: None,
            binding: None,
            is_valid: true,
            is_stored: false,
            created_at: self.now(),
            device: None,
        })
    }
}

/// The key of an account as the ledger keeps it.
pub(super) fn key_of(account: &AcmeAccount) -> AcmeResult<AcmeJwk> {
    let value = serde_json::from_str(&account.jwk).map_err(|_| Refusal::Internal)?;
    AcmeJwk::parse(&value)
}

fn is_jose(request: &Request) -> bool {
    let media = request.headers().get(CONTENT_TYPE).and_then(|media| media.to_str().ok());
    let essence = media.and_then(|media| media.split(';').next()).map(str::trim);
    essence.is_some_and(|essence| essence.eq_ignore_ascii_case(JOSE))
}
