//! Identifiers, each kind with a type of its own, so that they cannot be mixed up.

use crate::encoding::{base32, base32_bits, is_base32};
use crate::entropy::{Entropy, bytes};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use zeroize::Zeroizing;

/// Characters of an identifier: 128 bits in base 32.
const LENGTH: usize = 26;

macro_rules! identifier {
    ($(#[$doc:meta] $name:ident;)*) => {$(
        #[$doc]
        ///
        /// 128 random bits, written as 26 characters of base 32.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
        #[serde(transparent)]
        pub struct $name(Box<str>);

        impl $name {
            /// A new identifier nobody has used before.
            pub fn random(entropy: &dyn Entropy) -> Self {
                Self(base32(&bytes::<16>(entropy)).into())
            }

            /// From its text; `None` unless it is 26 characters of the alphabet.
            pub fn parse(text: &str) -> Option<Self> {
                is_base32(text, LENGTH).then(|| Self(text.into()))
            }

            /// The identifier as 26 characters of base 32.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The 128 bits that the text encodes.
            pub fn bits(&self) -> [u8; 16] {
                base32_bits(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| {
                    serde::de::Error::custom(concat!("not a ", stringify!($name)))
                })
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAnIdentifier;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text).ok_or(NotAnIdentifier)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NotAnIdentifier;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text).ok_or(NotAnIdentifier)
            }
        }
    )*};
}

/// The text is not 26 characters of base 32.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an identifier is 26 characters of 0-9 and a-z without i, l, o, u")]
pub struct NotAnIdentifier;

identifier! {
    /// A legal entity (法人). Nothing of one tenant is ever shown to another.
    TenantId;
    /// A store (店舗) of a tenant.
    SiteId;
    /// A terminal (端末), or a gate, that holds certificates.
    DeviceId;
    /// A one-time right to enroll one device.
    InvitationId;
    /// A right to enroll many devices of one site in a row.
    KittingId;
    /// A list of invitations that a registered client sent.
    InvitationListId;
    /// Invitations that a person of the tenant made together.
    InvitationBatchId;
    /// Identifies one issuing CA of an installation.
    IssuerId;
    /// A family of refresh tokens: all that one grant has become.
    FamilyId;
    /// An ACME client, by the key it keeps.
    AcmeAccountId;
    /// A certificate that an ACME client has asked for.
    AcmeOrderId;
    /// A first certificate that waits for somebody's approval.
    ApprovalId;
    /// One run of a server, from its start to its end: a process that is started again is another.
    ServerId;
    /// Somebody who signs in (people of a company's own identity provider have none).
    PersonId;
    /// A passkey of a person.
    PasskeyId;
    /// A sign-in of a person on one device, until it ends. It is no secret.
    SessionId;
    /// A token by which a tenant's directory says who works there. It is no secret.
    ScimTokenId;
    /// A periodic review of the people of a site or a tenant.
    ReviewId;
    /// Somebody who is told of renewals and of the day's work by mail.
    RecipientId;
    /// A mail, from its writing on: also what stands before the @ of its Message-ID.
    MailId;
    /// A transfer of business (事業譲渡) at a set minute.
    TransferId;
}

/// The tenant that an installation keeps for itself, for the canary's devices.
const SYSTEM: &str = "canary00000000000000000000";

impl TenantId {
    /// The identifier of the system tenant, which is the same in every installation. It is no customer.
    pub fn system() -> Self {
        Self(SYSTEM.into())
    }

    /// Whether it is [`TenantId::system`].
    pub fn is_system(&self) -> bool {
        &*self.0 == SYSTEM
    }
}

/// The name of one installation of Tegata: the authority of the URIs in its certificates. Lower-case
/// letters, digits and hyphens in at least two labels, as a host name: relying parties' linters refuse a
/// URI whose authority has one label only.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(transparent)]
pub struct Installation(Box<str>);

impl Installation {
    /// From its text; `None` unless it reads as a host name of at most 63 characters.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
        let edges = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = text.as_bytes();
        (bytes.len() <= 63
            && text.contains('.')
            && !text.contains("..")
            && bytes.iter().copied().all(allowed)
            && edges(bytes.first())
            && edges(bytes.last()))
        .then(|| Self(text.into()))
    }

    /// The name as the configuration spells it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Installation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("an installation's name reads as a host name"))
    }
}

macro_rules! one_time_code {
    ($(#[$doc:meta] $name:ident;)*) => {$(
        #[$doc]
        ///
        /// 160 random bits, 32 characters. It is handed to one person; the ledger keeps only its hash. It never prints
        /// itself.
        pub struct $name(Zeroizing<String>);

        impl $name {
            /// Draws a new code from `entropy`.
            pub fn random(entropy: &dyn Entropy) -> Self {
                Self(Zeroizing::new(base32(&bytes::<20>(entropy))))
            }

            /// Parses a code that was typed or carried by a link; `None` unless it has the form of a code.
            pub fn parse(text: &str) -> Option<Self> {
                is_base32(text, 32).then(|| Self(Zeroizing::new(text.to_owned())))
            }

            /// The text, for the one link that hands it over.
            pub fn reveal(&self) -> &str {
                &self.0
            }

            /// What the ledger keeps. A plain hash suffices: 160 random bits cannot be searched.
            pub fn hash(&self) -> Vec<u8> {
                digest(&SHA256, self.0.as_bytes()).as_ref().to_vec()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("Code(…)")
            }
        }
    )*};
}

one_time_code! {
    /// The secret of an invitation.
    InvitationCode;
    /// The secret of a link by which a person chooses a password and a second factor.
    SetupCode;
    /// The bearer token by which a tenant's directory says who works there (RFC 7644 section 2).
    ScimSecret;
    /// An authorization code (RFC 6749 section 4.1.2).
    AuthorizationCode;
    /// The name of a request to authorize that was pushed (RFC 9126), or waits for a sign-in.
    RequestReference;
    /// What a client may register by (RFC 7591 section 3).
    InitialAccessToken;
    /// What a client manages its own registration by (RFC 7592).
    RegistrationAccessToken;
}

impl SetupCode {
    /// The link that hands it over, on the portal with this address.
    pub fn link(&self, portal: &str) -> Zeroizing<String> {
        Zeroizing::new(format!("{portal}/setup#{}", self.reveal()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::Seeded;

    #[test]
    fn an_identifier_survives_being_written_and_read() {
        let id = DeviceId::random(&Seeded::new(1));
        assert_eq!(DeviceId::parse(id.as_str()), Some(id.clone()));
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<DeviceId>(&json).unwrap(), id);
        assert!(DeviceId::parse("../../etc/passwd").is_none());
    }

    #[test]
    fn the_systems_own_tenant_is_read_from_the_ledger_as_any_other() {
        let own = TenantId::system();
        assert!(own.is_system());
        assert_eq!(TenantId::parse(own.as_str()), Some(own));
    }

    #[test]
    fn a_code_never_prints_itself() {
        let code = InvitationCode::random(&Seeded::new(1));
        assert_eq!(format!("{code:?}"), "Code(…)");
        assert_eq!(InvitationCode::parse(code.reveal()).unwrap().hash(), code.hash());
    }

    #[test]
    fn an_installation_reads_as_a_host_name() {
        assert!(Installation::parse("tegata.example.jp").is_some());
        for wrong in ["", "-a.b", "a.b-", "A.b", "a/b.c", "a..b", "localhost", "あ.jp"] {
            assert!(Installation::parse(wrong).is_none(), "{wrong}");
        }
    }
}
