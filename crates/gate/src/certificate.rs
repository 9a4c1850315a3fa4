//! Where the presented certificate comes from.
//!
//! Either the product terminates TLS itself and says which certificate the handshake showed, or a
//! proxy does and passes it on in a header. A header is believed in one configured format, from a
//! configured peer, and never otherwise.

mod format;
mod xfcc;

pub use format::{Format, Malformed, Told};

use crate::network::Network;
use http::{Extensions, HeaderMap, HeaderName};
use std::net::IpAddr;
use tegata_core::Thumbprint;

/// The certificate of the connection a request came in on. A product that terminates TLS puts it into
/// the extensions of every request of a connection whose client presented (and proved) one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeerCertificate(pub Thumbprint);

impl PeerCertificate {
    /// From the leaf's DER, as `peer_certificates()` of rustls returns it first.
    pub fn from_der(der: &[u8]) -> Self {
        Self(Thumbprint::of(der))
    }
}

/// The address of whoever opened the connection: needed only with [`Source::Header`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeerAddress(pub IpAddr);

/// Where to look for the certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// In the request's extensions, as [`PeerCertificate`].
    Connection,
    /// In a header of a trusted proxy.
    Header(HeaderSource),
}

/// How a proxy passes the certificate on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeaderSource {
    /// The header. The proxy must set it on every request, so that its clients cannot.
    pub name: HeaderName,
    /// The only form understood.
    pub format: Format,
    /// Whose word is taken.
    pub trusted_proxies: Vec<Network>,
}

impl HeaderSource {
    /// nginx's `$ssl_client_escaped_cert` in `X-Client-Cert`.
    pub fn nginx(trusted_proxies: Vec<Network>) -> Self {
        Self::in_header("x-client-cert", Format::EscapedPem, trusted_proxies)
    }

    /// `Client-Cert` as RFC 9440 has it.
    pub fn rfc9440(trusted_proxies: Vec<Network>) -> Self {
        Self::in_header("client-cert", Format::Rfc9440, trusted_proxies)
    }

    /// Envoy's `X-Forwarded-Client-Cert`, which it must write anew (`SANITIZE_SET`).
    pub fn envoy(trusted_proxies: Vec<Network>) -> Self {
        Self::in_header("x-forwarded-client-cert", Format::Xfcc, trusted_proxies)
    }

    /// `X-Amzn-Mtls-Clientcert` of an AWS application load balancer in passthrough mode.
    pub fn alb(trusted_proxies: Vec<Network>) -> Self {
        Self::in_header("x-amzn-mtls-clientcert", Format::EscapedPemChain, trusted_proxies)
    }

    /// `X-Amzn-Mtls-Clientcert-Leaf` of an AWS application load balancer in verify mode.
    pub fn alb_verify(trusted_proxies: Vec<Network>) -> Self {
        Self::in_header("x-amzn-mtls-clientcert-leaf", Format::EscapedPem, trusted_proxies)
    }

    /// `X-Forwarded-Tls-Client-Cert` of Traefik's `passTLSClientCert` with `pem`.
    pub fn traefik(trusted_proxies: Vec<Network>) -> Self {
        Self::in_header("x-forwarded-tls-client-cert", Format::Bare, trusted_proxies)
    }

    fn in_header(name: &'static str, format: Format, trusted_proxies: Vec<Network>) -> Self {
        Self { name: HeaderName::from_static(name), format, trusted_proxies }
    }

    /// Whether certificates from this peer are believed.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(peer))
    }

    /// What the peer says, or `None` when there is no such header, an empty one, or an untrusted peer:
    /// what strangers claim is not even read.
    ///
    /// # Errors
    /// [`Malformed`] when a trusted peer sent anything but one certificate.
    pub fn told(&self, headers: &HeaderMap, peer: Option<IpAddr>) -> Result<Option<Told>, Malformed> {
        if !peer.is_some_and(|peer| self.trusts(peer)) {
            return Ok(None);
        }
        let mut values = headers.get_all(&self.name).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) if value.is_empty() => Ok(None),
            (Some(value), None) => self.format.read(value).map(Some),
            (Some(_), Some(_)) => Err(Malformed),
        }
    }

    /// The certificate of [`Self::told`].
    ///
    /// # Errors
    /// [`Malformed`], as there.
    pub fn presented(
        &self,
        headers: &HeaderMap,
        peer: Option<IpAddr>,
    ) -> Result<Option<Thumbprint>, Malformed> {
        Ok(self.told(headers, peer)?.map(|told| told.thumbprint()))
    }
}

impl Source {
    /// The certificate presented with a request.
    ///
    /// # Errors
    /// [`Malformed`], see [`HeaderSource::presented`].
    pub fn presented(
        &self,
        extensions: &Extensions,
        headers: &HeaderMap,
        peer: Option<IpAddr>,
    ) -> Result<Option<Thumbprint>, Malformed> {
        match self {
            Self::Connection => Ok(extensions.get::<PeerCertificate>().map(|certificate| certificate.0)),
            Self::Header(source) => source.presented(headers, peer),
        }
    }
}

/// Headers that say something about a client's certificate, to some proxy or some product.
const CERTIFICATE_HEADERS: [&str; 6] = [
    "client-cert",
    "client-cert-chain",
    "x-client-cert",
    "x-forwarded-client-cert",
    "x-arr-clientcert",
    "x-ssl-cert",
];

/// Beginnings of such headers, and of those in which a gate itself answers.
const CERTIFICATE_PREFIXES: [&str; 7] = [
    "ssl-client-",
    "x-ssl-client-",
    "x-client-cert-",
    "x-amzn-mtls-",
    "x-forwarded-tls-client-cert",
    "x-goog-client-cert",
    "tegata-",
];

/// Removes every header about certificates that is known, in any format, and every `Tegata-` header, so
/// that nothing behind the gate can be told a story. Some servers read `_` as `-`; so does this.
pub fn strip(headers: &mut HeaderMap, configured: &Source) {
    if let Source::Header(source) = configured {
        headers.remove(&source.name);
    }
    let told: Vec<HeaderName> = headers.keys().filter(|name| is_about_certificates(name)).cloned().collect();
    for name in told {
        headers.remove(name);
    }
}

fn is_about_certificates(name: &HeaderName) -> bool {
    let known = |name: &str| {
        CERTIFICATE_HEADERS.contains(&name)
            || CERTIFICATE_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    };
    let name = name.as_str();
    if name.contains('_') { known(&name.replace('_', "-")) } else { known(name) }
}

#[cfg(test)]
mod tests;
