//! OCSP (RFC 6960, nonces by RFC 9654): requests are read, answers are signed by the issuing key itself.

use crate::crl::CrlReason;
use crate::der::{self, Malformed, Reader, tag};
use crate::issuer::Issuer;
use crate::keys::KeyError;
use crate::oid;
use std::time::Duration;
use tegata_core::encoding::from_base64;
use tegata_core::{Serial, Timestamp};

/// The longest request that is looked at, in bytes.
pub const MAX_LENGTH: usize = 8 * 1024;

/// The most certificates one request may ask about.
pub const MAX_CERTIFICATES: usize = 32;

/// Nonces up to this length are repeated, longer ones left out (RFC 9654 section 2.1).
const LONGEST_REPEATED_NONCE: usize = 32;

/// Nonces beyond this length make a request malformed (RFC 9654 section 2.1).
const LONGEST_NONCE: usize = 128;

/// What the ledger says about a serial.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OcspStatus {
    /// Issued and in force.
    Good,
    /// Taken back, or on hold while its device is suspended.
    Revoked {
        /// Since when.
        at: Timestamp,
        /// Why.
        reason: CrlReason,
    },
    /// Never issued.
    Unknown,
}

/// An answer without a signature: nothing was said about any certificate (RFC 6960 section 4.2.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum OcspError {
    /// The request is not one.
    MalformedRequest = 1,
    /// The key did not sign.
    InternalError = 2,
    /// The ledger cannot be asked now.
    TryLater = 3,
    /// No certificate in the request belongs to this issuer.
    Unauthorized = 6,
}

impl OcspError {
    /// The answer in DER.
    pub const fn response(self) -> [u8; 5] {
        [tag::SEQUENCE, 3, tag::ENUMERATED, 1, self as u8]
    }
}

impl From<KeyError> for OcspError {
    fn from(error: KeyError) -> Self {
        tracing::error!(%error, "the OCSP key did not sign");
        Self::InternalError
    }
}

impl From<Malformed> for OcspError {
    fn from(_: Malformed) -> Self {
        Self::MalformedRequest
    }
}

/// A request: about which certificates, and with which nonce.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OcspRequest {
    certificates: Vec<CertificateId>,
    nonce: Option<Vec<u8>>,
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

    /// Whether the answer may be kept and given again: it would be the same for everybody.
    pub fn is_cacheable(&self) -> bool {
        self.nonce.is_none()
    }

    /// The serials asked about, whoever issued them, so that the ledger can be asked before the answer is written.
    pub fn serials(&self) -> impl Iterator<Item = Serial> {
        self.certificates.iter().filter_map(|certificate| certificate.serial)
    }

    /// The signed answer, valid for `lifetime` from `now`. Certificates of other issuers are unknown here.
    ///
    /// # Errors
    /// [`OcspError::Unauthorized`] when none is ours, and whatever `lookup` fails with; send
    /// [`OcspError::response`] then.
    pub fn answer(
        &self,
        issuer: &Issuer,
        now: Timestamp,
        lifetime: Duration,
        mut lookup: impl FnMut(&Serial) -> Result<OcspStatus, OcspError>,
    ) -> Result<Vec<u8>, OcspError> {
        if !self.certificates.iter().any(|certificate| certificate.is_of(issuer)) {
            return Err(OcspError::Unauthorized);
        }
        let times = update_times(now, lifetime);
        let mut answers = Vec::with_capacity(self.certificates.len() * 160);
        for certificate in &self.certificates {
            let status = match &certificate.serial {
                Some(serial) if certificate.is_of(issuer) => lookup(serial)?,
                _ => OcspStatus::Unknown,
            };
            answers.extend(der::sequence(&[&certificate.whole, &status_der(status), &times]));
        }
        let data = self.response_data(issuer, now, &answers);
        let basic = issuer.sign(&data)?;
        Ok(successful(&basic))
    }

    /// `ResponseData` (RFC 6960 section 4.2.1).
    fn response_data(&self, issuer: &Issuer, now: Timestamp, answers: &[u8]) -> Vec<u8> {
        let key_hash = der::element(tag::OCTET_STRING, &[issuer.responder_key_hash()]);
        let nonce = match &self.nonce {
            Some(nonce) if nonce.len() <= LONGEST_REPEATED_NONCE => nonce_extension(nonce),
            _ => Vec::new(),
        };
        der::sequence(&[
            &der::element(tag::constructed(2), &[&key_hash]),
            &der::generalized_time(now),
            &der::sequence(&[answers]),
            &nonce,
        ])
    }
}

/// Reads a request and answers it, whatever arrives: always the DER of an `OCSPResponse`.
pub fn answer(
    request: Result<OcspRequest, OcspError>,
    issuer: &Issuer,
    now: Timestamp,
    lifetime: Duration,
    lookup: impl FnMut(&Serial) -> Result<OcspStatus, OcspError>,
) -> Vec<u8> {
    request
        .and_then(|request| request.answer(issuer, now, lifetime, lookup))
        .unwrap_or_else(|error| error.response().to_vec())
}

/// A `CertID` (RFC 6960 section 4.1.1).
#[derive(Clone, PartialEq, Eq, Debug)]
struct CertificateId {
    whole: Vec<u8>,
    hash: Vec<u8>,
    name: Vec<u8>,
    key: Vec<u8>,
    serial: Option<Serial>,
}

impl CertificateId {
    fn read(der: &[u8]) -> Result<Self, Malformed> {
        let whole = Reader::single(der, tag::SEQUENCE)?;
        let mut fields = Reader::new(whole.content);
        let mut algorithm = Reader::new(fields.expect(tag::SEQUENCE)?.content);
        let hash = algorithm.expect(tag::OID)?.content.to_vec();
        if algorithm.optional(tag::NULL)?.is_some_and(|null| !null.content.is_empty()) {
            return Err(Malformed);
        }
        algorithm.end()?;
        let name = fields.expect(tag::OCTET_STRING)?.content.to_vec();
        let key = fields.expect(tag::OCTET_STRING)?.content.to_vec();
        let serial = Serial::from_slice(fields.expect(tag::INTEGER)?.content);
        fields.end()?;
        Ok(Self { whole: whole.whole.to_vec(), hash, name, key, serial })
    }

    fn is_of(&self, issuer: &Issuer) -> bool {
        issuer.is_named_by(&self.hash, &self.name, &self.key)
    }
}

/// `OCSPRequest` (RFC 6960 section 4.1.1). A requestor's name and signature are passed over: everybody
/// may ask.
fn read_request(der: &[u8]) -> Result<OcspRequest, Malformed> {
    let mut outer = Reader::new(Reader::single(der, tag::SEQUENCE)?.content);
    let mut request = Reader::new(outer.expect(tag::SEQUENCE)?.content);
    outer.optional(tag::constructed(0))?;
    outer.end()?;

    if request.optional(tag::constructed(0))?.is_some_and(|version| version.content != [2, 1, 0]) {
        return Err(Malformed);
    }
    request.optional(tag::constructed(1))?;
    let mut list = Reader::new(request.expect(tag::SEQUENCE)?.content);
    let extensions = request.optional(tag::constructed(2))?;
    request.end()?;

    let mut certificates = Vec::new();
    while !list.is_empty() {
        let mut single = Reader::new(list.expect(tag::SEQUENCE)?.content);
        certificates.push(CertificateId::read(single.expect(tag::SEQUENCE)?.whole)?);
        if let Some(extensions) = single.optional(tag::constructed(0))? {
            read_extensions(extensions.content)?;
        }
        single.end()?;
    }
    if certificates.is_empty() || certificates.len() > MAX_CERTIFICATES {
        return Err(Malformed);
    }
    let nonce = extensions.map(|found| read_extensions(found.content)).transpose()?.flatten();
    Ok(OcspRequest { certificates, nonce })
}

/// The nonce among extensions. A critical extension nobody here understands makes the request malformed.
fn read_extensions(der: &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
    let mut list = Reader::new(Reader::single(der, tag::SEQUENCE)?.content);
    let mut nonce = None;
    while !list.is_empty() {
        let mut extension = Reader::new(list.expect(tag::SEQUENCE)?.content);
        let id = extension.expect(tag::OID)?.content;
        let critical = extension.optional(tag::BOOLEAN)?.is_some_and(|flag| flag.content != [0]);
        let value = extension.expect(tag::OCTET_STRING)?.content;
        extension.end()?;
        if id == oid::OCSP_NONCE {
            let octets = Reader::single(value, tag::OCTET_STRING)?.content;
            if octets.is_empty() || octets.len() > LONGEST_NONCE || nonce.is_some() {
                return Err(Malformed);
            }
            nonce = Some(octets.to_vec());
        } else if critical {
            return Err(Malformed);
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

/// `CertStatus`.
fn status_der(status: OcspStatus) -> Vec<u8> {
    match status {
        OcspStatus::Good => der::element(tag::context(0), &[]),
        OcspStatus::Unknown => der::element(tag::context(2), &[]),
        OcspStatus::Revoked { at, reason } => {
            let code = der::element(tag::ENUMERATED, &[&[reason as u8]]);
            let reason = match reason {
                CrlReason::Unspecified => Vec::new(),
                _ => der::element(tag::constructed(0), &[&code]),
            };
            der::element(tag::constructed(1), &[&der::generalized_time(at), &reason])
        }
    }
}

/// thisUpdate and nextUpdate.
fn update_times(now: Timestamp, lifetime: Duration) -> Vec<u8> {
    let next = der::generalized_time(now.plus(lifetime));
    [der::generalized_time(now), der::element(tag::constructed(0), &[&next])].concat()
}

/// responseExtensions with the nonce alone.
fn nonce_extension(nonce: &[u8]) -> Vec<u8> {
    let value = der::element(tag::OCTET_STRING, &[nonce]);
    der::element(tag::constructed(1), &[&der::sequence(&[&der::extension(oid::OCSP_NONCE, false, &value)])])
}

/// `OCSPResponse` with the status successful around a `BasicOCSPResponse`.
fn successful(basic: &[u8]) -> Vec<u8> {
    let bytes = der::sequence(&[
        &der::element(tag::OID, &[oid::OCSP_BASIC]),
        &der::element(tag::OCTET_STRING, &[basic]),
    ]);
    der::sequence(&[&[tag::ENUMERATED, 1, 0], &der::element(tag::constructed(0), &[&bytes])])
}

#[cfg(test)]
#[path = "tests/ocsp.rs"]
mod tests;
