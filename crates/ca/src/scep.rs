//! SCEP messages (RFC 8894 section 3), parsed and written. No I/O here: bytes in, bytes out.

mod attributes;
mod reply;

pub use reply::{CertRep, GrantedContent};

use crate::csr::ParsedRequest;
use crate::der::{self, DerReader, tag};
use crate::pkcs7::{
    EnvelopeError, EnvelopedData, ParsedSignedData, SignatureError, SignedAttributes, SignerCertificate,
};
use crate::public_key::PublicKey;
use crate::registrar::Registrar;
use ring::digest::{SHA256, digest};
use tegata_core::{Entropy, Serial, Thumbprint};
use zeroize::Zeroizing;

/// What a client wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScepMessageType {
    /// A first certificate, with a proof of the invitation.
    PkcsReq,
    /// A renewal, signed with the certificate that it follows.
    RenewalReq,
    /// What has become of what it asked for.
    CertPoll,
    /// A certificate that exists.
    GetCert,
    /// The revocation list of the CA.
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

/// What is wrong with a message, for programs and for whoever reads the client's log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The code that the client's program reads.
    pub info: FailInfo,
    /// In English. Never a value that was sent.
    pub detail: &'static str,
}

/// What a message is answered by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    /// Whole elements, to be sent back as they came.
    transaction: Vec<u8>,
    nonce: Option<Vec<u8>>,
}

/// The bytes are no message that can be handled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NoMessage {
    /// Not CMS, or without a transaction: there is no way to answer in kind.
    Unanswerable,
    /// The sender can be answered with this fault.
    Faulty(Address, Fault),
}

/// A message that can be answered. What it says is not to be believed before [`ScepMessage::verify`].
#[derive(Debug)]
pub struct ScepMessage {
    signed: ParsedSignedData,
    kind: ScepMessageType,
    address: Address,
    envelope: Result<EnvelopedData, EnvelopeError>,
}

/// A message whose signature holds.
#[derive(Debug)]
pub struct VerifiedScepMessage<'a> {
    message: &'a ScepMessage,
    envelope: &'a EnvelopedData,
    key: PublicKey,
}

/// A certificate request out of a message.
#[derive(Debug)]
pub struct ScepRequest {
    /// The key, whose proof held, without the request's bytes: the password is among them.
    pub request: ParsedRequest,
    /// The password in it.
    pub password: Option<Zeroizing<String>>,
}

impl ScepMessage {
    /// Reads a `pkiMessage` in DER or BER.
    ///
    /// # Errors
    /// [`NoMessage`], with what its sender can be told.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoMessage> {
        let Ok(signed) = ParsedSignedData::read(bytes) else { return Err(unsigned(bytes)) };
        let address = Address::read(signed.attributes()).ok_or(NoMessage::Unanswerable)?;
        let kind = match attributes::check(signed.attributes()) {
            Ok(kind) => kind,
            Err(fault) => return Err(NoMessage::Faulty(address, fault)),
        };
        let envelope = EnvelopedData::read(&signed.content);
        Ok(Self { signed, kind, address, envelope })
    }

    /// Whom an answer goes to.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What the message asks for.
    pub fn kind(&self) -> ScepMessageType {
        self.kind
    }

    /// SHA-256 over the transaction's identifier.
    pub fn transaction(&self) -> [u8; 32] {
        digest(&SHA256, &self.address.transaction).as_ref().try_into().unwrap_or_default()
    }

    /// The certificate it is signed with, whoever made that.
    pub fn signer(&self) -> Thumbprint {
        Thumbprint::of(&self.signed.signer.der)
    }

    /// The certificate it is signed with, in DER.
    pub fn signer_der(&self) -> &[u8] {
        &self.signed.signer.der
    }

    /// Whom it is for: each the DER of an `IssuerAndSerialNumber`.
    pub fn recipients(&self) -> impl Iterator<Item = &[u8]> {
        self.envelope.iter().flat_map(EnvelopedData::recipients)
    }

    /// Whether its sender holds the key of the certificate that it is signed with.
    ///
    /// # Errors
    /// [`FailInfo::BadAlg`] and [`FailInfo::BadMessageCheck`].
    pub fn verify(&self) -> Result<VerifiedScepMessage<'_>, Fault> {
        let key = self.signed.verify().map_err(|unproven| match unproven {
            SignatureError::Algorithm => Fault::SIGNATURE_ALGORITHM,
            SignatureError::Signature => Fault::SIGNATURE,
        })?;
        match &self.envelope {
            Ok(envelope) => Ok(VerifiedScepMessage { message: self, envelope, key }),
            Err(EnvelopeError::Algorithm) => Err(Fault::ENVELOPE_ALGORITHM),
            Err(EnvelopeError::Malformed) => Err(Fault::ENVELOPE),
        }
    }

    fn certificate(&self) -> &SignerCertificate {
        &self.signed.signer
    }
}

impl VerifiedScepMessage<'_> {
    /// The key of the certificate that it is signed with.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The certificate request in the envelope. Random bytes, and a request whose signature does not hold, look alike:
    /// whoever changes an envelope learns nothing of what was in it.
    ///
    /// # Errors
    /// [`Fault::CONTENT`].
    pub fn request(&self, registrar: &Registrar, entropy: &dyn Entropy) -> Result<ScepRequest, Fault> {
        let inside = self.open(registrar, entropy);
        let request = ParsedRequest::parse(&inside).map_err(|_| Fault::CONTENT)?;
        let password = crate::csr::challenge_password(&inside).map(Zeroizing::new);
        Ok(ScepRequest { request: ParsedRequest::remembered(request.key().clone()), password })
    }

    /// The `IssuerAndSerialNumber` in the envelope: the name, DER, and the serial.
    ///
    /// # Errors
    /// [`Fault::CONTENT`].
    pub fn certificate_id(
        &self,
        registrar: &Registrar,
        entropy: &dyn Entropy,
    ) -> Result<(Vec<u8>, Serial), Fault> {
        let inside = self.open(registrar, entropy);
        let read = || {
            let mut fields = DerReader::new(DerReader::single(&inside, tag::SEQUENCE).ok()?.content);
            let issuer = fields.expect(tag::SEQUENCE).ok()?.whole.to_vec();
            let serial = fields.expect(tag::INTEGER).ok()?.content.to_vec();
            fields.end().ok()?;
            Some((issuer, Serial::try_from(serial).ok()?))
        };
        read().ok_or(Fault::CONTENT)
    }

    fn open(&self, registrar: &Registrar, entropy: &dyn Entropy) -> Zeroizing<Vec<u8>> {
        self.envelope.open(registrar.id(), registrar.key(), entropy)
    }
}

impl ScepRequest {
    /// Whether this is the key that signed the message (RFC 8894 section 2.3): a first request vouches for itself.
    pub fn is_by(&self, key: &PublicKey) -> bool {
        self.request.key() == key
    }
}

impl Fault {
    const SIGNATURE_ALGORITHM: Self = Self {
        info: FailInfo::BadAlg,
        detail: "messages are signed by an RSA key of 2048 to 4096 bits with SHA-256, SHA-384 or SHA-512",
    };
    const SIGNATURE: Self =
        Self { info: FailInfo::BadMessageCheck, detail: "the signature of the message does not hold" };
    const UNSIGNED: Self = Self {
        info: FailInfo::BadMessageCheck,
        detail: "a message has one signer, who is named by issuer and serial number, and whose certificate it brings",
    };
    const ENVELOPE_ALGORITHM: Self = Self {
        info: FailInfo::BadAlg,
        detail: "content is encrypted by AES-128-CBC or AES-256-CBC, its key by RSA with PKCS #1 v1.5 or OAEP",
    };
    const ENVELOPE: Self =
        Self { info: FailInfo::BadMessageCheck, detail: "there is no envelope in the message" };
    const TYPE: Self = Self {
        info: FailInfo::BadRequest,
        detail: "messageType is PKCSReq (19), RenewalReq (17), CertPoll (20), GetCert (21) or GetCRL (22)",
    };
    const TRANSACTION: Self = Self { info: FailInfo::BadRequest, detail: "the transactionID is empty" };
    const NONCE: Self = Self { info: FailInfo::BadRequest, detail: "there is no senderNonce" };
    /// The envelope's content is malformed, or was not signed by its sender's key. A client must not learn which.
    pub const CONTENT: Self = Self {
        info: FailInfo::BadMessageCheck,
        detail: "the envelope holds nothing for this type of message that both its own key and the message's signer vouch for",
    };
    /// Whom a message is for has ended, or never was.
    pub const RECIPIENT: Self = Self {
        info: FailInfo::BadCertId,
        detail: "the message is for a certificate that is not in use here: ask for it again with GetCACert",
    };
}

impl FailInfo {
    /// The code as the `failInfo` attribute writes it: one decimal digit.
    pub fn digit(self) -> char {
        match self {
            Self::BadAlg => '0',
            Self::BadMessageCheck => '1',
            Self::BadRequest => '2',
            Self::BadCertId => '4',
        }
    }
}

/// What is no signed message may still say whom to answer.
fn unsigned(bytes: &[u8]) -> NoMessage {
    let claimed = SignedAttributes::claimed(bytes).ok();
    match claimed.as_ref().and_then(Address::read) {
        Some(address) => NoMessage::Faulty(address, Fault::UNSIGNED),
        None => NoMessage::Unanswerable,
    }
}

/// The DER of `IssuerAndSerialNumber`.
fn id_of(certificate: &SignerCertificate) -> Vec<u8> {
    der::sequence(&[&certificate.issuer, &certificate.serial])
}
