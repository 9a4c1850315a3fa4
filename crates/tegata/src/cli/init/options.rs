//! The options of `tegata init`.

use crate::cli::output::OutputFormat;
use clap::Args;
use std::net::IpAddr;
use std::path::PathBuf;
use tegata_admin::init::{InitOptions, TokenOptions};
use tegata_core::{Installation, Name, NotAName};

/// On a terminal, what is not given is asked for, with what would be taken otherwise.
#[derive(Args)]
pub struct InitArgs {
    /// Host name you own; it goes into the URIs of certificates and must never change. Without it: the --host
    #[arg(long, value_parser = parse_installation)]
    pub name: Option<Installation>,
    /// Host name by which browsers reach the portal and the device listener [default: localhost]
    #[arg(long)]
    pub host: Option<String>,
    /// Address at which the listeners wait, such as 0.0.0.0 or ::. Without it: every IPv4 address of this machine, or
    /// 127.0.0.1 where the --host is this machine alone
    #[arg(long, value_name = "IP")]
    pub listen: Option<IpAddr>,
    /// http:// address of the public listener; written into certificates. Without a port it has --public-port. Without
    /// it: the --host
    #[arg(long, value_name = "URL")]
    pub public: Option<String>,
    /// Where the ledger is: sqlite:PATH or postgres://…
    #[arg(long, default_value = "sqlite:ledger.db")]
    pub storage: String,
    /// Where the revocation log is, which must outlive the ledger: on another disk
    #[arg(long, value_name = "PATH", default_value = "revocations.log")]
    pub revocations: String,
    /// Make no CA: the first one comes from a root elsewhere, by `tegata ceremony`
    #[arg(long, conflicts_with = "label")]
    pub without_ca: bool,
    /// Name of the first tenant (法人), also in the CAs' names [default: あおば薬局グループ]
    #[arg(long, value_parser = place_name)]
    pub tenant_name: Option<String>,
    /// Name of its first site (店舗) [default: 本店]
    #[arg(long, value_parser = place_name)]
    pub site_name: Option<String>,
    /// Audience of the first product [default: `https://product.localhost`]
    #[arg(long)]
    pub audience: Option<String>,
    /// Port of the portal [default: 8443]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub portal_port: Option<u16>,
    /// Port of the device listener [default: 9443]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub device_port: Option<u16>,
    /// Port of the public listener [default: 8080]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub public_port: Option<u16>,
    /// Protects the keys instead of the file unlock.key; asked for again at every start
    #[arg(long, env = "TEGATA_PASSPHRASE", hide_env_values = true)]
    pub passphrase: Option<String>,
    /// Enable SCEP, and allow devices the RSA keys that its clients have
    #[arg(long)]
    pub scep: bool,
    /// Ask nothing, also on a terminal
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub token: TokenArgs,
    #[command(flatten)]
    pub output: OutputFormat,
}

/// Parses the name of a tenant or site into the form in which it is stored.
pub(super) fn place_name(text: &str) -> Result<String, NotAName> {
    Name::of_place(text).map(String::from)
}

/// A PKCS#11 token for the keys of root and issuing CA, instead of files.
#[derive(Args)]
pub struct TokenArgs {
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

impl From<&InitArgs> for InitOptions {
    fn from(arguments: &InitArgs) -> Self {
        let TokenArgs { module, label, pin } = &arguments.token;
        Self {
            name: arguments.name.clone(),
            host: arguments.host.clone(),
            listen: arguments.listen,
            public: arguments.public.clone(),
            storage: arguments.storage.clone(),
            revocations: arguments.revocations.clone(),
            without_ca: arguments.without_ca,
            tenant_name: arguments.tenant_name.clone(),
            site_name: arguments.site_name.clone(),
            audience: arguments.audience.clone(),
            portal_port: arguments.portal_port,
            device_port: arguments.device_port,
            public_port: arguments.public_port,
            passphrase: arguments.passphrase.clone(),
            scep: arguments.scep,
            token: TokenOptions { module: module.clone(), label: label.clone(), pin: pin.clone() },
        }
    }
}

fn parse_installation(text: &str) -> Result<Installation, String> {
    Installation::parse(text)
        .ok_or_else(|| "it must read as a host name with a dot, in lower case".to_owned())
}
