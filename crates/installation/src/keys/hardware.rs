//! CA keys on the PKCS#11 token that the configuration names.
//!
//! `NAME.pkcs11` in the keys folder says which object of the token is the key NAME. It holds no secret.

use crate::config::Pkcs11Config;
use crate::failure::{Failure, FailureContext};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tegata_ca::keys::pkcs11::{KeyName, Pkcs11Token, TokenKey, TokenPin};
use tegata_ca::{CaKey, secret};
use tegata_core::Entropy;
use tegata_core::encoding::{from_hex, hex};
use tegata_core::entropy::bytes;

/// The environment variable with the PIN.
pub const PIN: &str = "TEGATA_PIN";

/// The token, opened when the first key on it is wanted.
pub struct HardwareToken {
    module: PathBuf,
    label: String,
    pin: Option<PathBuf>,
    token: Mutex<Option<Arc<Pkcs11Token>>>,
}

/// The content of `NAME.pkcs11`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HardwareKeyReference {
    /// The `CKA_LABEL` of the key.
    label: String,
    /// The `CKA_ID` of the key in hexadecimal digits.
    id: String,
}

impl HardwareToken {
    /// The token of the configuration, whose paths begin at `base`; nothing is asked of it yet.
    pub fn new(base: &Path, token: &Pkcs11Config) -> Self {
        Self {
            module: base.join(&token.module),
            label: token.token.clone(),
            pin: token.pin.as_ref().map(|file| base.join(file)),
            token: Mutex::new(None),
        }
    }

    /// Makes a key on the token, and the file that names it, which must not exist.
    pub fn create(&self, name: &str, file: &Path, entropy: &dyn Entropy) -> Result<Arc<dyn CaKey>, Failure> {
        if file.exists() {
            return Err(Failure::misuse(format!(
                "{} exists already: the key {name} is made",
                file.display()
            )));
        }
        let key = KeyName { label: format!("tegata {name}"), id: bytes::<16>(entropy).to_vec() };
        let reference = HardwareKeyReference { label: key.label.clone(), id: hex(&key.id) };
        let text = toml::to_string(&reference).doing("cannot name a key")?;
        let key = TokenKey::generate(&self.token()?, key).doing("cannot make a key on the token")?;
        // If the program is stopped just here, a key that nobody uses stays on the token.
        secret::write_private_file(file, text.as_bytes()).doing("cannot write the name of a key")?;
        Ok(Arc::new(key))
    }

    /// The key that the file names.
    pub fn signer(&self, file: &Path) -> Result<Arc<dyn CaKey>, Failure> {
        Ok(Arc::new(self.key(file)?))
    }

    /// Destroys the key that the file names.
    pub fn destroy(&self, file: &Path) -> Result<(), Failure> {
        self.key(file)?.destroy().doing(format!("cannot take the key of {} off the token", file.display()))
    }

    fn key(&self, file: &Path) -> Result<TokenKey, Failure> {
        let text = fs::read_to_string(file).doing(format!("cannot read {}", file.display()))?;
        let wrong = |error: String| Failure::misuse(format!("{}: {error}", file.display()));
        let reference: HardwareKeyReference =
            toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let id = from_hex(&reference.id).ok_or_else(|| wrong("id must be hexadecimal".into()))?;
        let key = TokenKey::find(&self.token()?, KeyName { label: reference.label, id });
        key.doing(format!("cannot use the key of {}", file.display()))
    }

    fn token(&self) -> Result<Arc<Pkcs11Token>, Failure> {
        let mut opened = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = &*opened {
            return Ok(token.clone());
        }
        let token =
            Pkcs11Token::open(&self.module, &self.label, self.pin()?).doing("cannot open the token")?;
        Ok(opened.insert(token).clone())
    }

    fn pin(&self) -> Result<TokenPin, Failure> {
        if let Some(file) = &self.pin {
            return TokenPin::from_file(file).doing("cannot read the file with the PIN");
        }
        let text = std::env::var(PIN).map_err(|_| {
            let token = &self.label;
            Failure::misuse(format!(
                "the token {token:?} needs a PIN: set {PIN}, or name a file as pin under [keys.pkcs11]"
            ))
        })?;
        TokenPin::new(&text).map_err(|error| Failure::misuse(format!("{PIN}: {error}")))
    }
}
