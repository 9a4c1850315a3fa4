//! RSA keys that registrars decrypt and sign with: SCEP knows no other kind (RFC 8894 section 3.1).
//!
//! ring signs. It does not decrypt, so the `rsa` crate does, blinded. Decryption rejects implicitly, by either padding:
//! what is wrong gives a key like any other, and what it opens is random bytes. Whoever sends forged ciphertexts
//! (Bleichenbacher, Manger, Marvin) sees one answer, after the same work.

use super::CaKeyError;
use crate::der::{self, DerReader, MalformedDer, tag};
use crate::oid;
use crate::pkcs7::{ContentKey, ContentSignatureAlgorithm, KeyTransport, OaepDigest};
use crate::public_key::{KeyType, PublicKey};
use ring::rand::SystemRandom;
use ring::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use rsa::rand_core::{TryCryptoRng, TryRng};
use rsa::traits::{PaddingScheme, PrivateKeyParts, PublicKeyParts};
use rsa::{BoxedUint, Oaep, Pkcs1v15Encrypt, RsaPrivateKey, RsaPublicKey};
use sha1::Sha1;
use sha2::digest::{Digest, FixedOutputReset};
use sha2::{Sha256, Sha384, Sha512};
use std::convert::Infallible;
use tegata_core::Entropy;
use zeroize::Zeroizing;

/// The length of a registrar's modulus, in bits.
const BITS: usize = 2048;

/// A private RSA key that can sign with PKCS #1 v1.5 and open SCEP envelopes.
pub struct RsaKey {
    pair: RsaKeyPair,
    private: RsaPrivateKey,
    info: Vec<u8>,
}

impl RsaKey {
    /// A new key of 2048 bits as PKCS#8 DER, to be sealed. It takes a second or so of work: never on a thread that serves.
    pub fn generate(entropy: &dyn Entropy) -> Result<Zeroizing<Vec<u8>>, CaKeyError> {
        let key = RsaPrivateKey::new(&mut RsaRandomness(entropy), BITS).map_err(|_| CaKeyError::Signing)?;
        pkcs8(&key).ok_or(CaKeyError::Signing)
    }

    /// Reads a private key from PKCS#8 DER.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, CaKeyError> {
        let private = read(der).map_err(|_| CaKeyError::NotRsa)?;
        let pair = RsaKeyPair::from_pkcs8(der).map_err(|_| CaKeyError::NotRsa)?;
        let info = der::sequence(&[oid::RSA_KEY, &der::bit_string(pair.public_key().as_ref())]);
        Ok(Self { pair, private, info })
    }

    /// The public key as DER `SubjectPublicKeyInfo`.
    pub fn public_key_info(&self) -> &[u8] {
        &self.info
    }

    /// The key of `length` bytes that was encrypted for this one (RFC 8017 sections 7.1.2 and 7.2.2). What was not
    /// opens to random bytes of that length, and nobody learns which it was.
    pub(crate) fn unwrap(
        &self,
        encrypted: &[u8],
        transport: KeyTransport,
        length: usize,
        entropy: &dyn Entropy,
    ) -> Zeroizing<Vec<u8>> {
        let mut noise = Zeroizing::new(vec![0; length]);
        entropy.fill(&mut noise);
        let opened = with_padding(transport, Decryption { key: &self.private, encrypted, entropy });
        match opened.map(Zeroizing::new) {
            Ok(key) if key.len() == length => key,
            _ => noise,
        }
    }
}

impl ContentKey for RsaKey {
    fn algorithm(&self) -> ContentSignatureAlgorithm {
        ContentSignatureAlgorithm::Rsa
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).ok()?;
        Some(signature)
    }
}

impl PublicKey {
    /// `secret` encrypted for the holder of this key (RFC 8017 sections 7.1.1 and 7.2.1); none if it is not RSA.
    pub(crate) fn wrap(
        &self,
        secret: &[u8],
        transport: KeyTransport,
        entropy: &dyn Entropy,
    ) -> Option<Vec<u8>> {
        if self.key_type() != KeyType::Rsa {
            return None;
        }
        let mut fields = DerReader::new(DerReader::single(self.octets(), tag::SEQUENCE).ok()?.content);
        let modulus = number(&mut fields).ok()?;
        let exponent = number(&mut fields).ok()?;
        let key = RsaPublicKey::new(modulus, exponent).ok()?;
        with_padding(transport, Encryption { key: &key, secret, entropy }).ok()
    }
}

/// What is done with a padding, whose type is one of many.
trait WithPadding {
    fn run(self, padding: impl PaddingScheme) -> rsa::Result<Vec<u8>>;
}

struct Decryption<'a> {
    key: &'a RsaPrivateKey,
    encrypted: &'a [u8],
    entropy: &'a dyn Entropy,
}

impl WithPadding for Decryption<'_> {
    fn run(self, padding: impl PaddingScheme) -> rsa::Result<Vec<u8>> {
        self.key.decrypt_blinded(&mut RsaRandomness(self.entropy), padding, self.encrypted)
    }
}

struct Encryption<'a> {
    key: &'a RsaPublicKey,
    secret: &'a [u8],
    entropy: &'a dyn Entropy,
}

impl WithPadding for Encryption<'_> {
    fn run(self, padding: impl PaddingScheme) -> rsa::Result<Vec<u8>> {
        self.key.encrypt(&mut RsaRandomness(self.entropy), padding, self.secret)
    }
}

fn with_padding(transport: KeyTransport, act: impl WithPadding) -> rsa::Result<Vec<u8>> {
    match transport {
        KeyTransport::Pkcs1 => act.run(Pkcs1v15Encrypt),
        KeyTransport::Oaep(OaepDigest::Sha1, mask) => with_mask::<Sha1>(mask, act),
        KeyTransport::Oaep(OaepDigest::Sha256, mask) => with_mask::<Sha256>(mask, act),
        KeyTransport::Oaep(OaepDigest::Sha384, mask) => with_mask::<Sha384>(mask, act),
        KeyTransport::Oaep(OaepDigest::Sha512, mask) => with_mask::<Sha512>(mask, act),
    }
}

fn with_mask<D: Digest + FixedOutputReset>(mask: OaepDigest, act: impl WithPadding) -> rsa::Result<Vec<u8>> {
    match mask {
        OaepDigest::Sha1 => act.run(Oaep::<D, Sha1>::new_with_mgf_hash()),
        OaepDigest::Sha256 => act.run(Oaep::<D, Sha256>::new_with_mgf_hash()),
        OaepDigest::Sha384 => act.run(Oaep::<D, Sha384>::new_with_mgf_hash()),
        OaepDigest::Sha512 => act.run(Oaep::<D, Sha512>::new_with_mgf_hash()),
    }
}

/// The process's source of randomness in the form that the `rsa` crate takes.
struct RsaRandomness<'a>(&'a dyn Entropy);

impl TryRng for RsaRandomness<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(tegata_core::entropy::bytes(self.0)))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(tegata_core::entropy::bytes(self.0)))
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(buffer);
        Ok(())
    }
}

impl TryCryptoRng for RsaRandomness<'_> {}

/// `PrivateKeyInfo` with an `RSAPrivateKey` (RFC 8017 appendix A.1.2).
fn pkcs8(key: &RsaPrivateKey) -> Option<Zeroizing<Vec<u8>>> {
    let coefficient = key.crt_coefficient()?;
    let [p, q] = key.primes() else { return None };
    let (p, q) = (p.as_ref(), q.as_ref());
    let numbers = [key.n().as_ref(), key.e(), key.d(), p, q, key.dp()?, key.dq()?, &coefficient];
    let mut fields = Zeroizing::new(der::unsigned(0));
    for number in numbers {
        let octets = Zeroizing::new(number.to_be_bytes().to_vec());
        fields.extend_from_slice(&Zeroizing::new(integer(&octets)));
    }
    let key = Zeroizing::new(der::sequence(&[&fields]));
    let octets = Zeroizing::new(der::element(tag::OCTET_STRING, &[&key]));
    Some(Zeroizing::new(der::sequence(&[&der::unsigned(0), oid::RSA_KEY, &octets])))
}

fn integer(octets: &[u8]) -> Vec<u8> {
    let zeros = octets.iter().take_while(|octet| **octet == 0).count().min(octets.len() - 1);
    let significant = &octets[zeros..];
    let sign: &[u8] = if significant[0] >= 0x80 { &[0] } else { &[] };
    der::element(tag::INTEGER, &[sign, significant])
}

fn read(pkcs8: &[u8]) -> Result<RsaPrivateKey, MalformedDer> {
    let mut outer = DerReader::new(DerReader::single(pkcs8, tag::SEQUENCE)?.content);
    outer.expect(tag::INTEGER)?;
    if outer.expect(tag::SEQUENCE)?.whole != oid::RSA_KEY {
        return Err(MalformedDer);
    }
    let key = outer.expect(tag::OCTET_STRING)?.content;
    let mut fields = DerReader::new(DerReader::single(key, tag::SEQUENCE)?.content);
    fields.expect(tag::INTEGER)?;
    let [modulus, public, private, first, second] = [(); 5].map(|()| number(&mut fields));
    let primes = vec![first?, second?];
    RsaPrivateKey::from_components(modulus?, public?, private?, primes).map_err(|_| MalformedDer)
}

/// Reads the next INTEGER, which must be positive.
fn number(fields: &mut DerReader<'_>) -> Result<BoxedUint, MalformedDer> {
    let octets = fields.expect(tag::INTEGER)?.content;
    let magnitude = octets.strip_prefix(&[0]).unwrap_or(octets);
    Ok(BoxedUint::from_be_slice_vartime(magnitude))
}
