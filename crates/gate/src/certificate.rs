//! Where the presented certificate comes from.
//!
//! Either the product terminates TLS itself and says which certificate the handshake showed, or a
//! proxy does and passes it on in a header. A header is believed in one configured format, from a
//! configured peer, and never otherwise.

pub use tegata_core::proxied::{Format, HeaderSource, Malformed, Told};

use http::{Extensions, HeaderMap, HeaderName, HeaderValue};
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

impl Source {
    /// The certificate presented with a request.
    ///
    /// # Errors
    /// [`Malformed`], see [`HeaderSource::told`].
    pub fn presented(
        &self,
        extensions: &Extensions,
        headers: &HeaderMap,
        peer: Option<IpAddr>,
    ) -> Result<Option<Thumbprint>, Malformed> {
        match self {
            Self::Connection => Ok(extensions.get::<PeerCertificate>().map(|certificate| certificate.0)),
            Self::Header(source) => told_by(source, headers, peer),
        }
    }
}

/// The certificate that the peer says its client presented.
///
/// # Errors
/// [`Malformed`], see [`HeaderSource::told`].
pub(crate) fn told_by(
    source: &HeaderSource,
    headers: &HeaderMap,
    peer: Option<IpAddr>,
) -> Result<Option<Thumbprint>, Malformed> {
    let values = |name: &str| headers.get_all(name).iter().map(HeaderValue::as_bytes);
    Ok(source.told(values, peer)?.map(|told| told.thumbprint()))
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
