//! TLS of the two HTTPS listeners.
//!
//! No session is ever resumed. A resumed session carries the peer's certificate without asking any
//! verifier again, and an anonymous ticket of one listener could otherwise return on another.

use crate::choice::Releases;
use crate::connection::PeerCertificate;
use crate::path::TrustedIssuers;
use crate::probe::ProbeHosts;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoClientAuth, NoServerSessionStorage};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
    SupportedProtocolVersion, version,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use std::sync::Arc;
use tegata_core::{Thumbprint, Timestamp};

/// The versions of TLS that are spoken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Versions {
    /// TLS 1.3 alone.
    #[default]
    Tls13,
    /// TLS 1.2 as well, with extended master secret (RFC 7627).
    Tls12And13,
}

/// What a listener shows of itself: its own certificate chain, leaf first, and key.
pub struct ServerIdentity {
    /// Leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key of the leaf.
    pub key: PrivateKeyDer<'static>,
}

/// What the device listener needs: two configurations that differ in the protocols offered, and the
/// issuers that make a presented certificate one of ours.
pub struct DeviceDoor {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) probe_config: Arc<ServerConfig>,
    pub(crate) probes: ProbeHosts,
    pub(crate) issuers: TrustedIssuers,
    pub(crate) releases: Arc<Releases>,
}

/// The portal never asks for a certificate.
pub fn portal_config(identity: &ServerIdentity, versions: Versions) -> Result<ServerConfig, Error> {
    config(identity, versions, Arc::new(NoClientAuth), &[b"h2", b"http/1.1"])
}

/// The device listener asks for a certificate and takes any, or none.
fn device_config(
    identity: &ServerIdentity,
    versions: Versions,
    hints: Vec<DistinguishedName>,
    releases: Arc<Releases>,
) -> Result<ServerConfig, Error> {
    config(identity, versions, Arc::new(PossessionOnly::new(hints, releases)), &[b"h2", b"http/1.1"])
}

/// The listener for proxies asks for the proxy's own certificate, takes any, or none: [`crate::proxy`] knows which.
pub fn proxy_config(identity: &ServerIdentity, versions: Versions) -> Result<ServerConfig, Error> {
    device_config(identity, versions, Vec::new(), Arc::default())
}

/// As [`device_config`], without HTTP/2: a browser may send requests for several hosts of one
/// certificate over one HTTP/2 connection, and a probe is worth something only on its own connection.
fn probe_config(
    identity: &ServerIdentity,
    versions: Versions,
    hints: Vec<DistinguishedName>,
) -> Result<ServerConfig, Error> {
    config(identity, versions, Arc::new(PossessionOnly::new(hints, Arc::default())), &[b"http/1.1"])
}

impl DeviceDoor {
    /// Browsers are told the names of `issuers`, so that they offer matching certificates only.
    pub fn new(
        identity: &ServerIdentity,
        versions: Versions,
        issuers: TrustedIssuers,
        probes: ProbeHosts,
    ) -> Result<Self, Error> {
        let releases = Arc::<Releases>::default();
        Ok(Self {
            config: Arc::new(device_config(identity, versions, issuers.hints(), releases.clone())?),
            probe_config: Arc::new(probe_config(identity, versions, issuers.hints())?),
            probes,
            issuers,
            releases,
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

fn config(
    identity: &ServerIdentity,
    versions: Versions,
    verifier: Arc<dyn ClientCertVerifier>,
    protocols: &[&[u8]],
) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(supported(versions))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(identity.chain.clone(), identity.key.clone_key())?;
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

fn seconds(now: UnixTime) -> Timestamp {
    Timestamp::from_seconds(now.as_secs().try_into().unwrap_or(i64::MAX))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn supported(versions: Versions) -> &'static [&'static SupportedProtocolVersion] {
    const BOTH: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];
    match versions {
        Versions::Tls13 => &BOTH[..1],
        Versions::Tls12And13 => BOTH,
    }
}

/// Asks for a proof that the client holds the key of the certificate it presents, and for nothing
/// else: whoever is refused must be able to read why, so the certificate is judged by
/// [`TrustedIssuers`] after the handshake. The one exception is asked for: see [`crate::choice`].
#[derive(Debug)]
struct PossessionOnly {
    hints: Vec<DistinguishedName>,
    releases: Arc<Releases>,
    provider: Arc<CryptoProvider>,
}

impl PossessionOnly {
    fn new(hints: Vec<DistinguishedName>, releases: Arc<Releases>) -> Self {
        Self { hints, releases, provider: provider() }
    }
}

impl ClientCertVerifier for PossessionOnly {
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
        if self.releases.takes(leaf, seconds(now)) {
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
