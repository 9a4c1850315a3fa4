//! The listener for proxies that terminate TLS for devices: `[device.proxy]`.

use arc_swap::ArcSwap;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::path::Path;
use std::sync::Arc;
use tegata_core::Clock;
use tegata_installation::{Config, Failure, FailureContext, config::ProxyConfig};
use tegata_web::tls::{DeviceTls, ServerIdentity, TlsVersions, proxy_config};
use tegata_web::{ListenerKind, TrustedProxies};

/// The protocol of the listener for proxies.
pub fn port(proxy: &ProxyConfig, identity: &Arc<ServerIdentity>) -> Result<ListenerKind, Failure> {
    if !proxy.tls {
        return Ok(ListenerKind::Plain);
    }
    let config = proxy_config(identity, TlsVersions::Tls13);
    Ok(ListenerKind::Proxy(Arc::new(config.doing("the device listener's certificate cannot be used")?)))
}

/// The proxies whose statements about clients' certificates are believed.
pub fn proxies(
    config: &Config,
    proxy: &ProxyConfig,
    device_tls: Arc<ArcSwap<DeviceTls>>,
    clock: Arc<dyn Clock>,
) -> Result<TrustedProxies, Failure> {
    let certificates = match &proxy.certificate {
        Some(file) => certificates(&config.path(file))?,
        None => Vec::new(),
    };
    TrustedProxies::new(proxy.source(), &certificates, device_tls, clock)
        .map_err(|error| Failure::misuse(format!("device.proxy: {error}")))
}

/// All that are in the file: two while one replaces the other.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read
        .map_err(|error| Failure::misuse(format!("device.proxy: cannot read {}: {error}", file.display())))?;
    if certificates.is_empty() {
        return Err(Failure::misuse(format!("device.proxy: {} holds no certificate", file.display())));
    }
    Ok(certificates)
}
