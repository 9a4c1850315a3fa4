//! The certificate and key of a listener, which may be replaced while it serves.

use super::{IdentityFiles, TlsError, provider};
use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::sync::Arc;

/// A listener's own certificate chain and key. Every configuration that was built with it shows what it holds at the
/// moment of a handshake; connections that stand are not touched.
#[derive(Debug)]
pub struct ServerIdentity(ArcSwap<CertifiedKey>);

impl ServerIdentity {
    /// Of a chain, leaf first, and its key.
    ///
    /// # Errors
    /// [`TlsError::Tls`] when there is no certificate, it cannot be read, or the key is another's.
    pub fn new(identity: IdentityFiles) -> Result<Self, TlsError> {
        certified(identity).map(ArcSwap::from_pointee).map(Self)
    }

    /// Shows another chain and key from now on.
    ///
    /// # Errors
    /// As [`ServerIdentity::new`]; what was shown before goes on being shown then.
    pub fn replace(&self, identity: IdentityFiles) -> Result<(), TlsError> {
        self.0.store(Arc::new(certified(identity)?));
        Ok(())
    }

    /// What is shown now.
    pub fn current(&self) -> Arc<CertifiedKey> {
        self.0.load_full()
    }
}

impl ResolvesServerCert for ServerIdentity {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

fn certified((chain, key): IdentityFiles) -> Result<CertifiedKey, TlsError> {
    let certified = CertifiedKey::from_der(chain, key, &provider())?;
    certified.end_entity_cert()?;
    Ok(certified)
}
