//! The certificates that the HTTPS listeners show, and what happens when their files are replaced.

use super::profiles;
use crate::failure::{Failure, FailureContext};
use crate::keys::KeyRing;
use crate::server::Server;
use crate::system_context::SystemContext;
use arc_swap::ArcSwapOption;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tegata_ca::pkcs7::ContentSigner;
use tegata_installation::server_certificates;
use tegata_net::WatchedFiles;
use tegata_net::tls::ServerIdentity;
use tokio::time::sleep;

/// How often the server looks whether what its own CA signed ends soon.
const RENEWAL_PERIOD: Duration = Duration::from_hours(1);

/// What portal and device listener show. A proxy's listener shows what the device listener does.
pub struct ListenerCertificates {
    pub portal: Arc<ServerIdentity>,
    pub device: Arc<ServerIdentity>,
    /// Signs profiles with the portal's key, where it can.
    pub profile_signer: Arc<ArcSwapOption<ContentSigner>>,
    files: [ListenerFiles; 2],
}

/// Where one of them comes from.
struct ListenerFiles {
    identity: Arc<ServerIdentity>,
    chain: PathBuf,
    key: PathBuf,
    ring: Arc<KeyRing>,
    watched: WatchedFiles,
}

impl ListenerCertificates {
    /// Reads the certificates and keys that the configuration names.
    pub fn open(server: &Server) -> Result<Self, Failure> {
        let config = &server.config;
        let portal = ListenerFiles::open(server, "portal", &config.portal.certificate, &config.portal.key)?;
        let device = ListenerFiles::open(server, "device", &config.device.certificate, &config.device.key)?;
        let signer = profiles::signer(&portal.identity.current()).map(Arc::new);
        Ok(Self {
            portal: portal.identity.clone(),
            device: device.identity.clone(),
            profile_signer: Arc::new(ArcSwapOption::new(signer)),
            files: [portal, device],
        })
    }

    /// Takes over what is put in place of the files, and renews what the server's own CA signed, for ever.
    pub async fn follow(self, server: &Server) {
        let Self { portal, profile_signer, files: [portal_files, device_files], .. } = self;
        let sign = || profile_signer.store(profiles::signer(&portal.current()).map(Arc::new));
        tokio::join!(portal_files.follow(sign), device_files.follow(|| ()), renew(server));
    }
}

impl ListenerFiles {
    fn open(server: &Server, listener: &str, chain: &Path, key: &Path) -> Result<Self, Failure> {
        let (chain, key) = (server.config.path(chain), server.config.path(key));
        let watched = WatchedFiles::new(vec![chain.clone(), key.clone()]);
        let identity = ServerIdentity::new(server.ring.server_identity(&chain, &key)?)
            .doing(format!("the {listener} listener's certificate {} cannot be used", chain.display()))?;
        Ok(Self { identity: Arc::new(identity), chain, key, ring: server.ring.clone(), watched })
    }

    async fn follow(self, mut also: impl FnMut()) {
        let Self { identity, chain, key, ring, watched } = self;
        let take_over = || {
            identity.replace(ring.server_identity(&chain, &key)?).map_err(Failure::wrong)?;
            also();
            Ok::<_, Failure>(())
        };
        watched.follow(take_over).await;
    }
}

/// The files that this writes are noticed as everybody else's.
async fn renew(server: &Server) {
    let system =
        SystemContext { clock: server.context.clock.clone(), entropy: server.context.entropy.clone() };
    loop {
        sleep(RENEWAL_PERIOD).await;
        if let Err(error) = server_certificates::renew_due(&server.config, &server.ring, &system) {
            tracing::error!(%error, "a listener's certificate cannot be renewed");
        }
    }
}
