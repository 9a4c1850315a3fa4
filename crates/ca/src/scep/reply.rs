//! Writes `CertRep` messages (RFC 8894 section 3.3.2).

use super::attributes::{ReplyAttributes, failure};
use super::{Address, FailInfo, VerifiedScepMessage, id_of};
use crate::pkcs7;
use crate::registrar::Registrar;
use tegata_core::entropy::bytes;
use tegata_core::{Entropy, Timestamp};

/// What a `CertRep` says of a request (RFC 8894 section 3.3).
#[derive(Debug)]
pub enum CertRep<'a> {
    /// Here it is: only for whoever holds the key that signed the request.
    Success(&'a VerifiedScepMessage<'a>, GrantedContent<'a>),
    /// Not yet: come again and poll.
    Pending,
    /// No, with a line that the client may show.
    Failure(FailInfo, &'a str),
}

/// What was asked for.
#[derive(Debug)]
pub enum GrantedContent<'a> {
    /// A certificate in DER.
    Certificate(&'a [u8]),
    /// A revocation list, DER.
    Crl(&'a [u8]),
}

impl CertRep<'_> {
    /// Its DER, signed by the registrar; none if the key did not sign.
    pub fn to(
        &self,
        address: &Address,
        registrar: &Registrar,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Option<Vec<u8>> {
        let (status, more) = match self {
            Self::Success(..) => ('0', Vec::new()),
            Self::Pending => ('3', Vec::new()),
            Self::Failure(info, text) => ('2', failure(info.digit(), text)),
        };
        let content = match self {
            Self::Success(verified, granted) => sealed(verified, granted, entropy)?,
            // No envelope. The octets are there and empty: not every client reads a signature over nothing at all.
            Self::Pending | Self::Failure(..) => Vec::new(),
        };
        let attributes = ReplyAttributes::new(status, address, bytes(entropy));
        registrar.signer().sign_with(&content, &attributes.list(&more), now)
    }
}

fn sealed(
    verified: &VerifiedScepMessage<'_>,
    granted: &GrantedContent<'_>,
    entropy: &dyn Entropy,
) -> Option<Vec<u8>> {
    let bag = match granted {
        GrantedContent::Certificate(der) => pkcs7::certs_only(&[der]),
        GrantedContent::Crl(der) => pkcs7::crl_only(der),
    };
    let recipient = id_of(verified.message.certificate());
    // In the ways that the client has shown to know.
    pkcs7::seal(&bag, &recipient, verified.key(), verified.envelope.algorithms(), entropy)
}
