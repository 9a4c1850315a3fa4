//! Private keys, wherever they live, behind [`CaKey`]: sealed in a file ([`LocalKey`], [`seal`], [`open`]) or on a
//! PKCS#11 token that never gives them away ([`pkcs11`]).

mod local;
pub mod pkcs11;
mod rsa;
mod sealed;

pub use local::LocalKey;
pub use rsa::RsaKey;
pub use sealed::{open, seal};

use crate::der;
use crate::oid;
use ring::digest::{SHA256, digest};
use std::path::PathBuf;

/// A private key that signs with ECDSA on P-256 and SHA-256.
///
/// A cloud KMS fits as well. It gives two things: the public point, fetched once when the key is opened (AWS
/// `GetPublicKey`, Google `getPublicKey` and Azure `getKey` give a `SubjectPublicKeyInfo` or x and y), and signatures
/// over the SHA-256 digest of the message (`ECDSA_SHA_256` with `MessageType=DIGEST`, `EC_SIGN_P256_SHA256`, `ES256`;
/// Azure's r‖s needs the ASN.1 form). It says [`blocks`](CaKey::blocks), so its `sign` may wait for the network; it
/// puts a deadline of seconds on every call, repeats only what the service says may be repeated, and holds its
/// credentials so that they never appear in an error. What it cannot do becomes a [`CaKeyError`]: nothing is cached, and
/// a caller who comes again tries anew.
pub trait CaKey: Send + Sync {
    /// The public key as an uncompressed point: 65 bytes, the first 0x04. Known without asking the device.
    fn public_point(&self) -> &[u8];

    /// The ASN.1 form of a signature over `message` (RFC 5480 appendix A, ECDSA-Sig-Value).
    ///
    /// # Errors
    /// [`CaKeyError`] when the key cannot be used now. Nothing was signed then, or nobody learned of it.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CaKeyError>;

    /// Whether [`sign`](CaKey::sign) may wait for a device or a network: then servers call it on a thread that may
    /// block, and it must come to an end by itself. It may be called from many threads at once.
    fn blocks(&self) -> bool {
        false
    }

    /// The key as one that takes digests, where it does: who has hashed a long message then hashes it once, to sign it and to
    /// verify the signature.
    fn by_digest(&self) -> Option<&dyn DigestKey> {
        None
    }

    /// The public key as DER `SubjectPublicKeyInfo`.
    fn public_key_info(&self) -> Vec<u8> {
        der::sequence(&[oid::P256_KEY, &der::bit_string(self.public_point())])
    }

    /// The identifier the key has in certificates: RFC 7093 section 2, method 1.
    fn key_identifier(&self) -> Vec<u8> {
        digest(&SHA256, self.public_point()).as_ref()[..20].to_vec()
    }
}

/// A key that is given the SHA-256 digest in place of the message.
pub trait DigestKey {
    /// The signature that [`CaKey::sign`] gives over the message.
    ///
    /// # Errors
    /// Those of [`CaKey::sign`].
    fn sign_digest(&self, digest: &[u8; 32]) -> Result<Vec<u8>, CaKeyError>;
}

/// The SHA-256 digest of a message.
pub(crate) fn sha256(message: &[u8]) -> [u8; 32] {
    digest(&SHA256, message).as_ref().try_into().unwrap_or_default()
}

/// Why a key cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CaKeyError {
    /// The text is not a sealed key.
    #[error(
        "this is not a sealed private key: expected PEM of an {label}",
        label = sealed::LABEL
    )]
    NotSealed,
    /// Wrong secret, or a damaged file.
    #[error(
        "the secret does not open this key: give the passphrase or key file it was sealed with, or restore \
         the key from a backup if the file is damaged"
    )]
    WrongSecret,
    /// It opened, but holds another kind of key.
    #[error("not a P-256 private key: create one with `tegata init`")]
    NotP256,
    /// It opened, but is not an RSA key.
    #[error("not an RSA private key")]
    NotRsa,
    /// The key could not be encrypted for storage.
    #[error("the key could not be sealed")]
    Sealing,
    /// The key, or the device that holds it, did not sign.
    #[error("the key could not sign: check that its store is reachable and that the machine has randomness")]
    Signing,
    /// The library that speaks to the token does not load.
    #[error(
        "the PKCS#11 module {path} cannot be used ({reason}): name the vendor's library for this machine",
        path = path.display()
    )]
    Module {
        /// The path of the PKCS#11 library.
        path: PathBuf,
        /// The error of the loader or of the library.
        reason: String,
    },
    /// No token of this label, or several.
    #[error(
        "the PKCS#11 module shows {count} tokens named {token:?} (it shows: {shown}): connect the device, start its \
         service, or correct the label"
    )]
    NoToken {
        /// The token label that the configuration names.
        token: String,
        /// How many have it.
        count: usize,
        /// The labels there are.
        shown: String,
    },
    /// The token did not accept the PIN. Final for this process.
    #[error(
        "the token {0:?} refused the PIN; it is not tried again, because tokens lock themselves: correct the PIN and \
         start anew"
    )]
    PinRefused(String),
    /// One wrong PIN would lock the token. Nothing was sent.
    #[error(
        "the token {0:?} has one try left before its PIN is locked, and a program does not spend it: log in once with \
         the vendor's tool and the right PIN, then start anew"
    )]
    PinLastTry(String),
    /// No PIN is accepted any more. Final for this process.
    #[error(
        "the PIN of the token {0:?} is locked or has expired: set a new one with the vendor's tool and the security \
         officer's PIN, then start anew"
    )]
    PinLocked(String),
    /// The object is not on the token, or several are.
    #[error(
        "the token {token:?} holds {count} private keys with a public key, label {label:?} and identifier {id}: restore \
         the key from the token's backup, or correct the file that names it"
    )]
    NoKey {
        /// The label of the token that was searched.
        token: String,
        /// The key label that was looked for.
        label: String,
        /// The identifier wanted, in hex.
        id: String,
        /// How many there are.
        count: usize,
    },
    /// The token made a key that could leave it.
    #[error(
        "the token {0:?} does not keep keys to itself: it made one that can be exported, which was removed"
    )]
    Exportable(String),
    /// The token failed, a new session too.
    #[error(
        "the token {token:?} did not do it ({reason}), nor in a new session: check the device and its service; the \
         next use tries anew"
    )]
    Token {
        /// The label of the token that failed.
        token: String,
        /// Which function answered what.
        reason: String,
    },
}

/// Signs a to-be-signed structure and wraps it: SEQUENCE { tbs, signatureAlgorithm, signature }. Certificates and
/// requests have this form alike.
pub(crate) fn sign_structure(signer: &dyn CaKey, tbs: &[u8]) -> Result<Vec<u8>, CaKeyError> {
    let signature = signer.sign(tbs)?;
    Ok(der::sequence(&[tbs, oid::ECDSA_WITH_SHA256, &der::bit_string(&signature)]))
}
