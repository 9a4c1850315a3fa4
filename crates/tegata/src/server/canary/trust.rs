//! The trust anchors by which the canary verifies this installation's listeners.

use crate::client;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::path::{Path, PathBuf};
use tegata_installation::{Config, Failure};
use tegata_net::tls::trust_from_pem_file;

/// Files that are read at each round, because certificates are replaced while the server runs.
pub struct CanaryTrust {
    /// The CA of this installation's own and the system's, where they are there.
    anchors: [PathBuf; 2],
    /// Chains that the listeners show: whoever signed them is believed, because it is asked at this machine.
    chains: [PathBuf; 2],
}

impl CanaryTrust {
    pub fn of(config: &Config) -> Self {
        Self {
            anchors: [config.path(Path::new("tls/ca.pem")), PathBuf::from(client::SYSTEM_TRUST)],
            chains: [&config.portal.certificate, &config.device.certificate].map(|file| config.path(file)),
        }
    }

    /// All anchors together: at least one.
    pub fn read(&self) -> Result<RootCertStore, Failure> {
        let mut roots = RootCertStore::empty();
        for file in &self.anchors {
            if let Ok(found) = trust_from_pem_file(file) {
                roots.extend(found.roots);
            }
        }
        for file in &self.chains {
            let chain = CertificateDer::pem_file_iter(file).into_iter().flatten().flatten();
            roots.add_parsable_certificates(chain.skip(1));
        }
        if roots.is_empty() { Err(Failure::wrong("nothing verifies the listeners")) } else { Ok(roots) }
    }
}
