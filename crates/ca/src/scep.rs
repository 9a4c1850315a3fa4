//! Messages of SCEP (RFC 8894 section 3): what a client says, and what it is told. Bytes in, bytes out.

mod attributes;
mod reply;

pub use reply::{Granted, Reply};

use crate::csr::ParsedRequest;
use crate::der::{self, Reader, tag};
use crate::pkcs7::{Cipher, Envelope, NoEnvelope, SignedMessage, SignerCertificate, Unproven};
use crate::public_key::PublicKey;
use crate::registrar::Registrar;
use attributes::Named;
use ring::digest::{SHA256, digest};
use tegata_core::{Entropy, Refusal, Serial, Thumbprint};
use zeroize::Zeroizing;

/// What a client wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MessageType {
    /// A first certificate.
    PkcsReq,
    /// The next one.
    RenewalReq,
    /// What has become of what it asked for.
    CertPoll,
    /// A certificate that exists.
    GetCert,
    /// A revocation list.
    GetCrl,
}

/// Why it does not get it (RFC 8894 section 3.2.1.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailInfo {
    /// An algorithm or a key that is not taken.
    BadAlg,
    /// The message is not whole, or not its sender's.
    BadMessageCheck,
    /// It may not have this.
    BadRequest,
    /// There is no such certificate.
    BadCertId,
}

/// A message that can be answered. What it says is not to be believed before [`Message::verify`].
#[derive(Debug)]
pub struct Message {
    signed: SignedMessage,
    kind: MessageType,
    /// Whole elements, to be sent back as they came.
    transaction: Vec<u8>,
    nonce: Vec<u8>,
    envelope: Result<Envelope, NoEnvelope>,
}

/// A message whose signature holds.
#[derive(Debug)]
pub struct Verified<'a> {
    message: &'a Message,
    envelope: &'a Envelope,
    key: PublicKey,
}

/// A certificate request out of a message.
#[derive(Debug)]
pub struct Asked {
    /// The key, whose proof held, without the request's bytes: the password is among them.
    pub request: ParsedRequest,
    /// The password in it.
    pub password: Option<Zeroizing<String>>,
}

impl Message {
    /// Reads a `pkiMessage` in DER or BER.
    ///
    /// # Errors
    /// [`Refusal::RequestMalformed`] for what cannot be answered in kind: not CMS, without transaction or nonce, or of a
    /// type that only servers send.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let signed = SignedMessage::read(bytes).map_err(|_| Refusal::RequestMalformed)?;
        let named = Named::read(&signed).ok_or(Refusal::RequestMalformed)?;
        let envelope = Envelope::read(&signed.content);
        Ok(Self { signed, kind: named.kind, transaction: named.transaction, nonce: named.nonce, envelope })
    }

    /// What is wanted.
    pub fn kind(&self) -> MessageType {
        self.kind
    }

    /// SHA-256 over the transaction's identifier.
    pub fn transaction(&self) -> [u8; 32] {
        digest(&SHA256, &self.transaction).as_ref().try_into().unwrap_or_default()
    }

    /// The certificate it is signed with, whoever made that.
    pub fn signer(&self) -> Thumbprint {
        Thumbprint::of(&self.signed.signer.der)
    }

    /// That certificate, DER.
    pub fn signer_der(&self) -> &[u8] {
        &self.signed.signer.der
    }

    /// Whom it is for: each the DER of an `IssuerAndSerialNumber`.
    pub fn recipients(&self) -> impl Iterator<Item = &[u8]> {
        self.envelope.iter().flat_map(Envelope::recipients)
    }

    /// Whether its sender holds the key of the certificate that it is signed with.
    ///
    /// # Errors
    /// [`FailInfo::BadAlg`] and [`FailInfo::BadMessageCheck`].
    pub fn verify(&self) -> Result<Verified<'_>, FailInfo> {
        let key = self.signed.verify().map_err(|unproven| match unproven {
            Unproven::Algorithm => FailInfo::BadAlg,
            Unproven::Signature => FailInfo::BadMessageCheck,
        })?;
        match &self.envelope {
            Ok(envelope) => Ok(Verified { message: self, envelope, key }),
            Err(NoEnvelope::Algorithm) => Err(FailInfo::BadAlg),
            Err(NoEnvelope::Malformed) => Err(FailInfo::BadMessageCheck),
        }
    }

    fn certificate(&self) -> &SignerCertificate {
        &self.signed.signer
    }

    fn cipher(&self) -> Cipher {
        self.envelope.as_ref().map_or(Cipher::Aes256, |envelope| envelope.cipher)
    }
}

impl Verified<'_> {
    /// The key of the certificate that it is signed with.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The certificate request in the envelope. Noise, and a request whose signature does not hold, look alike: whoever
    /// changes an envelope learns nothing of what was in it.
    ///
    /// # Errors
    /// [`FailInfo::BadMessageCheck`].
    pub fn request(&self, registrar: &Registrar, entropy: &dyn Entropy) -> Result<Asked, FailInfo> {
        let inside = self.open(registrar, entropy);
        let request = ParsedRequest::parse(&inside).map_err(|_| FailInfo::BadMessageCheck)?;
        let password = crate::csr::challenge_password(&inside).map(Zeroizing::new);
        Ok(Asked { request: ParsedRequest::remembered(request.key().clone()), password })
    }

    /// The `IssuerAndSerialNumber` in the envelope: the name, DER, and the serial.
    ///
    /// # Errors
    /// [`FailInfo::BadMessageCheck`].
    pub fn certificate_id(
        &self,
        registrar: &Registrar,
        entropy: &dyn Entropy,
    ) -> Result<(Vec<u8>, Serial), FailInfo> {
        let inside = self.open(registrar, entropy);
        let read = || {
            let mut fields = Reader::new(Reader::single(&inside, tag::SEQUENCE).ok()?.content);
            let issuer = fields.expect(tag::SEQUENCE).ok()?.whole.to_vec();
            let serial = fields.expect(tag::INTEGER).ok()?.content.to_vec();
            fields.end().ok()?;
            Some((issuer, Serial::try_from(serial).ok()?))
        };
        read().ok_or(FailInfo::BadMessageCheck)
    }

    fn open(&self, registrar: &Registrar, entropy: &dyn Entropy) -> Zeroizing<Vec<u8>> {
        self.envelope.open(registrar.id(), registrar.key(), entropy)
    }
}

impl Asked {
    /// Whether this is the key that signed the message (RFC 8894 section 2.3): a first request vouches for itself.
    pub fn is_by(&self, key: &PublicKey) -> bool {
        self.request.key() == key
    }
}

impl FailInfo {
    /// As the attribute says it.
    pub fn digit(self) -> char {
        match self {
            Self::BadAlg => '0',
            Self::BadMessageCheck => '1',
            Self::BadRequest => '2',
            Self::BadCertId => '4',
        }
    }
}

/// The DER of `IssuerAndSerialNumber`.
fn id_of(certificate: &SignerCertificate) -> Vec<u8> {
    der::sequence(&[&certificate.issuer, &certificate.serial])
}
