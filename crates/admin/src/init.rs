//! Keys, certificates, ledger and configuration of a new installation.

mod authorities;
mod building;
mod options;
mod plan;

pub use options::{InitOptions, TokenOptions};
pub use plan::{
    DEFAULT_AUDIENCE, DEFAULT_HOST, DEFAULT_PORTS, DEFAULT_SITE, DEFAULT_TENANT, InitPlan, parse_host,
    parse_public,
};

use authorities::InitialCas;
use building::{PartialInstallation, make_folder};
use std::fs;
use std::path::Path;
use tegata_ca::{UnlockSecret, secret};
use tegata_installation::token_key::NewTokenKey;
use tegata_installation::{
    Config, Failure, FailureContext, KeyRing, SystemContext, anchors, rows, server_certificates,
};
use tegata_storage::{Ledger, LedgerError, LogError, LogPlace, StoredTokenKey};

const PROFILES: [(&str, &str); 2] = [
    ("device.toml", include_str!("../../../ca-config/device.toml")),
    ("gate.toml", include_str!("../../../ca-config/gate.toml")),
];

/// Makes an installation in a folder that has none. What exists is never overwritten, and when something fails nothing
/// is left.
pub async fn init(data: &Path, options: &InitOptions, system: &SystemContext) -> Result<Config, Failure> {
    refuse_known(data, options)?;
    let plan = InitPlan::of(options)?;
    let text = plan.config_text(options);
    let config = Config::check_text(&text, data)?;
    make_folder(data, 0o750)?;
    let mut building = PartialInstallation::begin(data)?;
    let staged = Config::check_text(&text, &building.files())?;
    make_folders(&building.files())?;
    let ring = KeyRing::new(&staged, unlock_secret(data, &building.files(), options, system)?);
    let parts = InstallationParts {
        data,
        options,
        plan: &plan,
        text: &text,
        config: &config,
        staged: &staged,
        system,
    };
    if let Err(failure) = parts.make(&ring, &mut building).await {
        discard_token_keys(ring, &building);
        return Err(failure);
    }
    building.finish();
    Ok(config)
}

/// What everything is made from.
struct InstallationParts<'a> {
    data: &'a Path,
    options: &'a InitOptions,
    plan: &'a InitPlan,
    text: &'a str,
    /// The configuration with its final paths; `staged` has the paths of the folder in which the files are made first.
    config: &'a Config,
    staged: &'a Config,
    system: &'a SystemContext,
}

impl InstallationParts<'_> {
    async fn make(&self, ring: &KeyRing, building: &mut PartialInstallation) -> Result<(), Failure> {
        let authorities = self.make_files(ring)?;
        building.move_files()?;
        let now = self.system.now();
        let token_key = NewTokenKey::make(ring, self.system.entropy.as_ref())?.stored(now, now);
        let ledger = self.make_ledger(building, authorities.as_ref(), &token_key).await?;
        let issuers = ledger.issuers().await.doing("cannot read the issuers");
        ledger.close().await;
        for name in ["root.pem", "chain.pem"] {
            building.will_make(&self.data.join("ca").join(name))?;
        }
        anchors::write(self.config, &issuers?);
        self.write_config(building)
    }

    fn make_files(&self, ring: &KeyRing) -> Result<Option<InitialCas>, Failure> {
        write_profiles(self.data, self.staged.folder(), self.options.scep)?;
        let authorities = if self.options.without_ca {
            None
        } else {
            Some(authorities::make(self.plan, ring, self.system)?)
        };
        server_certificates::create(self.staged, &self.plan.tenant, self.plan.host(), ring, self.system)?;
        Ok(authorities)
    }

    async fn make_ledger(
        &self,
        building: &mut PartialInstallation,
        authorities: Option<&InitialCas>,
        token_key: &StoredTokenKey,
    ) -> Result<Ledger, Failure> {
        let url = self.config.ledger_url();
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.split('?').next().unwrap_or(path);
            for suffix in ["", "-wal", "-shm"] {
                building.will_make(Path::new(&format!("{path}{suffix}")))?;
            }
        }
        // The log is written beside its place first.
        let log = self.config.revocation_log();
        building.will_make(&log.with_added_extension("new"))?;
        building.will_make(&log)?;
        let ledger = open_empty(self.config, self.system).await?;
        match authorities::record(&ledger, authorities, token_key, self.plan, self.system).await {
            Ok(()) => Ok(ledger),
            Err(failure) => {
                ledger.close().await;
                Err(failure)
            }
        }
    }

    /// Last: a folder with this file is a whole installation. It may hold the password of a database.
    fn write_config(&self, building: &mut PartialInstallation) -> Result<(), Failure> {
        let (fresh, file) = (building.files().join("tegata.toml"), self.data.join("tegata.toml"));
        secret::write_private_file(&fresh, self.text.as_bytes()).doing("cannot write tegata.toml")?;
        building.will_make(&file)?;
        fs::rename(fresh, &file).doing("cannot write tegata.toml")
    }
}

/// A whole installation, or the log of another one: its revocations are none of this one's.
pub fn refuse_known(data: &Path, options: &InitOptions) -> Result<(), Failure> {
    let file = data.join("tegata.toml");
    if file.exists() {
        return Err(Failure::misuse(format!(
            "{} exists: this folder has an installation already",
            file.display()
        )));
    }
    let log = data.join(&options.revocations);
    // What an interrupted attempt left is taken away first.
    if log.exists() && !building::is_left_over(data, &log) {
        return Err(Failure::misuse(format!(
            "{} exists: a new installation begins a new revocation log",
            log.display()
        )));
    }
    Ok(())
}

/// A database that an attempt has touched before remembers the log that was taken away with the rest; it begins
/// another. One with tenants is somebody's.
async fn open_empty(config: &Config, system: &SystemContext) -> Result<Ledger, Failure> {
    let (url, file) = (config.ledger_url(), config.revocation_log());
    let log = LogPlace { file: &file, installation: &config.installation.name };
    let what = "cannot open the ledger";
    let ledger = Ledger::open_beside(config.ledger_place(&url), &log).await.doing(what)?;
    let tenants = rows(&ledger, None).tenants().await;
    ledger.close().await;
    if !tenants.doing("cannot read the ledger")?.is_empty() {
        return Err(Failure::misuse(
            "the ledger that --storage names has an installation already: name an empty database, or a file that is \
             not there",
        ));
    }
    let opened =
        Ledger::open_with(config.ledger_place(&url), &log, system.now(), system.entropy.as_ref()).await;
    match opened {
        Err(LedgerError::Log(LogError::Missing(_))) => {
            let entropy = system.entropy.as_ref();
            Ledger::open_with_new_log(config.ledger_place(&url), &log, system.now(), entropy)
                .await
                .doing(what)
        }
        opened => opened.doing(what),
    }
}

fn make_folders(files: &Path) -> Result<(), Failure> {
    make_folder(&files.join("keys"), 0o700)?;
    ["ca", "tls", "ca-config"].iter().try_for_each(|folder| make_folder(&files.join(folder), 0o755))
}

/// Profiles that are there already were adapted by somebody. With SCEP, devices may bring RSA keys as well.
fn write_profiles(data: &Path, files: &Path, scep: bool) -> Result<(), Failure> {
    for (name, text) in PROFILES {
        let with_rsa = scep && name == "device.toml";
        let text = if with_rsa {
            text.replacen("keys = [\"p256\"]", "keys = [\"p256\", \"rsa\"]", 1)
        } else {
            text.into()
        };
        if !data.join("ca-config").join(name).exists() {
            fs::write(files.join("ca-config").join(name), text).doing("cannot write a profile")?;
        }
    }
    Ok(())
}

fn unlock_secret(
    data: &Path,
    files: &Path,
    options: &InitOptions,
    system: &SystemContext,
) -> Result<UnlockSecret, Failure> {
    if let Some(passphrase) = &options.passphrase {
        return UnlockSecret::passphrase(passphrase).map_err(Failure::misuse);
    }
    let own = data.join("unlock.key");
    if own.exists() {
        return UnlockSecret::from_file(&own).doing("cannot read the unlock file");
    }
    let secret = UnlockSecret::generate(system.entropy.as_ref());
    secret::write_private_file(&files.join("unlock.key"), secret.as_bytes())
        .doing("cannot write the unlock file")?;
    Ok(secret)
}

/// Files are taken away with the rest; what is on a token is found by them.
fn discard_token_keys(ring: KeyRing, building: &PartialInstallation) {
    let mut ring = ring;
    for file in building.made_with_extension("pkcs11") {
        let (Some(folder), Some(name)) = (file.parent(), file.file_stem().and_then(|name| name.to_str()))
        else {
            continue;
        };
        ring = ring.moved_to(folder);
        if let Err(error) = ring.discard(name) {
            tracing::warn!(key = name, %error, "a key that was made for nothing stays on the token");
        }
    }
}

#[cfg(test)]
mod tests;
