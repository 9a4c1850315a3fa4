//! Whether bytes are DER (ITU-T X.690 sections 10 and 11), about which parsers are more lenient than signatures are.

use super::{DerReader, tag};

/// Nothing that is read or written here is nested more deeply.
const DEEPEST: u8 = 12;

/// Whether these are elements in DER, one after another. BOOLEANs must be TRUE: wherever one occurs here, FALSE is its
/// default, which DER leaves out. What an OCTET STRING holds is not looked at.
pub(crate) fn is_der(bytes: &[u8]) -> bool {
    is_der_within(bytes, DEEPEST)
}

fn is_der_within(bytes: &[u8], deepest: u8) -> bool {
    let mut reader = DerReader::new(bytes);
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
                    && is_der_within(element.content, deepest - 1)
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
            assert!(!is_der(wrong), "{wrong:?}");
        }
        for right in
            [&[1, 1, 0xff][..], &[2, 2, 0, 0x80], &[3, 2, 7, 0x80], &[6, 2, 0x2a, 0], &[0x31, 2, 5, 0]]
        {
            assert!(is_der(right), "{right:?}");
        }
        let deep = (0..100).fold(Vec::new(), |inner, _| crate::der::sequence(&[&inner]));
        assert!(!is_der(&deep));
    }
}
