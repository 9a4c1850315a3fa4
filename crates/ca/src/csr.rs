//! A certificate request is a public key with a proof that its sender holds the private half: nothing
//! else in a PKCS#10 request (RFC 2986) is believed, or even read.
//!
//! The kind of key comes from the `SubjectPublicKeyInfo`, never from the signature's algorithm. Only the
//! one canonical encoding of a key is accepted, so that the same key always has the same hash.

use crate::der::{self, Malformed, Reader, octets_of_bit_string, tag};
use crate::keys::{KeyError, Signer, sign_structure};
use crate::oid;
use ring::digest::{SHA256, digest};
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use serde::Deserialize;
use tegata_core::Refusal;

/// The longest request that is looked at, in bytes.
pub const MAX_LENGTH: usize = 8 * 1024;

/// Kinds of keys a certificate can be made for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyType {
    /// ECDSA on NIST P-256.
    P256,
    /// ECDSA on NIST P-384.
    P384,
    /// RSA of 2048 to 4096 bits with a public exponent of at least 65537.
    Rsa,
    /// Ed25519.
    Ed25519,
}

/// A request whose signature holds.
#[derive(Clone, Debug)]
pub struct ParsedRequest {
    key_type: KeyType,
    public_key_info: Vec<u8>,
    public_key: Vec<u8>,
}

impl ParsedRequest {
    /// Reads one request.
    ///
    /// # Errors
    /// [`Refusal::CsrTooLarge`], [`Refusal::CsrMalformed`], [`Refusal::KeyNotAllowed`] for a key no
    /// profile can allow, [`Refusal::CsrNotSigned`].
    pub fn parse(der: &[u8]) -> Result<Self, Refusal> {
        if der.len() > MAX_LENGTH {
            return Err(Refusal::CsrTooLarge);
        }
        let request = split(der).map_err(|_| Refusal::CsrMalformed)?;
        let key_type = key_type(request.key_algorithm, request.public_key)?;
        let algorithm = verification(key_type, request.signature_algorithm).ok_or(Refusal::CsrNotSigned)?;
        UnparsedPublicKey::new(algorithm, request.public_key)
            .verify(request.info, request.signature)
            .map_err(|_| Refusal::CsrNotSigned)?;
        Ok(Self {
            key_type,
            public_key_info: request.public_key_info.to_vec(),
            public_key: request.public_key.to_vec(),
        })
    }

    /// The kind of key.
    pub fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// The `SubjectPublicKeyInfo` in DER.
    pub fn public_key_info(&self) -> &[u8] {
        &self.public_key_info
    }

    /// SHA-256 over the `SubjectPublicKeyInfo`: what the ledger knows a key by.
    pub fn key_hash(&self) -> [u8; 32] {
        digest(&SHA256, &self.public_key_info).as_ref().try_into().unwrap_or_default()
    }

    /// RFC 7093 section 2, method 1: what the certificate knows its key by.
    pub(crate) fn key_identifier(&self) -> Vec<u8> {
        digest(&SHA256, &self.public_key).as_ref()[..20].to_vec()
    }
}

impl rcgen::PublicKeyData for ParsedRequest {
    fn der_bytes(&self) -> &[u8] {
        &self.public_key
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        match self.key_type {
            KeyType::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            KeyType::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            KeyType::Rsa => &rcgen::PKCS_RSA_SHA256,
            KeyType::Ed25519 => &rcgen::PKCS_ED25519,
        }
    }
}

/// The parts of a request that matter.
struct Parts<'a> {
    info: &'a [u8],
    public_key_info: &'a [u8],
    key_algorithm: &'a [u8],
    public_key: &'a [u8],
    signature_algorithm: &'a [u8],
    signature: &'a [u8],
}

fn split(der: &[u8]) -> Result<Parts<'_>, Malformed> {
    let mut request = Reader::new(Reader::single(der, tag::SEQUENCE)?.content);
    let info = request.expect(tag::SEQUENCE)?;
    let signature_algorithm = request.expect(tag::SEQUENCE)?.whole;
    let signature = octets_of_bit_string(request.expect(tag::BIT_STRING)?.content)?;
    request.end()?;

    let mut fields = Reader::new(info.content);
    if fields.expect(tag::INTEGER)?.content != [0] {
        return Err(Malformed);
    }
    fields.expect(tag::SEQUENCE)?;
    let public_key_info = fields.expect(tag::SEQUENCE)?;
    fields.optional(tag::constructed(0))?;
    fields.end()?;

    let mut key = Reader::new(public_key_info.content);
    let key_algorithm = key.expect(tag::SEQUENCE)?.whole;
    let public_key = octets_of_bit_string(key.expect(tag::BIT_STRING)?.content)?;
    key.end()?;
    Ok(Parts {
        info: info.whole,
        public_key_info: public_key_info.whole,
        key_algorithm,
        public_key,
        signature_algorithm,
        signature,
    })
}

/// The kind of a key, if it is a sound one in its canonical form. Whether a point lies on its curve
/// shows when the signature is verified.
fn key_type(algorithm: &[u8], key: &[u8]) -> Result<KeyType, Refusal> {
    let (key_type, sound) = match algorithm {
        oid::P256_KEY => (KeyType::P256, key.len() == 65 && key[0] == 4),
        oid::P384_KEY => (KeyType::P384, key.len() == 97 && key[0] == 4),
        oid::ED25519_KEY => (KeyType::Ed25519, key.len() == 32),
        oid::RSA_KEY => (KeyType::Rsa, is_sound_rsa(key).map_err(|_| Refusal::CsrMalformed)?),
        _ => return Err(Refusal::KeyNotAllowed),
    };
    if sound { Ok(key_type) } else { Err(Refusal::KeyNotAllowed) }
}

/// `RSAPublicKey` (RFC 8017 appendix A.1.1): 2048 to 4096 bits, and an odd exponent from 65537 to 2^32 - 1.
fn is_sound_rsa(key: &[u8]) -> Result<bool, Malformed> {
    let mut fields = Reader::new(Reader::single(key, tag::SEQUENCE)?.content);
    let modulus = magnitude(fields.expect(tag::INTEGER)?.content)?;
    let exponent = magnitude(fields.expect(tag::INTEGER)?.content)?;
    fields.end()?;
    let bits = modulus.len() * 8 - modulus[0].leading_zeros() as usize;
    let is_odd = |number: &[u8]| number.last().is_some_and(|octet| octet & 1 == 1);
    let large_enough = exponent.len() == 4 || (exponent.len() == 3 && exponent >= [1, 0, 1].as_slice());
    Ok((2048..=4096).contains(&bits) && is_odd(modulus) && is_odd(exponent) && large_enough)
}

/// The octets of a positive INTEGER in its shortest form, without the sign octet.
fn magnitude(content: &[u8]) -> Result<&[u8], Malformed> {
    match content {
        [0, rest @ ..] if rest.first().is_some_and(|first| *first >= 0x80) => Ok(rest),
        [1..=0x7f, ..] => Ok(content),
        _ => Err(Malformed),
    }
}

/// How to verify a signature of this algorithm by a key of this kind.
fn verification(key: KeyType, algorithm: &[u8]) -> Option<&'static dyn VerificationAlgorithm> {
    const ECDSA_WITH_SHA384: &[u8] =
        &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];
    // sha256WithRSAEncryption is 11, sha384 12, sha512 13 (RFC 4055 section 5).
    const RSA_PREFIX: &[u8] = &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    Some(match (key, algorithm) {
        (KeyType::P256, oid::ECDSA_WITH_SHA256) => &signature::ECDSA_P256_SHA256_ASN1,
        (KeyType::P256, ECDSA_WITH_SHA384) => &signature::ECDSA_P256_SHA384_ASN1,
        (KeyType::P384, oid::ECDSA_WITH_SHA256) => &signature::ECDSA_P384_SHA256_ASN1,
        (KeyType::P384, ECDSA_WITH_SHA384) => &signature::ECDSA_P384_SHA384_ASN1,
        (KeyType::Ed25519, oid::ED25519_KEY) => &signature::ED25519,
        (KeyType::Rsa, _) => match algorithm.strip_prefix(RSA_PREFIX)? {
            [11, tag::NULL, 0] => &signature::RSA_PKCS1_2048_8192_SHA256,
            [12, tag::NULL, 0] => &signature::RSA_PKCS1_2048_8192_SHA384,
            [13, tag::NULL, 0] => &signature::RSA_PKCS1_2048_8192_SHA512,
            _ => return None,
        },
        _ => return None,
    })
}

/// A request (RFC 2986) for a key of this machine, with an empty subject: a public key with a proof, nothing more. What
/// the certificate says is the server's to decide.
///
/// # Errors
/// [`KeyError`] when the key does not sign.
pub fn request_for(key: &dyn Signer) -> Result<Vec<u8>, KeyError> {
    let version = der::unsigned(0);
    let empty_name = der::sequence(&[]);
    let no_attributes = der::element(tag::constructed(0), &[]);
    let info = der::sequence(&[&version, &empty_name, &key.public_key_info(), &no_attributes]);
    sign_structure(key, &info)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::LocalKey;
    use crate::tests::tools::openssl;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    static REQUEST: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let key = rcgen::KeyPair::generate().unwrap();
        rcgen::CertificateParams::default().serialize_request(&key).unwrap().der().to_vec()
    });

    #[test]
    fn the_ca_reads_the_request_and_finds_it_signed_by_its_key() {
        let key = LocalKey::from_pkcs8(&LocalKey::generate().unwrap()).unwrap();
        let request = ParsedRequest::parse(&request_for(&key).unwrap()).unwrap();
        assert_eq!(request.public_key_info(), key.public_key_info());
    }

    /// A request made by openssl from options such as `-newkey ec -pkeyopt …`.
    fn from_openssl(options: &str) -> Vec<u8> {
        let options: Vec<&str> = options.split_whitespace().collect();
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key.pem");
        let fixed = ["req", "-new", "-nodes", "-subj", "/CN=x", "-outform", "DER", "-keyout"];
        openssl(fixed.into_iter().chain([key.to_str().unwrap()]).chain(options)).stdout
    }

    #[test]
    fn a_request_gives_its_key_and_nothing_else() {
        let parsed = ParsedRequest::parse(&REQUEST).unwrap();
        assert_eq!(parsed.key_type(), KeyType::P256);
        assert_eq!(parsed.public_key_info().len(), 91);
        assert_eq!(parsed.key_hash(), ParsedRequest::parse(&REQUEST).unwrap().key_hash());
    }

    #[test]
    fn the_kind_of_key_does_not_come_from_the_signature() {
        for (options, expected) in [
            ("-newkey ec -pkeyopt ec_paramgen_curve:P-256 -sha384", KeyType::P256),
            ("-newkey ec -pkeyopt ec_paramgen_curve:P-384 -sha256", KeyType::P384),
            ("-newkey rsa:2048 -sha512", KeyType::Rsa),
            ("-newkey ed25519", KeyType::Ed25519),
            ("-newkey ec -pkeyopt ec_paramgen_curve:P-256 -addext basicConstraints=CA:TRUE", KeyType::P256),
        ] {
            assert_eq!(
                ParsedRequest::parse(&from_openssl(options)).unwrap().key_type(),
                expected,
                "{options}"
            );
        }
    }

    #[test]
    fn keys_that_are_weak_odd_or_written_in_another_way_are_refused() {
        for options in [
            "-newkey rsa:1024",
            "-newkey rsa:2048 -pkeyopt rsa_keygen_pubexp:3",
            "-newkey ec -pkeyopt ec_paramgen_curve:P-521",
            "-newkey ec -pkeyopt ec_paramgen_curve:secp256k1",
            "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit",
            "-newkey ed448",
        ] {
            let refused = ParsedRequest::parse(&from_openssl(options)).unwrap_err();
            assert_eq!(refused, Refusal::KeyNotAllowed, "{options}");
        }
    }

    #[test]
    fn a_weak_hash_proves_nothing() {
        let request = from_openssl("-newkey rsa:2048 -sha1");
        assert_eq!(ParsedRequest::parse(&request).unwrap_err(), Refusal::CsrNotSigned);
    }

    #[test]
    fn a_request_for_somebody_elses_key_is_refused() {
        let mut forged = REQUEST.clone();
        let other = rcgen::KeyPair::generate().unwrap();
        let point = other.public_key_raw();
        let own = ParsedRequest::parse(&REQUEST).unwrap().public_key;
        let at = forged.windows(65).position(|window| window == own).unwrap();
        forged[at..at + 65].copy_from_slice(point);
        assert_eq!(ParsedRequest::parse(&forged).unwrap_err(), Refusal::CsrNotSigned);
    }

    #[test]
    fn too_much_and_more_than_one_are_refused() {
        assert_eq!(ParsedRequest::parse(&[0x30; MAX_LENGTH + 1]).unwrap_err(), Refusal::CsrTooLarge);
        let trailing = [REQUEST.as_slice(), &[0]].concat();
        assert_eq!(ParsedRequest::parse(&trailing).unwrap_err(), Refusal::CsrMalformed);
        let twice = [REQUEST.as_slice(), &REQUEST].concat();
        assert_eq!(ParsedRequest::parse(&twice).unwrap_err(), Refusal::CsrMalformed);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
            prop_assert!(ParsedRequest::parse(&bytes).is_err());
        }

        #[test]
        fn a_request_changed_anywhere_is_refused(
            at in any::<prop::sample::Index>(), change in 1..=255u8, cut in any::<bool>(),
        ) {
            let mut request = REQUEST.clone();
            let at = at.index(request.len());
            request[at] ^= change;
            if cut {
                request.truncate(at);
            }
            prop_assert!(ParsedRequest::parse(&request).is_err());
        }
    }
}
