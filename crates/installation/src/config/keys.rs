//! `[keys]`: where keys are made and found, and what opens them.

use serde::Deserialize;
use std::path::PathBuf;

/// Where keys are made and found.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysConfig {
    /// The folder with the encrypted keys.
    pub folder: PathBuf,
    /// A file of mode 0600 that unlocks them. Without it, the passphrase is in `TEGATA_PASSPHRASE`.
    pub unlock: Option<PathBuf>,
    /// Where keys of new CAs are made.
    #[serde(default)]
    pub new: NewKeys,
    /// The token that holds keys of CAs.
    pub pkcs11: Option<Pkcs11Config>,
}

/// Where the key of a new CA is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NewKeys {
    /// In the folder, encrypted.
    #[default]
    File,
    /// On the token of `[keys.pkcs11]`.
    Pkcs11,
}

/// The PKCS#11 token that holds keys of CAs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pkcs11Config {
    /// The path of the vendor's PKCS#11 library.
    pub module: PathBuf,
    /// The label of the token.
    pub token: String,
    /// A file of mode 0600 with the user's PIN. Without it, the PIN is in `TEGATA_PIN`.
    pub pin: Option<PathBuf>,
}
