//! What a request should look like before it is made (RFC 7030 section 4.5.2, RFC 8951 section 2.4): which kind of key, and
//! how it signs. Nothing else in a request is read, so nothing else is asked for.

use crate::der::{self, tag};
use crate::oid;
use crate::profile::CertificateProfile;
use crate::public_key::KeyType;

/// `CsrAttrs` in DER, for the kind of key that the profile would rather have: a client that is given a choice would have
/// to guess.
pub fn wanted(profile: &CertificateProfile) -> Vec<u8> {
    let key = profile.preferred_key();
    der::sequence(&[&key_attribute(key, profile.rsa_bits()), &signature(key)])
}

/// The algorithm of the key as an Attribute, with its curve or its least length as the value.
fn key_attribute(key: KeyType, rsa_bits: usize) -> Vec<u8> {
    let (algorithm, value) = match key {
        KeyType::P256 => (oid::EC_KEY, der::element(tag::OID, &[oid::P256])),
        KeyType::P384 => (oid::EC_KEY, der::element(tag::OID, &[oid::P384])),
        KeyType::Rsa => (oid::RSA, der::unsigned(rsa_bits as u64)),
        // It has no parameters (RFC 8410 section 3): an OID alone says everything.
        KeyType::Ed25519 => return Vec::new(),
    };
    der::sequence(&[&der::element(tag::OID, &[algorithm]), &der::element(tag::SET, &[&value])])
}

fn signature(key: KeyType) -> Vec<u8> {
    let algorithm = match key {
        KeyType::P256 => oid::ECDSA_SHA256,
        KeyType::P384 => oid::ECDSA_SHA384,
        KeyType::Rsa => oid::RSA_SHA256,
        KeyType::Ed25519 => oid::ED25519,
    };
    der::element(tag::OID, &[algorithm])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::tools::openssl;

    #[test]
    fn openssl_reads_the_key_and_the_signature_that_the_profile_wants() {
        let text = include_str!("../../../ca-config/device.toml");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("attributes.der");
        for (keys, expected) in [
            ("[\"p256\", \"rsa\"]", &["id-ecPublicKey", "prime256v1", "ecdsa-with-SHA256"][..]),
            ("[\"p384\"]", &["id-ecPublicKey", "secp384r1", "ecdsa-with-SHA384"]),
            ("[\"rsa\"]", &["rsaEncryption", "INTEGER           :0800", "sha256WithRSAEncryption"]),
            ("[\"ed25519\"]", &["ED25519"]),
        ] {
            let text = text.replacen("keys = [\"p256\"]", &format!("keys = {keys}"), 1);
            let der = wanted(&CertificateProfile::parse("device.toml", &text).unwrap());
            assert!(der::is_der(&der), "{keys}");
            std::fs::write(&file, &der).unwrap();
            let output = openssl(["asn1parse", "-inform", "DER", "-in", file.to_str().unwrap()]);
            let output = String::from_utf8(output.stdout).unwrap();
            for word in expected {
                assert!(output.contains(word), "{word} in {output}");
            }
        }
    }
}
