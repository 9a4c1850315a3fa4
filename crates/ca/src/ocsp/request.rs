//! Parses OCSP requests (RFC 6960 section 4.1).

use super::{MAX_CERTIFICATES, MAX_LENGTH, OcspError};
use crate::der::{self, DerReader, MalformedDer, tag};
use crate::issuer::Issuer;
use crate::oid;
use tegata_core::Serial;
use tegata_core::encoding::from_base64;

/// Nonces beyond this length make a request malformed (RFC 9654 section 2.1).
const LONGEST_NONCE: usize = 128;

/// A request: about which certificates, and with which nonce.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OcspRequest {
    pub(super) certificates: Vec<CertificateId>,
    pub(super) nonce: Option<Vec<u8>>,
}

impl OcspRequest {
    /// From the body of a POST.
    pub fn parse(der: &[u8]) -> Result<Self, OcspError> {
        if der.len() > MAX_LENGTH {
            return Err(OcspError::MalformedRequest);
        }
        Ok(read_request(der)?)
    }

    /// From the last part of a GET's path: base64, percent-encoded (RFC 6960 appendix A.1).
    pub fn from_path(path: &str) -> Result<Self, OcspError> {
        if path.len() > 3 * MAX_LENGTH {
            return Err(OcspError::MalformedRequest);
        }
        let text = percent_decoded(path).ok_or(OcspError::MalformedRequest)?;
        Self::parse(&from_base64(&text).ok_or(OcspError::MalformedRequest)?)
    }

    /// The DER of every `CertID` asked about, as it came and as the answer repeats it.
    pub fn certificate_ids(&self) -> impl Iterator<Item = &[u8]> {
        self.certificates.iter().map(|certificate| certificate.whole.as_slice())
    }

    /// Whether the answer may be kept and given again: it would be the same for everybody.
    pub fn is_cacheable(&self) -> bool {
        self.nonce.is_none()
    }

    /// The only certificate asked about, where a signed answer can be given to more than one client.
    pub(super) fn single(&self) -> Option<&CertificateId> {
        match self.certificates.as_slice() {
            [single] if self.is_cacheable() => Some(single),
            _ => None,
        }
    }
}

/// A `CertID` (RFC 6960 section 4.1.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct CertificateId {
    pub(super) whole: Vec<u8>,
    hash: Vec<u8>,
    name: Vec<u8>,
    key: Vec<u8>,
    pub(super) serial: Option<Serial>,
}

impl CertificateId {
    fn read(bytes: &[u8]) -> Result<Self, MalformedDer> {
        let whole = DerReader::single(bytes, tag::SEQUENCE)?;
        // The answer repeats these bytes under a signature.
        if !der::is_der(bytes) {
            return Err(MalformedDer);
        }
        let mut fields = DerReader::new(whole.content);
        let mut algorithm = DerReader::new(fields.expect(tag::SEQUENCE)?.content);
        let hash = algorithm.expect(tag::OID)?.content.to_vec();
        if algorithm.optional(tag::NULL)?.is_some_and(|null| !null.content.is_empty()) {
            return Err(MalformedDer);
        }
        algorithm.end()?;
        let name = fields.expect(tag::OCTET_STRING)?.content.to_vec();
        let key = fields.expect(tag::OCTET_STRING)?.content.to_vec();
        let serial = Serial::from_slice(fields.expect(tag::INTEGER)?.content);
        fields.end()?;
        Ok(Self { whole: whole.whole.to_vec(), hash, name, key, serial })
    }

    pub(super) fn is_of(&self, issuer: &Issuer) -> bool {
        issuer.is_named_by(&self.hash, &self.name, &self.key)
    }
}

/// `OCSPRequest` (RFC 6960 section 4.1.1). A requestor's name and signature are passed over: everybody
/// may ask.
fn read_request(der: &[u8]) -> Result<OcspRequest, MalformedDer> {
    let mut outer = DerReader::new(DerReader::single(der, tag::SEQUENCE)?.content);
    let mut request = DerReader::new(outer.expect(tag::SEQUENCE)?.content);
    outer.optional(tag::constructed(0))?;
    outer.end()?;

    if request.optional(tag::constructed(0))?.is_some_and(|version| version.content != [2, 1, 0]) {
        return Err(MalformedDer);
    }
    request.optional(tag::constructed(1))?;
    let mut list = DerReader::new(request.expect(tag::SEQUENCE)?.content);
    let extensions = request.optional(tag::constructed(2))?;
    request.end()?;

    let mut certificates = Vec::new();
    while !list.is_empty() {
        let mut single = DerReader::new(list.expect(tag::SEQUENCE)?.content);
        certificates.push(CertificateId::read(single.expect(tag::SEQUENCE)?.whole)?);
        if let Some(extensions) = single.optional(tag::constructed(0))? {
            read_extensions(extensions.content)?;
        }
        single.end()?;
    }
    if certificates.is_empty() || certificates.len() > MAX_CERTIFICATES {
        return Err(MalformedDer);
    }
    let nonce = extensions.map(|found| read_extensions(found.content)).transpose()?.flatten();
    Ok(OcspRequest { certificates, nonce })
}

/// The nonce among extensions. A critical extension nobody here understands makes the request malformed.
pub(super) fn read_extensions(der: &[u8]) -> Result<Option<Vec<u8>>, MalformedDer> {
    let mut list = DerReader::new(DerReader::single(der, tag::SEQUENCE)?.content);
    let mut nonce = None;
    while !list.is_empty() {
        let mut extension = DerReader::new(list.expect(tag::SEQUENCE)?.content);
        let id = extension.expect(tag::OID)?.content;
        let critical = extension.optional(tag::BOOLEAN)?.is_some_and(|flag| flag.content != [0]);
        let value = extension.expect(tag::OCTET_STRING)?.content;
        extension.end()?;
        if id == oid::OCSP_NONCE {
            let octets = DerReader::single(value, tag::OCTET_STRING)?.content;
            if octets.is_empty() || octets.len() > LONGEST_NONCE || nonce.is_some() {
                return Err(MalformedDer);
            }
            nonce = Some(octets.to_vec());
        } else if critical {
            return Err(MalformedDer);
        }
    }
    Ok(nonce)
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut decoded = parts.next()?.to_owned();
    for part in parts {
        let digits = part.get(..2)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        decoded.push(u8::from_str_radix(digits, 16).ok()?.into());
        decoded.push_str(&part[2..]);
    }
    Some(decoded)
}
