//! The keys of an installation, each by its name, wherever it lives.
//!
//! | in the keys folder | the key |
//! |---|---|
//! | `NAME.pem` | is this file, sealed with the installation's secret |
//! | `NAME.pkcs11` | is an object of the token that the configuration names |
//!
//! Keys of CAs may be either. The listeners' are files always; those that sign tokens lie in the ledger, sealed in the same way.

mod hardware;

use crate::config::{Config, KeysConfig, NewKeys};
use crate::failure::{Failure, FailureContext};
use hardware::HardwareToken;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tegata_ca::{CaKey, LocalKey, UnlockSecret, keys, secret};
use tegata_core::jws::SigningKey;
use tegata_core::{Entropy, IssuerId};
use tegata_net::tls::IdentityFiles;

/// The environment variable with the passphrase.
pub const PASSPHRASE: &str = "TEGATA_PASSPHRASE";

/// The keys folder, the secret that opens its files, and the token for what is not in them.
pub struct KeyRing {
    folder: PathBuf,
    secret: UnlockSecret,
    new: NewKeys,
    hardware: Option<HardwareToken>,
}

impl KeyRing {
    /// Finds the secret where the configuration says. No token is asked before one of its keys is wanted.
    pub fn open(config: &Config) -> Result<Self, Failure> {
        Self::open_at(config.folder(), &config.keys)
    }

    /// Opens a key ring where there is no installation, as in a root ceremony. Relative paths begin at `base`.
    pub fn open_at(base: &Path, keys: &KeysConfig) -> Result<Self, Failure> {
        let secret = match &keys.unlock {
            Some(file) => UnlockSecret::from_file(&base.join(file))
                .doing("cannot read the file that unlocks the keys")?,
            None => passphrase()?,
        };
        Ok(Self::with(base, keys, secret))
    }

    /// The keys of an installation with a secret at hand.
    pub fn new(config: &Config, secret: UnlockSecret) -> Self {
        Self::with(config.folder(), &config.keys, secret)
    }

    /// This key ring with its files in another folder.
    #[must_use]
    pub fn moved_to(self, folder: &Path) -> Self {
        Self { folder: folder.to_owned(), ..self }
    }

    fn with(base: &Path, keys: &KeysConfig, secret: UnlockSecret) -> Self {
        let hardware = keys.pkcs11.as_ref().map(|token| HardwareToken::new(base, token));
        Self { folder: base.join(&keys.folder), secret, new: keys.new, hardware }
    }

    /// Makes the key of a CA where the configuration wants new ones, under a name that has none. Gives it ready to sign.
    pub fn create(&self, name: &str, entropy: &dyn Entropy) -> Result<Arc<dyn CaKey>, Failure> {
        match self.new {
            NewKeys::File => self.create_file(name, entropy),
            NewKeys::Pkcs11 => self.hardware(name)?.create(name, &self.reference(name), entropy),
        }
    }

    /// Makes a key and writes it, encrypted, to a file that must not exist. Gives it ready to sign.
    pub fn create_file(&self, name: &str, entropy: &dyn Entropy) -> Result<Arc<dyn CaKey>, Failure> {
        let file = self.file(name);
        let pkcs8 = LocalKey::generate().doing("cannot make a key")?;
        let sealed = keys::seal(&pkcs8, &self.secret, entropy).doing("cannot encrypt a key")?;
        secret::write_private_file(&file, sealed.as_bytes()).doing("cannot write a key")?;
        Ok(Arc::new(LocalKey::from_pkcs8(&pkcs8).doing("cannot use a new key")?))
    }

    /// Whether a key of this name could be made: the name is plain and free, the folder there.
    pub fn must_take(&self, name: &str) -> Result<(), Failure> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || !name.bytes().all(is_plain) {
            return Err(Failure::misuse(format!("{name:?} cannot be the name of a key: use a-z, 0-9 and -")));
        }
        if self.file(name).exists() || self.reference(name).exists() {
            return Err(Failure::misuse(format!("the key {name} exists already")));
        }
        if !self.folder.is_dir() {
            let folder = self.folder.display();
            return Err(Failure::misuse(format!("there is no folder {folder}: make it with mode 0700")));
        }
        Ok(())
    }

    /// Where a new key of this name would be, for people.
    pub fn new_place(&self, name: &str) -> String {
        match self.new {
            NewKeys::File => self.file(name).display().to_string(),
            NewKeys::Pkcs11 => format!("the PKCS#11 token, named by {}", self.reference(name).display()),
        }
    }

    /// A key ready to sign, wherever it lives.
    pub fn signer(&self, name: &str) -> Result<Arc<dyn CaKey>, Failure> {
        let (file, reference) = (self.file(name), self.reference(name));
        match (file.exists(), reference.exists()) {
            (true, true) => Err(Failure::misuse(format!(
                "the key {name} is there twice: keep one of {} and {}",
                file.display(),
                reference.display()
            ))),
            (false, true) => self.hardware(name)?.signer(&reference),
            _ => {
                let pkcs8 = self.pkcs8(&file)?;
                Ok(Arc::new(LocalKey::from_pkcs8(&pkcs8).doing(format!("cannot use the key {name}"))?))
            }
        }
    }

    /// Takes a key away that was just made and came to nothing.
    pub fn discard(&self, name: &str) -> Result<(), Failure> {
        let (file, reference) = (self.file(name), self.reference(name));
        if reference.exists() {
            self.hardware(name)?.destroy(&reference)?;
            return std::fs::remove_file(&reference).doing("cannot take the name of a key away");
        }
        std::fs::remove_file(&file).doing("cannot take a key away")
    }

    /// The file that is the key or names it; where the key would be a file, if there is none.
    pub fn place(&self, name: &str) -> PathBuf {
        Some(self.reference(name)).filter(|reference| reference.exists()).unwrap_or_else(|| self.file(name))
    }

    /// A key that signs tokens and the feed.
    pub fn token_key(&self, name: &str) -> Result<SigningKey, Failure> {
        let pkcs8 = self.pkcs8(&self.file(name))?;
        SigningKey::from_pkcs8(&pkcs8).doing(format!("cannot use the key {name}, which signs tokens"))
    }

    /// The folder with the files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A listener's chain and key; the key may be encrypted with our secret, or plain.
    pub fn server_identity(&self, chain: &Path, key: &Path) -> Result<IdentityFiles, Failure> {
        let what = format!("cannot read the certificate chain {}", chain.display());
        let chain = CertificateDer::pem_file_iter(chain)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .doing(what)?;
        let pem = secret::read_private_file(key).doing("cannot read a listener's key")?;
        let encrypted = pem.windows(21).any(|window| window == b"ENCRYPTED PRIVATE KEY");
        let key = if encrypted {
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.pkcs8(key)?.to_vec()))
        } else {
            PrivateKeyDer::from_pem_slice(&pem).doing("a listener's key is not PEM")?
        };
        Ok((chain, key))
    }

    /// New random bytes under a seal that only the installation's secret opens, as PEM.
    pub fn new_sealed(&self, entropy: &dyn Entropy) -> Result<String, Failure> {
        let pkcs8 = LocalKey::generate().doing("cannot make a secret")?;
        keys::seal(&pkcs8, &self.secret, entropy).doing("cannot encrypt a secret")
    }

    /// A key under that seal, as PEM, for a place that is no file.
    pub fn sealed(&self, pkcs8: &[u8], entropy: &dyn Entropy) -> Result<String, Failure> {
        keys::seal(pkcs8, &self.secret, entropy).doing("cannot encrypt a key")
    }

    /// What [`KeyRing::new_sealed`] or [`KeyRing::sealed`] has sealed.
    pub fn open_sealed(&self, pem: &str) -> Result<impl std::ops::Deref<Target = Vec<u8>> + use<>, Failure> {
        keys::open(pem, &self.secret).doing("cannot unlock a secret of the ledger")
    }

    /// The name of an issuing key.
    pub fn issuing(issuer: &IssuerId) -> String {
        format!("issuing-{issuer}")
    }

    /// Where a key lies that is a file.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.pem"))
    }

    /// Encrypts a key and writes it to a place that must not exist.
    pub fn write_elsewhere(&self, file: &Path, pkcs8: &[u8], entropy: &dyn Entropy) -> Result<(), Failure> {
        let sealed = keys::seal(pkcs8, &self.secret, entropy).doing("cannot encrypt a key")?;
        secret::write_private_file(file, sealed.as_bytes()).doing("cannot write a key")
    }

    /// Where the name of a key lies that is on the token.
    fn reference(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.pkcs11"))
    }

    fn hardware(&self, name: &str) -> Result<&HardwareToken, Failure> {
        self.hardware.as_ref().ok_or_else(|| {
            Failure::misuse(format!(
                "the key {name} is on a PKCS#11 token, and tegata.toml names none: add [keys.pkcs11]"
            ))
        })
    }

    fn pkcs8(&self, file: &Path) -> Result<impl std::ops::Deref<Target = Vec<u8>> + use<>, Failure> {
        let pem = secret::read_private_file(file).doing("cannot read a key")?;
        let pem = std::str::from_utf8(&pem).doing(format!("{} is not PEM", file.display()))?;
        keys::open(pem, &self.secret).doing(format!("cannot unlock {}", file.display()))
    }
}

fn passphrase() -> Result<UnlockSecret, Failure> {
    let text = std::env::var(PASSPHRASE).map_err(|_| {
        Failure::misuse(format!(
            "the keys need a secret: set {PASSPHRASE}, or name an unlock file under [keys]"
        ))
    })?;
    UnlockSecret::passphrase(&text).map_err(Failure::misuse)
}
