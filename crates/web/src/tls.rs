//! TLS of the two HTTPS listeners.
//!
//! What it is built of is [`tegata_net::tls`]'s: no session is ever resumed.

use crate::connection::PeerCertificate;
use crate::probe::ProbeHosts;
use crate::reselection::PendingReselections;
use crate::trust_verdict::TrustedIssuers;
use rustls::server::NoClientAuth;
use rustls::{DistinguishedName, Error, ServerConfig};
use rustls_pki_types::UnixTime;
use std::sync::Arc;
use tegata_core::{Thumbprint, Timestamp};
use tegata_net::tls::{BOTH_PROTOCOLS, HTTP1_ALONE, PossessionVerifier, RefuseInHandshake, server_config};
pub use tegata_net::tls::{ServerIdentity, TlsVersions};

/// What the device listener needs: two configurations that differ in the protocols offered, and the
/// issuers that make a presented certificate one of ours.
pub struct DeviceTls {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) probe_config: Arc<ServerConfig>,
    pub(crate) probes: ProbeHosts,
    pub(crate) issuers: TrustedIssuers,
    pub(crate) reselections: Arc<PendingReselections>,
}

/// The portal never asks for a certificate.
pub fn portal_config(identity: &Arc<ServerIdentity>, versions: TlsVersions) -> Result<ServerConfig, Error> {
    server_config(identity, versions, Arc::new(NoClientAuth), BOTH_PROTOCOLS)
}

/// The device listener asks for a certificate and takes any, or none.
fn device_config(
    identity: &Arc<ServerIdentity>,
    versions: TlsVersions,
    hints: Vec<DistinguishedName>,
    reselections: Arc<PendingReselections>,
) -> Result<ServerConfig, Error> {
    let verifier = PossessionVerifier::new(hints).refusing(reselections);
    server_config(identity, versions, Arc::new(verifier), BOTH_PROTOCOLS)
}

/// The listener for proxies asks for the proxy's own certificate, takes any, or none: [`crate::proxy`] knows which.
pub fn proxy_config(identity: &Arc<ServerIdentity>, versions: TlsVersions) -> Result<ServerConfig, Error> {
    server_config(identity, versions, Arc::new(PossessionVerifier::new(Vec::new())), BOTH_PROTOCOLS)
}

/// The configuration for devices without HTTP/2: a browser may send requests for several hosts of one certificate over
/// one HTTP/2 connection, and a probe is worth something only on its own connection.
fn probe_config(
    identity: &Arc<ServerIdentity>,
    versions: TlsVersions,
    hints: Vec<DistinguishedName>,
) -> Result<ServerConfig, Error> {
    server_config(identity, versions, Arc::new(PossessionVerifier::new(hints)), HTTP1_ALONE)
}

impl DeviceTls {
    /// Browsers are told the names of `issuers`, so that they offer matching certificates only.
    pub fn new(
        identity: &Arc<ServerIdentity>,
        versions: TlsVersions,
        issuers: TrustedIssuers,
        probes: ProbeHosts,
    ) -> Result<Self, Error> {
        let reselections = Arc::<PendingReselections>::default();
        Ok(Self {
            config: Arc::new(device_config(identity, versions, issuers.hints(), reselections.clone())?),
            probe_config: Arc::new(probe_config(identity, versions, issuers.hints())?),
            probes,
            issuers,
            reselections,
        })
    }

    /// A certificate whose possession is proved, with the verdict on its path.
    pub(crate) fn judged(&self, leaf: &[u8], now: Timestamp) -> PeerCertificate {
        let thumbprint = Thumbprint::of(leaf);
        let path = self.issuers.judge_named(leaf, &thumbprint, now);
        PeerCertificate { der: leaf.into(), thumbprint, path }
    }

    pub(crate) fn config_for(&self, server_name: Option<&str>) -> Arc<ServerConfig> {
        let probing = server_name.is_some_and(|name| self.probes.contains(name));
        Arc::clone(if probing { &self.probe_config } else { &self.config })
    }
}

/// The one exception to [`PossessionVerifier`]'s rule is asked for by its holder: see [`crate::reselection`].
impl RefuseInHandshake for PendingReselections {
    fn refuses(&self, leaf: &[u8], now: UnixTime) -> bool {
        self.takes(leaf, Timestamp::from_seconds(now.as_secs().try_into().unwrap_or(i64::MAX)))
    }
}
