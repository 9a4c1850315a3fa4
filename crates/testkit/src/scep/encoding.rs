//! The little DER and BER that a client writes.

/// An element.
pub(super) fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant = &length[content.len().leading_zeros() as usize / 8..];
    let header = match content.len() {
        short @ 0..0x80 => vec![tag, short.to_le_bytes()[0]],
        _ => [&[tag, 0x80 | significant.len().to_le_bytes()[0]], significant].concat(),
    };
    [&header, content].concat()
}

/// An element whose length is left open.
pub(super) fn open(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, 0x80], content, &[0, 0]].concat()
}

pub(super) fn sequence(content: &[u8]) -> Vec<u8> {
    tagged(0x30, content)
}

pub(super) fn oid(name: &[u8]) -> Vec<u8> {
    tagged(6, name)
}

pub(super) fn octets(content: &[u8]) -> Vec<u8> {
    tagged(4, content)
}

pub(super) fn printable(text: &str) -> Vec<u8> {
    tagged(0x13, text.as_bytes())
}

pub(super) fn integer(value: u8) -> Vec<u8> {
    vec![2, 1, value]
}

/// The name of a digest.
pub(super) fn digest(name: &str) -> &'static [u8] {
    match name {
        "sha256" => &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01],
        "sha512" => &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03],
        "sha1" => &[0x2b, 0x0e, 0x03, 0x02, 0x1a],
        "md5" => &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x05],
        _ => panic!("no such digest: {name}"),
    }
}

/// `IssuerAndSerialNumber` of a certificate.
pub(super) fn issuer_and_serial(certificate: &[u8]) -> Vec<u8> {
    let mut fields = inside(inside(certificate));
    if fields[0] == 0xa0 {
        fields = split(fields).1;
    }
    let (serial, rest) = split(fields);
    let (_, rest) = split(rest);
    sequence(&[split(rest).0, serial].concat())
}

/// The content of the one value of an attribute, wherever it stands.
pub(super) fn value_of(der: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let name = oid(name);
    let at = der.windows(name.len()).position(|part| part == name)?;
    Some(inside(inside(split(&der[at..]).1)).to_vec())
}

/// The first element, and what follows it.
fn split(der: &[u8]) -> (&[u8], &[u8]) {
    let (header, length) = header(der);
    der.split_at(header + length)
}

fn inside(der: &[u8]) -> &[u8] {
    let (header, length) = header(der);
    &der[header..header + length]
}

fn header(der: &[u8]) -> (usize, usize) {
    if der[1] < 0x80 {
        return (2, der[1].into());
    }
    let octets = usize::from(der[1] & 0x7f);
    (2 + octets, der[2..2 + octets].iter().fold(0, |length, octet| length << 8 | usize::from(*octet)))
}
