//! Actors, as the audit log names them.

use std::fmt;
use tegata_core::{DeviceId, InvitationId, PersonId, ScimTokenId};

/// The actor that an audit entry names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Actor {
    /// The holder of an invitation.
    Invitation(InvitationId),
    /// A requester who proved nothing.
    Anonymous,
    /// A device or a gate, by its certificate.
    Device(DeviceId),
    /// A registered OAuth client, by its certificate.
    Client(String),
    /// An OpenID provider of a tenant, by its issuer.
    Provider(String),
    /// Somebody who signed in, or used a setup link.
    Person(PersonId),
    /// The directory of a tenant, by the token it has.
    Directory(ScimTokenId),
    /// A person at the machine itself, by the name of the account.
    Operator(String),
    /// A pass of the program, by its name.
    System(&'static str),
}

impl Actor {
    /// The person, where it is one who signed in.
    pub fn person(&self) -> Option<&PersonId> {
        match self {
            Self::Person(person) => Some(person),
            _ => None,
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invitation(id) => write!(formatter, "invitation:{id}"),
            Self::Anonymous => formatter.write_str("anonymous"),
            Self::Device(id) => write!(formatter, "device:{id}"),
            Self::Client(id) => write!(formatter, "client:{id}"),
            Self::Provider(issuer) => write!(formatter, "provider:{issuer}"),
            Self::Person(id) => write!(formatter, "person:{id}"),
            Self::Directory(token) => write!(formatter, "directory:{token}"),
            Self::Operator(name) => write!(formatter, "operator:{name}"),
            Self::System(name) => write!(formatter, "system:{name}"),
        }
    }
}
