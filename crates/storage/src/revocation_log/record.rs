//! The content of a line of the log, and how the lines are chained.

use crate::LedgerError;
use crate::hash_chain::next_hash;
use serde::{Deserialize, Serialize};
use tegata_core::encoding::{from_hex, hex};
use tegata_core::feed::Event;
use tegata_core::{
    DeviceId, Installation, IssuerId, PersonId, RevocationReason, Serial, TenantId, Thumbprint, Timestamp,
};

/// What the first line is chained to.
pub(crate) const BEGINNING: [u8; 32] = [0; 32];

/// The format of this version.
pub(crate) const VERSION: u32 = 1;

/// One line. Whatever is needed to do it again in a ledger that has never heard of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub(crate) enum LogRecord {
    /// The first line: whose log it is.
    Header(LogHeader),
    /// An event of the feed.
    Event(LoggedEvent),
    /// A compromised key, by its SHA-256 in hexadecimal digits.
    KeyBlocked {
        /// SHA-256 of the `SubjectPublicKeyInfo`.
        key: String,
        /// What makes it the same as another; lines of older versions lack it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        note: String,
        at: Timestamp,
    },
    /// A key that signed tokens and is in other hands.
    TokenKeyWithdrawn { kid: String, note: String, at: Timestamp },
    /// A step in the life of a CA.
    IssuerMoved { issuer: IssuerId, state: String, reason: Option<String>, at: Timestamp },
    /// Whether a person may sign in.
    PersonMoved { tenant: TenantId, person: PersonId, state: PersonRecordState, at: Timestamp },
}

/// Where a person stands from a line on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PersonRecordState {
    /// They may sign in.
    Active,
    /// They may not sign in.
    Disabled,
    /// Theirs is an account for emergencies, and it was used.
    Used,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct LogHeader {
    pub(crate) version: u32,
    /// Which log: the ledger knows it by this name.
    pub(crate) log: String,
    pub(crate) installation: Installation,
    pub(crate) at: Timestamp,
}

/// An event with the certificates it concerned when it was written: all that the holder had, or the one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct LoggedEvent {
    pub(crate) event: Event,
    /// Why a device was stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) certificates: Vec<NamedCertificate>,
}

/// A certificate, for a ledger that may not have it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct NamedCertificate {
    pub(crate) issuer: IssuerId,
    pub(crate) shard: i64,
    pub(crate) serial: Serial,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) thumbprint: Option<Thumbprint>,
    pub(crate) not_after: Timestamp,
    /// Nothing while it is only on hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<RevocationReason>,
    pub(crate) device: DeviceId,
    pub(crate) generation: i64,
}

/// A line and its place in the chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SealedRecord {
    /// The record as it was hashed.
    text: String,
    pub(crate) hash: Vec<u8>,
}

const HASH: &str = ",\"hash\":\"";
const END: &str = "\"}";

impl LogRecord {
    /// The line, without its end, and its hash.
    pub(crate) fn seal(&self, previous: &[u8]) -> Result<(String, Vec<u8>), LedgerError> {
        let text = serde_json::to_string(self).map_err(|_| LedgerError::Unreadable("a record"))?;
        let hash = next_hash(previous, &text);
        let body = text.strip_suffix('}').ok_or(LedgerError::Unreadable("a record"))?;
        Ok((format!("{body}{HASH}{}{END}", hex(&hash)), hash))
    }
}

impl SealedRecord {
    /// Nothing when the line is not whole: what a crash cut off was never acknowledged.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?;
        let (body, hash) = line.strip_suffix(END)?.rsplit_once(HASH)?;
        let hash = from_hex(hash).filter(|hash| hash.len() == 32)?;
        Some(Self { text: format!("{body}}}"), hash })
    }

    /// Whether it follows the line with this hash, unchanged.
    pub(crate) fn follows(&self, previous: &[u8]) -> bool {
        next_hash(previous, &self.text) == self.hash
    }

    /// The number of the event that it is; nothing for other records.
    pub(crate) fn event_seq(&self) -> Option<u64> {
        match self.record()? {
            LogRecord::Event(logged) => Some(logged.event.seq),
            _ => None,
        }
    }

    /// Nothing when this version does not know such a record.
    pub(crate) fn record(&self) -> Option<LogRecord> {
        serde_json::from_str(&self.text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_core::entropy::Seeded;
    use tegata_core::feed::{Change, Denial};

    fn event(seq: u64) -> LogRecord {
        let entropy = Seeded::new(seq);
        let device = DeviceId::random(&entropy);
        let change = Change::DeviceDenied { device: device.clone(), reason: Denial::Revoked };
        let certificate = NamedCertificate {
            issuer: IssuerId::random(&entropy),
            shard: 3,
            serial: Serial::random(&entropy),
            thumbprint: Some(Thumbprint::of(b"x")),
            not_after: Timestamp::from_seconds(9),
            reason: Some(RevocationReason::KeyCompromise),
            device,
            generation: 2,
        };
        let event = Event { seq, at: Timestamp::from_seconds(1), change };
        LogRecord::Event(LoggedEvent {
            event,
            reason: Some("keyCompromise".into()),
            certificates: vec![certificate],
        })
    }

    #[test]
    fn a_line_says_what_was_recorded() {
        let (line, hash) = event(7).seal(&BEGINNING).unwrap();
        let sealed = SealedRecord::parse(line.as_bytes()).unwrap();
        assert!(sealed.follows(&BEGINNING) && sealed.hash == hash);
        assert_eq!(sealed.record(), Some(event(7)));
        assert!(!line.contains('\n'));
        serde_json::from_str::<serde_json::Value>(&line).expect("a line is JSON for whoever else reads it");
    }

    #[test]
    fn a_line_that_was_edited_or_cut_is_noticed() {
        let (line, hash) = event(7).seal(&BEGINNING).unwrap();
        for end in 0..line.len() {
            assert_eq!(SealedRecord::parse(&line.as_bytes()[..end]), None, "cut after {end}");
        }
        let edited = line.replace("\"seq\":7", "\"seq\":8");
        assert!(edited != line && !SealedRecord::parse(edited.as_bytes()).unwrap().follows(&BEGINNING));
        let (next, _) = event(8).seal(&hash).unwrap();
        assert!(
            !SealedRecord::parse(next.as_bytes()).unwrap().follows(&BEGINNING),
            "its elder was taken away"
        );
    }
}
