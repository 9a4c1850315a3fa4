//! Messages of SCEP (RFC 8894), put together and taken apart as a maker of devices would do it, or an attacker.

mod encoding;
mod messages;

pub use messages::{CERT_POLL, GET_CERT, GET_CRL, Message, PKCS_REQ, RENEWAL_REQ, Reply, Scribe};
