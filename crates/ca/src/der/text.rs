//! Text in the string types of X.520 (`DirectoryString`) and in `IA5String`.

use super::{Element, tag};

/// The text of a string; none for any other element, or for characters that its type lacks.
pub(crate) fn text_of(element: &Element<'_>) -> Option<String> {
    let content = element.content;
    match element.tag() {
        tag::UTF8_STRING => str::from_utf8(content).ok().map(str::to_owned),
        // T.61 is ASCII in what everybody means by it, and in nothing else.
        tag::PRINTABLE_STRING | tag::IA5_STRING | tag::TELETEX_STRING => {
            content.is_ascii().then(|| str::from_utf8(content).ok().map(str::to_owned)).flatten()
        }
        tag::BMP_STRING => {
            let (units, rest) = content.as_chunks::<2>();
            let units: Vec<_> = units.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
            rest.is_empty().then(|| String::from_utf16(&units).ok()).flatten()
        }
        tag::UNIVERSAL_STRING => {
            let (units, rest) = content.as_chunks::<4>();
            let letters = units.iter().map(|unit| char::from_u32(u32::from_be_bytes(*unit)));
            rest.is_empty().then(|| letters.collect()).flatten()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der::{DerReader, element};

    fn read(tag: u8, content: &[u8]) -> Option<String> {
        text_of(&DerReader::new(&element(tag, &[content])).element().unwrap())
    }

    #[test]
    fn one_text_is_the_same_in_every_type() {
        for tag in [tag::UTF8_STRING, tag::PRINTABLE_STRING, tag::IA5_STRING, tag::TELETEX_STRING] {
            assert_eq!(read(tag, b"k3q9").as_deref(), Some("k3q9"));
        }
        assert_eq!(read(tag::BMP_STRING, b"\0k\x30\x42").as_deref(), Some("kあ"));
        assert_eq!(read(tag::UNIVERSAL_STRING, b"\0\0\0k\0\x01\xf3\xe5").as_deref(), Some("k🏥"));
        assert_eq!(read(tag::UTF8_STRING, "あ".as_bytes()).as_deref(), Some("あ"));
    }

    #[test]
    fn what_is_not_of_its_type_is_no_text() {
        for (tag, content) in [
            (tag::UTF8_STRING, &b"\xff"[..]),
            (tag::IA5_STRING, b"\xe9"),
            (tag::TELETEX_STRING, b"\xe9"),
            (tag::BMP_STRING, b"k"),
            (tag::BMP_STRING, b"\xd8\0"),
            (tag::UNIVERSAL_STRING, b"\0\0k"),
            (tag::UNIVERSAL_STRING, b"\0\x11\0\0"),
            (tag::OCTET_STRING, b"k"),
        ] {
            assert_eq!(read(tag, content), None, "{tag} {content:?}");
        }
    }
}
