//! An installation, opened: configuration, ledger and keys, and the services wired together.

pub mod accepting;
pub mod acme;
pub mod backchannel_logout;
pub mod bulk;
pub mod canary;
pub mod checks;
pub mod clients;
pub mod contracts;
pub mod dates;
pub mod day_work;
pub mod followers;
pub mod health;
pub mod hierarchy;
pub mod identity_providers;
pub mod listener_certificates;
pub mod listeners;
pub mod mail;
pub mod metrics;
pub mod oauth;
pub mod passes;
pub mod people_at_devices;
pub mod previous_run;
pub mod profiles;
pub mod proxied;
pub mod public;
pub mod receivers;
pub mod refusal_counter;
pub mod registration;
pub mod routes;
pub mod running;
pub mod scep;
pub mod serve;
pub mod services;
pub mod startup;
pub mod token_keys;

use crate::server::hierarchy::Hierarchy;
use std::path::Path;
use std::sync::Arc;
use tegata_ca::IssuerSet;
use tegata_core::ServerId;
use tegata_installation::config::SharesConfig;
use tegata_installation::{
    Config, Failure, FailureContext, KeyRing, SystemContext, open_to_serve, server_certificates,
};
use tegata_storage::{Ledger, StatusCache};
use tegata_web::{InstallationAddresses, ProbeHosts, ServerContext, SharedPlaces, TenantShares};

/// Everything a server needs.
pub struct Server {
    pub config: Config,
    pub ledger: Ledger,
    pub ring: Arc<KeyRing>,
    pub hierarchy: Arc<Hierarchy>,
    pub authorities: Arc<IssuerSet>,
    pub context: ServerContext,
}

impl Server {
    /// Opens an installation. The root key is not needed.
    pub async fn open(config: Config, system: &SystemContext) -> Result<Self, Failure> {
        let ledger = open_to_serve(&config, system).await?;
        let replication = ledger.replication().await.doing("cannot read how the ledger is replicated")?;
        if let Some(fault) = replication.and_then(|replication| replication.fault()) {
            tracing::warn!(%fault, "replication");
        }
        let ring = Arc::new(KeyRing::open(&config)?);
        server_certificates::renew_due(&config, &ring, system)?;
        Box::pin(Self::with(config, ledger, ring, system)).await
    }

    /// Opens an installation beside a server that may be running: nothing is renewed or brought up to date.
    pub async fn beside(config: Config, ledger: Ledger, system: &SystemContext) -> Result<Self, Failure> {
        let ring = Arc::new(KeyRing::open(&config)?);
        Box::pin(Self::with(config, ledger, ring, system)).await
    }

    async fn with(
        config: Config,
        ledger: Ledger,
        ring: Arc<KeyRing>,
        system: &SystemContext,
    ) -> Result<Self, Failure> {
        let hierarchy =
            Hierarchy::open(config.clone(), ledger.clone(), ring.clone(), system.clock.clone()).await?;
        let authorities = hierarchy.authorities().clone();
        let context = open_context(&config, &ledger, system).await?;
        Ok(Self { config, ledger, ring, hierarchy, authorities, context })
    }
}

async fn open_context(
    config: &Config,
    ledger: &Ledger,
    system: &SystemContext,
) -> Result<ServerContext, Failure> {
    let status = StatusCache::load(ledger.clone(), system.now()).await.doing("cannot read what is denied")?;
    Ok(ServerContext {
        clock: system.clock.clone(),
        entropy: system.entropy.clone(),
        ledger: ledger.clone(),
        status,
        server: ServerId::random(system.entropy.as_ref()),
        installation: config.installation.name.clone(),
        addresses: Arc::new(InstallationAddresses {
            portal: config.portal.url.to_string(),
            device: config.device.url.to_string(),
            public: config.public.url.to_string(),
            probes: ProbeHosts::new(&config.device.probe_suffix, config.device.url.port()),
        }),
        renewal: config.renewal,
        shares: TenantShares::new(places(config.shares)),
    })
}

fn places(configured: SharesConfig) -> SharedPlaces {
    let SharesConfig { tokens, enrollment, invitations, sign_in, provisioning } = configured;
    SharedPlaces { tokens, enrollment, invitations, sign_in, provisioning }
}

/// A path for people and for JSON.
pub fn shown(path: &Path) -> String {
    path.display().to_string()
}
