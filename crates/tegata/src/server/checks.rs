//! What `tegata check` learns from the server: whatever would keep it from starting, asked by the code that starts it.

use crate::server::listeners::Listeners;
use crate::server::{Server, startup, token_keys};
use tegata_admin::check::ServerChecks;
use tegata_admin::{ForeignCaTrust, ListenerTrust};
use tegata_core::Timestamp;
use tegata_installation::{Config, Failure, KeyRing, SystemContext};
use tegata_storage::Ledger;
use tegata_web::{TrustVerdict, TrustedIssuers};

/// The server of this program, for a check beside it.
pub struct StartupChecks;

impl ServerChecks for StartupChecks {
    fn token_key_files(&self, ring: &KeyRing) -> Result<Vec<(String, Option<String>)>, Failure> {
        token_keys::files::names(ring)
    }

    fn listeners(&self, config: &Config) -> Result<(), Failure> {
        Listeners::distinct(config)
    }

    async fn rehearse_start(
        &self,
        config: &Config,
        ledger: &Ledger,
        system: &SystemContext,
    ) -> Result<(), Failure> {
        let server = Server::beside(config.clone(), ledger.clone(), system).await?;
        startup::rehearse(&server).await
    }
}

/// The rules by which the device listener trusts CAs.
pub struct DeviceListenerTrust;

impl ListenerTrust for DeviceListenerTrust {
    fn issuing_ca(&self, root: &[u8], issuing: &[u8]) -> Result<(), String> {
        TrustedIssuers::new([root], [issuing], []).map(drop).map_err(|error| error.to_string())
    }

    fn foreign_ca(&self, certificate: &[u8]) -> Result<Box<dyn ForeignCaTrust>, String> {
        let trusted = TrustedIssuers::new([], [], [certificate]).map_err(|error| error.to_string())?;
        Ok(Box::new(TrustedForeignCa(trusted)))
    }
}

struct TrustedForeignCa(TrustedIssuers);

impl ForeignCaTrust for TrustedForeignCa {
    fn accepts(&self, certificate: &[u8], now: Timestamp) -> bool {
        self.0.judge(certificate, now) == TrustVerdict::Trusted
    }
}
