//! Certificates, keys and trust anchors in PEM files.

use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};

/// TLS cannot be built from this.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The trust anchors cannot be read.
    #[error("no trust anchor in {0}")]
    Trust(String),
    /// A certificate or its key cannot be read.
    #[error("no certificate chain and key in {0}: {1}")]
    Identity(PathBuf, String),
    /// TLS refuses the key, the chain or the anchors.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// A chain, leaf first, and its key.
pub type IdentityFiles = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The trust anchors of a PEM file: at least one.
///
/// # Errors
/// [`TlsError::Trust`] when the file has none or cannot be read.
pub fn trust_from_pem_file(path: &Path) -> Result<RootCertStore, TlsError> {
    let failed = || TlsError::Trust(path.display().to_string());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|_| failed())? {
        roots.add(certificate.map_err(|_| failed())?).map_err(|_| failed())?;
    }
    if roots.is_empty() { Err(failed()) } else { Ok(roots) }
}

/// The chain and key of a folder made by `tegata enroll`: `chain.pem` and `key.pem`.
///
/// # Errors
/// [`TlsError::Identity`] when one of them cannot be read.
pub fn read_identity(folder: &Path) -> Result<IdentityFiles, TlsError> {
    read_pem_identity(&folder.join("chain.pem"), &folder.join("key.pem"))
}

/// A chain and its key, each in a PEM file.
///
/// # Errors
/// [`TlsError::Identity`] with the file that cannot be read.
pub fn read_pem_identity(chain: &Path, key: &Path) -> Result<IdentityFiles, TlsError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error: rustls_pki_types::pem::Error| TlsError::Identity(path, error.to_string())
    };
    let certificates = CertificateDer::pem_file_iter(chain).map_err(failed(chain))?;
    let certificates = certificates.collect::<Result<Vec<_>, _>>().map_err(failed(chain))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(failed(key))?;
    Ok((certificates, key))
}
