//! A certificate request is a public key with a proof that its sender holds the private half: nothing
//! else in a PKCS#10 request (RFC 2986) is believed, or even read, but for the password that SCEP puts there.

use crate::der::{self, DerReader, MalformedDer, octets_of_bit_string, tag, text_of};
use crate::keys::{CaKey, CaKeyError, sign_structure};
use crate::oid;
use crate::public_key::PublicKey;
use tegata_core::Refusal;

/// The longest request that is looked at, in bytes.
pub const MAX_LENGTH: usize = 8 * 1024;

/// A request whose signature holds.
#[derive(Clone, Debug)]
pub struct ParsedRequest {
    key: PublicKey,
    der: Box<[u8]>,
}

impl ParsedRequest {
    /// Parses a PKCS#10 request in DER and verifies the signature by which it proves possession of its key.
    ///
    /// # Errors
    /// [`Refusal::CsrTooLarge`], [`Refusal::CsrMalformed`], [`Refusal::KeyNotAllowed`] for a key no
    /// profile can allow, [`Refusal::CsrNotSigned`].
    pub fn parse(der: &[u8]) -> Result<Self, Refusal> {
        if der.len() > MAX_LENGTH {
            return Err(Refusal::CsrTooLarge);
        }
        let request = split(der).map_err(|_| Refusal::CsrMalformed)?;
        let key = PublicKey::read(request.public_key_info)?;
        if key.verifies(request.signature_algorithm, request.info, request.signature) {
            Ok(Self { key, der: der.into() })
        } else {
            Err(Refusal::CsrNotSigned)
        }
    }

    /// The request as it came, for whoever has to read it once more later.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// A request that was read before, of which the key alone was kept: its bytes may have held a secret.
    pub fn remembered(key: PublicKey) -> Self {
        Self { key, der: Box::default() }
    }

    /// The key its sender holds.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Its `SubjectPublicKeyInfo` in DER, as it came.
    pub fn public_key_info(&self) -> &[u8] {
        self.key.info()
    }

    /// SHA-256 over the `SubjectPublicKeyInfo`: what the ledger knows a key by.
    pub fn key_hash(&self) -> [u8; 32] {
        self.key.hash()
    }
}

/// The password in a request, in any type of string that RFC 2985 section 5.4.1 and its predecessors have, by which other
/// protocols carry a right: none if there is none, or it is not text. To be read of a request whose signature holds.
pub fn challenge_password(der: &[u8]) -> Option<String> {
    let mut attributes = DerReader::new(split(der).ok()?.attributes);
    while !attributes.is_empty() {
        let mut fields = DerReader::new(attributes.expect(tag::SEQUENCE).ok()?.content);
        let name = fields.expect(tag::OID).ok()?.content;
        let values = fields.expect(tag::SET).ok()?.content;
        if name == oid::CHALLENGE_PASSWORD {
            let mut values = DerReader::new(values);
            let value = values.element().ok()?;
            values.end().ok()?;
            return text_of(&value);
        }
    }
    None
}

/// The parts of a request that matter.
struct CsrParts<'a> {
    info: &'a [u8],
    public_key_info: &'a [u8],
    attributes: &'a [u8],
    signature_algorithm: &'a [u8],
    signature: &'a [u8],
}

fn split(der: &[u8]) -> Result<CsrParts<'_>, MalformedDer> {
    let mut request = DerReader::new(DerReader::single(der, tag::SEQUENCE)?.content);
    let info = request.expect(tag::SEQUENCE)?;
    let signature_algorithm = request.expect(tag::SEQUENCE)?.whole;
    let signature = octets_of_bit_string(request.expect(tag::BIT_STRING)?.content)?;
    request.end()?;

    let mut fields = DerReader::new(info.content);
    // RFC 2986 has one version, v1(0), and clients of several makes say another: nothing depends on it.
    fields.expect(tag::INTEGER)?;
    fields.expect(tag::SEQUENCE)?;
    let public_key_info = fields.expect(tag::SEQUENCE)?.whole;
    let attributes = fields.optional(tag::constructed(0))?.map_or(&[][..], |attributes| attributes.content);
    fields.end()?;
    Ok(CsrParts { info: info.whole, public_key_info, attributes, signature_algorithm, signature })
}

/// A request (RFC 2986) for a key of this machine, with an empty subject: a public key with a proof, nothing more. What
/// the certificate says is the server's to decide.
///
/// # Errors
/// [`CaKeyError`] when the key does not sign.
pub fn request_for(key: &dyn CaKey) -> Result<Vec<u8>, CaKeyError> {
    let version = der::unsigned(0);
    let empty_name = der::sequence(&[]);
    let no_attributes = der::element(tag::constructed(0), &[]);
    let info = der::sequence(&[&version, &empty_name, &key.public_key_info(), &no_attributes]);
    sign_structure(key, &info)
}

#[cfg(test)]
mod tests;
