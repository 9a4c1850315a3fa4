//! Security event tokens for one receiver: what it may be told of an event.

use super::EventReceiver;
use super::stream_events::StreamEvent;
use crate::issuer::SignalIssuer;
use serde_json::{Map, Value, json};
use tegata_core::feed::Event;
use tegata_core::security_event::{
    EventName, EventSubject, EventType, SECURITY_EVENT, SecurityEvent, SubjectIdentifier, told,
    told_of_issuance,
};
use tegata_core::{Refusal, TenantId};
use tegata_storage::{Issuance, Principal, StreamNotice};

/// A token that is not signed yet.
pub(super) struct UnsignedEvent {
    pub(super) told: EventName,
    txn: Option<String>,
    subject: SubjectIdentifier,
    payload: Value,
}

/// A security event token that can be sent.
pub(super) struct SignedEvent {
    pub(super) jti: String,
    pub(super) text: String,
}

/// Whom a change is about, and whose that is.
struct OwnedSubject {
    subject: SubjectIdentifier,
    /// Nothing where the ledger cannot tell any more.
    tenant: Option<TenantId>,
    serial: Option<String>,
}

/// The tokens that tell a receiver of an event; none when the event does not concern it.
pub(super) async fn tokens_for(
    issuer: &SignalIssuer,
    receiver: &EventReceiver,
    stream_event: &StreamEvent,
) -> Result<Vec<UnsignedEvent>, Refusal> {
    match stream_event {
        StreamEvent::Changed(event) => of_change(issuer, receiver, event).await,
        StreamEvent::Issued(issuance) => Ok(of_issuance(issuer, receiver, issuance)),
    }
}

/// A token about the stream itself (SSF 1.0 sections 8.1.4 and 8.1.5).
pub(super) fn of_notice(receiver: &EventReceiver, notice: StreamNotice) -> UnsignedEvent {
    UnsignedEvent {
        told: EventName::Notice { number: notice.number, kind: notice.kind },
        txn: None,
        subject: SubjectIdentifier::Opaque { id: receiver.id.clone() },
        payload: notice.payload,
    }
}

async fn of_change(
    issuer: &SignalIssuer,
    receiver: &EventReceiver,
    event: &Event,
) -> Result<Vec<UnsignedEvent>, Refusal> {
    let mut told = told(&event.change, event.at);
    told.retain(|(kind, _)| receiver.events.contains(kind));
    if told.is_empty() {
        return Ok(Vec::new());
    }
    let owned = owned(issuer, EventSubject::from(&event.change)).await?;
    if !may_hear(receiver, owned.tenant.as_ref()) {
        return Ok(Vec::new());
    }
    let unsigned = |(kind, mut payload): (EventType, Value)| {
        if let Some(serial) = owned.serial.as_ref().filter(|_| kind == EventType::CredentialChange) {
            payload["x509_serial"] = json!(serial);
        }
        UnsignedEvent {
            told: EventName::Change { seq: event.seq, kind },
            txn: Some(format!("feed.{}", event.seq)),
            subject: owned.subject.clone(),
            payload,
        }
    };
    Ok(told.into_iter().map(unsigned).collect())
}

fn of_issuance(issuer: &SignalIssuer, receiver: &EventReceiver, issuance: &Issuance) -> Vec<UnsignedEvent> {
    let (kind, mut payload) = told_of_issuance(&issuance.thumbprint, issuance.is_renewal, issuance.at);
    if !receiver.issuance || !receiver.events.contains(&kind) || !may_hear(receiver, Some(&issuance.tenant)) {
        return Vec::new();
    }
    payload["x509_serial"] = json!(issuance.serial.to_string());
    vec![UnsignedEvent {
        told: EventName::Issued { entry: issuance.entry },
        txn: Some(format!("issued.{}", issuance.entry)),
        subject: SubjectIdentifier::device(issuer.url(), &issuance.device, Some(&issuance.tenant)),
        payload,
    }]
}

/// Whether a receiver may be told of an event of this tenant. A receiver of one tenant gets that tenant's events alone,
/// and none whose tenant is unknown. Nobody gets those of the system tenant, whose devices are the canary's.
fn may_hear(receiver: &EventReceiver, tenant: Option<&TenantId>) -> bool {
    if tenant.is_some_and(TenantId::is_system) {
        return false;
    }
    receiver.tenant.is_none() || receiver.tenant.as_ref() == tenant
}

async fn owned(issuer: &SignalIssuer, about: EventSubject<'_>) -> Result<OwnedSubject, Refusal> {
    let (iss, ledger) = (issuer.url(), &issuer.context.ledger);
    Ok(match about {
        EventSubject::Tenant(tenant) => OwnedSubject {
            subject: SubjectIdentifier::tenant(tenant),
            tenant: Some(tenant.clone()),
            serial: None,
        },
        EventSubject::Device(device) => {
            let found = ledger.within(Principal::system("receivers").scope()).device(device).await?;
            let tenant = found.map(|found| found.tenant);
            OwnedSubject {
                subject: SubjectIdentifier::device(iss, device, tenant.as_ref()),
                tenant,
                serial: None,
            }
        }
        EventSubject::Certificate(thumbprint) => {
            match ledger.holding(thumbprint).await? {
                Some(held) => OwnedSubject {
                    subject: SubjectIdentifier::device(iss, &held.device, Some(&held.tenant)),
                    serial: Some(held.serial.to_string()),
                    tenant: Some(held.tenant),
                },
                // Lost at a restore: its thumbprint is all that is known.
                None => OwnedSubject {
                    subject: SubjectIdentifier::Opaque { id: thumbprint.to_string() },
                    tenant: None,
                    serial: None,
                },
            }
        }
        EventSubject::Token(jti) => {
            let tenant = ledger.tenant_of_denied_token(jti).await?;
            let subject = SubjectIdentifier::JwtId { iss: iss.to_owned(), jti: jti.to_owned() };
            OwnedSubject { subject, tenant, serial: None }
        }
    })
}

impl UnsignedEvent {
    /// In the name of the receiver's audience, now.
    pub(super) fn sign(
        self,
        issuer: &SignalIssuer,
        receiver: &EventReceiver,
    ) -> Result<SignedEvent, Refusal> {
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
        let text = issuer.sign(SECURITY_EVENT, &claims)?;
        Ok(SignedEvent { jti, text })
    }
}

fn kind_of(told: EventName) -> EventType {
    match told {
        EventName::Change { kind, .. } | EventName::Notice { kind, .. } => kind,
        EventName::Issued { .. } => EventType::CredentialChange,
    }
}
