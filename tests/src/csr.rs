//! Requests for certificates, honest and otherwise, made by openssl.

use crate::command::run_in;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::path::Path;

/// An honest P-256 request, base64 of DER.
pub fn honest() -> String {
    encoded(&with_key(&["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]))
}

/// An honest request for a key that lies in a file.
pub fn for_key(key: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let fixed = ["req", "-new", "-subj", "/CN=test", "-outform", "DER", "-out", "csr.der", "-key", key];
    run_in(folder.path(), "openssl", &fixed);
    encoded(&read(&folder.path().join("csr.der")))
}

/// An honest request that says version 2, as certbot 1.21 and GitLab write it; base64 of DER.
pub fn of_version_2() -> String {
    use rcgen::KeyPair;
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
    let element = |tag: u8, content: &[u8]| {
        let length = u8::try_from(content.len()).expect("a short element");
        let long: &[u8] = if length < 0x80 { &[] } else { &[0x81] };
        [&[tag], long, &[length], content].concat()
    };
    let pair = KeyPair::generate().expect("a key");
    let key = rcgen::PublicKeyData::subject_public_key_info(&pair);
    let info = element(0x30, &[&[2, 1, 2, 0x30, 0][..], &key, &[0xa0, 0]].concat());
    let random = SystemRandom::new();
    let signer = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pair.serialize_der(), &random);
    let signature = signer.expect("a key").sign(&random, &info).expect("a signature");
    let algorithm = [0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    let bits = element(3, &[&[0], signature.as_ref()].concat());
    encoded(&element(0x30, &[&info[..], &algorithm, &bits].concat()))
}

/// A request for an RSA key that is too short for any profile.
pub fn with_short_rsa_key() -> String {
    encoded(&with_key(&["-newkey", "rsa:1024"]))
}

/// A request for a curve that no profile here allows.
pub fn with_secp256k1_key() -> String {
    encoded(&with_key(&["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"]))
}

/// An honest request whose signature belongs to another one: the bits of both are sound.
pub fn signed_by_another_key() -> String {
    let mut der = with_key(&["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
    let last = der.last_mut().expect("a request");
    *last ^= 1;
    encoded(&der)
}

/// Over the limit for requests, and under the one for bodies.
pub fn too_large() -> String {
    encoded(&[0x30; 9 * 1024])
}

/// Base64, but of nothing in particular.
pub fn nonsense() -> String {
    encoded(b"this is not a request")
}

/// Base64.
pub fn encoded(der: &[u8]) -> String {
    STANDARD.encode(der)
}

fn with_key(key: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let fixed = [
        "req", "-new", "-nodes", "-subj", "/CN=test", "-outform", "DER", "-out", "csr.der", "-keyout", "key",
    ];
    run_in(folder.path(), "openssl", &[&fixed, key].concat());
    read(&folder.path().join("csr.der"))
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("openssl's output")
}
