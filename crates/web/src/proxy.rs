//! Devices behind a proxy that terminates TLS.
//!
//! The proxy has a listener of its own, so that no device can be taken for a proxy and no proxy for a device: what
//! devices send to their own listener is never read as a proxy's word. Here every request must come from a configured
//! proxy, and the certificate in its header goes the way of one that was presented in TLS: its path is judged by us,
//! its standing by the ledger. What is taken on the proxy's word is one thing only: that its client has the key.

use crate::connection::{BehindProxy, ConnectionControl, PeerAddress, Presented};
use crate::problem::Problem;
use crate::reselection::CertificateReselection;
use crate::tls::DeviceTls;
use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue};
use rustls_pki_types::CertificateDer;
use std::net::SocketAddr;
use std::sync::Arc;
use tegata_core::proxied::{HeaderSource, ProxiedCertificate};
use tegata_core::{Clock, Refusal, Thumbprint, Timestamp, header_name};
use thiserror::Error;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The trusted proxies, and the header in which they send the certificate.
pub struct TrustedProxies {
    source: HeaderSource,
    pins: Vec<PinnedProxy>,
    device_tls: Arc<ArcSwap<DeviceTls>>,
    clock: Arc<dyn Clock>,
}

/// Why proxies cannot be trusted as configured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ProxyConfigError {
    /// Without an address or a certificate no proxy could be recognized.
    #[error("neither addresses nor a certificate say which proxy is trusted")]
    Anybody,
    /// One of the certificates cannot be read.
    #[error("a certificate of the proxy cannot be read")]
    Unreadable,
    /// A header is named that no request can have.
    #[error("the name of the header is none")]
    HeaderName,
}

/// The certificate that the other end of a connection from a proxy proved to have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ProxyCertificate(pub(crate) Option<Thumbprint>);

/// One certificate of a proxy, by itself: whoever issued it vouches for nothing here.
struct PinnedProxy {
    thumbprint: Thumbprint,
    not_before: Timestamp,
    not_after: Timestamp,
}

impl TrustedProxies {
    /// Where both addresses and certificates are given, a proxy must have one of each. `certificates` are DER.
    pub fn new(
        source: HeaderSource,
        certificates: &[CertificateDer<'_>],
        device_tls: Arc<ArcSwap<DeviceTls>>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ProxyConfigError> {
        if source.trusted_proxies.is_empty() && certificates.is_empty() {
            return Err(ProxyConfigError::Anybody);
        }
        let is_name = header_name::is_token(&source.name) && source.name == source.name.to_ascii_lowercase();
        if !is_name {
            return Err(ProxyConfigError::HeaderName);
        }
        let pins = certificates.iter().map(|der| PinnedProxy::read(der)).collect::<Result<_, _>>()?;
        Ok(Self { source, pins, device_tls, clock })
    }

    /// The router of the device listener, for requests that come through a proxy.
    pub fn before(self, router: Router) -> Router {
        router.layer(from_fn_with_state(Arc::new(self), pass_on))
    }

    fn check_peer(&self, request: &Request, now: Timestamp) -> Result<(), Refusal> {
        let facts = request.extensions();
        let PeerAddress(address) = facts.get().ok_or(Refusal::Internal)?;
        let shown = facts.get().and_then(|ProxyCertificate(shown)| *shown);
        if self.trusts_address(address) && self.trusts_certificate(shown, now) {
            return Ok(());
        }
        tracing::debug!(peer = %address, "not a configured proxy");
        Err(Refusal::ProxyNotTrusted)
    }

    fn trusts_address(&self, address: &SocketAddr) -> bool {
        self.source.trusted_proxies.is_empty() || self.source.trusts(address.ip())
    }

    fn trusts_certificate(&self, shown: Option<Thumbprint>, now: Timestamp) -> bool {
        let is_shown = |pin: &PinnedProxy| Some(pin.thumbprint) == shown && pin.lives_at(now);
        self.pins.is_empty() || self.pins.iter().any(is_shown)
    }

    /// A proxy that only says which certificate it was (Envoy's `Hash`) leaves nothing to judge.
    fn presented(&self, headers: &HeaderMap, now: Timestamp) -> Result<Presented, Refusal> {
        let values = |name: &str| headers.get_all(name).iter().map(HeaderValue::as_bytes);
        match self.source.read(values) {
            Ok(Some(ProxiedCertificate::Certificate(der))) => {
                Ok(Presented(Some(self.device_tls.load().judged(&der, now))))
            }
            Ok(None) => Ok(Presented(None)),
            Ok(Some(ProxiedCertificate::Thumbprint(_))) | Err(_) => {
                tracing::debug!(header = self.source.name, "a proxy's header is not one certificate");
                Err(Refusal::CertificateHeader)
            }
        }
    }
}

async fn pass_on(State(proxies): State<Arc<TrustedProxies>>, mut request: Request, next: Next) -> Response {
    let now = proxies.clock.now();
    let presented =
        proxies.check_peer(&request, now).and_then(|()| proxies.presented(request.headers(), now));
    match presented {
        Ok(presented) => {
            forget_certificates(request.headers_mut());
            if let Presented(Some(certificate)) = &presented {
                // The browser's handshake is the proxy's: nothing here makes it choose again.
                request.extensions_mut().insert(CertificateReselection::new(
                    Arc::default(),
                    Arc::default(),
                    certificate.thumbprint,
                ));
            }
            request.extensions_mut().insert(BehindProxy);
            request.extensions_mut().insert(presented);
            // The connection is the proxy's and carries many devices: one that is stopped does not end it.
            request.extensions_mut().insert(ConnectionControl::default());
            next.run(request).await
        }
        Err(refusal) => Problem::from(refusal).into_response(),
    }
}

/// Nothing behind this listener reads a header for a certificate, in whatever spelling: neither the one that was read
/// here nor one that a client made up and its proxy let through.
fn forget_certificates(headers: &mut HeaderMap) {
    let is_one = |name: &&HeaderName| header_name::is_about_certificates(name.as_str());
    let names: Vec<HeaderName> = headers.keys().filter(is_one).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

impl PinnedProxy {
    fn read(der: &[u8]) -> Result<Self, ProxyConfigError> {
        let Ok(([], certificate)) = X509Certificate::from_der(der) else {
            return Err(ProxyConfigError::Unreadable);
        };
        let validity = certificate.validity();
        Ok(Self {
            thumbprint: Thumbprint::of(der),
            not_before: Timestamp::from_seconds(validity.not_before.timestamp()),
            not_after: Timestamp::from_seconds(validity.not_after.timestamp()),
        })
    }

    fn lives_at(&self, now: Timestamp) -> bool {
        (self.not_before..=self.not_after).contains(&now.whole_second())
    }
}
