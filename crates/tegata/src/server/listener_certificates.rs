//! The certificates that the HTTPS listeners show, and what happens when their files are replaced.

use super::profiles;
use crate::server::Server;
use arc_swap::ArcSwapOption;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tegata_ca::pkcs7::ContentSigner;
use tegata_installation::{Failure, FailureContext, KeyRing};
use tegata_net::WatchedFiles;
use tegata_net::tls::ServerIdentity;

/// What portal and device listener show. A proxy's listener shows what the device listener does.
pub struct ListenerCertificates {
    pub portal: Arc<ServerIdentity>,
    pub device: Arc<ServerIdentity>,
    /// Signs profiles with the portal's key, where it can.
    pub profile_signer: Arc<ArcSwapOption<ContentSigner>>,
}

/// Takes over what is put in place of the files.
pub struct ListenerFileWatch {
    portal: ListenerFiles,
    device: ListenerFiles,
    profile_signer: Arc<ArcSwapOption<ContentSigner>>,
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
    /// Reads the configured files. Gives what is shown, and what keeps up with the files.
    pub fn open(server: &Server) -> Result<(Self, ListenerFileWatch), Failure> {
        let config = &server.config;
        let portal = ListenerFiles::open(server, "portal", &config.portal.certificate, &config.portal.key)?;
        let device = ListenerFiles::open(server, "device", &config.device.certificate, &config.device.key)?;
        let signer = profiles::signer(&portal.identity.current()).map(Arc::new);
        let profile_signer = Arc::new(ArcSwapOption::new(signer));
        let shown = Self {
            portal: portal.identity.clone(),
            device: device.identity.clone(),
            profile_signer: profile_signer.clone(),
        };
        Ok((shown, ListenerFileWatch { portal, device, profile_signer }))
    }
}

impl ListenerFileWatch {
    /// Looks at the files for ever.
    pub async fn follow(self) {
        let Self { portal, device, profile_signer } = self;
        let shown = portal.identity.clone();
        let sign = move || profile_signer.store(profiles::signer(&shown.current()).map(Arc::new));
        tokio::join!(portal.follow(sign), device.follow(|| ()));
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
