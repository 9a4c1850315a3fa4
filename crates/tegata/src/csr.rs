//! A certificate request (RFC 2986) for a P-256 key: a public key with a proof, nothing more.

use crate::failure::{Doing, Failure};
use tegata_ca::{LocalKey, Signer};

/// The DER of a request with an empty subject: the server decides what the certificate says.
pub fn build(pkcs8: &[u8]) -> Result<Vec<u8>, Failure> {
    let key = LocalKey::from_pkcs8(pkcs8).doing("cannot use the key")?;
    let version = [0x02, 1, 0];
    let empty_name = [0x30, 0];
    let no_attributes = [0xa0, 0];
    let info = sequence(&[&version, &empty_name, &key.public_key_info(), &no_attributes]);
    let signature = key.sign(&info).doing("cannot sign the request")?;
    let bits = element(0x03, &[&[0], &signature]);
    Ok(sequence(&[&info, ECDSA_WITH_SHA256, &bits]))
}

/// `AlgorithmIdentifier` of ecdsa-with-SHA256 (RFC 5758 section 3.2).
const ECDSA_WITH_SHA256: &[u8] = &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(0x30, parts)
}

/// One DER element of at most 65,535 bytes.
fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let [high, low] = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
    let length: &[u8] = match (high, low) {
        (0, 0..0x80) => &[low],
        (0, _) => &[0x81, low],
        _ => &[0x82, high, low],
    };
    [&[tag], length, &content].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ca_reads_the_request_and_finds_it_signed_by_its_key() {
        let pkcs8 = LocalKey::generate().unwrap();
        let request = tegata_ca::ParsedRequest::parse(&build(&pkcs8).unwrap()).unwrap();
        assert_eq!(request.public_key_info(), LocalKey::from_pkcs8(&pkcs8).unwrap().public_key_info());
    }
}
