//! Writes `SignedData` (RFC 5652 section 5).

use super::content_info;
use crate::der::{self, DerReader, MalformedDer, tag};
use crate::oid;
use ring::digest::{SHA256, digest};
use tegata_core::Timestamp;

/// How a [`ContentKey`] signs; the digest is SHA-256 either way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContentSignatureAlgorithm {
    /// ECDSA, with a signature in ASN.1 (RFC 5753).
    Ecdsa,
    /// RSA with PKCS #1 v1.5 (RFC 3370).
    Rsa,
}

/// A key that vouches for content.
pub trait ContentKey: Send + Sync {
    /// The signature algorithm to be named in the `SignerInfo`.
    fn algorithm(&self) -> ContentSignatureAlgorithm;

    /// A signature over `message`, which is not hashed yet; none when the key cannot be used now.
    fn sign(&self, message: &[u8]) -> Option<Vec<u8>>;
}

/// A key with the certificates that make it believed.
pub struct ContentSigner {
    key: Box<dyn ContentKey>,
    chain: Vec<Vec<u8>>,
    /// `IssuerAndSerialNumber` of the first certificate.
    id: Vec<u8>,
}

impl ContentSigner {
    /// A signer with its chain, each DER, its own certificate first; none if that cannot be read.
    pub fn new(key: Box<dyn ContentKey>, chain: Vec<Vec<u8>>) -> Option<Self> {
        let id = issuer_and_serial(chain.first()?).ok()?;
        Some(Self { key, chain, id })
    }

    /// `IssuerAndSerialNumber` of its certificate.
    pub(crate) fn id(&self) -> &[u8] {
        &self.id
    }

    /// The `ContentInfo` in DER with the content inside, signed at `now`; none when the key cannot be used now.
    pub fn sign(&self, content: &[u8], now: Timestamp) -> Option<Vec<u8>> {
        self.sign_with(content, &[], now)
    }

    /// Signs `content` as [`ContentSigner::sign`] does, with more signed attributes: for each the content of its OBJECT
    /// IDENTIFIER and its value in DER. SCEP needs them (RFC 8894 section 3.2.1).
    pub(crate) fn sign_with(
        &self,
        content: &[u8],
        more: &[(&[u8], Vec<u8>)],
        now: Timestamp,
    ) -> Option<Vec<u8>> {
        let attributes = attributes(content, more, now);
        // RFC 5652 section 5.4: what is signed has the tag of a SET, what is sent has [0].
        let signature = self.key.sign(&der::element(tag::SET, &[&attributes]))?;
        let signer = der::sequence(&[
            &der::unsigned(1),
            &self.id,
            &sha256(),
            &der::element(tag::constructed(0), &[&attributes]),
            &signature_algorithm(self.key.algorithm()),
            &der::element(tag::OCTET_STRING, &[&signature]),
        ]);
        let octets = der::element(tag::OCTET_STRING, &[content]);
        let encapsulated = der::sequence(&[
            &der::element(tag::OID, &[oid::PKCS7_DATA]),
            &der::element(tag::constructed(0), &[&octets]),
        ]);
        let mut chain: Vec<&[u8]> = self.chain.iter().map(Vec::as_slice).collect();
        chain.sort_unstable();
        chain.dedup();
        Some(content_info(&der::sequence(&[
            &der::unsigned(1),
            &der::element(tag::SET, &[&sha256()]),
            &encapsulated,
            &der::element(tag::constructed(0), &chain),
            &der::element(tag::SET, &[&signer]),
        ])))
    }
}

/// Content type, time, digest and whatever else there is, in the order of their DER.
fn attributes(content: &[u8], more: &[(&[u8], Vec<u8>)], now: Timestamp) -> Vec<u8> {
    let attribute = |name: &[u8], value: &[u8]| {
        der::sequence(&[&der::element(tag::OID, &[name]), &der::element(tag::SET, &[value])])
    };
    let digest = digest(&SHA256, content);
    let mut attributes = vec![
        attribute(oid::CMS_CONTENT_TYPE, &der::element(tag::OID, &[oid::PKCS7_DATA])),
        attribute(oid::CMS_SIGNING_TIME, &der::time(now)),
        attribute(oid::CMS_MESSAGE_DIGEST, &der::element(tag::OCTET_STRING, &[digest.as_ref()])),
    ];
    attributes.extend(more.iter().map(|(name, value)| attribute(name, value)));
    attributes.sort_unstable();
    attributes.concat()
}

fn sha256() -> Vec<u8> {
    der::sequence(&[&der::element(tag::OID, &[oid::SHA256])])
}

fn signature_algorithm(algorithm: ContentSignatureAlgorithm) -> Vec<u8> {
    match algorithm {
        ContentSignatureAlgorithm::Ecdsa => oid::ECDSA_WITH_SHA256.to_vec(),
        // RFC 3370 section 3.2: named without the digest, as all read it; the digest stands beside.
        ContentSignatureAlgorithm::Rsa => oid::RSA_KEY.to_vec(),
    }
}

fn issuer_and_serial(certificate: &[u8]) -> Result<Vec<u8>, MalformedDer> {
    let mut outer = DerReader::new(DerReader::single(certificate, tag::SEQUENCE)?.content);
    let mut fields = DerReader::new(outer.expect(tag::SEQUENCE)?.content);
    fields.optional(tag::constructed(0))?;
    let serial = fields.expect(tag::INTEGER)?.whole;
    fields.expect(tag::SEQUENCE)?;
    let issuer = fields.expect(tag::SEQUENCE)?.whole;
    Ok(der::sequence(&[issuer, serial]))
}
