//! The TLS configurations of servers and clients.
//!
//! No session is ever resumed. A resumed session carries the peer's certificate without asking any
//! verifier again, and an anonymous ticket of one listener could otherwise return on another.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
    SupportedProtocolVersion, version,
};
use rustls_pki_types::{CertificateDer, UnixTime};
use std::fmt;
use std::sync::Arc;

mod files;
mod identity;

pub use files::{IdentityFiles, TlsError, read_identity, read_pem_identity, trust_from_pem_file};
pub use identity::ServerIdentity;

/// The versions of TLS that are offered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TlsVersions {
    /// TLS 1.3 and nothing older.
    #[default]
    Tls13,
    /// TLS 1.2 as well, with extended master secret (RFC 7627).
    Tls12And13,
}

/// HTTP/2 where the client speaks it.
pub const BOTH_PROTOCOLS: &[&[u8]] = &[b"h2", b"http/1.1"];

/// The ALPN protocols of a listener without HTTP/2.
pub const HTTP1_ALONE: &[&[u8]] = &[b"http/1.1"];

/// The configuration of a listener, for the protocols that ALPN offers.
///
/// # Errors
/// When the crypto provider lacks the versions.
pub fn server_config(
    identity: &Arc<ServerIdentity>,
    versions: TlsVersions,
    verifier: Arc<dyn ClientCertVerifier>,
    protocols: &[&[u8]],
) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(supported(versions))?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(identity.clone());
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    config.require_ems = true;
    forbid_resumption(&mut config);
    Ok(config)
}

/// The builder already sets a ticketer that makes no tickets; the store of TLS 1.2 session ids and of
/// stateful TLS 1.3 tickets is what remains.
fn forbid_resumption(config: &mut ServerConfig) {
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn supported(versions: TlsVersions) -> &'static [&'static SupportedProtocolVersion] {
    const BOTH: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];
    match versions {
        TlsVersions::Tls13 => &BOTH[..1],
        TlsVersions::Tls12And13 => BOTH,
    }
}

/// Certificates that are refused in the handshake, for the sake of the alert.
pub trait RefuseInHandshake: fmt::Debug + Send + Sync {
    /// Whether this handshake is refused, with the alert `certificate_revoked`.
    fn refuses(&self, leaf: &[u8], now: UnixTime) -> bool;
}

/// Asks for a proof that the client holds the key of the certificate it presents, and for nothing
/// else: whoever is refused must be able to read why, so the certificate is judged after the handshake.
#[derive(Debug)]
pub struct PossessionVerifier {
    hints: Vec<DistinguishedName>,
    refusing: Option<Arc<dyn RefuseInHandshake>>,
    provider: Arc<CryptoProvider>,
}

impl PossessionVerifier {
    /// `hints` are the names of issuers that clients are told, so that they offer matching certificates only.
    pub fn new(hints: Vec<DistinguishedName>) -> Self {
        Self { hints, refusing: None, provider: provider() }
    }

    /// With the exception of those that `refusing` names.
    #[must_use]
    pub fn refusing(self, refusing: Arc<dyn RefuseInHandshake>) -> Self {
        Self { refusing: Some(refusing), ..self }
    }
}

impl ClientCertVerifier for PossessionVerifier {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if self.refusing.as_ref().is_some_and(|refusing| refusing.refuses(leaf, now)) {
            return Err(CertificateError::Revoked.into());
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
