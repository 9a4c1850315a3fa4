//! What `tegata init` is told.

use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub struct InitOptions {
    /// Host name you own; it goes into the URIs of certificates and must never change
    #[arg(long, default_value = "tegata.localhost")]
    pub name: String,
    /// Host by which browsers reach the portal and the device listener
    #[arg(long, default_value = "localhost")]
    pub host: String,
    /// http:// address, without a port, of the public listener; written into certificates
    #[arg(long, default_value = "http://127.0.0.1")]
    pub public: String,
    /// Where the ledger is: sqlite:PATH or postgres://…
    #[arg(long, default_value = "sqlite:ledger.db")]
    pub storage: String,
    /// Where the revocation log is, which must outlive the ledger: on another disk
    #[arg(long, value_name = "PATH", default_value = "revocations.log")]
    pub revocations: String,
    /// Make no CA: the first one comes from a root elsewhere, by `tegata ceremony`
    #[arg(long, conflicts_with = "label")]
    pub without_ca: bool,
    /// Name of the first tenant (法人), also in the CAs' names
    #[arg(long, default_value = "あおば薬局グループ")]
    pub tenant_name: String,
    /// Name of its first site (店舗)
    #[arg(long, default_value = "本店")]
    pub site_name: String,
    /// Audience of the first product
    #[arg(long, default_value = "https://product.localhost")]
    pub audience: String,
    /// Port of the portal
    #[arg(long, default_value_t = 8443)]
    pub portal_port: u16,
    /// Port of the device listener
    #[arg(long, default_value_t = 9443)]
    pub device_port: u16,
    /// Port of the public listener
    #[arg(long, default_value_t = 8080)]
    pub public_port: u16,
    /// Protects the keys instead of the file unlock.key; asked for again at every start
    #[arg(long, env = "TEGATA_PASSPHRASE", hide_env_values = true)]
    pub passphrase: Option<String>,
    /// Open the door for SCEP, and allow devices the RSA keys that its clients have
    #[arg(long)]
    pub scep: bool,
    #[command(flatten)]
    pub token: TokenOptions,
}

/// A PKCS#11 token for the keys of root and issuing CA, instead of files.
#[derive(Args, Default)]
pub struct TokenOptions {
    /// Make the CA keys on a PKCS#11 token: the vendor's library, as /usr/lib/softhsm/libsofthsm2.so
    #[arg(long = "pkcs11-module", value_name = "PATH", requires = "label")]
    pub module: Option<PathBuf>,
    /// Label of the token
    #[arg(id = "label", long = "pkcs11-token", value_name = "LABEL", requires = "module")]
    pub label: Option<String>,
    /// File of mode 0600 with the token's PIN; without it `TEGATA_PIN` is used, now and at every start
    #[arg(long = "pkcs11-pin", value_name = "FILE", requires = "module")]
    pub pin: Option<PathBuf>,
}

impl InitOptions {
    /// What `tegata dev` makes.
    pub fn for_development() -> Self {
        Self {
            name: "tegata.localhost".into(),
            host: "localhost".into(),
            public: "http://127.0.0.1".into(),
            storage: "sqlite:ledger.db".into(),
            revocations: "revocations.log".into(),
            without_ca: false,
            tenant_name: "あおば薬局グループ".into(),
            site_name: "本店".into(),
            audience: "https://product.localhost".into(),
            portal_port: 8443,
            device_port: 9443,
            public_port: 8080,
            passphrase: None,
            scep: true,
            token: TokenOptions::default(),
        }
    }
}
