//! The keys of an installation, each by its name, wherever it lives.
//!
//! | in the keys folder | the key |
//! |---|---|
//! | `NAME.pem` | is this file, sealed with the installation's secret |
//! | `NAME.pkcs11` | is an object of the token that the configuration names |
//!
//! Keys of CAs may be either. The one that signs tokens and the listeners' are files always.

mod hardware;

use crate::config::{Config, NewKeys};
use crate::failure::{Doing, Failure};
use hardware::Hardware;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tegata_ca::{LocalKey, Secret, Signer, keys, secret};
use tegata_core::{Entropy, IssuerId};
use tegata_web::tls::ServerIdentity;

/// The environment variable with the passphrase.
pub const PASSPHRASE: &str = "TEGATA_PASSPHRASE";

/// The keys folder, the secret that opens its files, and the token for what is not in them.
pub struct KeyRing {
    folder: PathBuf,
    secret: Secret,
    new: NewKeys,
    hardware: Option<Hardware>,
}

impl KeyRing {
    /// Finds the secret where the configuration says. No token is asked before one of its keys is wanted.
    pub fn open(config: &Config) -> Result<Self, Failure> {
        let secret = match &config.keys.unlock {
            Some(file) => {
                Secret::from_file(&config.path(file)).doing("cannot read the file that unlocks the keys")?
            }
            None => passphrase()?,
        };
        Ok(Self::new(config, secret))
    }

    /// The same with a secret at hand.
    pub fn new(config: &Config, secret: Secret) -> Self {
        let hardware = config.keys.pkcs11.as_ref().map(|token| Hardware::new(config, token));
        Self { folder: config.path(&config.keys.folder), secret, new: config.keys.new, hardware }
    }

    /// Makes the key of a CA where the configuration wants new ones, under a name that has none. Gives it ready to sign.
    pub fn create(&self, name: &str, entropy: &dyn Entropy) -> Result<Arc<dyn Signer>, Failure> {
        match self.new {
            NewKeys::File => self.create_file(name, entropy),
            NewKeys::Pkcs11 => self.hardware(name)?.create(name, &self.reference(name), entropy),
        }
    }

    /// Makes a key and writes it, encrypted, to a file that must not exist. Gives it ready to sign.
    pub fn create_file(&self, name: &str, entropy: &dyn Entropy) -> Result<Arc<dyn Signer>, Failure> {
        let file = self.file(name);
        let pkcs8 = LocalKey::generate().doing("cannot make a key")?;
        let sealed = keys::seal(&pkcs8, &self.secret, entropy).doing("cannot encrypt a key")?;
        secret::write_private_file(&file, sealed.as_bytes()).doing("cannot write a key")?;
        Ok(Arc::new(LocalKey::from_pkcs8(&pkcs8).doing("cannot use a new key")?))
    }

    /// A key ready to sign, wherever it lives.
    pub fn signer(&self, name: &str) -> Result<Arc<dyn Signer>, Failure> {
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

    /// The file that is the key or names it; where the key would be a file, if there is none.
    pub fn place(&self, name: &str) -> PathBuf {
        Some(self.reference(name)).filter(|reference| reference.exists()).unwrap_or_else(|| self.file(name))
    }

    /// The key that signs tokens and the feed.
    pub fn token_key(&self) -> Result<tegata_core::jws::SigningKey, Failure> {
        let pkcs8 = self.pkcs8(&self.file("token"))?;
        tegata_core::jws::SigningKey::from_pkcs8(&pkcs8).doing("cannot use the key that signs tokens")
    }

    /// A listener's chain and key; the key may be encrypted with our secret, or plain.
    pub fn server_identity(&self, chain: &Path, key: &Path) -> Result<ServerIdentity, Failure> {
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
        Ok(ServerIdentity { chain, key })
    }

    /// The name of an issuing key.
    pub fn issuing(issuer: &IssuerId) -> String {
        format!("issuing-{issuer}")
    }

    /// Where a key lies that is a file.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.pem"))
    }

    /// Encrypts a key and writes it to a place outside the folder that must not exist.
    pub fn write_elsewhere(&self, file: &Path, pkcs8: &[u8], entropy: &dyn Entropy) -> Result<(), Failure> {
        let sealed = keys::seal(pkcs8, &self.secret, entropy).doing("cannot encrypt a key")?;
        secret::write_private_file(file, sealed.as_bytes()).doing("cannot write a key")
    }

    /// Where the name of a key lies that is on the token.
    fn reference(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.pkcs11"))
    }

    fn hardware(&self, name: &str) -> Result<&Hardware, Failure> {
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

fn passphrase() -> Result<Secret, Failure> {
    let text = std::env::var(PASSPHRASE).map_err(|_| {
        Failure::misuse(format!(
            "the keys need a secret: set {PASSPHRASE}, or name an unlock file under [keys]"
        ))
    })?;
    Secret::passphrase(&text).map_err(Failure::misuse)
}
