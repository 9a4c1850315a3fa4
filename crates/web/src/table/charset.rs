//! Detects the character set of a list: UTF-8, or what Excel in Japan saves without being asked. What cannot be told
//! for sure is not guessed: a list that was read wrongly would put wrong names into certificates.

use encoding_rs::{EUC_JP, Encoding, SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE};

/// The text of a list in the charset that its sender names, or without one in the one that it can only be. None if it is in
/// no such charset, or not in the one that is named.
pub(super) fn decoded(bytes: &[u8], named: Option<&str>) -> Option<String> {
    // A mark at the beginning says more than a header, which programs add by themselves.
    if let Some((encoding, length)) = Encoding::for_bom(bytes) {
        return read(encoding, &bytes[length..]);
    }
    match named {
        Some(name) => read(taken(name, bytes)?, bytes),
        None => read(recognized(bytes)?, bytes),
    }
}

fn read(encoding: &'static Encoding, bytes: &[u8]) -> Option<String> {
    encoding.decode_without_bom_handling_and_without_replacement(bytes).map(std::borrow::Cow::into_owned)
}

/// By the names that are in use. ASCII is the same in nearly every charset, whatever it is called.
fn taken(name: &str, bytes: &[u8]) -> Option<&'static Encoding> {
    let name = name.to_ascii_lowercase();
    let encoding = match name.as_str() {
        "cp932" | "windows-932" | "mskanji" | "windows31j" => Some(SHIFT_JIS),
        "utf8" => Some(UTF_8),
        // RFC 2781 section 4.3 has it big-endian, Windows little-endian.
        "utf-16" | "utf16" => utf_16(bytes).or(Some(UTF_16LE)),
        name => Encoding::for_label(name.as_bytes()),
    };
    let encoding =
        encoding.filter(|encoding| [UTF_8, SHIFT_JIS, EUC_JP, UTF_16LE, UTF_16BE].contains(encoding));
    encoding.or_else(|| (bytes.is_ascii() && !bytes.contains(&0)).then_some(UTF_8))
}

fn recognized(bytes: &[u8]) -> Option<&'static Encoding> {
    if bytes.contains(&0) {
        return utf_16(bytes);
    }
    if str::from_utf8(bytes).is_ok() {
        return Some(UTF_8);
    }
    // Text in EUC-JP passes for katakana of half width in Shift_JIS, now and then the other way round: whoever sends
    // such a list names its charset.
    let is = |encoding| read(encoding, bytes).is_some();
    (is(SHIFT_JIS) && !is(EUC_JP)).then_some(SHIFT_JIS)
}

/// By the names of columns, which are ASCII: every other octet of the first line is zero.
fn utf_16(bytes: &[u8]) -> Option<&'static Encoding> {
    match bytes {
        [first, 0, ..] if *first != 0 => Some(UTF_16LE),
        [0, first, ..] if *first != 0 => Some(UTF_16BE),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIST: &str = "site,label\n本店,レジ1\n";

    fn written(encoding: &'static Encoding) -> Vec<u8> {
        match encoding.name() {
            "UTF-16LE" => LIST.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            "UTF-16BE" => LIST.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            _ => encoding.encode(LIST).0.into_owned(),
        }
    }

    #[test]
    fn what_excel_saves_is_recognized_and_what_is_named_is_read() {
        for encoding in [UTF_8, SHIFT_JIS, UTF_16LE, UTF_16BE] {
            assert_eq!(decoded(&written(encoding), None).as_deref(), Some(LIST), "{}", encoding.name());
        }
        for (bom, encoding) in
            [(&b"\xef\xbb\xbf"[..], UTF_8), (b"\xff\xfe", UTF_16LE), (b"\xfe\xff", UTF_16BE)]
        {
            let marked = [bom, &written(encoding)].concat();
            for named in [None, Some("shift_jis")] {
                assert_eq!(decoded(&marked, named).as_deref(), Some(LIST), "{}", encoding.name());
            }
        }
        for (name, encoding) in [
            ("Shift_JIS", SHIFT_JIS),
            ("sjis", SHIFT_JIS),
            ("Windows-31J", SHIFT_JIS),
            ("CP932", SHIFT_JIS),
            ("MS932", SHIFT_JIS),
            ("EUC-JP", EUC_JP),
            ("utf-8", UTF_8),
            ("UTF-16", UTF_16LE),
            ("UTF-16", UTF_16BE),
            ("utf-16be", UTF_16BE),
        ] {
            assert_eq!(decoded(&written(encoding), Some(name)).as_deref(), Some(LIST), "{name}");
        }
        assert_eq!(decoded(b"site,label\n", Some("iso-8859-1")).as_deref(), Some("site,label\n"));
    }

    #[test]
    fn what_can_be_read_in_two_ways_or_in_none_is_not_guessed() {
        assert_eq!(decoded(&written(EUC_JP), None), None);
        assert!(decoded(&SHIFT_JIS.encode("site,label\n本店,ｱｲｳ\n").0, None).is_some());
        assert_eq!(decoded(&SHIFT_JIS.encode("site,label\nｱｲ,ｳｴ\n").0, None), None);
        for (bytes, name) in [
            (&b"\xff\xff"[..], None),
            (b"site\xff", Some("utf-8")),
            (b"site\x81", Some("shift_jis")),
            ("本店".as_bytes(), Some("iso-8859-1")),
            ("本店".as_bytes(), Some("no such charset")),
            (b"\0\0\0\0", None),
            (b"\xff\xfes", None),
            (b"\xff\xfe\x00\xd8", None),
        ] {
            assert_eq!(decoded(bytes, name), None, "{bytes:?} {name:?}");
        }
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), name in ".{0,10}") {
            let _ = (decoded(&bytes, None), decoded(&bytes, Some(&name)));
        }
    }
}
