//! Distinguished names as RFC 4514 writes them, compared attribute by attribute.

use crate::encoding::from_hex;
use std::fmt::Write;
use thiserror::Error;

/// A distinguished name. Two are the same when they have the same attributes in the same order with the same values,
/// character by character: stricter than directories are, so that no two holders can look alike.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DistinguishedNameValue(Vec<RelativeName>);

/// The text is not a distinguished name, or has an attribute of a type that is not known here.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("not a distinguished name as RFC 4514 writes it: {0}")]
pub struct InvalidRelativeName(&'static str);

/// One relative name: nearly always one attribute. Sorted, because it is a set.
pub type RelativeName = Vec<NameAttribute>;

/// The type as a dotted OID, and the value.
pub type NameAttribute = (String, String);

/// RFC 4514 section 3, and what CAs write besides.
const TYPES: [(&str, &str); 15] = [
    ("CN", "2.5.4.3"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("C", "2.5.4.6"),
    ("STREET", "2.5.4.9"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("SERIALNUMBER", "2.5.4.5"),
    ("SN", "2.5.4.4"),
    ("GN", "2.5.4.42"),
    ("TITLE", "2.5.4.12"),
    ("EMAILADDRESS", "1.2.840.113549.1.9.1"),
    ("ORGANIZATIONIDENTIFIER", "2.5.4.97"),
];

impl DistinguishedNameValue {
    /// From its text, last relative name first.
    ///
    /// # Errors
    /// [`InvalidRelativeName`] for anything that cannot be read to its end, and for the empty name.
    pub fn parse(text: &str) -> Result<Self, InvalidRelativeName> {
        let mut reader = NameReader { rest: text };
        let mut sets: Vec<RelativeName> = vec![Vec::new()];
        loop {
            let attribute = reader.attribute()?;
            sets.last_mut().ok_or(InvalidRelativeName("it is empty"))?.push(attribute);
            match reader.next() {
                None => break,
                Some('+') => {}
                Some(_) => sets.push(Vec::new()),
            }
        }
        sets.reverse();
        for set in &mut sets {
            set.sort();
        }
        Ok(Self(sets))
    }

    /// In the order of a certificate, the most general first.
    pub fn relative_names(&self) -> &[RelativeName] {
        &self.0
    }
}

/// What a value of a name says, by its universal tag (X.680 section 8.6). Nothing for one that is not a text.
pub fn attribute_text(tag: u8, content: &[u8]) -> Option<String> {
    const UTF8: u8 = 12;
    const NUMERIC: u8 = 18;
    const PRINTABLE: u8 = 19;
    const IA5: u8 = 22;
    const BMP: u8 = 30;
    match tag {
        UTF8 | NUMERIC | PRINTABLE | IA5 => std::str::from_utf8(content).ok().map(str::to_owned),
        BMP => {
            let units = content.chunks(2).map(|pair| Some(u16::from_be_bytes(pair.try_into().ok()?)));
            String::from_utf16(&units.collect::<Option<Vec<_>>>()?).ok()
        }
        _ => None,
    }
}

/// Tag and content of one value in DER with nothing after it; no name needs a length of more than two bytes.
fn der_value(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let [tag, first, rest @ ..] = bytes else { return None };
    let (length, shortest, content) = match first {
        0..=0x7f => (usize::from(*first), 0, rest),
        0x81 => rest.split_first().map(|(length, content)| (usize::from(*length), 0x80, content))?,
        0x82 => {
            let (length, content) = rest.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*length)), 0x100, content)
        }
        _ => return None,
    };
    (length >= shortest && content.len() == length).then_some((*tag, content))
}

struct NameReader<'a> {
    rest: &'a str,
}

impl NameReader<'_> {
    fn attribute(&mut self) -> Result<NameAttribute, InvalidRelativeName> {
        let (written, rest) =
            self.rest.split_once('=').ok_or(InvalidRelativeName("an attribute has no equals sign"))?;
        let kind = type_of(written).ok_or(InvalidRelativeName("an attribute's type is not known"))?;
        self.rest = rest;
        let value = if rest.starts_with('#') { self.encoded()? } else { self.text()? };
        if value.is_empty() { Err(InvalidRelativeName("a value is empty")) } else { Ok((kind, value)) }
    }

    /// The separator that comes next.
    fn next(&mut self) -> Option<char> {
        let first = self.rest.chars().next()?;
        self.rest = &self.rest[first.len_utf8()..];
        Some(first)
    }

    /// RFC 4514 section 2.4: up to an unescaped separator, with characters or bytes escaped.
    fn text(&mut self) -> Result<String, InvalidRelativeName> {
        let mut bytes = Vec::new();
        let mut trailing_spaces = 0;
        if self.rest.starts_with(' ') {
            return Err(InvalidRelativeName("a value begins with a space that is not escaped"));
        }
        while let Some(character) = self.rest.chars().next().filter(|found| !matches!(found, ',' | '+')) {
            self.rest = &self.rest[character.len_utf8()..];
            match character {
                '\\' => bytes.push(self.escaped()?),
                '"' | ';' | '<' | '>' | '\0' => {
                    return Err(InvalidRelativeName("a character must be escaped"));
                }
                plain => bytes.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes()),
            }
            trailing_spaces = if character == ' ' { trailing_spaces + 1 } else { 0 };
        }
        if trailing_spaces > 0 {
            return Err(InvalidRelativeName("a value ends with a space that is not escaped"));
        }
        String::from_utf8(bytes).map_err(|_| InvalidRelativeName("a value is not UTF-8"))
    }

    /// What follows a backslash: a special character, or two hexadecimal digits.
    fn escaped(&mut self) -> Result<u8, InvalidRelativeName> {
        const SPECIAL: &str = " \"#+,;<=>\\";
        let wrong = InvalidRelativeName("a backslash escapes nothing");
        let first = self.rest.bytes().next().ok_or(wrong.clone())?;
        if SPECIAL.as_bytes().contains(&first) {
            self.rest = &self.rest[1..];
            return Ok(first);
        }
        let pair = self.rest.get(..2).filter(|pair| pair.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let byte = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()).ok_or(wrong)?;
        self.rest = &self.rest[2..];
        Ok(byte)
    }

    /// `#` and the value's BER in hexadecimal digits.
    fn encoded(&mut self) -> Result<String, InvalidRelativeName> {
        let wrong = InvalidRelativeName("a value after # is not the encoding of a text");
        let end = self.rest.find([',', '+']).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        let bytes = from_hex(&digits[1..].to_ascii_lowercase()).ok_or(wrong.clone())?;
        self.rest = rest;
        der_value(&bytes).and_then(|(tag, content)| attribute_text(tag, content)).ok_or(wrong)
    }
}

/// A short name in any case, or a dotted OID.
fn type_of(written: &str) -> Option<String> {
    let short = TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(written));
    if let Some((_, oid)) = short {
        return Some((*oid).to_owned());
    }
    let mut oid = String::new();
    for (place, arc) in written.split('.').enumerate() {
        let number: u64 = arc.parse().ok().filter(|number: &u64| number.to_string() == arc)?;
        let dot = if place == 0 { "" } else { "." };
        write!(oid, "{dot}{number}").ok()?;
    }
    oid.contains('.').then_some(oid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_that_is_no_name_is_refused_rather_than_understood_somehow() {
        for wrong in [
            "",
            "CN",
            "CN=",
            "=a",
            "CN=a,",
            "CN=a+",
            ",CN=a",
            "CN=a\\",
            "CN=a\\4",
            "CN=a\\zz",
            "CN=a;O=b",
            "CN=\"a\"",
            "CN= a",
            "CN=a ",
            "XY=a",
            "2.5=a,1..2=b",
            "02.5=a",
            "CN=#zz",
            "CN=#0c",
            "CN=#0c0161ff",
            "CN=#0c810161",
            "CN=#0c0261",
            "CN=#040161",
            "CN=\\ff",
        ] {
            assert!(DistinguishedNameValue::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_value_in_der_is_its_text_whatever_its_kind_and_length() {
        let long = "a".repeat(200);
        let encoded = |bytes: &[u8]| crate::encoding::hex(bytes);
        for (value, written) in [
            ("在庫", "#1e0457285eab".to_owned()),
            ("7", "#120137".to_owned()),
            (&long, format!("#0c81c8{}", encoded(long.as_bytes()))),
            (&long.repeat(2), format!("#13820190{}", encoded(long.repeat(2).as_bytes()))),
        ] {
            let name = DistinguishedNameValue::parse(&format!("CN={written}")).unwrap();
            assert_eq!(name.relative_names(), [[("2.5.4.3".to_owned(), value.to_owned())]]);
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,60}") {
            let _ = DistinguishedNameValue::parse(&text);
        }

        #[test]
        fn no_encoding_makes_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            let _ = DistinguishedNameValue::parse(&format!("CN=#{}", crate::encoding::hex(&bytes)));
        }
    }
}
