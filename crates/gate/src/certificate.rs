//! Where the presented certificate comes from.
//!
//! Either the product terminates TLS itself and says which certificate the handshake showed, or a
//! proxy does and passes it on in a header. A header is believed in one configured format, from a
//! configured peer, and never otherwise.

pub use tegata_core::proxied::{HeaderEncoding, HeaderSource, MalformedHeader, ProxiedCertificate};

use crate::renewal_due::RenewalTime;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use hyper::body::Bytes;
use std::net::IpAddr;
use tegata_core::{Thumbprint, Timestamp, header_name};

/// The certificate of the connection a request came in on. A product that terminates TLS puts it into
/// the extensions of every request of a connection whose client presented (and proved) one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientCertificate {
    thumbprint: Thumbprint,
    der: Option<Bytes>,
    renewal: Option<RenewalTime>,
}

impl ClientCertificate {
    /// From the leaf's DER, as `peer_certificates()` of rustls returns it first.
    pub fn from_der(der: &[u8]) -> Self {
        Self::from_bytes(Bytes::copy_from_slice(der))
    }

    /// From its hash alone: enough for tokens, which are bound to it, and not for sessions, which are bound to the device
    /// that the certificate names. Nobody learns from it that the certificate is due for renewal.
    pub fn from_thumbprint(thumbprint: Thumbprint) -> Self {
        Self { thumbprint, der: None, renewal: None }
    }

    fn from_bytes(der: Bytes) -> Self {
        Self { thumbprint: Thumbprint::of(&der), renewal: RenewalTime::of(&der), der: Some(der) }
    }

    /// Which certificate it is.
    pub fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }

    /// When it ends, once it is due for renewal; `None` before, and where only its hash is known.
    pub fn renewal_due(&self, now: Timestamp) -> Option<Timestamp> {
        self.renewal.and_then(|renewal| renewal.end_if_due(now))
    }

    /// The whole of it, where it is known.
    pub fn der(&self) -> Option<&[u8]> {
        self.der.as_deref()
    }
}

/// The address of the connection's peer: needed only with [`CertificateSource::Header`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientAddress(pub IpAddr);

/// Where to look for the certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CertificateSource {
    /// In the request's extensions, as [`ClientCertificate`].
    Connection,
    /// In a header of a trusted proxy.
    Header(HeaderSource),
}

impl CertificateSource {
    /// The certificate presented with a request.
    ///
    /// # Errors
    /// [`MalformedHeader`], see [`HeaderSource::told`].
    pub fn presented(
        &self,
        extensions: &Extensions,
        headers: &HeaderMap,
        peer: Option<IpAddr>,
    ) -> Result<Option<ClientCertificate>, MalformedHeader> {
        match self {
            Self::Connection => Ok(extensions.get::<ClientCertificate>().cloned()),
            Self::Header(source) => proxied_certificate(source, headers, peer),
        }
    }
}

/// The certificate that the peer says its client presented.
///
/// # Errors
/// [`MalformedHeader`], see [`HeaderSource::told`].
pub(crate) fn proxied_certificate(
    source: &HeaderSource,
    headers: &HeaderMap,
    peer: Option<IpAddr>,
) -> Result<Option<ClientCertificate>, MalformedHeader> {
    let values = |name: &str| headers.get_all(name).iter().map(HeaderValue::as_bytes);
    Ok(source.told(values, peer)?.map(|certificate| match certificate {
        ProxiedCertificate::Certificate(der) => ClientCertificate::from_bytes(der.into()),
        ProxiedCertificate::Thumbprint(thumbprint) => ClientCertificate::from_thumbprint(thumbprint),
    }))
}

/// Removes every header about certificates that is known, in any format, and every `Tegata-` header, so that nothing
/// behind the gate believes what a client says of itself. Names are compared as a forgetful product sees them ([`header_name::as_seen`]).
pub fn strip(headers: &mut HeaderMap, configured: &CertificateSource) {
    let own = match configured {
        CertificateSource::Header(source) => Some(header_name::as_seen(&source.name)),
        CertificateSource::Connection => None,
    };
    let is_claim = |name: &str| {
        let seen = header_name::as_seen(name);
        seen.starts_with("tegata-")
            || own.as_ref().is_some_and(|own| seen == *own)
            || header_name::is_about_certificates(&seen)
    };
    let claims: Vec<HeaderName> = headers.keys().filter(|name| is_claim(name.as_str())).cloned().collect();
    for name in claims {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests;
