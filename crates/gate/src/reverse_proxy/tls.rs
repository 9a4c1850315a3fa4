//! TLS with clients.

use rustls::ServerConfig;
use std::path::Path;
use std::sync::Arc;
use tegata_net::tls::{
    BOTH_PROTOCOLS, PossessionVerifier, ServerIdentity, TlsError, TlsVersions, read_pem_identity,
    trust_from_pem_file,
};

/// TLS 1.3 alone, HTTP/2 and HTTP/1.1, no session resumed: a resumed one would present a certificate that
/// nobody proved to hold. Clients are asked for a certificate of the CAs in `client_ca`, and must prove
/// to hold its key; whose it is, the token says that is bound to it. So whoever has the wrong one, or
/// none, reads why.
///
/// # Errors
/// [`TlsError`] when one of the PEM files cannot be read, or key and certificate do not belong
/// together.
pub fn server_config(certificate: &Path, key: &Path, client_ca: &Path) -> Result<ServerConfig, TlsError> {
    let identity = Arc::new(ServerIdentity::new(read_pem_identity(certificate, key)?)?);
    let clients = PossessionVerifier::new(trust_from_pem_file(client_ca)?.subjects());
    Ok(tegata_net::tls::server_config(&identity, TlsVersions::Tls13, Arc::new(clients), BOTH_PROTOCOLS)?)
}
