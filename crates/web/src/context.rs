//! What the handlers of every listener share.

use crate::probe::ProbeHosts;
use crate::tenant_shares::TenantShares;
use std::sync::Arc;
use tegata_core::renewal::RenewalPolicy;
use tegata_core::{Clock, Entropy, Installation, ServerId, Timestamp};
use tegata_storage::{Ledger, ServerSurface, ServiceLedger, StatusCache};

/// The addresses under which the installation is reached, without a trailing slash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InstallationAddresses {
    /// HTTPS, never asks for a certificate. Also the OAuth issuer.
    pub portal: String,
    /// HTTPS, asks for a certificate.
    pub device: String,
    /// HTTP: CRL, OCSP, CA certificates.
    pub public: String,
    /// Where a page probes, with a fresh host each time.
    pub probes: ProbeHosts,
}

/// Shared by all requests. Cloning shares it. What the server itself does holds the whole ledger; what serves people and
/// programs of tenants is a [`ServiceContext`].
#[derive(Clone)]
pub struct ServerContext<L = Ledger> {
    /// The one place a request gets the time from.
    pub clock: Arc<dyn Clock>,
    /// The one place a request gets randomness from.
    pub entropy: Arc<dyn Entropy>,
    /// The ledger that changes are written to.
    pub ledger: L,
    /// What this process remembers of the ledger, for decisions.
    pub status: Arc<StatusCache>,
    /// Tells this server from the others of the installation.
    pub server: ServerId,
    /// The installation that this server belongs to.
    pub installation: Installation,
    /// The public addresses of its listeners.
    pub addresses: Arc<InstallationAddresses>,
    /// The rules of renewal.
    pub renewal: RenewalPolicy,
    /// What of this server's work each tenant may have under way.
    pub shares: Arc<TenantShares>,
}

/// What requests of tenants share: it cannot reach what is about the whole installation.
pub type ServiceContext = ServerContext<ServiceLedger>;

impl<L> ServerContext<L> {
    /// The time at this moment. A handler that asks more than once takes [`crate::RequestTime`].
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl ServerContext {
    /// What is left of it for services.
    pub fn for_services(&self) -> ServiceContext {
        ServerContext {
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            ledger: self.ledger.for_services(),
            status: self.status.clone(),
            server: self.server.clone(),
            installation: self.installation.clone(),
            addresses: self.addresses.clone(),
            renewal: self.renewal,
            shares: self.shares.clone(),
        }
    }

    /// Gives this server's receipt for one of its surfaces: it refuses whatever the feed has denied up to `seq`.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn acknowledge(&self, surface: ServerSurface, seq: u64) -> tegata_storage::Result<()> {
        self.ledger.acknowledge(surface.of(&self.server), seq, self.now()).await
    }
}

impl InstallationAddresses {
    /// The OAuth issuer, exactly as tokens and metadata say it.
    pub fn issuer(&self) -> &str {
        &self.portal
    }
}
