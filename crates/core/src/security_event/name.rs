//! The name of a token (`jti`): the same for ever, and found again when a receiver answers for it.

use super::EventType;

/// What one security event token reports.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EventName {
    /// An event of the feed, in one of the event types that report it.
    Change {
        /// Its number in the feed.
        seq: u64,
        /// The type of the change.
        kind: EventType,
    },
    /// A certificate was issued.
    Issued {
        /// The entry of the audit log.
        entry: u64,
    },
    /// Something about the stream itself.
    Notice {
        /// Its number in the stream.
        number: u64,
        /// What it is about.
        kind: EventType,
    },
}

impl EventName {
    /// The `jti` of the token for this receiver.
    pub fn jti(&self, receiver: &str) -> String {
        match self {
            Self::Change { seq, kind } => format!("{seq}.{}.{receiver}", kind.word()),
            Self::Issued { entry } => {
                format!("{ISSUED}{entry}.{}.{receiver}", EventType::CredentialChange.word())
            }
            Self::Notice { number, kind } => format!("{NOTICE}{number}.{}.{receiver}", kind.word()),
        }
    }

    /// Reads a `jti` that was given to this receiver; `None` for any other text.
    pub fn parse(jti: &str, receiver: &str) -> Option<Self> {
        let mut parts = jti.splitn(3, '.');
        let (number, kind) = (parts.next()?, EventType::parse(parts.next()?)?);
        let told = if let Some(entry) = number.strip_prefix(ISSUED) {
            Self::Issued { entry: entry.parse().ok()? }
        } else if let Some(number) = number.strip_prefix(NOTICE) {
            Self::Notice { number: number.parse().ok()?, kind }
        } else {
            Self::Change { seq: number.parse().ok()?, kind }
        };
        // One name for each: no second spelling of a number, nobody else's token.
        (told.jti(receiver) == jti).then_some(told)
    }
}

const ISSUED: &str = "issued-";
const NOTICE: &str = "notice-";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_receiver_answers_for_its_own_tokens_alone() {
        for told in [
            EventName::Change { seq: 7, kind: EventType::SessionRevoked },
            EventName::Issued { entry: 12 },
            EventName::Notice { number: 1, kind: EventType::Verification },
        ] {
            assert_eq!(EventName::parse(&told.jti("siem"), "siem"), Some(told));
            assert_eq!(EventName::parse(&told.jti("siem"), "sie"), None);
            assert_eq!(EventName::parse(&told.jti("siem2"), "siem"), None);
        }
        for other in [
            "07.session-revoked.siem",
            "+7.session-revoked.siem",
            "7.logins.siem",
            "7",
            "",
            "..",
            "issued-1.session-revoked.siem",
            "99999999999999999999.session-revoked.siem",
        ] {
            assert_eq!(EventName::parse(other, "siem"), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_was_written(jti in "((issued-|notice-)?[0-9]{1,20}\\.[a-z-]{1,18}\\.siem)|.{0,40}") {
            if let Some(told) = EventName::parse(&jti, "siem") {
                prop_assert_eq!(told.jti("siem"), jti);
            }
        }
    }
}
