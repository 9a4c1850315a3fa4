//! As much of CBOR (RFC 8949) as attestation objects and COSE keys are made of: maps, arrays, text and byte strings of
//! definite length, and integers.

/// Nothing that is read here is nested more deeply.
const DEEPEST: u8 = 6;

/// One item. What borrows, borrows from the input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CborItem<'a> {
    /// A byte string of the input.
    Bytes(&'a [u8]),
    /// A text string of the input.
    Text(&'a str),
    /// An integer of 64 bits.
    Number(i64),
    /// Items in their order.
    Array(Vec<CborItem<'a>>),
    /// Pairs of key and value, in their order.
    Map(Vec<(CborItem<'a>, CborItem<'a>)>),
    /// A simple value, or an integer that no 64 bits hold: nobody asks for either.
    Other,
}

impl<'a> CborItem<'a> {
    /// The one item that `bytes` consist of; `None` when it is malformed, or of a kind that is not read.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (item, rest) = Self::parse_first(bytes)?;
        rest.is_empty().then_some(item)
    }

    /// The item that `bytes` begin with, and what follows it.
    pub fn parse_first(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut rest = bytes;
        let item = item(&mut rest, DEEPEST)?;
        Some((item, rest))
    }

    /// The value of a text key; `None` also when it stands there twice.
    pub fn get(&self, key: &str) -> Option<&CborItem<'a>> {
        self.value_of(&CborItem::Text(key))
    }

    /// The value of an integer key, as COSE has them; `None` also when it stands there twice.
    pub fn get_number(&self, key: i64) -> Option<&CborItem<'a>> {
        self.value_of(&CborItem::Number(key))
    }

    fn value_of(&self, key: &CborItem<'_>) -> Option<&CborItem<'a>> {
        let Self::Map(pairs) = self else { return None };
        let mut found = pairs.iter().filter(|(name, _)| name == key);
        let (_, value) = found.next()?;
        found.next().is_none().then_some(value)
    }

    /// The integer, if it is one.
    pub fn number(&self) -> Option<i64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    /// The byte string, if it is one.
    pub fn bytes(&self) -> Option<&'a [u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    /// The text string, if it is one.
    pub fn text(&self) -> Option<&'a str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The items of an array, if it is one.
    pub fn array(&self) -> Option<&[CborItem<'a>]> {
        if let Self::Array(items) = self { Some(items) } else { None }
    }
}

fn item<'a>(rest: &mut &'a [u8], deepest: u8) -> Option<CborItem<'a>> {
    let deepest = deepest.checked_sub(1)?;
    let (major, argument) = head(rest)?;
    Some(match major {
        2 => CborItem::Bytes(take(rest, argument)?),
        3 => CborItem::Text(str::from_utf8(take(rest, argument)?).ok()?),
        4 => CborItem::Array(items(rest, argument, deepest)?),
        5 => {
            let mut flat = items(rest, argument.checked_mul(2)?, deepest)?.into_iter();
            let pair = || Some((flat.next()?, flat.next()?));
            CborItem::Map(std::iter::from_fn(pair).collect())
        }
        0 => i64::try_from(argument).map_or(CborItem::Other, CborItem::Number),
        1 => i64::try_from(argument).map_or(CborItem::Other, |number| CborItem::Number(-1 - number)),
        7 => CborItem::Other,
        _ => return None,
    })
}

/// So many items. Each takes an octet at least, so that a count cannot ask for more memory than came along.
fn items<'a>(rest: &mut &'a [u8], count: u64, deepest: u8) -> Option<Vec<CborItem<'a>>> {
    let count = usize::try_from(count).ok().filter(|count| *count <= rest.len())?;
    (0..count).map(|_| item(rest, deepest)).collect()
}

/// The major type and the argument; indefinite lengths are not read (RFC 8949 section 3).
fn head(rest: &mut &[u8]) -> Option<(u8, u64)> {
    let [first, after @ ..] = *rest else { return None };
    let (major, information) = (first >> 5, first & 0x1f);
    let octets = match information {
        0..=23 => 0,
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        _ => return None,
    };
    let (argument, after) = after.split_at_checked(octets)?;
    *rest = after;
    let value = argument.iter().fold(0, |value, octet| (value << 8) | u64::from(*octet));
    Some((major, if octets == 0 { u64::from(information) } else { value }))
}

fn take<'a>(rest: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = after;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_attestation_object_is_read() {
        let object = b"\xa2\x63fmt\x65apple\x67attStmt\xa1\x63x5c\x82\x42\x01\x02\x41\x03";
        let object = CborItem::parse(object).unwrap();
        assert_eq!(object.get("fmt").and_then(CborItem::text), Some("apple"));
        let chain =
            object.get("attStmt").and_then(|statement| statement.get("x5c")).and_then(CborItem::array);
        assert_eq!(chain.unwrap(), [CborItem::Bytes(&[1, 2]), CborItem::Bytes(&[3])]);
        assert_eq!(object.get("authData"), None);
    }

    #[test]
    fn what_is_not_whole_or_not_plain_is_refused() {
        for wrong in [
            &b""[..],
            b"\x42\x01",
            b"\x62\xff\xff",
            b"\x9f\x01\xff",
            b"\x5f\x41\x01\xff",
            b"\xc0\x01",
            b"\x01\x01",
            b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff",
            &[0x81; 100],
        ] {
            assert_eq!(CborItem::parse(wrong), None, "{wrong:?}");
        }
        let twice = CborItem::parse(b"\xa2\x61a\x01\x61a\x02").unwrap();
        assert_eq!(twice.get("a"), None, "which one would be meant?");
    }

    #[test]
    fn a_cose_key_is_read_with_what_follows_it() {
        let (key, rest) = CborItem::parse_first(b"\xa3\x01\x02\x03\x26\x38\xff\x41\x09rest").unwrap();
        assert_eq!(rest, b"rest");
        let number = |label| key.get_number(label).and_then(CborItem::number);
        assert_eq!((number(1), number(3), number(2)), (Some(2), Some(-7), None));
        assert_eq!(key.get_number(-256).and_then(CborItem::bytes), Some(&[9][..]));
        let huge = CborItem::parse(b"\x3b\xff\xff\xff\xff\xff\xff\xff\xff").unwrap();
        assert_eq!(huge, CborItem::Other);
    }

    proptest! {
        #[test]
        fn nothing_that_arrives_makes_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            let _ = CborItem::parse(&bytes);
        }
    }
}
