//! Accounts (RFC 8555 section 7.3).

use super::AcmeServer;
use super::binding::verification;
use super::jwk::AcmeJwk;
use super::jws::{AcmeJws, ClaimedSigner};
use super::problem::{AcmeError, AcmeResult};
use super::request::{AcmeSigner, SignedAcmeRequest};
use super::server::ServingAcme;
use axum::Json;
use axum::extract::{Path, Request};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tegata_core::encoding::base64url;
use tegata_core::{AcmeAccountId, InvitationId, Refusal};
use tegata_storage::{AcmeAccount, LedgerError, NewAcmeAccount};

/// Orders that a list names at most.
const LISTED: u32 = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewAccountRequest {
    #[serde(default)]
    only_return_existing: bool,
    external_account_binding: Option<Value>,
}

#[derive(Deserialize)]
struct AccountUpdate {
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyChangeRequest {
    account: String,
    old_key: Value,
}

/// An account object. Contacts are persons' data that nobody here needs: they are not kept.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AccountObject {
    status: &'static str,
    orders: String,
    /// The external account binding, byte for byte as the client sent it (RFC 8555 section 7.3.4).
    #[serde(skip_serializing_if = "Option::is_none")]
    external_account_binding: Option<Value>,
}

/// For whoever is invited: bound by the invitation's key.
pub(super) async fn new(ServingAcme(acme): ServingAcme, request: Request) -> AcmeResult<Response> {
    let signed = acme.signed(request).await?;
    register(&acme, &signed, true).await
}

/// For devices that cannot be bound, and show an invitation with each order instead.
pub(super) async fn new_unbound(ServingAcme(acme): ServingAcme, request: Request) -> AcmeResult<Response> {
    let signed = acme.signed(request).await?;
    register(&acme, &signed, false).await
}

/// The account itself: read, or closed for ever.
pub(super) async fn account(
    ServingAcme(acme): ServingAcme,
    Path(id): Path<String>,
    request: Request,
) -> AcmeResult<Response> {
    let signed = acme.signed(request).await?;
    let account = own(&signed, &id)?;
    let wanted = if signed.is_empty() { None } else { signed.json::<AccountUpdate>()?.status };
    match wanted.as_deref() {
        None | Some("valid") => Ok(Json(acme.shown(account)).into_response()),
        Some("deactivated") if !account.is_stored => Err(NOTHING_KEPT),
        Some("deactivated") => {
            let ledger = &acme.service.context.ledger;
            let mut transaction = ledger.begin(acme.now()).await?;
            transaction.close_acme_account(account).await?;
            transaction.commit().await?;
            let closed = AcmeAccount { is_valid: false, ..account.clone() };
            Ok(Json(acme.shown(&closed)).into_response())
        }
        Some(_) => Err(AcmeError::malformed("an account can be deactivated, nothing else")),
    }
}

/// The newest orders of an account.
pub(super) async fn orders(
    ServingAcme(acme): ServingAcme,
    Path(id): Path<String>,
    request: Request,
) -> AcmeResult<Response> {
    let signed = acme.signed(request).await?;
    signed.nothing()?;
    let account = own(&signed, &id)?;
    let orders = acme.service.context.ledger.acme_orders_of(&account.id, LISTED).await?;
    let urls: Vec<_> = orders.iter().map(|id| acme.url(&format!("/acme/order/{id}"))).collect();
    Ok(Json(serde_json::json!({ "orders": urls })).into_response())
}

/// Another key for the account (RFC 8555 section 7.3.5): asked for with the old one, agreed to by the new one.
pub(super) async fn change_key(ServingAcme(acme): ServingAcme, request: Request) -> AcmeResult<Response> {
    let signed = acme.signed(request).await?;
    let account = signed.account()?;
    if !account.is_stored {
        return Err(NOTHING_KEPT);
    }
    let inner = AcmeJws::parse_value(&signed.json()?)?;
    if inner.url() != signed.url || inner.nonce().is_some() {
        return Err(AcmeError::malformed("the inner JWS has the URL of the outer one, and no nonce"));
    }
    let ClaimedSigner::Key(key) = inner.claimed()? else {
        return Err(AcmeError::malformed("the inner JWS names the new key by jwk"));
    };
    let payload = inner.verify(&key)?;
    let change: KeyChangeRequest = serde_json::from_slice(&payload)
        .map_err(|_| AcmeError::malformed("the inner payload names account and oldKey"))?;
    let old = AcmeJwk::parse(&change.old_key)?;
    if change.account != acme.account_url(&account.id) || old.thumbprint() != account.thumbprint {
        return Err(AcmeError::malformed("the inner payload is about another account or key"));
    }
    let ledger = &acme.service.context.ledger;
    let mut transaction = ledger.begin(acme.now()).await?;
    let changed = transaction.change_acme_key(account, &key.thumbprint(), &key.canonical()).await;
    match changed {
        Ok(()) => transaction.commit().await?,
        Err(LedgerError::Refused(Refusal::AcmeKeyTaken)) => {
            drop(transaction);
            return taken(&acme, &key.thumbprint()).await;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Json(acme.shown(account)).into_response())
}

/// Of an account in name only.
const NOTHING_KEPT: AcmeError = AcmeError::malformed(
    "nothing is kept of an account without orders: forget its key, or make a new account",
);

impl AcmeServer {
    pub(super) fn account_url(&self, id: &AcmeAccountId) -> String {
        self.url(&format!("/acme/account/{id}"))
    }

    /// The URL of an account that the ledger does not have: it says the key by which its requests are verified.
    fn url_in_name(&self, account: &AcmeAccount) -> String {
        format!("{}.{}", self.account_url(&account.id), base64url(account.jwk.as_bytes()))
    }

    fn shown(&self, account: &AcmeAccount) -> AccountObject {
        let status = if account.is_valid { "valid" } else { "deactivated" };
        let binding = account.binding.as_deref().and_then(|binding| serde_json::from_str(binding).ok());
        AccountObject {
            status,
            orders: format!("{}/orders", self.account_url(&account.id)),
            external_account_binding: binding,
        }
    }
}

async fn register(
    acme: &AcmeServer,
    signed: &SignedAcmeRequest,
    must_be_bound: bool,
) -> AcmeResult<Response> {
    let AcmeSigner::Key(key) = &signed.signer else {
        return Err(AcmeError::malformed("a new account names its key by jwk"));
    };
    let new: NewAccountRequest = signed.json()?;
    let ledger = &acme.service.context.ledger;
    if let Some(account) = ledger.acme_account_of(&key.thumbprint()).await? {
        return existing(acme, &account);
    }
    if new.only_return_existing {
        return Err(Refusal::AcmeAccountUnknown.into());
    }
    let binding = new.external_account_binding;
    let invitation = match (&binding, must_be_bound) {
        (Some(binding), true) => bound_to(acme, binding, key, &signed.url).await?,
        (None, true) => return Err(Refusal::AcmeNotBound.into()),
        (Some(_), false) => return Err(AcmeError::malformed("this directory takes no binding")),
        (None, false) => {
            let account = acme.account_in_name(key).await?;
            let location = [(LOCATION, acme.url_in_name(&account))];
            return Ok((StatusCode::CREATED, location, Json(acme.shown(&account))).into_response());
        }
    };
    acme.use_up(signed.nonce).await?;
    let id = AcmeAccountId::random(acme.service.context.entropy.as_ref());
    let new = NewAcmeAccount {
        id,
        thumbprint: key.thumbprint(),
        jwk: key.canonical(),
        invitation: Some(invitation),
        binding: binding.map(|binding| binding.to_string()),
    };
    let mut transaction = ledger.begin(acme.now()).await?;
    let added = transaction.add_acme_account(&new).await;
    if matches!(added, Err(LedgerError::Refused(Refusal::AcmeKeyTaken))) {
        drop(transaction);
        let account = ledger.acme_account_of(&new.thumbprint).await?.ok_or(Refusal::Unavailable)?;
        return existing(acme, &account);
    }
    added?;
    transaction.commit().await?;
    let account = ledger.acme_account(&new.id).await?.ok_or(Refusal::Internal)?;
    let location = [(LOCATION, acme.account_url(&account.id))];
    Ok((StatusCode::CREATED, location, Json(acme.shown(&account))).into_response())
}

/// The invitation of a binding: made with its key, for this account's key and this URL. An unknown invitation and a wrong
/// key are one and the same to whoever guesses.
async fn bound_to(acme: &AcmeServer, binding: &Value, key: &AcmeJwk, url: &str) -> AcmeResult<InvitationId> {
    let jws = AcmeJws::parse_value(binding)?;
    if jws.url() != url || jws.nonce().is_some() {
        return Err(AcmeError::malformed("the binding has the URL of the request, and no nonce"));
    }
    let ClaimedSigner::Known(kid) = jws.claimed()? else {
        return Err(AcmeError::malformed("the binding names its key by kid"));
    };
    let invitation = InvitationId::parse(kid).ok_or(Refusal::AcmeNotBound)?;
    let secret = acme.service.opening.secret().await?;
    let payload = jws.verify_mac(&verification(&secret, &invitation))?;
    let bound = serde_json::from_slice(&payload).map_err(|_| Refusal::AcmeNotBound)?;
    if AcmeJwk::parse(&bound)?.thumbprint() != key.thumbprint() {
        return Err(AcmeError::malformed("the binding is for another key"));
    }
    let found = acme.service.context.ledger.invitation(&invitation).await?.ok_or(Refusal::AcmeNotBound)?;
    found.admits(None, acme.now())?;
    Ok(invitation)
}

fn existing(acme: &AcmeServer, account: &AcmeAccount) -> AcmeResult<Response> {
    if !account.is_valid {
        return Err(Refusal::AcmeAccountClosed.into());
    }
    let location = [(LOCATION, acme.account_url(&account.id))];
    Ok((StatusCode::OK, location, Json(acme.shown(account))).into_response())
}

async fn taken(acme: &AcmeServer, thumbprint: &str) -> AcmeResult<Response> {
    let other = acme.service.context.ledger.acme_account_of(thumbprint).await?;
    let location = other.map(|other| [(LOCATION, acme.account_url(&other.id))]);
    Ok((location, AcmeError::from(Refusal::AcmeKeyTaken)).into_response())
}

/// The account that has signed, which must be the one at this URL.
fn own<'a>(signed: &'a SignedAcmeRequest, id: &str) -> AcmeResult<&'a AcmeAccount> {
    let account = signed.account()?;
    let id = id.split_once('.').map_or(id, |(id, _)| id);
    if account.id.as_str() == id { Ok(account) } else { Err(AcmeError::not_found()) }
}
