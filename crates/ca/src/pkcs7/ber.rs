//! BER (X.690 section 8) as clients send it around what they sign and encrypt: lengths left open, octets in pieces.

use crate::der::{DerReader, MalformedDer, tag, write_header};

/// What is nested deeper is not looked at.
const DEEPEST: u8 = 24;

/// The constructed form of an OCTET STRING.
const PIECES: u8 = 0x24;

const END_OF_CONTENTS: &[u8] = &[0, 0];

/// One element, and nothing after it, with every length definite and as short as possible and every OCTET STRING in one
/// piece. What was DER stays as it was, byte by byte: signatures over parts of it still hold.
pub(crate) fn definite(mut bytes: &[u8]) -> Result<Vec<u8>, MalformedDer> {
    let mut out = Vec::with_capacity(bytes.len() + 8);
    element(&mut bytes, &mut out, DEEPEST)?;
    if bytes.is_empty() { Ok(out) } else { Err(MalformedDer) }
}

fn element(input: &mut &[u8], out: &mut Vec<u8>, deepest: u8) -> Result<(), MalformedDer> {
    let [tag, first, after @ ..] = *input else { return Err(MalformedDer) };
    // Tags of several octets occur nowhere here, and tag 0 ends an element of open length.
    if tag & 0x1f == 0x1f || *tag == 0 {
        return Err(MalformedDer);
    }
    let is_constructed = tag & 0x20 != 0;
    if *first == 0x80 {
        *input = after;
        if !is_constructed {
            return Err(MalformedDer);
        }
        let inner = children(input, true, deepest)?;
        return write(*tag, &inner, out);
    }
    let (length, after) = length(*first, after)?;
    let (mut content, rest) = after.split_at_checked(length).ok_or(MalformedDer)?;
    *input = rest;
    if is_constructed {
        let inner = children(&mut content, false, deepest)?;
        return write(*tag, &inner, out);
    }
    write_header(out, *tag, content.len());
    out.extend_from_slice(content);
    Ok(())
}

fn children(input: &mut &[u8], is_open: bool, deepest: u8) -> Result<Vec<u8>, MalformedDer> {
    let deepest = deepest.checked_sub(1).ok_or(MalformedDer)?;
    let mut inner = Vec::new();
    loop {
        if is_open {
            if let Some(rest) = input.strip_prefix(END_OF_CONTENTS) {
                *input = rest;
                return Ok(inner);
            }
        } else if input.is_empty() {
            return Ok(inner);
        }
        element(input, &mut inner, deepest)?;
    }
}

/// `inner` is definite already. Of the universal types only SEQUENCE and SET may be constructed, and an OCTET STRING.
fn write(tag: u8, inner: &[u8], out: &mut Vec<u8>) -> Result<(), MalformedDer> {
    match tag {
        PIECES => {
            let whole = joined(inner)?;
            write_header(out, tag::OCTET_STRING, whole.len());
            out.extend_from_slice(&whole);
        }
        tag::SEQUENCE | tag::SET => {
            write_header(out, tag, inner.len());
            out.extend_from_slice(inner);
        }
        _ if tag & 0xc0 != 0 => {
            write_header(out, tag, inner.len());
            out.extend_from_slice(inner);
        }
        _ => return Err(MalformedDer),
    }
    Ok(())
}

/// The octets of OCTET STRINGs one after another.
pub(crate) fn joined(pieces: &[u8]) -> Result<Vec<u8>, MalformedDer> {
    let mut reader = DerReader::new(pieces);
    let mut whole = Vec::with_capacity(pieces.len());
    while !reader.is_empty() {
        whole.extend_from_slice(reader.expect(tag::OCTET_STRING)?.content);
    }
    Ok(whole)
}

fn length(first: u8, after: &[u8]) -> Result<(usize, &[u8]), MalformedDer> {
    if first < 0x80 {
        return Ok((usize::from(first), after));
    }
    let (octets, rest) = after.split_at_checked(usize::from(first & 0x7f)).ok_or(MalformedDer)?;
    if octets.len() > 4 {
        return Err(MalformedDer);
    }
    Ok((octets.iter().fold(0, |length, octet| (length << 8) | usize::from(*octet)), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der::{self, is_der};
    use proptest::prelude::*;

    /// A value in both encodings: definite, and as a streaming client sends it.
    fn both() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
        let integer = any::<u32>().prop_map(|number| {
            let der = der::unsigned(number.into());
            (der.clone(), der)
        });
        let octets = (prop::collection::vec(any::<u8>(), 0..300), 1_usize..90).prop_map(|(octets, piece)| {
            let pieces: Vec<u8> =
                octets.chunks(piece).flat_map(|chunk| der::element(tag::OCTET_STRING, &[chunk])).collect();
            (der::element(tag::OCTET_STRING, &[&octets]), open(PIECES, &pieces))
        });
        prop_oneof![integer, octets].prop_recursive(5, 40, 5, |inner| {
            let tags = prop_oneof![Just(tag::SEQUENCE), Just(tag::SET), Just(tag::constructed(0))];
            (tags, prop::collection::vec(inner, 0..5)).prop_map(|(tag, parts)| {
                let (definite, streamed): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
                (der::element(tag, &[&definite.concat()]), open(tag, &streamed.concat()))
            })
        })
    }

    fn open(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, 0x80], content, END_OF_CONTENTS].concat()
    }

    proptest! {
        #[test]
        fn what_a_client_streams_is_what_it_would_have_sent_at_once((at_once, streamed) in both()) {
            prop_assert_eq!(definite(&streamed), Ok(at_once.clone()));
            prop_assert_eq!(definite(&at_once), Ok(at_once), "DER stays as it is");
        }

        #[test]
        fn whatever_comes_becomes_definite_or_nothing(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(once) = definite(&bytes) {
                prop_assert_eq!(definite(&once), Ok(once));
            }
        }
    }

    #[test]
    fn lengths_may_be_longer_than_they_need_to_be() {
        assert_eq!(definite(&[0x30, 0x84, 0, 0, 0, 3, 2, 0x81, 1, 5][..10]), Err(MalformedDer));
        let der = definite(&[0x30, 0x84, 0, 0, 0, 4, 2, 0x81, 1, 5]).unwrap();
        assert_eq!(der, [0x30, 3, 2, 1, 5]);
        assert!(is_der(&der));
    }

    #[test]
    fn what_has_no_end_or_no_business_here_is_refused() {
        for wrong in [
            &[0x30, 0x80][..],
            &[0x30, 0x80, 0],
            &[0x30, 0x80, 0, 0, 0],
            &[4, 0x80, 0, 0],
            &[0x24, 3, 2, 1, 1],
            &[0x23, 3, 3, 1, 0],
            &[0x3f, 0x80, 0, 0],
            &[0, 0],
            &[0x30, 0x85, 0, 0, 0, 0, 0],
            &[2, 1],
        ] {
            assert_eq!(definite(wrong), Err(MalformedDer), "{wrong:?}");
        }
        let deep = (0..100).fold(Vec::new(), |inner, _| der::sequence(&[&inner]));
        assert_eq!(definite(&deep), Err(MalformedDer));
        assert_eq!(definite(&[0x30, 0x80].repeat(50_000)), Err(MalformedDer));
    }
}
