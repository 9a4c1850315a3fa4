//! Writes and signs a CRL.

use super::entry::{LONGEST_ENTRY, Times, append_entry};
use super::reading::{HashedTbs, reads_back};
use super::{CrlError, CrlIdentity, CrlScope, RevokedEntry, VerifiedCrl};
use crate::der::{self, tag};
use crate::issuer::Issuer;
use crate::keys::CaKeyError;
use crate::oid;
use tegata_core::Timestamp;

/// Identifier and length octets of what is between 64 KiB and 16 MiB long, as a list of some thousand to some hundred
/// thousand entries is: then the head fits exactly into the room kept for it.
const USUAL_HEADER: usize = 5;

/// Those of anything longer, up to 4 GiB.
const LONGEST_HEADER: usize = 6;

/// Builds the list of an issuer for `scope` from entries at hand.
///
/// A serial must not come twice; the order does not matter.
pub fn build_crl(
    issuer: &Issuer,
    scope: CrlScope<'_>,
    edition: CrlIdentity,
    entries: impl IntoIterator<Item = RevokedEntry>,
) -> Result<VerifiedCrl, CrlError> {
    let entries = entries.into_iter();
    let mut builder = CrlBuilder::new(issuer, scope, edition)?;
    builder.reserve(entries.size_hint().0 * LONGEST_ENTRY);
    entries.for_each(|entry| builder.push(&entry));
    builder.finish(issuer)
}

/// A list in the making. Its head is written last, when the lengths are known, into room kept for it, so that the entries
/// are not moved.
pub struct CrlBuilder {
    buffer: Vec<u8>,
    start: usize,
    edition: CrlIdentity,
    fields: Vec<u8>,
    extensions: Vec<u8>,
    times: Times,
    entries: usize,
}

impl CrlBuilder {
    /// Begins a list with no entries.
    ///
    /// # Errors
    /// [`CrlError::Edition`] when it would be stale when born.
    pub fn new(issuer: &Issuer, scope: CrlScope<'_>, edition: CrlIdentity) -> Result<Self, CrlError> {
        let CrlIdentity { number, this_update, next_update } = edition;
        let edition = CrlIdentity {
            number,
            this_update: this_update.whole_second(),
            next_update: next_update.whole_second(),
        };
        if edition.next_update <= edition.this_update {
            return Err(CrlError::Edition);
        }
        let fields = fields(issuer, edition);
        let start = fields.len() + 3 * USUAL_HEADER;
        Ok(Self {
            buffer: vec![0; start],
            start,
            edition,
            extensions: extensions(issuer, &scope.der(), number),
            fields,
            times: Times::starting(Timestamp::default()),
            entries: 0,
        })
    }

    /// Makes room for so many bytes of entries at once, where their number can be guessed.
    pub fn reserve(&mut self, bytes: usize) {
        if self.entries == 0 && bytes >= 1 << 24 {
            self.start = self.fields.len() + 3 * LONGEST_HEADER;
            self.buffer = vec![0; self.start];
        }
        self.buffer.reserve(bytes + self.extensions.len() + 128);
    }

    /// Appends one `revokedCertificates` entry. Entries stand in the list in the order of these calls.
    pub fn push(&mut self, entry: &RevokedEntry) {
        append_entry(&mut self.buffer, entry, self.times.at(entry.at));
        self.entries += 1;
    }

    /// Writes the head, signs, closes, and reads everything back. Signs once, and may wait for the key.
    ///
    /// # Errors
    /// [`CrlError::Altered`] when the list does not say what was meant or its signature does not hold.
    pub fn finish(mut self, issuer: &Issuer) -> Result<VerifiedCrl, CrlError> {
        // An empty list has no revokedCertificates (RFC 5280 section 5.1.2.6).
        if self.entries > 0 {
            self.enclose(self.buffer.len());
        }
        self.buffer.extend_from_slice(&self.extensions);
        self.prepend_fields();
        self.enclose(self.buffer.len());
        let hashed = self.sign(issuer)?;
        let Self { buffer, start, edition, entries, fields, extensions, .. } = self;
        let crl = VerifiedCrl { buffer, start, edition, entries };
        reads_back(&crl, hashed.as_ref(), &fields, &extensions, issuer).map_err(|_| CrlError::Altered)?;
        Ok(crl)
    }

    /// Hashes what is signed where the key takes digests: nothing of it is written to afterwards.
    fn sign(&mut self, issuer: &Issuer) -> Result<Option<HashedTbs>, CaKeyError> {
        let tbs = &self.buffer[self.start..];
        let hashed = issuer.signer().by_digest().map(|key| (key, HashedTbs::of(tbs)));
        let signature = match &hashed {
            Some((key, hashed)) => key.sign_digest(&hashed.digest)?,
            None => issuer.signer().sign(tbs)?,
        };
        let hashed = hashed.map(|(_, hashed)| hashed);
        self.buffer.extend_from_slice(oid::ECDSA_WITH_SHA256);
        self.buffer.extend_from_slice(&der::bit_string(&signature));
        self.enclose(self.buffer.len());
        Ok(hashed)
    }

    fn prepend_fields(&mut self) {
        let fields = std::mem::take(&mut self.fields);
        self.prepend(&fields);
        self.fields = fields;
    }

    /// Only a list that is much longer than was expected is moved to make room.
    fn prepend(&mut self, bytes: &[u8]) {
        if self.start < bytes.len() {
            self.buffer.splice(..self.start, std::iter::repeat_n(0, bytes.len()));
            self.start = bytes.len();
        }
        let end = self.start;
        self.start -= bytes.len();
        self.buffer[self.start..end].copy_from_slice(bytes);
    }

    /// A SEQUENCE header for everything from `self.start` up to `end`.
    fn enclose(&mut self, end: usize) {
        let mut header = Vec::with_capacity(LONGEST_HEADER);
        der::write_header(&mut header, tag::SEQUENCE, end - self.start);
        self.prepend(&header);
    }
}

/// version v2, signature, issuer, thisUpdate, nextUpdate (RFC 5280 section 5.1.2).
pub(super) fn fields(issuer: &Issuer, edition: CrlIdentity) -> Vec<u8> {
    [
        &der::unsigned(1),
        oid::ECDSA_WITH_SHA256,
        issuer.subject(),
        &der::time(edition.this_update),
        &der::time(edition.next_update),
    ]
    .concat()
}

/// `AuthorityKeyIdentifier`, `CRLNumber`, and the critical `IssuingDistributionPoint` (RFC 5280 section 5.2).
pub(super) fn extensions(issuer: &Issuer, scope: &[u8], number: u64) -> Vec<u8> {
    let key = der::sequence(&[&der::element(tag::context(0), &[issuer.key_identifier()])]);
    let list = der::sequence(&[
        &der::extension(oid::AUTHORITY_KEY_IDENTIFIER, false, &key),
        &der::extension(oid::CRL_NUMBER, false, &der::unsigned(number)),
        &der::extension(oid::ISSUING_DISTRIBUTION_POINT, true, scope),
    ]);
    der::element(tag::constructed(0), &[&list])
}
