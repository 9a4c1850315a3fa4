//! Private keys: in use behind [`Signer`], at rest as PKCS#8 sealed with a passphrase.
//!
//! At rest a key is an `EncryptedPrivateKeyInfo` (RFC 5958 section 3) under PBES2 with scrypt and
//! AES-256-CBC (RFC 8018, RFC 7914), in PEM, which `openssl pkey` reads too.

use crate::der;
use crate::oid;
use crate::secret::Secret;
use pkcs8::pkcs5::pbes2;
use pkcs8::{EncryptedPrivateKeyInfo, LineEnding, PrivateKeyInfo, SecretDocument};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use tegata_core::Entropy;
use tegata_core::entropy::bytes;
use zeroize::Zeroizing;

/// The PEM label of a sealed key (RFC 7468 section 11).
const LABEL: &str = "ENCRYPTED PRIVATE KEY";

/// scrypt's cost: N = 2^14, r = 8, p = 5 takes 16 MiB and about 0.2 s to unlock. OpenSSL refuses to
/// spend more than 32 MiB, so a larger N would lock its users out.
const SCRYPT: (u8, u32, u32) = (14, 8, 5);

/// A private key that signs with ECDSA on P-256 and SHA-256. The local key is one; a PKCS#11 token or a
/// key service can be another.
pub trait Signer: Send + Sync {
    /// The public key as an uncompressed point: 65 bytes, the first 0x04.
    fn public_point(&self) -> &[u8];

    /// The ASN.1 form of a signature over `message` (RFC 5480 appendix A, ECDSA-Sig-Value).
    ///
    /// # Errors
    /// [`KeyError::Signing`] when the key cannot be used now.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError>;

    /// The public key as DER `SubjectPublicKeyInfo`.
    fn public_key_info(&self) -> Vec<u8> {
        der::sequence(&[oid::P256_KEY, &der::bit_string(self.public_point())])
    }

    /// The identifier the key has in certificates: RFC 7093 section 2, method 1.
    fn key_identifier(&self) -> Vec<u8> {
        digest(&SHA256, self.public_point()).as_ref()[..20].to_vec()
    }
}

/// Why a key cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    /// The text is not a sealed key.
    #[error("this is not a sealed private key: expected PEM that begins with -----BEGIN {LABEL}-----")]
    NotSealed,
    /// Wrong secret, or a damaged file.
    #[error(
        "the secret does not open this key: give the passphrase or key file it was sealed with, or restore \
         the key from a backup if the file is damaged"
    )]
    WrongSecret,
    /// It opened, but holds another kind of key.
    #[error("not a P-256 private key in PKCS#8: create one with `tegata init`")]
    NotP256,
    /// Sealing failed.
    #[error("the key could not be sealed")]
    Sealing,
    /// The key, or the device that holds it, did not sign.
    #[error("the key could not sign: check that its store is reachable and that the machine has randomness")]
    Signing,
}

/// A key in this process's memory.
pub struct LocalKey {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl LocalKey {
    /// A new key as PKCS#8 DER, to be sealed. Its randomness is the operating system's: ring takes no other.
    pub fn generate() -> Result<Zeroizing<Vec<u8>>, KeyError> {
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new())
            .map(|document| Zeroizing::new(document.as_ref().to_vec()))
            .map_err(|_| KeyError::Signing)
    }

    /// From PKCS#8 DER.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let random = SystemRandom::new();
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der, &random)
            .map(|pair| Self { pair, random })
            .map_err(|_| KeyError::NotP256)
    }
}

impl Signer for LocalKey {
    fn public_point(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let signature = self.pair.sign(&self.random, message).map_err(|_| KeyError::Signing)?;
        Ok(signature.as_ref().to_vec())
    }
}

/// Seals a PKCS#8 key of any kind; the result is PEM.
pub fn seal(pkcs8: &[u8], secret: &Secret, entropy: &dyn Entropy) -> Result<String, KeyError> {
    let (log_n, r, p) = SCRYPT;
    let cost = pkcs8::pkcs5::scrypt::Params::new(log_n, r, p, 32).map_err(|_| KeyError::Sealing)?;
    let (salt, iv) = (bytes::<16>(entropy), bytes::<16>(entropy));
    let parameters = pbes2::Parameters::scrypt_aes256cbc(cost, &salt, &iv).map_err(|_| KeyError::Sealing)?;
    let sealed = PrivateKeyInfo::try_from(pkcs8)
        .and_then(|key| key.encrypt_with_params(parameters, secret.as_bytes()))
        .map_err(|_| KeyError::Sealing)?;
    let pem = sealed.to_pem(LABEL, LineEnding::LF).map_err(|_| KeyError::Sealing)?;
    Ok(pem.to_string())
}

/// Opens a sealed key: its PKCS#8 DER, for [`LocalKey::from_pkcs8`], a TLS listener, or
/// `tegata_core::jws::SigningKey::from_pkcs8`.
pub fn open(pem: &str, secret: &Secret) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let (label, sealed) = SecretDocument::from_pem(pem).map_err(|_| KeyError::NotSealed)?;
    if label != LABEL {
        return Err(KeyError::NotSealed);
    }
    let sealed = EncryptedPrivateKeyInfo::try_from(sealed.as_bytes()).map_err(|_| KeyError::NotSealed)?;
    let opened = sealed.decrypt(secret.as_bytes()).map_err(|_| KeyError::WrongSecret)?;
    // Wrong padding is noticed above; one wrong secret in 256 passes it and yields noise.
    PrivateKeyInfo::try_from(opened.as_bytes()).map_err(|_| KeyError::WrongSecret)?;
    Ok(opened.to_bytes())
}

/// Signs a to-be-signed structure and wraps it: SEQUENCE { tbs, signatureAlgorithm, signature }. Certificates and
/// requests have this form alike.
pub(crate) fn sign_structure(signer: &dyn Signer, tbs: &[u8]) -> Result<Vec<u8>, KeyError> {
    let signature = signer.sign(tbs)?;
    Ok(der::sequence(&[tbs, oid::ECDSA_WITH_SHA256, &der::bit_string(&signature)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
    use tegata_core::entropy::Seeded;

    fn secret() -> Secret {
        Secret::passphrase("correct horse battery").unwrap()
    }

    #[test]
    fn whoever_holds_the_secret_gets_the_key_back_and_nobody_else() {
        let key = LocalKey::generate().unwrap();
        let sealed = seal(&key, &secret(), &Seeded::new(1)).unwrap();
        assert_eq!(open(&sealed, &secret()).unwrap(), key);
        let other = Secret::passphrase("correct horse batterz").unwrap();
        assert_eq!(open(&sealed, &other), Err(KeyError::WrongSecret));
        assert_eq!(open("-----BEGIN PRIVATE KEY-----", &other), Err(KeyError::NotSealed));
    }

    #[test]
    fn two_seals_of_one_key_share_no_salt() {
        let key = LocalKey::generate().unwrap();
        let entropy = Seeded::new(1);
        assert_ne!(seal(&key, &secret(), &entropy), seal(&key, &secret(), &entropy));
    }

    #[test]
    fn a_signature_holds_under_the_public_point() {
        let key = LocalKey::from_pkcs8(&LocalKey::generate().unwrap()).unwrap();
        let signature = key.sign(b"message").unwrap();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.public_point());
        assert!(public.verify(b"message", &signature).is_ok());
        assert!(public.verify(b"massage", &signature).is_err());
    }

    #[test]
    fn the_token_room_reads_the_same_keys() {
        let sealed = seal(&LocalKey::generate().unwrap(), &secret(), &Seeded::new(1)).unwrap();
        let opened = open(&sealed, &secret()).unwrap();
        assert!(tegata_core::jws::SigningKey::from_pkcs8(&opened).is_ok());
    }
}
