//! What an operator does between `tegata init` and the first device.

use crate::cli::installation_args::InstallationArgs;
use crate::resolver;
use serde_json::json;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use tegata_installation::Config;

/// Where the package's unit expects the installation.
const PACKAGED: &str = "/var/lib/tegata";

/// The unit that the package brings.
const UNIT: &str = "/usr/lib/systemd/system/tegata.service";

/// The facts that the steps are about.
pub struct NextSteps {
    file: PathBuf,
    data: PathBuf,
    portal: String,
    device: String,
    public: String,
    tls_ca: PathBuf,
    log: PathBuf,
    /// Of SQLite; a database elsewhere is backed up by its own means.
    ledger: Option<PathBuf>,
    unlock: Option<PathBuf>,
    root_key: Option<PathBuf>,
    /// Which must lead here.
    names: Vec<String>,
    unresolved: Vec<String>,
    /// What each is for, with the address it waits at.
    listeners: Vec<(&'static str, std::net::SocketAddr)>,
    is_packaged: bool,
    is_local: bool,
}

impl NextSteps {
    /// Of an installation that was just made.
    pub async fn after(config: &Config, place: &InstallationArgs) -> Self {
        let file = |name: &str| config.path(Path::new(name));
        let data = config.folder().to_owned();
        let mut names = vec![config.portal.url.host(), config.device.url.host(), config.public.url.host()];
        names.sort_unstable();
        names.dedup();
        names.retain(|name| name.parse::<std::net::IpAddr>().is_err() && !name.starts_with('['));
        let mut names: Vec<_> = names.into_iter().map(str::to_owned).collect();
        // One name for all that pages make up: whoever resolves one resolves all.
        let probe = format!("0.{}", config.device.probe_suffix);
        let mut unresolved = Vec::new();
        let is_local = config.portal.url.is_loopback();
        if !is_local {
            for name in names.iter().chain([&probe]) {
                if !resolver::resolves(name).await {
                    unresolved.push(name.clone());
                }
            }
        }
        names.push(format!("*.{}", config.device.probe_suffix));
        Self {
            file: place.file(),
            is_packaged: data == Path::new(PACKAGED) && Path::new(UNIT).exists(),
            portal: config.portal.url.to_string(),
            device: config.device.url.to_string(),
            public: config.public.url.to_string(),
            tls_ca: file("tls/ca.pem"),
            log: config.revocation_log(),
            ledger: config.ledger_url().strip_prefix("sqlite:").map(Into::into),
            unlock: config.keys.unlock.as_ref().map(|unlock| config.path(unlock)),
            root_key: Some(file("keys/root.pem")).filter(|root| root.exists()),
            names,
            unresolved,
            listeners: vec![
                ("portal", config.portal.listen),
                ("device", config.device.listen),
                ("public", config.public.listen),
            ],
            is_local,
            data,
        }
    }

    /// On standard error for people, on standard output for scripts.
    pub fn tell(&self, as_json: bool) {
        if as_json {
            outln!("{}", self.json());
        } else {
            errln!("{}", self.text().trim_end());
        }
    }

    fn json(&self) -> serde_json::Value {
        let ports = self.listeners.iter().map(|(name, address)| json!({"listener": name, "listen": address}));
        json!({
            "config": self.file, "data": self.data, "portal": self.portal, "device": self.device,
            "public": self.public, "issuer": self.portal, "tls_ca": self.tls_ca,
            "names": self.names, "unresolved": self.unresolved, "listeners": ports.collect::<Vec<_>>(),
            "backup": {
                "ledger": self.ledger, "keys": self.data.join("keys"), "unlock": self.unlock,
                "config": self.file, "revocations": self.log, "root_key": self.root_key,
            },
        })
    }

    fn text(&self) -> String {
        let mut text = format!("Made {}. Next:\n", self.file.display());
        let mut number = 0;
        let mut step = |lines: &str| {
            number += 1;
            let _ = writeln!(text, "\n{number}. {}", lines.trim_end().replace('\n', "\n   "));
        };
        if !self.is_local {
            step(&self.dns());
            step(&self.firewall());
            step(&format!(
                "Server certificates. Now they come from a CA of this installation, {}, which browsers must be given.\n\
                 With certbot or a CA of your own: name its files under [portal] and [device] in {}.",
                self.tls_ca.display(),
                self.file.display()
            ));
        }
        step(&self.backup());
        step(&self.start());
        let place = self.place();
        step(&format!(
            "The first device: open what this prints in its browser.\n  tegata invite --label 受付PC{place}\n\
             Whether all is well, now and later:\n  tegata check{place}"
        ));
        text.push_str("\nFrom here to a device at port 443, step by step: docs/production.md\n");
        text
    }

    fn dns(&self) -> String {
        let mut text =
            "DNS. These names must lead to this machine, for the devices and for itself:\n".to_owned();
        for name in &self.names {
            let _ = writeln!(text, "  {name}");
        }
        if !self.unresolved.is_empty() {
            let _ = writeln!(text, "Not found from here yet: {}", self.unresolved.join(", "));
        }
        text
    }

    fn firewall(&self) -> String {
        let mut text = "Firewall. From every device to this machine, TCP:\n".to_owned();
        for (name, address) in &self.listeners {
            let purpose = match *name {
                "portal" => "pages, API (HTTPS)",
                "device" => "tokens, renewal (HTTPS that asks for certificates)",
                _ => "revocation lists, OCSP (HTTP; whoever checks a certificate must get there)",
            };
            let _ = writeln!(text, "  {:<6} {purpose}", address.port());
        }
        text.push_str("No proxy may take TLS apart before the first two: docs/proxy.md.");
        text
    }

    fn backup(&self) -> String {
        let mut text = String::from("Back up, and try the restore once (docs/restore.md):\n");
        let ledger = match &self.ledger {
            Some(file) => format!("{}   with VACUUM INTO, daily", file.display()),
            None => "the database   by pg_dump --enable-row-security or its own means, daily".to_owned(),
        };
        let _ = writeln!(text, "  {ledger}");
        let _ = writeln!(
            text,
            "  {}, {}   after every ceremony",
            self.data.join("keys").display(),
            self.file.display()
        );
        match &self.unlock {
            Some(file) => {
                let _ = writeln!(text, "  {}   in another place than keys/: it opens them", file.display());
            }
            None => text.push_str("  the passphrase   in a safe\n"),
        }
        let _ = writeln!(text, "  {}   to another disk; never restored with the ledger", self.log.display());
        if let Some(root) = &self.root_key {
            let _ = writeln!(
                text,
                "Move {} to a safe: no running server needs it (docs/keys.md).",
                root.display()
            );
        }
        text
    }

    fn start(&self) -> String {
        if self.is_packaged {
            return "Start it, now and with the machine:\n  systemctl enable --now tegata".into();
        }
        let mut text = format!("Start it:\n  tegata serve{}\n", self.place());
        if self.listeners.iter().any(|(_, address)| address.port() < 1024) {
            text.push_str("Ports below 1024 need CAP_NET_BIND_SERVICE; ");
        }
        text.push_str("deploy/systemd has a unit that starts it with the machine, with few rights.");
        text
    }

    fn place(&self) -> String {
        format!(" --data {}", self.data.display())
    }
}
