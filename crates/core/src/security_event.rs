//! Changes of status for those who follow no feed: security event tokens (RFC 8417) with the event types of CAEP 1.0 and
//! the subjects of SSF 1.0 and RFC 9493. Devices, tenants, certificates and tokens are named; no person ever is.

use crate::claims::device_subject;
use crate::feed::{Change, Denial, TokenHolder};
use crate::id::{DeviceId, TenantId};
use crate::thumbprint::Thumbprint;
use crate::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

mod name;
mod status;

pub use name::EventName;
pub use status::StreamStatus;

/// The JWS `typ` (RFC 8417 section 2.3): no access token and no line of the feed can pass for one.
pub const SECURITY_EVENT: &str = "secevent+jwt";

/// What an event is about, by its type.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventType {
    /// CAEP: whatever was let in by tokens of the subject is to be let in no longer.
    SessionRevoked,
    /// CAEP: a certificate is no longer accepted, or a new one is there.
    CredentialChange,
    /// CAEP: a device, or all devices of a tenant, are stopped for now, or go on.
    DeviceComplianceChange,
    /// SSF: the receiver is reached.
    Verification,
    /// SSF: the operator has stopped the stream, or lets it go on.
    StreamUpdated,
}

impl EventType {
    /// The types that speak of changes.
    pub const CHANGES: [Self; 3] =
        [Self::SessionRevoked, Self::CredentialChange, Self::DeviceComplianceChange];

    /// The URI by which the `events` claim names it.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::SessionRevoked => "https://schemas.openid.net/secevent/caep/event-type/session-revoked",
            Self::CredentialChange => "https://schemas.openid.net/secevent/caep/event-type/credential-change",
            Self::DeviceComplianceChange => {
                "https://schemas.openid.net/secevent/caep/event-type/device-compliance-change"
            }
            Self::Verification => "https://schemas.openid.net/secevent/ssf/event-type/verification",
            Self::StreamUpdated => "https://schemas.openid.net/secevent/ssf/event-type/stream-updated",
        }
    }

    /// The short name of the event type in the configuration and the log.
    pub const fn word(self) -> &'static str {
        match self {
            Self::SessionRevoked => "session-revoked",
            Self::CredentialChange => "credential-change",
            Self::DeviceComplianceChange => "device-compliance-change",
            Self::Verification => "verification",
            Self::StreamUpdated => "stream-updated",
        }
    }

    /// The type of a short name.
    pub fn parse(word: &str) -> Option<Self> {
        let all = Self::CHANGES.into_iter().chain([Self::Verification, Self::StreamUpdated]);
        all.into_iter().find(|kind| kind.word() == word)
    }
}

/// The claims of a token with one event. Times are seconds since the epoch.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SecurityEvent {
    /// The issuer identifier of the transmitter.
    pub iss: String,
    /// Identifies the event for this receiver. It does not change when the event is delivered again, so that a
    /// repetition is recognized.
    pub jti: String,
    /// When it was signed.
    pub iat: i64,
    /// The receiver that the token is meant for.
    pub aud: String,
    /// Identifies the change in the ledger that this event and others report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub txn: Option<String>,
    /// Whom it is about.
    pub sub_id: SubjectIdentifier,
    /// The one event by its type.
    pub events: Map<String, Value>,
}

/// A subject identifier (RFC 9493 section 3, SSF 1.0 section 3).
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "format", rename_all = "snake_case")]
pub enum SubjectIdentifier {
    /// A name that only the issuer can read.
    Opaque {
        /// The issuer's identifier of the subject.
        id: String,
    },
    /// The subject of a device's access tokens (RFC 9493 section 3.2.3).
    IssSub {
        /// The issuer identifier that the tokens carry.
        iss: String,
        /// The device as `device:{id}`.
        sub: String,
    },
    /// One access token by its `jti`.
    JwtId {
        /// The issuer identifier that the token carries.
        iss: String,
        /// The `jti` of the token.
        jti: String,
    },
    /// A device of a tenant, or all devices of one.
    Complex {
        /// The device that the event concerns.
        #[serde(skip_serializing_if = "Option::is_none")]
        device: Option<Box<SubjectIdentifier>>,
        /// The tenant that the device belongs to.
        #[serde(skip_serializing_if = "Option::is_none")]
        tenant: Option<Box<SubjectIdentifier>>,
    },
}

impl SubjectIdentifier {
    /// A device, with its tenant where that is known.
    pub fn device(iss: &str, device: &DeviceId, tenant: Option<&TenantId>) -> Self {
        let device = Self::IssSub { iss: iss.to_owned(), sub: device_subject(device) };
        Self::Complex { device: Some(Box::new(device)), tenant: tenant.map(|id| Box::new(opaque(id))) }
    }

    /// All devices of a tenant.
    pub fn tenant(tenant: &TenantId) -> Self {
        Self::Complex { device: None, tenant: Some(Box::new(opaque(tenant))) }
    }
}

fn opaque(tenant: &TenantId) -> SubjectIdentifier {
    SubjectIdentifier::Opaque { id: tenant.to_string() }
}

/// Whom a change is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EventSubject<'a> {
    /// One device with all its certificates and tokens.
    Device(&'a DeviceId),
    /// All devices of one tenant.
    Tenant(&'a TenantId),
    /// One certificate by its thumbprint.
    Certificate(&'a Thumbprint),
    /// One access token by its `jti`.
    Token(&'a str),
}

impl<'a> From<&'a Change> for EventSubject<'a> {
    fn from(change: &'a Change) -> Self {
        match change {
            Change::DeviceDenied { device, .. } | Change::DeviceAllowed { device } => Self::Device(device),
            Change::TenantDenied { tenant, .. } | Change::TenantAllowed { tenant } => Self::Tenant(tenant),
            Change::CertificateDenied { thumbprint, .. } => Self::Certificate(thumbprint),
            Change::TokenDenied { jti, .. } => Self::Token(jti),
            Change::TokensDenied(before) => match &before.of {
                TokenHolder::Device(device) => Self::Device(device),
                TokenHolder::Tenant(tenant) => Self::Tenant(tenant),
            },
        }
    }
}

/// What a change is in the words of CAEP, in the order in which it is told: one event a token (SSF 1.0 section 4.1.6).
///
/// Whoever is stopped for now loses the sessions too, so receivers that know nothing of compliance act as well.
pub fn told(change: &Change, at: Timestamp) -> Vec<(EventType, Value)> {
    let revoked = || (EventType::SessionRevoked, json!({"event_timestamp": at.seconds()}));
    match change {
        Change::DeviceDenied { reason: Denial::Suspended, .. }
        | Change::TenantDenied { reason: Denial::Suspended, .. } => vec![revoked(), compliance(false, at)],
        Change::DeviceAllowed { .. } | Change::TenantAllowed { .. } => vec![compliance(true, at)],
        Change::DeviceDenied { .. } | Change::TenantDenied { .. } | Change::TokenDenied { .. } => {
            vec![revoked()]
        }
        Change::CertificateDenied { thumbprint, reason, .. } => {
            vec![(EventType::CredentialChange, credential(thumbprint, *reason, at))]
        }
        // What was issued from this moment on stays good.
        Change::TokensDenied(before) => {
            let at = before.issued_before.seconds();
            vec![(EventType::SessionRevoked, json!({"event_timestamp": at}))]
        }
    }
}

fn compliance(is_compliant: bool, at: Timestamp) -> (EventType, Value) {
    let word = |compliant: bool| if compliant { "compliant" } else { "not-compliant" };
    let event = json!({
        "event_timestamp": at.seconds(),
        "previous_status": word(!is_compliant),
        "current_status": word(is_compliant),
    });
    (EventType::DeviceComplianceChange, event)
}

/// A new certificate in the words of CAEP: the device's first, or one in the place of another.
pub fn told_of_issuance(thumbprint: &Thumbprint, is_renewal: bool, at: Timestamp) -> (EventType, Value) {
    let event = json!({
        "event_timestamp": at.seconds(),
        "credential_type": "x509",
        "change_type": if is_renewal { "update" } else { "create" },
        "x5t#S256": thumbprint,
    });
    (EventType::CredentialChange, event)
}

/// What somebody else wrote, fit for logs and the ledger: at most [`LONGEST_WORD`] characters, none of which moves the
/// cursor or turns the line around.
pub fn quotable(text: &str) -> String {
    let is_plain = |character: &char| {
        let turns_around =
            matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        !character.is_control() && !turns_around
    };
    text.trim().chars().filter(is_plain).take(LONGEST_WORD).collect()
}

/// The longest word of a receiver that is kept, in characters.
pub const LONGEST_WORD: usize = 200;

/// A planned end is a deletion, any other a revocation.
fn credential(thumbprint: &Thumbprint, reason: Denial, at: Timestamp) -> Value {
    json!({
        "event_timestamp": at.seconds(),
        "credential_type": "x509",
        "change_type": if reason == Denial::Retired { "delete" } else { "revoke" },
        "x5t#S256": thumbprint,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::Seeded;

    const AT: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn types(change: &Change) -> Vec<EventType> {
        told(change, AT).into_iter().map(|(kind, _)| kind).collect()
    }

    #[test]
    fn whoever_is_stopped_loses_their_sessions_in_every_vocabulary() {
        let device = DeviceId::random(&Seeded::new(1));
        for (reason, told) in [
            (Denial::Suspended, &[EventType::SessionRevoked, EventType::DeviceComplianceChange][..]),
            (Denial::Revoked, &[EventType::SessionRevoked]),
            (Denial::Retired, &[EventType::SessionRevoked]),
        ] {
            assert_eq!(types(&Change::DeviceDenied { device: device.clone(), reason }), told);
        }
        let resumed = Change::DeviceAllowed { device };
        assert_eq!(types(&resumed), [EventType::DeviceComplianceChange]);
        assert_eq!(told(&resumed, AT)[0].1["current_status"], "compliant");
    }

    #[test]
    fn a_planned_end_of_a_certificate_is_no_revocation() {
        let change =
            |reason| Change::CertificateDenied { thumbprint: Thumbprint::of(b"x"), reason, until: AT };
        assert_eq!(told(&change(Denial::Retired), AT)[0].1["change_type"], "delete");
        assert_eq!(told(&change(Denial::Revoked), AT)[0].1["change_type"], "revoke");
    }

    #[test]
    fn a_renewal_is_no_first_certificate() {
        let of =
            |is_renewal| told_of_issuance(&Thumbprint::of(b"x"), is_renewal, AT).1["change_type"].clone();
        assert_eq!((of(false), of(true)), (json!("create"), json!("update")));
    }

    #[test]
    fn what_others_write_can_neither_fill_nor_forge_a_line() {
        assert_eq!(quotable(" a\nb\u{202e}c\u{1b}[0m "), "abc[0m");
        assert_eq!(quotable(&"薬".repeat(1000)).chars().count(), LONGEST_WORD);
    }

    #[test]
    fn subjects_travel_as_the_registry_writes_them() {
        let entropy = Seeded::new(2);
        let (device, tenant) = (DeviceId::random(&entropy), TenantId::random(&entropy));
        let subject =
            serde_json::to_value(SubjectIdentifier::device("https://i", &device, Some(&tenant))).unwrap();
        assert_eq!(
            subject,
            json!({"format": "complex",
                "device": {"format": "iss_sub", "iss": "https://i", "sub": format!("device:{device}")},
                "tenant": {"format": "opaque", "id": tenant.to_string()}})
        );
        let token = SubjectIdentifier::JwtId { iss: "https://i".into(), jti: "t".into() };
        assert_eq!(
            serde_json::to_value(token).unwrap(),
            json!({"format": "jwt_id", "iss": "https://i", "jti": "t"})
        );
    }
}
