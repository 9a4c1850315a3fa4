//! Tokens for one receiver: what it may hear of a change, in its audience's name.

use super::Receiver;
use crate::tokens::Tokens;
use serde_json::{Map, Value, json};
use tegata_core::feed::Event;
use tegata_core::jws::KeyError;
use tegata_core::security_event::{About, EventType, SECURITY_EVENT, SecurityEvent, Subject, told};
use tegata_core::{Refusal, TenantId};

/// A signed token.
pub(super) struct Signed {
    pub(super) jti: String,
    pub(super) text: String,
}

/// Whom a change is about, and whose that is.
struct Owned {
    subject: Subject,
    /// Nothing where the ledger cannot tell any more.
    tenant: Option<TenantId>,
    serial: Option<String>,
}

/// The tokens that tell a receiver of a change; none when it is none of its business.
pub(super) async fn tokens_for(
    tokens: &Tokens,
    receiver: &Receiver,
    event: &Event,
) -> Result<Vec<Signed>, Refusal> {
    let mut told = told(&event.change, event.at);
    told.retain(|(kind, _)| receiver.events.contains(kind));
    if told.is_empty() {
        return Ok(Vec::new());
    }
    let owned = owned(tokens, About::from(&event.change)).await?;
    if !may_hear(receiver, owned.tenant.as_ref()) {
        return Ok(Vec::new());
    }
    let sign = |(kind, mut payload): (EventType, Value)| {
        if let Some(serial) = owned.serial.as_ref().filter(|_| kind == EventType::CredentialChange) {
            payload["x509_serial"] = json!(serial);
        }
        let jti = format!("{}.{}.{}", event.seq, kind.word(), receiver.id);
        let txn = Some(format!("feed.{}", event.seq));
        sign(tokens, receiver, (jti, txn), owned.subject.clone(), (kind, payload))
    };
    told.into_iter().map(sign).collect::<Result<_, _>>().map_err(|_| Refusal::Internal)
}

/// A sign that the way is open (SSF 1.0 section 8.1.4). `state` is the receiver's own word, or empty.
pub(super) fn verification(tokens: &Tokens, receiver: &Receiver, state: &str) -> Result<Signed, Refusal> {
    let payload = if state.is_empty() { json!({}) } else { json!({"state": state}) };
    let jti = format!("verification.{}.{}", tokens.context.now().millis(), receiver.id);
    let subject = Subject::Opaque { id: receiver.id.clone() };
    let signed = sign(tokens, receiver, (jti, None), subject, (EventType::Verification, payload));
    signed.map_err(|_| Refusal::Internal)
}

/// Tenants are walls: whose event it is has to be known, and to be the receiver's tenant. What the house does to try its
/// own doors is nobody's business.
fn may_hear(receiver: &Receiver, tenant: Option<&TenantId>) -> bool {
    if tenant.is_some_and(TenantId::is_system) {
        return false;
    }
    receiver.tenant.is_none() || receiver.tenant.as_ref() == tenant
}

async fn owned(tokens: &Tokens, about: About<'_>) -> Result<Owned, Refusal> {
    let (iss, ledger) = (tokens.issuer(), &tokens.context.ledger);
    Ok(match about {
        About::Tenant(tenant) => {
            Owned { subject: Subject::tenant(tenant), tenant: Some(tenant.clone()), serial: None }
        }
        About::Device(device) => {
            let found = ledger.device(device).await.map_err(|error| error.refusal())?;
            let tenant = found.map(|found| found.tenant);
            Owned { subject: Subject::device(iss, device, tenant.as_ref()), tenant, serial: None }
        }
        About::Certificate(thumbprint) => {
            match ledger.holding(thumbprint).await.map_err(|error| error.refusal())? {
                Some(held) => Owned {
                    subject: Subject::device(iss, &held.device, Some(&held.tenant)),
                    serial: Some(held.serial.to_string()),
                    tenant: Some(held.tenant),
                },
                // Lost at a restore: its thumbprint is all that is known.
                None => Owned {
                    subject: Subject::Opaque { id: thumbprint.to_string() },
                    tenant: None,
                    serial: None,
                },
            }
        }
        // Tokens are not recorded one by one with their tenant.
        About::Token(jti) => {
            let subject = Subject::JwtId { iss: iss.to_owned(), jti: jti.to_owned() };
            Owned { subject, tenant: None, serial: None }
        }
    })
}

fn sign(
    tokens: &Tokens,
    receiver: &Receiver,
    (jti, txn): (String, Option<String>),
    sub_id: Subject,
    (kind, payload): (EventType, Value),
) -> Result<Signed, KeyError> {
    let claims = SecurityEvent {
        iss: tokens.issuer().to_owned(),
        jti: jti.clone(),
        iat: tokens.context.now().seconds(),
        aud: receiver.audience.clone(),
        txn,
        sub_id,
        events: Map::from_iter([(kind.uri().to_owned(), payload)]),
    };
    Ok(Signed { jti, text: tokens.sign(SECURITY_EVENT, &claims)? })
}
