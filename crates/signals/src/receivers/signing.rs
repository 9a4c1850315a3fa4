//! Tokens for one receiver: what it may hear of something, in its audience's name.

use super::EventReceiver;
use super::happenings::StreamEvent;
use crate::issuer::Issuer;
use serde_json::{Map, Value, json};
use tegata_core::feed::Event;
use tegata_core::security_event::{
    About, EventType, SECURITY_EVENT, SecurityEvent, Subject, Told, told, told_of_issuance,
};
use tegata_core::{Refusal, TenantId};
use tegata_storage::{Issuance, StreamNotice};

/// A token that is not signed yet.
pub(super) struct UnsignedEvent {
    pub(super) told: Told,
    txn: Option<String>,
    subject: Subject,
    payload: Value,
}

/// A signed token.
pub(super) struct SignedEvent {
    pub(super) jti: String,
    pub(super) text: String,
}

/// Whom a change is about, and whose that is.
struct OwnedSubject {
    subject: Subject,
    /// Nothing where the ledger cannot tell any more.
    tenant: Option<TenantId>,
    serial: Option<String>,
}

/// The tokens that tell a receiver of something; none when it is none of its business.
pub(super) async fn tokens_for(
    issuer: &Issuer,
    receiver: &EventReceiver,
    happening: &StreamEvent,
) -> Result<Vec<UnsignedEvent>, Refusal> {
    match happening {
        StreamEvent::Changed(event) => of_change(issuer, receiver, event).await,
        StreamEvent::Issued(issuance) => Ok(of_issuance(issuer, receiver, issuance)),
    }
}

/// What tells of the stream itself (SSF 1.0 sections 8.1.4 and 8.1.5).
pub(super) fn of_notice(receiver: &EventReceiver, notice: StreamNotice) -> UnsignedEvent {
    UnsignedEvent {
        told: Told::Notice { number: notice.number, kind: notice.kind },
        txn: None,
        subject: Subject::Opaque { id: receiver.id.clone() },
        payload: notice.payload,
    }
}

async fn of_change(
    issuer: &Issuer,
    receiver: &EventReceiver,
    event: &Event,
) -> Result<Vec<UnsignedEvent>, Refusal> {
    let mut told = told(&event.change, event.at);
    told.retain(|(kind, _)| receiver.events.contains(kind));
    if told.is_empty() {
        return Ok(Vec::new());
    }
    let owned = owned(issuer, About::from(&event.change)).await?;
    if !may_hear(receiver, owned.tenant.as_ref()) {
        return Ok(Vec::new());
    }
    let unsigned = |(kind, mut payload): (EventType, Value)| {
        if let Some(serial) = owned.serial.as_ref().filter(|_| kind == EventType::CredentialChange) {
            payload["x509_serial"] = json!(serial);
        }
        UnsignedEvent {
            told: Told::Change { seq: event.seq, kind },
            txn: Some(format!("feed.{}", event.seq)),
            subject: owned.subject.clone(),
            payload,
        }
    };
    Ok(told.into_iter().map(unsigned).collect())
}

fn of_issuance(issuer: &Issuer, receiver: &EventReceiver, issuance: &Issuance) -> Vec<UnsignedEvent> {
    let (kind, mut payload) = told_of_issuance(&issuance.thumbprint, issuance.is_renewal, issuance.at);
    if !receiver.issuance || !receiver.events.contains(&kind) || !may_hear(receiver, Some(&issuance.tenant)) {
        return Vec::new();
    }
    payload["x509_serial"] = json!(issuance.serial.to_string());
    vec![UnsignedEvent {
        told: Told::Issued { entry: issuance.entry },
        txn: Some(format!("issued.{}", issuance.entry)),
        subject: Subject::device(issuer.url(), &issuance.device, Some(&issuance.tenant)),
        payload,
    }]
}

/// Tenants are walls: whose event it is has to be known, and to be the receiver's tenant. What the house does to try its
/// own doors is nobody's business.
fn may_hear(receiver: &EventReceiver, tenant: Option<&TenantId>) -> bool {
    if tenant.is_some_and(TenantId::is_system) {
        return false;
    }
    receiver.tenant.is_none() || receiver.tenant.as_ref() == tenant
}

async fn owned(issuer: &Issuer, about: About<'_>) -> Result<OwnedSubject, Refusal> {
    let (iss, ledger) = (issuer.url(), &issuer.context.ledger);
    Ok(match about {
        About::Tenant(tenant) => {
            OwnedSubject { subject: Subject::tenant(tenant), tenant: Some(tenant.clone()), serial: None }
        }
        About::Device(device) => {
            let found = ledger.device(device).await.map_err(|error| error.refusal())?;
            let tenant = found.map(|found| found.tenant);
            OwnedSubject { subject: Subject::device(iss, device, tenant.as_ref()), tenant, serial: None }
        }
        About::Certificate(thumbprint) => {
            match ledger.holding(thumbprint).await.map_err(|error| error.refusal())? {
                Some(held) => OwnedSubject {
                    subject: Subject::device(iss, &held.device, Some(&held.tenant)),
                    serial: Some(held.serial.to_string()),
                    tenant: Some(held.tenant),
                },
                // Lost at a restore: its thumbprint is all that is known.
                None => OwnedSubject {
                    subject: Subject::Opaque { id: thumbprint.to_string() },
                    tenant: None,
                    serial: None,
                },
            }
        }
        About::Token(jti) => {
            let tenant = ledger.tenant_of_denied_token(jti).await.map_err(|error| error.refusal())?;
            let subject = Subject::JwtId { iss: iss.to_owned(), jti: jti.to_owned() };
            OwnedSubject { subject, tenant, serial: None }
        }
    })
}

impl UnsignedEvent {
    /// In the name of the receiver's audience, now.
    pub(super) fn sign(self, issuer: &Issuer, receiver: &EventReceiver) -> Result<SignedEvent, Refusal> {
        let jti = self.told.jti(&receiver.id);
        let claims = SecurityEvent {
            iss: issuer.url().to_owned(),
            jti: jti.clone(),
            iat: issuer.context.now().seconds(),
            aud: receiver.audience.clone(),
            txn: self.txn,
            sub_id: self.subject,
            events: Map::from_iter([(kind_of(self.told).uri().to_owned(), self.payload)]),
        };
        let text = issuer.sign(SECURITY_EVENT, &claims).map_err(|_| Refusal::Internal)?;
        Ok(SignedEvent { jti, text })
    }
}

fn kind_of(told: Told) -> EventType {
    match told {
        Told::Change { kind, .. } | Told::Notice { kind, .. } => kind,
        Told::Issued { .. } => EventType::CredentialChange,
    }
}
