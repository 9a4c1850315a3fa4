//! Whether bytes are DER (ITU-T X.690 sections 10 and 11), which parsers are more lenient about than signatures are.

use crate::der::{Malformed, Reader, tag};

/// Nothing in a certificate is nested more deeply.
const DEEPEST: u8 = 12;

/// Whether all of it is DER, the values of extensions included. Every BOOLEAN in a certificate has FALSE as its
/// default, which DER leaves out: so it must be TRUE.
pub(super) fn is_der(certificate: &[u8]) -> bool {
    is_value_der(certificate, DEEPEST)
        && extension_values(certificate)
            .is_ok_and(|values| values.iter().all(|value| is_one(value) && is_value_der(value, DEEPEST)))
}

/// Whether both times have the form that their year wants (RFC 5280 section 4.1.2.5).
pub(super) fn has_sound_times(certificate: &[u8]) -> bool {
    times(certificate).is_ok_and(|times| times.into_iter().all(is_sound_time))
}

fn is_one(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    reader.element().is_ok() && reader.is_empty()
}

fn is_value_der(bytes: &[u8], deepest: u8) -> bool {
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        let Ok(element) = reader.element() else { return false };
        let holds = match element.whole[0] {
            tag::BOOLEAN => element.content == [0xff],
            tag::INTEGER | tag::ENUMERATED => is_shortest(element.content),
            tag::BIT_STRING => is_bit_string(element.content),
            tag::OID => is_oid(element.content),
            tag::NULL => element.content.is_empty(),
            tag::UTF8_STRING => str::from_utf8(element.content).is_ok(),
            tag::PRINTABLE_STRING => element.content.iter().copied().all(is_printable),
            tag::IA5_STRING => element.content.is_ascii(),
            // Of the universal types only SEQUENCE and SET are constructed.
            first if first & 0x20 != 0 => {
                (first & 0xc0 != 0 || matches!(first, tag::SEQUENCE | tag::SET))
                    && deepest > 0
                    && is_value_der(element.content, deepest - 1)
            }
            _ => true,
        };
        if !holds {
            return false;
        }
    }
    true
}

fn is_shortest(number: &[u8]) -> bool {
    match number {
        [] => false,
        [0, second, ..] => *second >= 0x80,
        [0xff, second, ..] => *second < 0x80,
        _ => true,
    }
}

fn is_bit_string(content: &[u8]) -> bool {
    match content {
        [unused] => *unused == 0,
        [unused @ 0..=7, .., last] => last.trailing_zeros() >= u32::from(*unused),
        _ => false,
    }
}

fn is_oid(content: &[u8]) -> bool {
    let begins = content.iter().zip(std::iter::once(&0).chain(content)).filter(|(_, before)| **before < 0x80);
    content.last().is_some_and(|last| *last < 0x80) && begins.into_iter().all(|(first, _)| *first != 0x80)
}

fn is_printable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte)
}

fn is_sound_time(time: &[u8]) -> bool {
    let (is_form, digits) = match time {
        [tag::UTC_TIME, 13, digits @ .., b'Z'] => (true, digits),
        [tag::GENERALIZED_TIME, 15, digits @ .., b'Z'] => (*digits >= b"2050"[..], digits),
        _ => return false,
    };
    is_form && digits.iter().all(u8::is_ascii_digit)
}

fn times(certificate: &[u8]) -> Result<[&[u8]; 2], Malformed> {
    let mut fields = Fields::open(certificate)?;
    fields.skip_to_validity()?;
    let mut validity = Reader::new(fields.0.expect(tag::SEQUENCE)?.content);
    let times = [validity.element()?.whole, validity.element()?.whole];
    validity.end()?;
    Ok(times)
}

/// The contents of every extnValue.
fn extension_values(certificate: &[u8]) -> Result<Vec<&[u8]>, Malformed> {
    let mut fields = Fields::open(certificate)?;
    fields.skip_to_validity()?;
    for _validity_subject_key in 0..3 {
        fields.0.expect(tag::SEQUENCE)?;
    }
    fields.0.optional(tag::context(1))?;
    fields.0.optional(tag::context(2))?;
    let Some(extensions) = fields.0.optional(tag::constructed(3))? else { return Ok(Vec::new()) };
    let mut list = Reader::new(Reader::single(extensions.content, tag::SEQUENCE)?.content);
    let mut values = Vec::with_capacity(9);
    while !list.is_empty() {
        let mut extension = Reader::new(list.expect(tag::SEQUENCE)?.content);
        extension.expect(tag::OID)?;
        extension.optional(tag::BOOLEAN)?;
        values.push(extension.expect(tag::OCTET_STRING)?.content);
        extension.end()?;
    }
    Ok(values)
}

/// The fields of a `TBSCertificate`, one after another.
struct Fields<'a>(Reader<'a>);

impl<'a> Fields<'a> {
    fn open(certificate: &'a [u8]) -> Result<Self, Malformed> {
        let outer = Reader::single(certificate, tag::SEQUENCE)?;
        Ok(Self(Reader::new(Reader::new(outer.content).expect(tag::SEQUENCE)?.content)))
    }

    fn skip_to_validity(&mut self) -> Result<(), Malformed> {
        self.0.optional(tag::constructed(0))?;
        self.0.expect(tag::INTEGER)?;
        self.0.expect(tag::SEQUENCE)?;
        self.0.expect(tag::SEQUENCE)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ber_allows_and_der_does_not_is_noticed() {
        for wrong in [
            &[1, 1, 0][..],
            &[1, 1, 1],
            &[1, 2, 0xff, 0xff],
            &[2, 0],
            &[2, 2, 0, 0x7f],
            &[2, 2, 0xff, 0x80],
            &[3, 0],
            &[3, 1, 1],
            &[3, 2, 8, 0],
            &[3, 2, 1, 1],
            &[5, 1, 0],
            &[6, 0],
            &[6, 1, 0x80],
            &[6, 3, 0x2a, 0x80, 1],
            &[6, 2, 0x2a, 0x81],
            &[0x0c, 1, 0xff],
            &[0x13, 1, b'*'],
            &[0x16, 1, 0x80],
            &[0x24, 3, 4, 1, 0],
            &[0x30, 0x81, 0],
            &[0x30, 0x80, 0, 0],
            &[0x30, 3, 1, 1, 0],
            &[0x30; 20],
        ] {
            assert!(!is_value_der(wrong, DEEPEST), "{wrong:?}");
        }
        for right in
            [&[1, 1, 0xff][..], &[2, 2, 0, 0x80], &[3, 2, 7, 0x80], &[6, 2, 0x2a, 0], &[0x31, 2, 5, 0]]
        {
            assert!(is_value_der(right, DEEPEST), "{right:?}");
        }
        let deep = (0..100).fold(Vec::new(), |inner, _| crate::der::sequence(&[&inner]));
        assert!(!is_value_der(&deep, DEEPEST));
    }

    #[test]
    fn a_time_has_seconds_and_zone_and_the_form_of_its_year() {
        let time = |tag: u8, text: &str| is_sound_time(&crate::der::element(tag, &[text.as_bytes()]));
        assert!(time(tag::UTC_TIME, "491231235959Z"));
        assert!(time(tag::GENERALIZED_TIME, "20500101000000Z"));
        for wrong in ["4912312359Z", "491231235959+0900", "491231235959", "4912312359x9Z"] {
            assert!(!time(tag::UTC_TIME, wrong), "{wrong}");
        }
        for wrong in ["20491231235959Z", "20500101000000.5Z", "205001010000Z", "20500101000000"] {
            assert!(!time(tag::GENERALIZED_TIME, wrong), "{wrong}");
        }
    }
}
