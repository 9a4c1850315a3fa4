//! Orders (RFC 8555 section 7.4): one name, one invitation, one certificate.

use super::AcmeServer;
use super::binding::{identifier, seal, unseal};
use super::problem::{AcmeError, AcmeResult};
use super::request::{SignedAcmeRequest, key_of};
use super::server::ServingAcme;
use crate::enrollment_service::HandedOverCertificate;
use crate::shown_code::ShownCode;
use crate::ticket::{Ticket, TicketPurpose, TicketRight};
use crate::waiting::PAUSE;
use axum::Json;
use axum::extract::{Path, Request};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use tegata_ca::ParsedRequest;
use tegata_core::encoding::{base64, base64url, from_base64url};
use tegata_core::entropy::bytes;
use tegata_core::{AcmeOrderId, InvitationId, Refusal, Thumbprint, Timestamp};
use tegata_storage::{AcmeAccount, AcmeIdentifier, AcmeOrder, AcmeState, Actor, LedgerError, NewAcmeOrder};

/// How long an order waits for its client.
const LIFE: Duration = Duration::from_hours(24);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewOrderRequest {
    identifiers: Vec<OrderIdentifier>,
    not_before: Option<String>,
    not_after: Option<String>,
    replaces: Option<String>,
}

#[derive(Deserialize)]
struct FinalizeRequest {
    csr: String,
}

/// What a client calls itself.
#[derive(Serialize, Deserialize)]
pub(super) struct OrderIdentifier {
    r#type: String,
    value: String,
}

#[derive(Serialize)]
struct OrderObject {
    status: &'static str,
    expires: Timestamp,
    identifiers: [OrderIdentifier; 1],
    authorizations: [String; 1],
    finalize: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Value>,
}

pub(super) async fn new(ServingAcme(acme): ServingAcme, request: Request) -> AcmeResult<Response> {
    let signed = acme.signed(request).await?;
    let account = signed.account()?;
    let wanted: NewOrderRequest = signed.json()?;
    if wanted.not_before.is_some() || wanted.not_after.is_some() {
        return Err(AcmeError::malformed("how long a certificate lives is not for clients to choose"));
    }
    let [name] = &*wanted.identifiers else {
        return Err(AcmeError::from(Refusal::AcmeIdentifier));
    };
    let new = acme.ordered(account, name, wanted.replaces.as_deref()).await?;
    let actor = match account.actor() {
        Actor::Anonymous => Actor::Invitation(new.invitation.clone()),
        known => known,
    };
    let ledger = &acme.service.context.ledger;
    let mut transaction = ledger.begin(acme.now()).await?;
    if !account.is_stored {
        transaction.keep_acme_account(account).await?;
    }
    transaction.add_acme_order(&account.id, &new, &actor).await?;
    transaction.commit().await?;
    let order = ledger.acme_order(&new.id).await?.ok_or(Refusal::Internal)?;
    acme.show(StatusCode::CREATED, &order).await
}

pub(super) async fn order(
    ServingAcme(acme): ServingAcme,
    Path(id): Path<String>,
    request: Request,
) -> AcmeResult<Response> {
    let signed = acme.signed(request).await?;
    signed.nothing()?;
    let order = acme.own_order(&signed, &id).await?;
    let order = acme.gone_on(signed.account()?, order).await?;
    acme.show(StatusCode::OK, &order).await
}

/// A key for the order: what is issued for it, and for whom, the ledger knows. The same key may come again until the
/// order is valid.
pub(super) async fn finalize(
    ServingAcme(acme): ServingAcme,
    Path(id): Path<String>,
    request: Request,
) -> AcmeResult<Response> {
    let signed = acme.signed(request).await?;
    let order = acme.own_order(&signed, &id).await?;
    let account = signed.account()?;
    if acme.state(&order) != AcmeState::Ready {
        return Err(Refusal::AcmeOrderNotReady.into());
    }
    let csr = from_base64url(&signed.json::<FinalizeRequest>()?.csr).ok_or(Refusal::CsrMalformed)?;
    let request = ParsedRequest::parse(&csr)?;
    if key_of(account)?.is(request.public_key_info()) {
        return Err(AcmeError::from(Refusal::KeyReused));
    }
    if order.attested_key.as_ref().is_some_and(|attested| *attested != request.key_hash()) {
        return Err(AcmeError::from(Refusal::AcmeAttestation).named("badCSR"));
    }
    let order = match acme.issue(account, &order, &request).await {
        Err(AcmeError { refusal: Refusal::ApprovalPending, .. }) => acme.own_order(&signed, &id).await?,
        issued => issued?,
    };
    acme.show(StatusCode::OK, &order).await
}

/// The certificate with what is between it and the root.
pub(super) async fn certificate(
    ServingAcme(acme): ServingAcme,
    Path(id): Path<String>,
    request: Request,
) -> AcmeResult<Response> {
    let signed = acme.signed(request).await?;
    signed.nothing()?;
    let order = acme.own_order(&signed, &id).await?;
    let thumbprint = order.certificate.ok_or(AcmeError::not_found())?;
    let found = acme.service.context.ledger.find_certificates(thumbprint.as_bytes()).await?;
    let known = found.into_iter().find(|known| known.thumbprint() == Some(thumbprint));
    let known = known.ok_or(Refusal::Internal)?;
    let authority = acme.service.authorities.get(&known.issuer).ok_or(Refusal::NoIssuer)?;
    let chain = [known.der.unwrap_or_default(), authority.issuer().certificate().to_vec()];
    let text: String = chain.iter().map(|der| pem(der)).collect();
    Ok(([(CONTENT_TYPE, "application/pem-certificate-chain")], text).into_response())
}

impl AcmeServer {
    /// The order at a URL, if it is the signer's.
    pub(super) async fn own_order(&self, signed: &SignedAcmeRequest, id: &str) -> AcmeResult<AcmeOrder> {
        let account = signed.account()?;
        let id = AcmeOrderId::parse(id).ok_or(AcmeError::not_found())?;
        let order = self.service.context.ledger.acme_order(&id).await?;
        order.filter(|order| order.account == account.id).ok_or(AcmeError::not_found())
    }

    /// Where an order stands by the clock.
    pub(super) fn state(&self, order: &AcmeOrder) -> AcmeState {
        match order.state {
            AcmeState::Pending | AcmeState::Ready if order.expires_at < self.now() => AcmeState::Invalid,
            state => state,
        }
    }

    /// What the client called itself.
    pub(super) async fn identifier(&self, order: &AcmeOrder) -> AcmeResult<OrderIdentifier> {
        let plain = String::from_utf8(order.identifier.clone());
        let value = match (self.account_is_unbound(order).await?, plain) {
            (true, _) => {
                let secret = self.service.opening.secret().await?;
                unseal(&secret, &order.id, &order.identifier)?
            }
            (false, Ok(plain)) => plain,
            (false, Err(_)) => return Err(Refusal::Internal.into()),
        };
        Ok(OrderIdentifier { r#type: order.kind.as_str().to_owned(), value })
    }

    /// By what right, and under which name, this account may order.
    async fn ordered(
        &self,
        account: &AcmeAccount,
        name: &OrderIdentifier,
        replaces: Option<&str>,
    ) -> AcmeResult<NewAcmeOrder> {
        let entropy = self.service.context.entropy.as_ref();
        let kind = AcmeIdentifier::parse(&name.r#type)
            .ok_or(AcmeError::from(Refusal::AcmeIdentifier).named("unsupportedIdentifier"))?;
        let id = AcmeOrderId::random(entropy);
        let (invitation, identifier) = match &account.invitation {
            Some(invitation) => self.bound(account, invitation, kind, &name.value).await?,
            None => self.shown_code(&id, kind, &ShownCode::parse(&name.value)).await?,
        };
        let is_authorized = account.invitation.is_some();
        let replaces = match replaces {
            Some(id) => Some(self.replaced(account, id).await?),
            None => None,
        };
        let token = base64url(&bytes::<32>(entropy));
        let expires_at = self.now().plus(LIFE);
        Ok(NewAcmeOrder { id, invitation, kind, identifier, token, is_authorized, replaces, expires_at })
    }

    /// The one name of a bound account. Until its first certificate the invitation must be open.
    async fn bound(
        &self,
        account: &AcmeAccount,
        invitation: &InvitationId,
        kind: AcmeIdentifier,
        name: &str,
    ) -> AcmeResult<(InvitationId, Vec<u8>)> {
        let own = match kind {
            AcmeIdentifier::Dns => identifier(invitation, &self.service.context.installation),
            AcmeIdentifier::Permanent => invitation.to_string(),
        };
        if !own.eq_ignore_ascii_case(name) {
            return Err(Refusal::AcmeIdentifier.into());
        }
        if account.device.is_none() {
            let found = self.service.context.ledger.invitation(invitation).await?;
            found.ok_or(Refusal::InvitationUnknown)?.admits(None, self.now())?;
        }
        Ok((invitation.clone(), own.into_bytes()))
    }

    /// An invitation's code or a ticket, which only its holder knows; the ledger gets it sealed.
    async fn shown_code(
        &self,
        order: &AcmeOrderId,
        kind: AcmeIdentifier,
        code: &ShownCode,
    ) -> AcmeResult<(InvitationId, Vec<u8>)> {
        if kind != AcmeIdentifier::Permanent {
            return Err(Refusal::AcmeIdentifier.into());
        }
        let ticket = match code {
            ShownCode::Ticket(ticket) => {
                Some(self.service.read_ticket(TicketPurpose::Certificate, ticket).await?)
            }
            ShownCode::Link(_) => None,
            // A short code, which can be guessed, is for typing.
            ShownCode::Short(_) | ShownCode::Unknown => return Err(Refusal::AcmeIdentifier.into()),
        };
        let invitation = match ticket {
            Some(Ticket { right: TicketRight::Renewal(old), given_at }) => {
                let old = self.service.renewed_by_ticket(old, *given_at, None).await?;
                self.service.invitation_of(&old).await?.ok_or(Refusal::RenewalNotPossible)?
            }
            _ => self.service.open(code).await?.id,
        };
        let entropy = self.service.context.entropy.as_ref();
        let secret = self.service.opening.secret().await?;
        let sealed = seal(&secret, order, &code.reveal().ok_or(Refusal::AcmeIdentifier)?, entropy)?;
        Ok((invitation, sealed))
    }

    /// The certificate of the account's own device that is to be replaced (RFC 9773 section 5).
    async fn replaced(&self, account: &AcmeAccount, id: &str) -> AcmeResult<Thumbprint> {
        let known = self.certificate_of_id(id).await?;
        let own = known.filter(|known| account.device.as_ref() == Some(&known.device));
        let own = own.ok_or(AcmeError::malformed("replaces names no certificate of this account"))?;
        own.thumbprint().ok_or(Refusal::Internal.into())
    }

    /// Whether its account shows an invitation with each order, rather than being bound to one.
    pub(super) async fn account_is_unbound(&self, order: &AcmeOrder) -> AcmeResult<bool> {
        let account = self.service.context.ledger.acme_account(&order.account).await?;
        Ok(account.ok_or(Refusal::Internal)?.invitation.is_none())
    }

    /// The one path to a certificate: the order is claimed for this key, the enrollment service issues, the order is
    /// completed.
    pub(super) async fn issue(
        &self,
        account: &AcmeAccount,
        order: &AcmeOrder,
        request: &ParsedRequest,
    ) -> AcmeResult<AcmeOrder> {
        let ledger = &self.service.context.ledger;
        let key = request.key_hash();
        let actor = Actor::Invitation(order.invitation.clone());
        let mut transaction = ledger.begin(self.now()).await?;
        transaction.take_acme_order(&order.id, &key, &actor).await?;
        transaction.commit().await?;
        let issued = match self.certificate_for(account, order, request).await {
            Ok(handed_over) => handed_over.issued,
            Err(refusal) => {
                // While somebody is asked, the order stays with the key that they are asked about.
                let keeps = matches!(
                    refusal,
                    Refusal::Unavailable | Refusal::TenantBusy | Refusal::Internal | Refusal::ApprovalPending
                );
                if !keeps {
                    let mut transaction = ledger.begin(self.now()).await?;
                    transaction.release_acme_order(&order.id, &key, &actor).await?;
                    transaction.commit().await?;
                }
                return Err(refusal.into());
            }
        };
        let mut transaction = ledger.begin(self.now()).await?;
        let completed =
            transaction.complete_acme_order(&order.id, &issued.certificate.thumbprint, &issued.device).await;
        match completed {
            Ok(()) => transaction.commit().await?,
            // The same key at the same time: whoever came first has told it.
            Err(LedgerError::Refused(Refusal::AcmeOrderNotReady)) => drop(transaction),
            Err(error) => return Err(error.into()),
        }
        let order = ledger.acme_order(&order.id).await?.ok_or(Refusal::Internal)?;
        let is_told = order.certificate == Some(issued.certificate.thumbprint);
        if is_told { Ok(order) } else { Err(Refusal::AcmeOrderNotReady.into()) }
    }

    /// The first certificate by the invitation; every further one by the account that the first was issued to, while the
    /// device may still use what it has.
    async fn certificate_for(
        &self,
        account: &AcmeAccount,
        order: &AcmeOrder,
        request: &ParsedRequest,
    ) -> Result<HandedOverCertificate, Refusal> {
        if let Some(shown) = self.code_shown(account, order).await? {
            let ticket = match shown.ticket() {
                Some(ticket) => {
                    Some(self.service.authentic_ticket(TicketPurpose::Certificate, ticket).await?)
                }
                None => None,
            };
            if let Some(Ticket { right: TicketRight::Renewal(old), given_at }) = ticket {
                let old = self.service.renewed_by_ticket(old, *given_at, Some(&request.key_hash())).await?;
                return self.service.renew_with(&old, request, None).await;
            }
            self.service.pass_approval_on(&shown, request).await?;
        }
        let invitation = self.service.context.ledger.invitation(&order.invitation).await;
        let invitation = invitation?.ok_or(Refusal::InvitationUnknown)?;
        // Clients that order a DNS name look for it in what they got when they renew it.
        let name = identifier(&order.invitation, &self.service.context.installation);
        let called = (order.kind == AcmeIdentifier::Dns).then_some(&*name);
        match &account.device {
            Some(device) if invitation.key_hash.as_deref() != Some(&request.key_hash()) => {
                let old = self.service.newest(device, order.replaces).await?;
                self.service.renew_with(&old, request, called).await
            }
            _ => self.service.enroll_with(&invitation, request, called).await,
        }
    }

    /// The code or the ticket that a device shows which is bound to nothing else.
    async fn code_shown(
        &self,
        account: &AcmeAccount,
        order: &AcmeOrder,
    ) -> Result<Option<ShownCode>, Refusal> {
        if account.invitation.is_some() {
            return Ok(None);
        }
        let secret = self.service.opening.secret().await?;
        Ok(Some(ShownCode::parse(&unseal(&secret, &order.id, &order.identifier)?)))
    }

    async fn show(&self, status: StatusCode, order: &AcmeOrder) -> AcmeResult<Response> {
        let url = self.url(&format!("/acme/order/{}", order.id));
        let replaces = match order.replaces {
            Some(thumbprint) => self.id_of_certificate(&thumbprint).await?,
            None => None,
        };
        let standing = self.standing(order).await?;
        let shown = OrderObject {
            status: standing.status,
            expires: order.expires_at.whole_second(),
            identifiers: [self.identifier(order).await?],
            authorizations: [self.url(&format!("/acme/authorization/{}", order.id))],
            finalize: format!("{url}/finalize"),
            certificate: order.certificate.map(|_| self.url(&format!("/acme/certificate/{}", order.id))),
            replaces,
            error: standing.error,
        };
        let mut response = (status, [(LOCATION, url)], Json(shown)).into_response();
        if standing.waits {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(PAUSE.as_secs()));
        }
        Ok(response)
    }
}

/// The certificate as PEM with line feeds (RFC 7468 section 5).
fn pem(der: &[u8]) -> String {
    let text = base64(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).filter_map(|line| str::from_utf8(line).ok()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}
