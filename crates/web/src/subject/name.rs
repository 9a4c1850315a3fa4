//! Distinguished names as RFC 4514 writes them, compared attribute by attribute.

use std::fmt::Write;
use thiserror::Error;
use x509_parser::der_parser::asn1_rs::{Any, FromDer};
use x509_parser::der_parser::ber::Tag;
use x509_parser::prelude::{AttributeTypeAndValue, X509Name};

/// A distinguished name. Two are the same when they have the same attributes in the same order with the same values,
/// character by character: stricter than directories are, so that no two holders can look alike.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DistinguishedNameValue(Vec<RelativeName>);

/// The text is not a distinguished name, or has an attribute of a type that is not known here.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("not a distinguished name as RFC 4514 writes it: {0}")]
pub struct InvalidRelativeName(&'static str);

/// One relative name: nearly always one attribute. Sorted, because it is a set.
type RelativeName = Vec<NameAttribute>;

/// The type as a dotted OID, and the value.
type NameAttribute = (String, String);

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

    /// Whether a certificate's name is this one.
    pub fn is_of(&self, found: &X509Name<'_>) -> bool {
        let sets = found.iter().map(|set| {
            let mut attributes = set.iter().map(read).collect::<Option<RelativeName>>()?;
            attributes.sort();
            Some(attributes)
        });
        sets.collect::<Option<Vec<_>>>().is_some_and(|sets| sets == self.0)
    }
}

/// Nothing for a value that is not a text.
fn read(attribute: &AttributeTypeAndValue<'_>) -> Option<NameAttribute> {
    Some((attribute.attr_type().to_id_string(), text_of(attribute.attr_value())?))
}

fn text_of(value: &Any<'_>) -> Option<String> {
    match value.header.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString => {
            std::str::from_utf8(value.data).ok().map(str::to_owned)
        }
        Tag::BmpString => {
            let units = value.data.chunks(2).map(|pair| Some(u16::from_be_bytes(pair.try_into().ok()?)));
            String::from_utf16(&units.collect::<Option<Vec<_>>>()?).ok()
        }
        _ => None,
    }
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
        let bytes =
            tegata_core::encoding::from_hex(&digits[1..].to_ascii_lowercase()).ok_or(wrong.clone())?;
        self.rest = rest;
        match Any::from_der(&bytes) {
            Ok(([], value)) => text_of(&value).ok_or(wrong),
            _ => Err(wrong),
        }
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
