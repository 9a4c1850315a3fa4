//! What is decided about a new installation; everything left open has a usual answer.

use std::net::IpAddr;
use std::path::PathBuf;
use tegata_core::Installation;

/// What an operator says about an installation that is to be made.
#[derive(Clone)]
pub struct InitOptions {
    /// The name that goes into the URIs of certificates and never changes; the host without it.
    pub name: Option<Installation>,
    /// The host name by which browsers reach portal and device listener.
    pub host: Option<String>,
    /// The address at which the listeners wait.
    pub listen: Option<IpAddr>,
    /// The `http://` address of the public listener, which certificates carry.
    pub public: Option<String>,
    /// Where the ledger is: `sqlite:PATH` or `postgres://…`.
    pub storage: String,
    /// Where the revocation log is.
    pub revocations: String,
    /// Whether no CA is made: the first one comes from a root elsewhere.
    pub without_ca: bool,
    /// The name of the first tenant, in the names of the CAs too.
    pub tenant_name: Option<String>,
    /// The name of its first site.
    pub site_name: Option<String>,
    /// The audience of the first product.
    pub audience: Option<String>,
    /// The port of the portal.
    pub portal_port: Option<u16>,
    /// The port of the device listener.
    pub device_port: Option<u16>,
    /// The port of the public listener.
    pub public_port: Option<u16>,
    /// What protects the keys, in place of the file `unlock.key`.
    pub passphrase: Option<String>,
    /// Whether devices may enroll by SCEP, with the RSA keys that its clients have.
    pub scep: bool,
    /// Where the keys of the CAs are made, if not in files.
    pub token: TokenOptions,
}

/// A PKCS#11 token for the keys of root and issuing CA.
#[derive(Clone, Default)]
pub struct TokenOptions {
    /// The vendor's library. Without it and a label, keys are files.
    pub module: Option<PathBuf>,
    /// The label of the token.
    pub label: Option<String>,
    /// The file of mode 0600 with its PIN, if not in the environment.
    pub pin: Option<PathBuf>,
}

impl InitOptions {
    /// What `tegata dev` makes.
    pub fn for_development() -> Self {
        Self {
            name: None,
            host: None,
            listen: None,
            public: Some("http://127.0.0.1".into()),
            storage: "sqlite:ledger.db".into(),
            revocations: "revocations.log".into(),
            without_ca: false,
            tenant_name: None,
            site_name: None,
            audience: None,
            portal_port: None,
            device_port: None,
            public_port: None,
            passphrase: None,
            scep: true,
            token: TokenOptions::default(),
        }
    }
}
