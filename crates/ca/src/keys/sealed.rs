//! Sealed private keys: PKCS#8 encrypted with a passphrase.
//!
//! An `EncryptedPrivateKeyInfo` (RFC 5958 section 3) under PBES2 with scrypt and AES-256-CBC (RFC 8018, RFC 7914), in
//! PEM, which `openssl pkey` reads too.

use super::CaKeyError;
use crate::secret::UnlockSecret;
use pkcs8::pkcs5::pbes2;
use pkcs8::{EncryptedPrivateKeyInfo, LineEnding, PrivateKeyInfo, SecretDocument};
use tegata_core::Entropy;
use tegata_core::entropy::bytes;
use zeroize::Zeroizing;

/// The PEM label of a sealed key (RFC 7468 section 11).
pub(super) const LABEL: &str = "ENCRYPTED PRIVATE KEY";

/// scrypt's cost: N = 2^14, r = 8, p = 5 takes 16 MiB and about 0.2 s to unlock. OpenSSL refuses to
/// spend more than 32 MiB, so a larger N would lock its users out.
const SCRYPT: (u8, u32, u32) = (14, 8, 5);

/// Seals a PKCS#8 key of any kind; the result is PEM.
pub fn seal(pkcs8: &[u8], secret: &UnlockSecret, entropy: &dyn Entropy) -> Result<String, CaKeyError> {
    let (log_n, r, p) = SCRYPT;
    let cost = pkcs8::pkcs5::scrypt::Params::new(log_n, r, p, 32).map_err(|_| CaKeyError::Sealing)?;
    let (salt, iv) = (bytes::<16>(entropy), bytes::<16>(entropy));
    let parameters =
        pbes2::Parameters::scrypt_aes256cbc(cost, &salt, &iv).map_err(|_| CaKeyError::Sealing)?;
    let sealed = PrivateKeyInfo::try_from(pkcs8)
        .and_then(|key| key.encrypt_with_params(parameters, secret.as_bytes()))
        .map_err(|_| CaKeyError::Sealing)?;
    let pem = sealed.to_pem(LABEL, LineEnding::LF).map_err(|_| CaKeyError::Sealing)?;
    Ok(pem.to_string())
}

/// Opens a sealed key: its PKCS#8 DER, for [`LocalKey::from_pkcs8`](super::LocalKey::from_pkcs8), a TLS listener, or
/// `tegata_core::jws::SigningKey::from_pkcs8`.
pub fn open(pem: &str, secret: &UnlockSecret) -> Result<Zeroizing<Vec<u8>>, CaKeyError> {
    let (label, sealed) = SecretDocument::from_pem(pem).map_err(|_| CaKeyError::NotSealed)?;
    if label != LABEL {
        return Err(CaKeyError::NotSealed);
    }
    let sealed = EncryptedPrivateKeyInfo::try_from(sealed.as_bytes()).map_err(|_| CaKeyError::NotSealed)?;
    let opened = sealed.decrypt(secret.as_bytes()).map_err(|_| CaKeyError::WrongSecret)?;
    // Wrong padding is noticed above; one wrong secret in 256 passes it and yields random bytes.
    PrivateKeyInfo::try_from(opened.as_bytes()).map_err(|_| CaKeyError::WrongSecret)?;
    Ok(opened.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::LocalKey;
    use tegata_core::entropy::Seeded;

    fn secret() -> UnlockSecret {
        UnlockSecret::passphrase("correct horse battery").unwrap()
    }

    #[test]
    fn whoever_holds_the_secret_gets_the_key_back_and_nobody_else() {
        let key = LocalKey::generate().unwrap();
        let sealed = seal(&key, &secret(), &Seeded::new(1)).unwrap();
        assert_eq!(open(&sealed, &secret()).unwrap(), key);
        let other = UnlockSecret::passphrase("correct horse batterz").unwrap();
        assert_eq!(open(&sealed, &other), Err(CaKeyError::WrongSecret));
        assert_eq!(open("-----BEGIN PRIVATE KEY-----", &other), Err(CaKeyError::NotSealed));
    }

    #[test]
    fn two_seals_of_one_key_share_no_salt() {
        let key = LocalKey::generate().unwrap();
        let entropy = Seeded::new(1);
        assert_ne!(seal(&key, &secret(), &entropy), seal(&key, &secret(), &entropy));
    }

    #[test]
    fn the_token_room_reads_the_same_keys() {
        let sealed = seal(&LocalKey::generate().unwrap(), &secret(), &Seeded::new(1)).unwrap();
        let opened = open(&sealed, &secret()).unwrap();
        assert!(tegata_core::jws::SigningKey::from_pkcs8(&opened).is_ok());
    }
}
