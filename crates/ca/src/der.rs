//! The little DER (ITU-T X.690) that is read and written here without a library: certificate requests
//! and OCSP requests, of which most is to be ignored, and CRLs and OCSP responses, of which there may
//! be a million entries or a thousand a second.

mod strict;
mod text;

pub(crate) use strict::is_der;
pub(crate) use text::text_of;

use tegata_core::Timestamp;
use time::OffsetDateTime;

/// Identifier octets: class, constructed bit and tag number in one byte (X.690 section 8.1.2).
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const NULL: u8 = 0x05;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const ENUMERATED: u8 = 0x0a;
    pub(crate) const UTF8_STRING: u8 = 0x0c;
    pub(crate) const PRINTABLE_STRING: u8 = 0x13;
    pub(crate) const TELETEX_STRING: u8 = 0x14;
    pub(crate) const IA5_STRING: u8 = 0x16;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const UNIVERSAL_STRING: u8 = 0x1c;
    pub(crate) const BMP_STRING: u8 = 0x1e;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;

    /// `[number]` around a primitive value.
    pub(crate) const fn context(number: u8) -> u8 {
        0x80 | number
    }

    /// `[number]` around a constructed or explicitly tagged value.
    pub(crate) const fn constructed(number: u8) -> u8 {
        0xa0 | number
    }
}

/// The bytes are not the DER expected here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct MalformedDer;

/// One element: what is inside, and all of it.
#[derive(Clone, Copy)]
pub(crate) struct Element<'a> {
    pub(crate) content: &'a [u8],
    pub(crate) whole: &'a [u8],
}

impl Element<'_> {
    pub(crate) fn tag(&self) -> u8 {
        self.whole.first().copied().unwrap_or_default()
    }
}

/// Reads elements one after another. Strict: lengths definite and as short as possible, tags of one octet.
#[derive(Clone, Copy)]
pub(crate) struct DerReader<'a>(&'a [u8]);

impl<'a> DerReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The one element that `bytes` consist of, which must have `tag`.
    pub(crate) fn single(bytes: &'a [u8], tag: u8) -> Result<Element<'a>, MalformedDer> {
        let mut reader = Self(bytes);
        let element = reader.expect(tag)?;
        reader.end()?;
        Ok(element)
    }

    /// The next element, whatever it is.
    pub(crate) fn element(&mut self) -> Result<Element<'a>, MalformedDer> {
        let [tag, first, after @ ..] = self.0 else { return Err(MalformedDer) };
        if tag & 0x1f == 0x1f {
            return Err(MalformedDer);
        }
        let (length, after) = length(*first, after)?;
        let (content, rest) = after.split_at_checked(length).ok_or(MalformedDer)?;
        let whole = &self.0[..self.0.len() - rest.len()];
        self.0 = rest;
        Ok(Element { content, whole })
    }

    /// The next element, which must have `tag`.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<Element<'a>, MalformedDer> {
        self.optional(tag)?.ok_or(MalformedDer)
    }

    /// The next element if it has `tag`.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, MalformedDer> {
        if self.0.first() == Some(&tag) { self.element().map(Some) } else { Ok(None) }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Fails unless every byte was read: trailing data is malformed.
    pub(crate) fn end(self) -> Result<(), MalformedDer> {
        if self.is_empty() { Ok(()) } else { Err(MalformedDer) }
    }
}

fn length(first: u8, after: &[u8]) -> Result<(usize, &[u8]), MalformedDer> {
    if first < 0x80 {
        return Ok((usize::from(first), after));
    }
    let (octets, rest) = after.split_at_checked(usize::from(first & 0x7f)).ok_or(MalformedDer)?;
    if octets.is_empty() || octets.len() > 4 || octets[0] == 0 {
        return Err(MalformedDer);
    }
    let length = octets.iter().fold(0, |length, octet| (length << 8) | usize::from(*octet));
    if length < 0x80 { Err(MalformedDer) } else { Ok((length, rest)) }
}

/// The bits of a BIT STRING's content that holds whole octets.
pub(crate) fn octets_of_bit_string(content: &[u8]) -> Result<&[u8], MalformedDer> {
    match content {
        [0, octets @ ..] => Ok(octets),
        _ => Err(MalformedDer),
    }
}

/// Appends identifier and length octets for a content of `length` bytes.
pub(crate) fn write_header(out: &mut Vec<u8>, tag: u8, length: usize) {
    out.push(tag);
    if length < 0x80 {
        out.push(length.to_le_bytes()[0]);
        return;
    }
    let octets = length.to_be_bytes();
    let significant = &octets[length.leading_zeros() as usize / 8..];
    out.push(0x80 | significant.len().to_le_bytes()[0]);
    out.extend_from_slice(significant);
}

/// One element whose content is the concatenation of `parts`.
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(length + 6);
    write_header(&mut out, tag, length);
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// A SEQUENCE of elements.
pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(tag::SEQUENCE, parts)
}

/// A BIT STRING of whole octets.
pub(crate) fn bit_string(octets: &[u8]) -> Vec<u8> {
    element(tag::BIT_STRING, &[&[0], octets])
}

/// An INTEGER that is not negative, with a leading zero where its first bit is set.
pub(crate) fn unsigned(value: u64) -> Vec<u8> {
    let octets = value.to_be_bytes();
    let zeros = (value.leading_zeros() as usize / 8).min(7);
    let significant = &octets[zeros..];
    let sign: &[u8] = if significant[0] >= 0x80 { &[0] } else { &[] };
    element(tag::INTEGER, &[sign, significant])
}

/// An Extension (RFC 5280 section 4.2): `oid` is the content of its OBJECT IDENTIFIER.
pub(crate) fn extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[tag::BOOLEAN, 1, 0xff] } else { &[] };
    sequence(&[&element(tag::OID, &[oid]), critical, &element(tag::OCTET_STRING, &[value])])
}

/// A Time of RFC 5280 section 4.1.2.5: `UTCTime` through 2049, `GeneralizedTime` from 2050.
pub(crate) fn time(at: Timestamp) -> Vec<u8> {
    let (date, text) = calendar(at);
    if (1950..2050).contains(&date.year()) {
        element(tag::UTC_TIME, &[&text[2..]])
    } else {
        element(tag::GENERALIZED_TIME, &[&text])
    }
}

/// A `GeneralizedTime` of whole seconds.
pub(crate) fn generalized_time(at: Timestamp) -> Vec<u8> {
    element(tag::GENERALIZED_TIME, &[&calendar(at).1])
}

/// The date in UTC, and its text as `YYYYMMDDHHMMSSZ`. The year must have four digits.
fn calendar(at: Timestamp) -> (OffsetDateTime, [u8; 15]) {
    let date = at.date_time();
    let mut text = *b"00000000000000Z";
    let year = date.year().unsigned_abs();
    let fields = [
        year / 100,
        year % 100,
        u8::from(date.month()).into(),
        date.day().into(),
        date.hour().into(),
        date.minute().into(),
        date.second().into(),
    ];
    for (pair, value) in text.chunks_exact_mut(2).zip(fields) {
        pair[0] = b'0' + (value / 10 % 10).to_le_bytes()[0];
        pair[1] = b'0' + (value % 10).to_le_bytes()[0];
    }
    (date, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_time_changes_its_form_in_2050() {
        let last = Timestamp::parse("2049-12-31T23:59:59.999Z").unwrap();
        assert_eq!(time(last), b"\x17\x0d491231235959Z");
        let first = Timestamp::parse("2050-01-01T00:00:00Z").unwrap();
        assert_eq!(time(first), b"\x18\x0f20500101000000Z");
    }

    #[test]
    fn a_number_has_no_needless_octets_and_is_never_negative() {
        assert_eq!(unsigned(0), [2, 1, 0]);
        assert_eq!(unsigned(127), [2, 1, 127]);
        assert_eq!(unsigned(128), [2, 2, 0, 128]);
        assert_eq!(unsigned(u64::MAX), [2, 9, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
    }

    #[test]
    fn lengths_that_are_not_the_shortest_are_refused() {
        for wrong in
            [&[0x30, 0x80, 0, 0][..], &[4, 0x81, 1, 0], &[4, 0x82, 0, 0x80], &[4, 2, 0], &[0x1f, 1, 0]]
        {
            assert!(DerReader::new(wrong).element().is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(content in prop::collection::vec(any::<u8>(), 0..70_000)) {
            let written = element(tag::OCTET_STRING, &[&content]);
            let read = DerReader::single(&written, tag::OCTET_STRING).unwrap();
            prop_assert_eq!(read.content, &content[..]);
            prop_assert_eq!(read.whole, &written[..]);
        }

        #[test]
        fn nothing_that_arrives_makes_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut reader = DerReader::new(&bytes);
            while reader.element().is_ok() {}
        }
    }
}
