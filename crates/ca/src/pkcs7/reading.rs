//! Parses and verifies `SignedData` (RFC 5652 section 5) that a client sends.

use super::ber;
use crate::der::{self, DerReader, Element, MalformedDer, octets_of_bit_string, tag};
use crate::oid;
use crate::public_key::{KeyType, PublicKey};
use ring::digest::{self, digest};

/// More than any client sends with one message.
const MOST_CERTIFICATES: usize = 8;
const MOST_ATTRIBUTES: usize = 16;

/// A message that was parsed. Nothing of it is to be believed before [`ParsedSignedData::verify`].
#[derive(Debug)]
pub(crate) struct ParsedSignedData {
    /// The encapsulated content, which the signature covers by its digest.
    pub(crate) content: Vec<u8>,
    /// The certificate that came with it and is named by the signature.
    pub(crate) signer: SignerCertificate,
    attributes: SignedAttributes,
    /// The signed attributes, without the header of their SET.
    signed: Vec<u8>,
    digest_algorithm: Vec<u8>,
    signature_algorithm: Vec<u8>,
    signature: Vec<u8>,
}

/// Signed attributes (RFC 5652 section 5.3), not verified yet.
#[derive(Debug)]
pub(crate) struct SignedAttributes(Vec<SignedAttribute>);

/// A signed attribute: its name, the content of an OBJECT IDENTIFIER, and its one value, header and all.
#[derive(Debug)]
struct SignedAttribute {
    name: Vec<u8>,
    value: Vec<u8>,
}

/// The certificate that the signature names.
#[derive(Clone, Debug)]
pub(crate) struct SignerCertificate {
    pub(crate) der: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    /// The serial as an INTEGER with its header, to be compared byte for byte.
    pub(crate) serial: Vec<u8>,
    public_key_info: Vec<u8>,
}

/// Why a signature is not believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SignatureError {
    /// A digest, a signature or a key of a kind that is not taken.
    Algorithm,
    /// It does not hold.
    Signature,
}

impl ParsedSignedData {
    /// Takes a `ContentInfo` in BER or DER apart: one signer, with signed attributes and its certificate at hand.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, MalformedDer> {
        let der = ber::definite(bytes)?;
        let mut fields = DerReader::new(content_of(&der, oid::PKCS7_SIGNED_DATA)?);
        fields.expect(tag::INTEGER)?;
        fields.expect(tag::SET)?;
        let content = encapsulated(fields.expect(tag::SEQUENCE)?)?;
        let certificates = fields.optional(tag::constructed(0))?.ok_or(MalformedDer)?;
        fields.optional(tag::constructed(1))?;
        let signer = DerReader::single(fields.expect(tag::SET)?.content, tag::SEQUENCE)?;
        fields.end()?;

        let mut fields = DerReader::new(signer.content);
        fields.expect(tag::INTEGER)?;
        let signer = named(fields.expect(tag::SEQUENCE)?, certificates.content)?;
        let digest_algorithm = fields.expect(tag::SEQUENCE)?.content.to_vec();
        let signed = fields.expect(tag::constructed(0))?.content;
        let signature_algorithm = fields.expect(tag::SEQUENCE)?.content.to_vec();
        let signature = fields.expect(tag::OCTET_STRING)?.content.to_vec();
        fields.optional(tag::constructed(1))?;
        fields.end()?;
        Ok(Self {
            content,
            signer,
            attributes: attributes(signed)?,
            signed: signed.to_vec(),
            digest_algorithm,
            signature_algorithm,
            signature,
        })
    }

    /// What is signed beside the content.
    pub(crate) fn attributes(&self) -> &SignedAttributes {
        &self.attributes
    }

    /// The signer's key, once it has turned out that it signed this content: RSA, with a digest of the SHA-2 family.
    pub(crate) fn verify(&self) -> Result<PublicKey, SignatureError> {
        let hash = DigestAlgorithm::of(&self.digest_algorithm).ok_or(SignatureError::Algorithm)?;
        let scheme = hash.scheme(&self.signature_algorithm).ok_or(SignatureError::Algorithm)?;
        let key = PublicKey::read(&self.signer.public_key_info).map_err(|_| SignatureError::Algorithm)?;
        if key.key_type() != KeyType::Rsa {
            return Err(SignatureError::Algorithm);
        }
        let digest = der::element(tag::OCTET_STRING, &[digest(hash.algorithm, &self.content).as_ref()]);
        let content_type = der::element(tag::OID, &[oid::PKCS7_DATA]);
        let is_of_this = self.attributes.value(oid::CMS_MESSAGE_DIGEST) == Some(&digest)
            && self.attributes.value(oid::CMS_CONTENT_TYPE) == Some(&content_type);
        // RFC 5652 section 5.4: what is signed has the tag of a SET, what is sent has [0].
        let message = der::element(tag::SET, &[&self.signed]);
        if is_of_this && key.verifies(&scheme, &message, &self.signature) {
            Ok(key)
        } else {
            Err(SignatureError::Signature)
        }
    }
}

impl SignedAttributes {
    /// Those of the first signer of a message that may be otherwise unfit: enough to answer it, nothing to go by.
    pub(crate) fn claimed(bytes: &[u8]) -> Result<Self, MalformedDer> {
        let der = ber::definite(bytes)?;
        let mut fields = DerReader::new(content_of(&der, oid::PKCS7_SIGNED_DATA)?);
        fields.expect(tag::INTEGER)?;
        fields.expect(tag::SET)?;
        fields.expect(tag::SEQUENCE)?;
        fields.optional(tag::constructed(0))?;
        fields.optional(tag::constructed(1))?;
        let mut signers = DerReader::new(fields.expect(tag::SET)?.content);
        let mut signer = DerReader::new(signers.expect(tag::SEQUENCE)?.content);
        signer.expect(tag::INTEGER)?;
        signer.element()?;
        signer.expect(tag::SEQUENCE)?;
        attributes(signer.expect(tag::constructed(0))?.content)
    }

    /// The one value of an attribute, header and all.
    pub(crate) fn value(&self, name: &[u8]) -> Option<&[u8]> {
        self.0.iter().find(|own| own.name == name).map(|own| own.value.as_slice())
    }
}

impl SignerCertificate {
    fn read(der: &[u8]) -> Result<Self, MalformedDer> {
        let mut outer = DerReader::new(DerReader::single(der, tag::SEQUENCE)?.content);
        let mut fields = DerReader::new(outer.expect(tag::SEQUENCE)?.content);
        fields.optional(tag::constructed(0))?;
        let serial = fields.expect(tag::INTEGER)?.whole.to_vec();
        fields.expect(tag::SEQUENCE)?;
        let issuer = fields.expect(tag::SEQUENCE)?.whole.to_vec();
        fields.expect(tag::SEQUENCE)?;
        fields.expect(tag::SEQUENCE)?;
        let public_key_info = fields.expect(tag::SEQUENCE)?.whole.to_vec();
        outer.expect(tag::SEQUENCE)?;
        octets_of_bit_string(outer.expect(tag::BIT_STRING)?.content)?;
        outer.end()?;
        Ok(Self { der: der.to_vec(), issuer, serial, public_key_info })
    }
}

/// A digest that is taken, with the signatures that go with it.
struct DigestAlgorithm {
    algorithm: &'static digest::Algorithm,
    with_rsa: &'static [u8],
}

impl DigestAlgorithm {
    /// From the content of an `AlgorithmIdentifier`.
    fn of(algorithm: &[u8]) -> Option<Self> {
        let (algorithm, with_rsa) = match name_of(algorithm)? {
            oid::SHA256 => (&digest::SHA256, oid::RSA_SHA256),
            oid::SHA384 => (&digest::SHA384, oid::RSA_SHA384),
            oid::SHA512 => (&digest::SHA512, oid::RSA_SHA512),
            _ => return None,
        };
        Some(Self { algorithm, with_rsa })
    }

    /// The whole `AlgorithmIdentifier` of the signature, if it goes with the digest: clients name it, or RSA alone
    /// (RFC 3370 section 3.2).
    fn scheme(&self, algorithm: &[u8]) -> Option<Vec<u8>> {
        let name = name_of(algorithm)?;
        let fits = name == self.with_rsa || name == oid::RSA;
        fits.then(|| der::sequence(&[&der::element(tag::OID, &[self.with_rsa]), &[tag::NULL, 0]]))
    }
}

/// The name of an algorithm without parameters, which may be NULL or absent.
pub(super) fn name_of(algorithm: &[u8]) -> Option<&[u8]> {
    let mut fields = DerReader::new(algorithm);
    let name = fields.expect(tag::OID).ok()?.content;
    if let Some(parameters) = fields.optional(tag::NULL).ok()?
        && !parameters.content.is_empty()
    {
        return None;
    }
    fields.end().ok()?;
    Some(name)
}

/// What a `ContentInfo` of this type holds, without the header of its SEQUENCE.
pub(super) fn content_of<'a>(der: &'a [u8], content_type: &[u8]) -> Result<&'a [u8], MalformedDer> {
    let mut fields = DerReader::new(DerReader::single(der, tag::SEQUENCE)?.content);
    if fields.expect(tag::OID)?.content != content_type {
        return Err(MalformedDer);
    }
    let inside = fields.expect(tag::constructed(0))?.content;
    fields.end()?;
    Ok(DerReader::single(inside, tag::SEQUENCE)?.content)
}

/// The octets inside; none are as good as an empty string.
fn encapsulated(content: Element<'_>) -> Result<Vec<u8>, MalformedDer> {
    let mut fields = DerReader::new(content.content);
    if fields.expect(tag::OID)?.content != oid::PKCS7_DATA {
        return Err(MalformedDer);
    }
    let octets = match fields.optional(tag::constructed(0))? {
        Some(inside) => DerReader::single(inside.content, tag::OCTET_STRING)?.content.to_vec(),
        None => Vec::new(),
    };
    fields.end()?;
    Ok(octets)
}

/// The certificate that `IssuerAndSerialNumber` means.
fn named(id: Element<'_>, certificates: &[u8]) -> Result<SignerCertificate, MalformedDer> {
    let mut bag = DerReader::new(certificates);
    for _ in 0..MOST_CERTIFICATES {
        if bag.is_empty() {
            break;
        }
        let certificate = SignerCertificate::read(bag.expect(tag::SEQUENCE)?.whole)?;
        if der::sequence(&[&certificate.issuer, &certificate.serial]) == id.whole {
            return Ok(certificate);
        }
    }
    Err(MalformedDer)
}

/// Each name once, with one value.
fn attributes(signed: &[u8]) -> Result<SignedAttributes, MalformedDer> {
    let mut reader = DerReader::new(signed);
    let mut attributes: Vec<SignedAttribute> = Vec::new();
    while !reader.is_empty() {
        let mut fields = DerReader::new(reader.expect(tag::SEQUENCE)?.content);
        let name = fields.expect(tag::OID)?.content.to_vec();
        let mut values = DerReader::new(fields.expect(tag::SET)?.content);
        fields.end()?;
        let value = values.element()?.whole.to_vec();
        values.end()?;
        let is_new = attributes.iter().all(|known| known.name != name);
        if !is_new || attributes.len() == MOST_ATTRIBUTES {
            return Err(MalformedDer);
        }
        attributes.push(SignedAttribute { name, value });
    }
    Ok(SignedAttributes(attributes))
}
