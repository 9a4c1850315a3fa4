//! Reads a CRL without building a tree of it: a list of a million entries costs its serials.

use tegata_storage::StoredCrl;
use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::asn1_rs::{Any, BitString, Class, FromDer as FromDerAsn1, Tag};
use x509_parser::extensions::{ParsedExtension, X509Extension};
use x509_parser::time::ASN1Time;
use x509_parser::x509::AlgorithmIdentifier;

/// A list (RFC 5280 section 5.1).
pub struct CheckedCrl<'a> {
    tbs: &'a [u8],
    issuer: &'a [u8],
    algorithm: AlgorithmIdentifier<'a>,
    signature: BitString<'a>,
    this_update: i64,
    next_update: Option<i64>,
    number: Option<u64>,
    entries: Vec<Vec<u8>>,
}

impl<'a> CheckedCrl<'a> {
    /// From DER; nothing unless it is one list and nothing else.
    pub fn read(der: &'a [u8]) -> Option<Self> {
        let (rest, outer) = sequence(der)?;
        let (after_tbs, tbs) = sequence(outer)?;
        let whole_tbs = &outer[..outer.len() - after_tbs.len()];
        let (after, algorithm) = AlgorithmIdentifier::from_der(after_tbs).ok()?;
        let (end, signature) = BitString::from_der(after).ok()?;
        if !rest.is_empty() || !end.is_empty() {
            return None;
        }
        let (fields, _version) = u8::from_der(tbs).ok()?;
        let (fields, _algorithm) = sequence(fields)?;
        let (after_issuer, _) = sequence(fields)?;
        let issuer = &fields[..fields.len() - after_issuer.len()];
        let (fields, this_update) = ASN1Time::from_der(after_issuer).ok()?;
        let (fields, next_update) = match ASN1Time::from_der(fields) {
            Ok((fields, next)) => (fields, Some(next.timestamp())),
            Err(_) => (fields, None),
        };
        let (fields, entries) = match sequence(fields) {
            Some((fields, entries)) => (fields, serials(entries)?),
            None => (fields, Vec::new()),
        };
        let number = number(fields);
        let this_update = this_update.timestamp();
        Some(Self { tbs: whole_tbs, issuer, algorithm, signature, this_update, next_update, number, entries })
    }

    /// Whether this CA signed it in its own name.
    pub fn verifies(&self, authority: &X509Certificate<'_>) -> bool {
        let Self { algorithm, signature, tbs, .. } = self;
        self.issuer == authority.subject().as_raw()
            && x509_parser::verify::verify_signature(authority.public_key(), algorithm, signature, tbs)
                .is_ok()
    }

    /// Whether the row says of it what it says itself.
    pub fn is_as_filed(&self, crl: &StoredCrl) -> bool {
        self.number == Some(crl.number)
            && self.this_update == crl.this_update.seconds()
            && self.next_update == Some(crl.next_update.seconds())
    }

    /// The serials on it, as they come.
    pub fn into_serials(self) -> Vec<Vec<u8>> {
        self.entries
    }
}

/// What follows a SEQUENCE, and what is in it.
fn sequence(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (rest, any) = Any::from_der(der).ok()?;
    (any.tag() == Tag::Sequence && any.class() == Class::Universal).then_some((rest, any.data))
}

fn serials(mut entries: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut serials = Vec::new();
    while !entries.is_empty() {
        let (rest, entry) = sequence(entries)?;
        let (_, serial) = Any::from_der(entry).ok()?;
        if serial.tag() != Tag::Integer {
            return None;
        }
        serials.push(serial.data.to_vec());
        entries = rest;
    }
    Some(serials)
}

/// The CRL number among the extensions.
fn number(fields: &[u8]) -> Option<u64> {
    let (_, tagged) = Any::from_der(fields).ok()?;
    let (_, mut extensions) = sequence(tagged.data)?;
    while !extensions.is_empty() {
        let (rest, extension) = X509Extension::from_der(extensions).ok()?;
        if let ParsedExtension::CRLNumber(number) = extension.parsed_extension() {
            return u64::try_from(number).ok();
        }
        extensions = rest;
    }
    None
}
