//! `tegata.toml`: one file, unknown keys refused with their line.

mod audit;
mod clients;
mod identity_providers;
mod keys;
mod listeners;
mod mail;
mod proxy;
mod receivers;
mod shares;
mod template;
mod tokens;

use crate::failure::{Failure, FailureContext};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use tegata_core::renewal::RenewalPolicy;
use tegata_core::{Contact, Installation};
use tegata_storage::LedgerPlace;

pub use audit::AuditConfig;
pub use clients::{ClientCa, ClientMethod, ClientRegistration, ClientsConfig, InvitationPlace, JwksLocation};
pub use identity_providers::{IdentityProviderConfig, ProviderAuthMethod, SignInClientConfig};
pub use keys::{KeysConfig, NewKeys, Pkcs11Config};
pub use listeners::{DeviceConfig, MetricsConfig, PortalConfig, PublicConfig};
pub use mail::{LONGEST_SENDER_NAME, MailConfig, MailTls};
pub use proxy::{HeaderFormat, ProxyConfig};
pub use receivers::{PushConfig, ReceiverConfig};
pub use shares::SharesConfig;
pub use template::ConfigTemplate;
pub use tokens::{ProductConfig, TokensConfig};

/// What an operator decides. Relative paths are relative to the folder of the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `[installation]`: its name, and where its profiles are.
    pub installation: InstallationConfig,
    /// `[storage]`: where the ledger is.
    pub storage: StorageConfig,
    /// `[revocations]`: what a restore must not undo.
    #[serde(default)]
    pub revocations: RevocationsConfig,
    /// `[keys]`: where keys are, and what opens them.
    pub keys: KeysConfig,
    /// `[portal]`: the listener for browsers and OAuth metadata.
    pub portal: PortalConfig,
    /// `[device]`: the listener that asks for certificates.
    pub device: DeviceConfig,
    /// `[public]`: the listener for lists and OCSP.
    pub public: PublicConfig,
    /// `[tokens]`: how tokens and the keys that sign them live.
    #[serde(default)]
    pub tokens: TokensConfig,
    /// `[renewal]`: when certificates are due, and how long old ones go on.
    #[serde(default)]
    pub renewal: RenewalPolicy,
    /// `[acme]`: what makers of devices attest.
    #[serde(default)]
    pub acme: AcmeConfig,
    /// `[scep]`: whether it is spoken.
    #[serde(default)]
    pub scep: ScepConfig,
    /// `[shares]`: what tenants may have under way at one time.
    #[serde(default)]
    pub shares: SharesConfig,
    /// `[audit]`: how long the audit log keeps its entries.
    #[serde(default)]
    pub audit: AuditConfig,
    /// `[metrics]`: where monitoring asks, if it does.
    pub metrics: Option<MetricsConfig>,
    /// `[canary]`: the device that tries every door.
    #[serde(default)]
    pub canary: CanaryConfig,
    /// Each product that tokens are for. The first is the default.
    #[serde(rename = "product")]
    pub products: Vec<ProductConfig>,
    /// `[clients]`: what registered clients have in common.
    #[serde(default)]
    pub clients: ClientsConfig,
    /// Products and programs that are nobody's device.
    #[serde(default, rename = "client")]
    pub registered: Vec<ClientRegistration>,
    /// Where the people of a tenant sign in.
    #[serde(rename = "identity_provider", default)]
    pub identity_providers: Vec<IdentityProviderConfig>,
    /// Who is sent security events.
    #[serde(rename = "receiver", default)]
    pub receivers: Vec<ReceiverConfig>,
    /// `[mail]`: how notices are sent.
    #[serde(default)]
    pub mail: MailConfig,
    /// Whom staff call where neither their site nor their tenant says so.
    pub contact: Option<Contact>,
    /// Where the paths begin; not in the file.
    #[serde(skip)]
    folder: PathBuf,
    #[serde(skip)]
    file: PathBuf,
}

/// What it is called, and what its certificates are like.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstallationConfig {
    /// The authority of the URIs in certificates: a host name the operator owns.
    pub name: Installation,
    /// The folder with the certificate profiles.
    pub profiles: PathBuf,
}

/// Which database the ledger is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageConfig {
    /// `sqlite:PATH`, relative to the configuration, or `postgres://…`, where several hosts may stand before the database.
    pub url: String,
    /// Synchronous stand-bys of PostgreSQL that every commit has to wait for: where it would not, nothing is written.
    #[serde(default)]
    pub require_synchronous_standbys: u32,
}

/// The log beside the ledger.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RevocationsConfig {
    /// A file that only grows: what a restored ledger must not forget.
    pub log: PathBuf,
}

/// What is believed of devices that enroll by ACME.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AcmeConfig {
    /// PEM: whose attestations of devices are believed. Without it none is.
    pub attestation_roots: Option<PathBuf>,
    /// Whether a device that shows an invitation must bring its maker's attestation as well.
    pub require_attestation: bool,
}

/// Whether devices may enroll by SCEP (RFC 8894).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScepConfig {
    /// Whether SCEP is served below the public address.
    pub enabled: bool,
}

/// The self-test of a running server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CanaryConfig {
    /// How often a device of the system's own is enrolled and stopped; 0 for never. Unless it is said, every 15
    /// minutes by `tegata serve`, and never by `tegata dev`.
    pub every_minutes: Option<u32>,
    /// How long each endpoint may take to refuse what was revoked.
    pub deadline_seconds: u32,
    /// How long after a start it is not said that the names of the listeners do not resolve.
    pub grace_seconds: u32,
}

impl Default for RevocationsConfig {
    fn default() -> Self {
        Self { log: "revocations.log".into() }
    }
}

impl Default for CanaryConfig {
    fn default() -> Self {
        Self { every_minutes: None, deadline_seconds: 5, grace_seconds: 300 }
    }
}

impl Config {
    /// Reads and checks `tegata.toml`; whatever is wrong in it is misuse.
    pub fn read(file: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(file).map_err(|error| {
            Failure::misuse(format!(
                "cannot read {}: {error}. `tegata init --data DIR` makes one",
                file.display()
            ))
        })?;
        let folder = file.parent().unwrap_or(Path::new("."));
        let misuse = |error| Failure::misuse(format!("{}: {error}", file.display()));
        let mut config = Self::parse(&text, folder).map_err(misuse)?;
        config.file = std::path::absolute(file).map_err(Failure::wrong)?;
        Ok(config)
    }

    fn parse(text: &str, folder: &Path) -> Result<Self, String> {
        let mut config: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        let folder = std::path::absolute(folder).map_err(|error| error.to_string())?;
        config.folder = folder;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        self.check_urls()?;
        if let Some(metrics) = &self.metrics
            && !metrics.listen.ip().is_loopback()
            && !metrics.beyond_loopback
        {
            return Err("metrics.listen is not an address of loopback, and what is there has no password: \
                        say `beyond_loopback = true` if that is meant"
                .into());
        }
        if self.acme.require_attestation && self.acme.attestation_roots.is_none() {
            return Err("acme.require_attestation: say by which acme.attestation_roots".into());
        }
        if !(1..=60).contains(&self.canary.deadline_seconds) {
            return Err("canary.deadline_seconds must lie between 1 and 60".into());
        }
        if self.keys.new == NewKeys::Pkcs11 && self.keys.pkcs11.is_none() {
            return Err("keys.new is \"pkcs11\": say which token under [keys.pkcs11]".into());
        }
        if let Some(client) = self.registered.iter().find(|client| client.needs_shared_ca())
            && self.clients.ca.is_none()
        {
            let name = &client.client_id;
            return Err(format!(
                "client {name}: who issues its certificates? Say `ca` there or under [clients], or `issued_here = true`"
            ));
        }
        if let Some(proxy) = &self.device.proxy {
            proxy.check()?;
        }
        if self.products.is_empty() {
            return Err("name at least one [[product]] with its audience".into());
        }
        self.products.iter().try_for_each(ProductConfig::check)?;
        self.audit.check()?;
        self.mail.check()?;
        self.identity_providers.iter().try_for_each(IdentityProviderConfig::check)?;
        ReceiverConfig::check_all(&self.receivers, &self.registered)?;
        self.tokens.check()
    }

    /// Each listener has an origin of its own: a browser keeps its choice of a certificate by origin.
    fn check_urls(&self) -> Result<(), String> {
        for (key, url) in [("portal.url", &self.portal.url), ("device.url", &self.device.url)] {
            if !url.is_https() {
                return Err(format!("{key} must begin with https://"));
            }
        }
        if self.portal.url == self.device.url {
            return Err(format!(
                "portal.url and device.url are both {}: give the device listener another host or port, because only \
                 one of the two asks browsers for certificates",
                self.portal.url
            ));
        }
        if self.public.url.is_https() {
            return Err(
                "public.url must begin with http://, not https: whoever checks a certificate cannot first \
                        check another one (RFC 5280 section 8)"
                    .into(),
            );
        }
        Ok(())
    }

    /// Reads what is about to be written to a folder.
    pub fn check_text(text: &str, folder: &Path) -> Result<Self, Failure> {
        Self::parse(text, folder).map_err(Failure::misuse)
    }

    /// A path of the file as the program uses it.
    pub fn path(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// The file that it was read from; empty where it was made in memory.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The folder of the file.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The ledger's URL with a relative SQLite path made absolute.
    pub fn ledger_url(&self) -> String {
        match self.storage.url.strip_prefix("sqlite:") {
            Some(path) => format!("sqlite:{}", self.path(Path::new(path)).display()),
            None => self.storage.url.clone(),
        }
    }

    /// Where the ledger is, and what is demanded of the place. `url` is [`Config::ledger_url`].
    pub fn ledger_place<'a>(&self, url: &'a str) -> LedgerPlace<'a> {
        LedgerPlace { url, synchronous_standbys: self.storage.require_synchronous_standbys }
    }

    /// The file of the revocation log.
    pub fn revocation_log(&self) -> PathBuf {
        self.path(&self.revocations.log)
    }

    /// The profile file of a role.
    pub fn profile_text(&self, name: &str) -> Result<(String, String), Failure> {
        let file = self.path(&self.installation.profiles).join(name);
        let text =
            std::fs::read_to_string(&file).doing(format!("cannot read the profile {}", file.display()))?;
        Ok((file.display().to_string(), text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template() -> String {
        template_with(None)
    }

    fn template_with(token: Option<&Pkcs11Config>) -> String {
        template_of(token, "sqlite:ledger.db", "https://product.example.jp")
    }

    fn template_of(token: Option<&Pkcs11Config>, storage: &str, audience: &str) -> String {
        ConfigTemplate {
            token,
            installation: "tegata.example.jp",
            storage,
            revocations: "revocations.log",
            unlock: true,
            portal: &"https://localhost:1".parse().unwrap(),
            device: &"https://localhost:2".parse().unwrap(),
            public: &"http://127.0.0.1:3".parse().unwrap(),
            listen: [127, 0, 0, 1].into(),
            ports: [1, 2, 3],
            scep: false,
            audience,
        }
        .render()
    }

    #[test]
    fn an_operator_can_start_from_what_init_writes() {
        let config = Config::parse(&template(), Path::new("/data")).unwrap();
        assert_eq!(config.ledger_url(), "sqlite:/data/ledger.db");
        assert_eq!(config.renewal, RenewalPolicy::default());
    }

    #[test]
    fn an_operator_can_start_with_a_token_of_any_name() {
        let token = Pkcs11Config {
            module: "/opt/the \"vendor\"/lib.so".into(),
            token: "薬局 \\ \"CA\"".into(),
            pin: Some("pin".into()),
        };
        let config = Config::parse(&template_with(Some(&token)), Path::new("/data")).unwrap();
        assert_eq!(config.keys.new, NewKeys::Pkcs11);
        let read = config.keys.pkcs11.unwrap();
        assert_eq!((read.module, read.token, read.pin), (token.module, token.token, token.pin));
    }

    #[test]
    fn new_keys_go_to_files_unless_a_token_is_named() {
        assert_eq!(Config::parse(&template(), Path::new("/data")).unwrap().keys.new, NewKeys::File);
        let text = template().replace("[keys]\n", "[keys]\nnew = \"pkcs11\"\n");
        assert!(Config::parse(&text, Path::new("/data")).unwrap_err().contains("[keys.pkcs11]"));
    }

    #[test]
    fn a_misspelt_key_is_named_with_its_line() {
        let text = template().replace("due_days", "due_day");
        let error = Config::parse(&text, Path::new("/data")).unwrap_err();
        let line = text.lines().position(|line| line.starts_with("due_day ")).unwrap() + 1;
        assert!(error.contains(&format!("line {line}")) && error.contains("due_day"), "{error}");
    }

    #[test]
    fn an_address_that_would_not_work_is_refused_with_its_line() {
        for (from, to, reason) in [
            ("https://localhost:1", "http://localhost:1", "portal.url"),
            ("https://localhost:1", "https://localhost:1/tegata", "nothing may follow host and port"),
            ("https://localhost:2", "https://localhost:2/tegata", "nothing may follow host and port"),
            ("https://localhost:2", "https://user@localhost:2", "user name"),
            ("https://localhost:2", "https://localhost:1", "another host or port"),
            ("http://127.0.0.1:3", "http://127.0.0.1:3/pki", "nothing may follow host and port"),
            ("http://127.0.0.1:3", "https://127.0.0.1:3", "public.url"),
        ] {
            let text = template().replace(&format!("\"{from}\""), &format!("\"{to}\""));
            let error = Config::parse(&text, Path::new("/data")).unwrap_err();
            assert!(error.contains(reason), "{to}: {error}");
        }
    }

    #[test]
    fn a_port_that_goes_without_saying_is_left_out_of_addresses() {
        let text = template().replace("https://localhost:1\"", "https://LOCALHOST:443/\"");
        let config = Config::parse(&text, Path::new("/data")).unwrap();
        assert_eq!(config.portal.url.to_string(), "https://localhost");
    }

    #[test]
    fn no_word_of_an_operator_becomes_another_key() {
        let evil = "a\"\nlicensed = true\n#";
        let text = template_of(None, evil, evil);
        let config = Config::parse(&text, Path::new("/data")).unwrap();
        assert_eq!((config.products[0].audience.as_str(), config.products[0].licensed), (evil, false));
        assert_eq!(config.storage.url, evil);
    }
}
