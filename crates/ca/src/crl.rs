//! Certificate revocation lists (RFC 5280 section 5).
//!
//! Written straight into one buffer: a list of a million entries costs its own size in memory, one
//! hash and one signature. A list is read back before anybody sees it.

use crate::der::{self, Malformed, Reader, octets_of_bit_string, tag};
use crate::issuer::Issuer;
use crate::keys::KeyError;
use crate::oid;
use tegata_core::{RevocationReason, Serial, Timestamp};

/// Why a certificate stands on the list (RFC 5280 section 5.3.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum CrlReason {
    /// No reason given: the list says nothing, as the RFC asks.
    Unspecified = 0,
    /// The key may be in other hands.
    KeyCompromise = 1,
    /// The holder belongs elsewhere now.
    AffiliationChanged = 3,
    /// Another certificate took its place.
    Superseded = 4,
    /// The terminal is no longer used.
    CessationOfOperation = 5,
    /// The device is suspended. The entry disappears when it is resumed.
    CertificateHold = 6,
}

impl From<RevocationReason> for CrlReason {
    fn from(reason: RevocationReason) -> Self {
        match reason {
            RevocationReason::Unspecified => Self::Unspecified,
            RevocationReason::KeyCompromise => Self::KeyCompromise,
            RevocationReason::AffiliationChanged => Self::AffiliationChanged,
            RevocationReason::Superseded => Self::Superseded,
            RevocationReason::CessationOfOperation => Self::CessationOfOperation,
        }
    }
}

/// One entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Revoked {
    /// Which certificate.
    pub serial: Serial,
    /// Since when.
    pub at: Timestamp,
    /// Why.
    pub reason: CrlReason,
}

/// Which list this is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Edition {
    /// Strictly greater than that of every list published before (section 5.2.3).
    pub number: u64,
    /// When the facts were read.
    pub this_update: Timestamp,
    /// When the next list will be there at the latest.
    pub next_update: Timestamp,
}

/// Why no list was made.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CrlError {
    /// nextUpdate must lie after thisUpdate.
    #[error("the next CRL would be due before this one: choose a positive CRL lifetime")]
    Edition,
    /// What was written is not what was meant.
    #[error("the CRL does not read back as written; it must not be published: tell the operators")]
    Altered,
    /// The key did not work.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// A list whose signature was verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Crl {
    buffer: Vec<u8>,
    start: usize,
    edition: Edition,
    entries: usize,
}

impl Crl {
    /// Its DER.
    pub fn der(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Its DER, owned.
    pub fn into_der(mut self) -> Vec<u8> {
        self.buffer.drain(..self.start);
        self.buffer
    }

    /// Which list this is, to the second.
    pub fn edition(&self) -> Edition {
        self.edition
    }

    /// How many certificates are on it.
    pub fn entries(&self) -> usize {
        self.entries
    }
}

/// Builds the list that `issuer` publishes at `url`, which is the distribution point in its certificates.
///
/// A serial must not come twice; the order does not matter. The scope is the issuer's end-entity
/// certificates (section 5.2.5).
pub fn build_crl(
    issuer: &Issuer,
    url: &str,
    edition: Edition,
    entries: impl IntoIterator<Item = Revoked>,
) -> Result<Crl, CrlError> {
    let Edition { number, this_update, next_update } = edition;
    let edition =
        Edition { number, this_update: this_update.whole_second(), next_update: next_update.whole_second() };
    if edition.next_update <= edition.this_update {
        return Err(CrlError::Edition);
    }
    let fields = fields(issuer, edition);
    let mut list = List::with_room_before(fields.len() + 3 * LONGEST_HEADER);
    let count = list.append_entries(entries);
    list.append(&extensions(issuer, url, number));
    list.enclose(issuer, &fields, count > 0)?;
    let crl = Crl { buffer: list.buffer, start: list.start, edition, entries: count };
    reads_back(&crl, issuer).map_err(|_| CrlError::Altered)?;
    Ok(crl)
}

/// Identifier and length octets of anything below 4 GiB.
const LONGEST_HEADER: usize = 6;

/// An entry with a `UTCTime` and a reason.
const LONGEST_USUAL_ENTRY: usize = 53;

/// A list in the making. Its head is written last, when the lengths are known, into room kept for it:
/// the entries are never moved.
struct List {
    buffer: Vec<u8>,
    start: usize,
    entries_end: usize,
}

impl List {
    fn with_room_before(room: usize) -> Self {
        Self { buffer: vec![0; room], start: room, entries_end: room }
    }

    fn append(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    fn prepend(&mut self, bytes: &[u8]) {
        let end = self.start;
        self.start -= bytes.len();
        self.buffer[self.start..end].copy_from_slice(bytes);
    }

    /// A SEQUENCE header for everything from `self.start` up to `end`.
    fn enclose_up_to(&mut self, end: usize) {
        let mut header = Vec::with_capacity(LONGEST_HEADER);
        der::write_header(&mut header, tag::SEQUENCE, end - self.start);
        self.prepend(&header);
    }

    fn append_entries(&mut self, entries: impl IntoIterator<Item = Revoked>) -> usize {
        let entries = entries.into_iter();
        self.buffer.reserve(entries.size_hint().0 * LONGEST_USUAL_ENTRY + 1024);
        let mut times = Times::starting(Timestamp::default());
        let mut count = 0;
        for entry in entries {
            append_entry(&mut self.buffer, &entry, times.at(entry.at));
            count += 1;
        }
        self.entries_end = self.buffer.len();
        count
    }

    /// Writes the head, signs, and closes. An empty list has no revokedCertificates (section 5.1.2.6).
    fn enclose(&mut self, issuer: &Issuer, fields: &[u8], any: bool) -> Result<(), KeyError> {
        if any {
            self.enclose_up_to(self.entries_end);
        }
        self.prepend(fields);
        self.enclose_up_to(self.buffer.len());
        let signature = issuer.signer().sign(&self.buffer[self.start..])?;
        self.append(oid::ECDSA_WITH_SHA256);
        self.append(&der::bit_string(&signature));
        self.enclose_up_to(self.buffer.len());
        Ok(())
    }
}

/// `{ serial, revocationDate, [reasonCode] }` (section 5.1.2.6), put together on the stack.
fn append_entry(out: &mut Vec<u8>, entry: &Revoked, time: &[u8]) {
    /// SEQUENCE { SEQUENCE { id-ce-cRLReasons, OCTET STRING { ENUMERATED … } } }
    const REASON: [u8; 13] = [0x30, 0x0c, 0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01];
    let mut der = [0; LONGEST_USUAL_ENTRY + 2];
    let mut end = 0;
    let mut put = |bytes: &[u8]| {
        der[end..end + bytes.len()].copy_from_slice(bytes);
        end += bytes.len();
    };
    let serial = entry.serial.as_bytes();
    put(&[tag::SEQUENCE, 0, tag::INTEGER, serial.len().to_le_bytes()[0]]);
    put(serial);
    put(time);
    if entry.reason != CrlReason::Unspecified {
        put(&REASON);
        put(&[entry.reason as u8]);
    }
    der[1] = (end - 2).to_le_bytes()[0];
    out.extend_from_slice(&der[..end]);
}

/// The DER of one time after another. The calendar is asked once a day, not once an entry: for a
/// million entries that is most of the work.
struct Times {
    day: i64,
    der: Vec<u8>,
}

impl Times {
    const DAY: i64 = 86_400;

    fn starting(at: Timestamp) -> Self {
        Self { day: at.seconds().div_euclid(Self::DAY), der: der::time(at) }
    }

    fn at(&mut self, at: Timestamp) -> &[u8] {
        let seconds = at.seconds();
        if seconds.div_euclid(Self::DAY) != self.day {
            *self = Self::starting(at);
        }
        let second = seconds.rem_euclid(Self::DAY);
        // Both forms of a time end in HHMMSSZ.
        let end = self.der.len() - 1;
        let digits = self.der[end - 6..end].chunks_exact_mut(2);
        for (pair, value) in digits.zip([second / 3600, second / 60 % 60, second % 60]) {
            pair[0] = b'0' + (value / 10).to_le_bytes()[0];
            pair[1] = b'0' + (value % 10).to_le_bytes()[0];
        }
        &self.der
    }
}

/// version v2, signature, issuer, thisUpdate, nextUpdate (section 5.1.2).
fn fields(issuer: &Issuer, edition: Edition) -> Vec<u8> {
    [
        &der::unsigned(1),
        oid::ECDSA_WITH_SHA256,
        issuer.subject(),
        &der::time(edition.this_update),
        &der::time(edition.next_update),
    ]
    .concat()
}

/// `AuthorityKeyIdentifier`, `CRLNumber`, and the critical `IssuingDistributionPoint` (section 5.2).
fn extensions(issuer: &Issuer, url: &str, number: u64) -> Vec<u8> {
    let key = der::sequence(&[&der::element(tag::context(0), &[issuer.key_identifier()])]);
    let uri = der::element(tag::context(6), &[url.as_bytes()]);
    let name = der::element(tag::constructed(0), &[&der::element(tag::constructed(0), &[&uri])]);
    let only_user_certificates = der::element(tag::context(1), &[&[0xff]]);
    let list = der::sequence(&[
        &der::extension(oid::AUTHORITY_KEY_IDENTIFIER, false, &key),
        &der::extension(oid::CRL_NUMBER, false, &der::unsigned(number)),
        &der::extension(
            oid::ISSUING_DISTRIBUTION_POINT,
            true,
            &der::sequence(&[&name, &only_user_certificates]),
        ),
    ]);
    der::element(tag::constructed(0), &[&list])
}

/// Whether the list says what was meant and its signature holds.
fn reads_back(crl: &Crl, issuer: &Issuer) -> Result<(), Malformed> {
    let mut outer = Reader::new(Reader::single(crl.der(), tag::SEQUENCE)?.content);
    let tbs = outer.expect(tag::SEQUENCE)?;
    let algorithm = outer.expect(tag::SEQUENCE)?.whole;
    let signature = octets_of_bit_string(outer.expect(tag::BIT_STRING)?.content)?;
    outer.end()?;
    let fields = fields(issuer, crl.edition);
    let mut rest = Reader::new(tbs.content.strip_prefix(fields.as_slice()).ok_or(Malformed)?);
    let mut entries = Reader::new(rest.optional(tag::SEQUENCE)?.map_or(&[], |entries| entries.content));
    let mut count = 0;
    while !entries.is_empty() {
        entries.expect(tag::SEQUENCE)?;
        count += 1;
    }
    let extensions = rest.expect(tag::constructed(0))?.whole;
    rest.end()?;
    let numbered = der::extension(oid::CRL_NUMBER, false, &der::unsigned(crl.edition.number));
    let sound = count == crl.entries
        && algorithm == oid::ECDSA_WITH_SHA256
        && extensions.windows(numbered.len()).any(|window| window == numbered)
        && issuer.verifies(tbs.whole, signature);
    if sound { Ok(()) } else { Err(Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::world::{NOW, World};
    use std::time::Duration;
    use tegata_core::entropy::Seeded;
    use x509_parser::prelude::FromDer;
    use x509_parser::revocation_list::CertificateRevocationList;

    fn edition(number: u64) -> Edition {
        Edition { number, this_update: NOW, next_update: NOW.plus(Duration::from_hours(1)) }
    }

    fn entries(count: usize) -> Vec<Revoked> {
        let entropy = Seeded::new(3);
        let reasons = [CrlReason::Unspecified, CrlReason::KeyCompromise, CrlReason::CertificateHold];
        let entry = |at: usize| Revoked {
            serial: Serial::random(&entropy),
            at: NOW.minus(Duration::from_secs(at as u64)),
            reason: reasons[at % reasons.len()],
        };
        (0..count).map(entry).collect()
    }

    #[test]
    fn every_entry_can_be_found_whatever_the_length_of_the_list() {
        let world = World::new();
        for count in [0, 1, 3, 1000, 3000] {
            let entries = entries(count);
            let crl =
                build_crl(&world.issuing, &world.endpoints.crl(0), edition(7), entries.clone()).unwrap();
            let (rest, read) = CertificateRevocationList::from_der(crl.der()).unwrap();
            assert!(rest.is_empty());
            assert_eq!(read.crl_number().unwrap().to_string(), "7");
            let found: Vec<_> = read.iter_revoked_certificates().collect();
            assert_eq!(found.len(), count);
            for (found, entry) in found.iter().zip(&entries) {
                assert_eq!(found.raw_serial(), entry.serial.as_bytes());
                assert_eq!(found.revocation_date.timestamp(), entry.at.seconds());
                let reason = found.reason_code().map_or(0, |(_, code)| code.0);
                assert_eq!(reason, entry.reason as u8);
            }
            assert_eq!(crl.clone().into_der(), crl.der());
        }
    }

    #[test]
    fn a_list_changed_anywhere_does_not_read_back() {
        let world = World::new();
        let crl = build_crl(&world.issuing, &world.endpoints.crl(0), edition(7), entries(3)).unwrap();
        for at in crl.start..crl.buffer.len() {
            let mut changed = crl.clone();
            changed.buffer[at] ^= 1;
            assert!(reads_back(&changed, &world.issuing).is_err(), "byte {at}");
        }
        assert!(reads_back(&crl, &world.root).is_err());
    }

    #[test]
    fn times_are_right_across_days_years_and_forms() {
        let mut times = Times::starting(NOW);
        for text in [
            "2026-07-01T00:00:00Z",
            "2026-06-30T23:59:59.999Z",
            "2049-12-31T23:59:59Z",
            "2050-01-01T00:00:00Z",
            "2028-02-29T12:34:56Z",
            "1970-01-01T00:00:00Z",
        ] {
            let at = Timestamp::parse(text).unwrap();
            assert_eq!(times.at(at), der::time(at), "{text}");
        }
    }

    #[test]
    fn a_list_that_is_stale_when_born_is_refused() {
        let world = World::new();
        let stale = Edition { next_update: NOW, ..edition(1) };
        let refused = build_crl(&world.issuing, &world.endpoints.crl(0), stale, []);
        assert_eq!(refused, Err(CrlError::Edition));
    }
}
