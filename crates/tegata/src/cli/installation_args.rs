//! The options that name the installation a command acts on.

use std::path::PathBuf;
use tegata_installation::{Config, Failure, SystemContext, open_ledger};
use tegata_storage::Ledger;

/// Which installation a command acts on.
#[derive(Clone, Debug, clap::Args)]
pub struct InstallationArgs {
    /// Folder of the installation; its configuration is DIR/tegata.toml
    #[arg(long, value_name = "DIR", default_value = "data", global = true)]
    pub data: PathBuf,
    /// Configuration file, where it is elsewhere
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
}

impl InstallationArgs {
    /// The path of the configuration file.
    pub fn file(&self) -> PathBuf {
        self.config.clone().unwrap_or_else(|| self.data.join("tegata.toml"))
    }

    /// Reads the configuration of the installation.
    pub fn config(&self) -> Result<Config, Failure> {
        Config::read(&self.file())
    }

    /// The ledger alone: enough to list, invite, stop.
    pub async fn ledger(&self, system: &SystemContext) -> Result<Ledger, Failure> {
        open_ledger(&self.config()?, system).await
    }
}
