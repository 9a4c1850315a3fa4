//! A key in this process's memory.

use super::{CaKey, CaKeyError};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use zeroize::Zeroizing;

/// A key in this process's memory.
pub struct LocalKey {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl LocalKey {
    /// A new key as PKCS#8 DER, to be sealed. Its randomness is the operating system's: ring takes no other.
    pub fn generate() -> Result<Zeroizing<Vec<u8>>, CaKeyError> {
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new())
            .map(|document| Zeroizing::new(document.as_ref().to_vec()))
            .map_err(|_| CaKeyError::Signing)
    }

    /// Reads a P-256 private key from PKCS#8 DER.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, CaKeyError> {
        let random = SystemRandom::new();
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der, &random)
            .map(|pair| Self { pair, random })
            .map_err(|_| CaKeyError::NotP256)
    }
}

impl CaKey for LocalKey {
    fn public_point(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CaKeyError> {
        let signature = self.pair.sign(&self.random, message).map_err(|_| CaKeyError::Signing)?;
        Ok(signature.as_ref().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

    #[test]
    fn a_signature_holds_under_the_public_point() {
        let key = LocalKey::from_pkcs8(&LocalKey::generate().unwrap()).unwrap();
        let signature = key.sign(b"message").unwrap();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.public_point());
        assert!(public.verify(b"message", &signature).is_ok());
        assert!(public.verify(b"massage", &signature).is_err());
    }
}
