//! Reads and verifies a CRL: a new one before it is published, and the published one.

use super::VerifiedCrl;
use crate::der::{DerReader, Element, MalformedDer, octets_of_bit_string, tag};
use crate::issuer::Issuer;
use crate::keys::sha256;
use crate::oid;

/// The SHA-256 digest of a list's signed part, from when it was signed, and its length.
pub(super) struct HashedTbs {
    pub(super) digest: [u8; 32],
    length: usize,
}

impl HashedTbs {
    pub(super) fn of(tbs: &[u8]) -> Self {
        Self { digest: sha256(tbs), length: tbs.len() }
    }

    fn holds(&self, list: &ParsedCrl<'_>, issuer: &Issuer) -> bool {
        self.length == list.tbs.whole.len() && issuer.verifies_digest(&self.digest, list.signature)
    }
}

/// Whether the list says what was meant and its signature holds: over the digest, where its key was given one.
pub(super) fn reads_back(
    crl: &VerifiedCrl,
    hashed: Option<&HashedTbs>,
    fields: &[u8],
    extensions: &[u8],
    issuer: &Issuer,
) -> Result<(), MalformedDer> {
    let list = ParsedCrl::read(crl.der())?;
    let mut rest = DerReader::new(list.tbs.content.strip_prefix(fields).ok_or(MalformedDer)?);
    let mut entries = DerReader::new(rest.optional(tag::SEQUENCE)?.map_or(&[], |entries| entries.content));
    let mut count = 0;
    while !entries.is_empty() {
        entries.expect(tag::SEQUENCE)?;
        count += 1;
    }
    let found = rest.expect(tag::constructed(0))?.whole;
    rest.end()?;
    // The signature last: it costs as much as everything before it.
    let sound = count == crl.entries()
        && found == extensions
        && list.algorithm == oid::ECDSA_WITH_SHA256
        && match hashed {
            Some(hashed) => hashed.holds(&list, issuer),
            None => issuer.verifies(list.tbs.whole, list.signature),
        };
    if sound { Ok(()) } else { Err(MalformedDer) }
}

/// The value of a list's `IssuingDistributionPoint`: which certificates it is about.
pub(crate) fn scope_of(der: &[u8]) -> Option<&[u8]> {
    scope(der).ok().flatten()
}

fn scope(der: &[u8]) -> Result<Option<&[u8]>, MalformedDer> {
    let mut fields = DerReader::new(ParsedCrl::read(der)?.tbs.content);
    while !fields.is_empty() {
        // The extensions are the only field with this tag (RFC 5280 section 5.1).
        let Some(found) = fields.optional(tag::constructed(0))? else {
            fields.element()?;
            continue;
        };
        let mut extensions = DerReader::new(DerReader::single(found.content, tag::SEQUENCE)?.content);
        while !extensions.is_empty() {
            let mut extension = DerReader::new(extensions.expect(tag::SEQUENCE)?.content);
            let id = extension.expect(tag::OID)?.content;
            extension.optional(tag::BOOLEAN)?;
            if id == oid::ISSUING_DISTRIBUTION_POINT {
                return Ok(Some(extension.expect(tag::OCTET_STRING)?.content));
            }
        }
    }
    Ok(None)
}

struct ParsedCrl<'a> {
    tbs: Element<'a>,
    algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> ParsedCrl<'a> {
    fn read(der: &'a [u8]) -> Result<Self, MalformedDer> {
        let mut outer = DerReader::new(DerReader::single(der, tag::SEQUENCE)?.content);
        let tbs = outer.expect(tag::SEQUENCE)?;
        let algorithm = outer.expect(tag::SEQUENCE)?.whole;
        let signature = octets_of_bit_string(outer.expect(tag::BIT_STRING)?.content)?;
        outer.end()?;
        Ok(Self { tbs, algorithm, signature })
    }
}
