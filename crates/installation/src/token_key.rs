//! A key that signs tokens: made, sealed for the ledger, and opened again.

use crate::failure::{Failure, FailureContext};
use crate::keys::KeyRing;
use tegata_core::jws::SigningKey;
use tegata_core::{Entropy, Timestamp};
use tegata_storage::StoredTokenKey;
use zeroize::Zeroizing;

/// A key that is not in the ledger yet.
pub struct NewTokenKey {
    /// The name by which tokens say which key has signed them.
    pub kid: String,
    jwk: String,
    sealed: String,
}

impl NewTokenKey {
    /// Makes a key and seals it with the installation's secret, which takes its time by intention.
    pub fn make(ring: &KeyRing, entropy: &dyn Entropy) -> Result<Self, Failure> {
        let pkcs8 = Zeroizing::new(SigningKey::generate().doing("cannot make a key")?);
        let key = SigningKey::from_pkcs8(&pkcs8).doing("cannot use a new key")?;
        let jwk = serde_json::to_string(&key.public().jwk()).doing("cannot use a new key")?;
        Ok(Self { kid: key.public().kid().to_owned(), jwk, sealed: ring.sealed(&pkcs8, entropy)? })
    }

    /// The key as the ledger keeps it.
    pub fn stored(self, published_at: Timestamp, signs_from: Timestamp) -> StoredTokenKey {
        StoredTokenKey {
            kid: self.kid,
            jwk: self.jwk,
            sealed_key: Some(self.sealed),
            published_at,
            signs_from,
        }
    }
}

/// The private part of a key of the ledger, opened with the installation's secret.
pub fn open(ring: &KeyRing, stored: &StoredTokenKey) -> Result<SigningKey, Failure> {
    let sealed = stored.sealed_key.as_deref();
    let sealed = sealed.ok_or_else(|| Failure::wrong("the ledger has its public part only"))?;
    let key = SigningKey::from_pkcs8(&ring.open_sealed(sealed)?).doing("it is not a key for signatures")?;
    if key.public().kid() == stored.kid {
        Ok(key)
    } else {
        Err(Failure::wrong("what is sealed is another key"))
    }
}
