//! `EnvelopedData` (RFC 5652 section 6), which only its recipient can read: AES-CBC, with the key under RSA.

use super::ber;
use super::reading::content_of;
use super::transport::KeyTransport;
use crate::der::{self, DerReader, MalformedDer, tag};
use crate::keys::RsaKey;
use crate::oid;
use crate::public_key::PublicKey;
use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockDecryptMut, BlockEncryptMut, KeyIvInit};
use aes::{Aes128, Aes256};
use tegata_core::Entropy;
use tegata_core::entropy::bytes;
use zeroize::Zeroizing;

const BLOCK: usize = 16;

/// Somebody who writes to one CA names one recipient, or a few.
const MOST_RECIPIENTS: usize = 8;

/// How content is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ContentCipher {
    Aes128,
    Aes256,
}

/// How an envelope is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Algorithms {
    pub(crate) cipher: ContentCipher,
    pub(crate) transport: KeyTransport,
}

/// An envelope before it is opened.
#[derive(Debug)]
pub(crate) struct EnvelopedData {
    recipients: Vec<RecipientInfo>,
    cipher: ContentCipher,
    iv: [u8; BLOCK],
    content: Vec<u8>,
}

/// Whom it is for: `IssuerAndSerialNumber`, and the content's key under that key.
#[derive(Debug)]
struct RecipientInfo {
    id: Vec<u8>,
    transport: KeyTransport,
    encrypted_key: Vec<u8>,
}

/// Why an envelope cannot even be tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum EnvelopeError {
    Malformed,
    /// A cipher, or a way to transport its key, that is not taken.
    Algorithm,
}

impl From<MalformedDer> for EnvelopeError {
    fn from(_: MalformedDer) -> Self {
        Self::Malformed
    }
}

impl EnvelopedData {
    /// Takes a `ContentInfo` in BER or DER apart.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let der = ber::definite(bytes)?;
        let mut fields = DerReader::new(content_of(&der, oid::PKCS7_ENVELOPED_DATA)?);
        fields.expect(tag::INTEGER)?;
        let recipients = recipients(fields.expect(tag::SET)?.content)?;
        let mut content = DerReader::new(fields.expect(tag::SEQUENCE)?.content);
        fields.optional(tag::constructed(1))?;
        fields.end()?;

        if content.expect(tag::OID)?.content != oid::PKCS7_DATA {
            return Err(EnvelopeError::Malformed);
        }
        let (cipher, iv) = cipher(content.expect(tag::SEQUENCE)?.content)?;
        let octets = match content.optional(tag::context(0))? {
            Some(whole) => whole.content.to_vec(),
            None => ber::joined(content.expect(tag::constructed(0))?.content)?,
        };
        content.end()?;
        if octets.is_empty() || octets.len() % BLOCK != 0 {
            return Err(EnvelopeError::Malformed);
        }
        Ok(Self { recipients, cipher, iv, content: octets })
    }

    /// Those whom it is for.
    pub(crate) fn recipients(&self) -> impl Iterator<Item = &[u8]> {
        self.recipients.iter().map(|recipient| recipient.id.as_slice())
    }

    /// How it is made; its key travels in the way that the first recipient's does.
    pub(crate) fn algorithms(&self) -> Algorithms {
        let transport = self.recipients.first().map_or(KeyTransport::Pkcs1, |recipient| recipient.transport);
        Algorithms { cipher: self.cipher, transport }
    }

    /// What is inside. There is no such thing as a failure: an envelope that was tampered with opens to random bytes,
    /// so that an attacker cannot tell a wrong key from wrong padding (Bleichenbacher, Vaudenay).
    pub(crate) fn open(&self, id: &[u8], key: &RsaKey, entropy: &dyn Entropy) -> Zeroizing<Vec<u8>> {
        let own = self.recipients.iter().find(|recipient| recipient.id == id);
        let (encrypted, transport) = own.map_or((&[][..], KeyTransport::Pkcs1), |recipient| {
            (recipient.encrypted_key.as_slice(), recipient.transport)
        });
        let key = key.unwrap(encrypted, transport, self.cipher.key_length(), entropy);
        let mut content = Zeroizing::new(self.content.clone());
        self.cipher.decrypt(&key, &self.iv, &mut content);
        let length = unpadded(&content);
        content.truncate(length);
        content
    }
}

/// An envelope for the holder of a certificate, by its `IssuerAndSerialNumber` and key; none if that is not RSA.
pub(crate) fn seal(
    content: &[u8],
    id: &[u8],
    key: &PublicKey,
    Algorithms { cipher, transport }: Algorithms,
    entropy: &dyn Entropy,
) -> Option<Vec<u8>> {
    let mut secret = Zeroizing::new(vec![0; cipher.key_length()]);
    entropy.fill(&mut secret);
    let iv = bytes::<BLOCK>(entropy);
    let encrypted = cipher.encrypt(&secret, &iv, content);
    let recipient = der::sequence(&[
        &der::unsigned(0),
        id,
        &transport.algorithm(),
        &der::element(tag::OCTET_STRING, &[&key.wrap(&secret, transport, entropy)?]),
    ]);
    let algorithm =
        der::sequence(&[&der::element(tag::OID, &[cipher.name()]), &der::element(tag::OCTET_STRING, &[&iv])]);
    let encrypted_content = der::sequence(&[
        &der::element(tag::OID, &[oid::PKCS7_DATA]),
        &algorithm,
        &der::element(tag::context(0), &[&encrypted]),
    ]);
    let enveloped =
        der::sequence(&[&der::unsigned(0), &der::element(tag::SET, &[&recipient]), &encrypted_content]);
    let content_type = der::element(tag::OID, &[oid::PKCS7_ENVELOPED_DATA]);
    Some(der::sequence(&[&content_type, &der::element(tag::constructed(0), &[&enveloped])]))
}

impl ContentCipher {
    const fn key_length(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Aes256 => 32,
        }
    }

    const fn name(self) -> &'static [u8] {
        match self {
            Self::Aes128 => oid::AES128_CBC,
            Self::Aes256 => oid::AES256_CBC,
        }
    }

    /// In place; `content` is whole blocks.
    fn decrypt(self, key: &[u8], iv: &[u8; BLOCK], content: &mut [u8]) {
        // Lengths of key and content were seen to: there is nothing to fail.
        let _ = match self {
            Self::Aes128 => cbc::Decryptor::<Aes128>::new_from_slices(key, iv)
                .map(|cipher| cipher.decrypt_padded_mut::<NoPadding>(content).is_ok()),
            Self::Aes256 => cbc::Decryptor::<Aes256>::new_from_slices(key, iv)
                .map(|cipher| cipher.decrypt_padded_mut::<NoPadding>(content).is_ok()),
        };
    }

    /// With the padding of RFC 5652 section 6.3.
    fn encrypt(self, key: &[u8], iv: &[u8; BLOCK], content: &[u8]) -> Vec<u8> {
        let padding = BLOCK - content.len() % BLOCK;
        let mut padded = content.to_vec();
        padded.resize(content.len() + padding, padding.to_le_bytes()[0]);
        let length = padded.len();
        let _ = match self {
            Self::Aes128 => cbc::Encryptor::<Aes128>::new_from_slices(key, iv)
                .map(|cipher| cipher.encrypt_padded_mut::<NoPadding>(&mut padded, length).is_ok()),
            Self::Aes256 => cbc::Encryptor::<Aes256>::new_from_slices(key, iv)
                .map(|cipher| cipher.encrypt_padded_mut::<NoPadding>(&mut padded, length).is_ok()),
        };
        padded
    }
}

/// The length without padding. Padding that is wrong is left where it is: what follows its content is refused there, as
/// every other change is.
fn unpadded(content: &[u8]) -> usize {
    let length = content.len();
    let count = content.last().map_or(0, |last| usize::from(*last));
    let is_padding = (1..=BLOCK).contains(&count)
        && length >= count
        && content[length - count..].iter().fold(0, |wrong, octet| wrong | (usize::from(*octet) ^ count))
            == 0;
    if is_padding { length - count } else { length }
}

fn recipients(infos: &[u8]) -> Result<Vec<RecipientInfo>, EnvelopeError> {
    let mut reader = DerReader::new(infos);
    let mut recipients = Vec::new();
    while !reader.is_empty() {
        if recipients.len() == MOST_RECIPIENTS {
            return Err(EnvelopeError::Malformed);
        }
        // The other choices, with a tag, are for keys that are agreed upon or known already.
        let info = reader.optional(tag::SEQUENCE)?.ok_or(EnvelopeError::Algorithm)?;
        let mut fields = DerReader::new(info.content);
        fields.expect(tag::INTEGER)?;
        let id = fields.optional(tag::SEQUENCE)?.ok_or(EnvelopeError::Algorithm)?.whole.to_vec();
        let transport = KeyTransport::read(fields.expect(tag::SEQUENCE)?.content);
        let transport = transport.ok_or(EnvelopeError::Algorithm)?;
        let encrypted_key = fields.expect(tag::OCTET_STRING)?.content.to_vec();
        fields.end()?;
        recipients.push(RecipientInfo { id, transport, encrypted_key });
    }
    Ok(recipients)
}

fn cipher(algorithm: &[u8]) -> Result<(ContentCipher, [u8; BLOCK]), EnvelopeError> {
    let mut fields = DerReader::new(algorithm);
    let cipher = match fields.expect(tag::OID)?.content {
        oid::AES128_CBC => ContentCipher::Aes128,
        oid::AES256_CBC => ContentCipher::Aes256,
        _ => return Err(EnvelopeError::Algorithm),
    };
    let iv = fields.expect(tag::OCTET_STRING)?.content.try_into().map_err(|_| EnvelopeError::Malformed)?;
    fields.end()?;
    Ok((cipher, iv))
}
