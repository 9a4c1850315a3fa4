//! The certificate of a client behind a proxy that terminates TLS.
//!
//! Such a proxy says in a header which certificate its client presented and proved. A header is believed in one
//! configured form, from a configured peer, and never otherwise.

mod format;
mod statement;
mod text;
mod xfcc;

pub use format::{HeaderEncoding, MalformedHeader};
pub use statement::ProxiedCertificate;

use crate::network::Network;
use std::net::IpAddr;

/// How a proxy passes the certificate on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeaderSource {
    /// The header, in lower case. The proxy must set it on every request, so that its clients cannot.
    pub name: String,
    /// The only form understood.
    pub format: HeaderEncoding,
    /// Whose word is taken.
    pub trusted_proxies: Vec<Network>,
}

/// The rest of the chain beside `Client-Cert` (RFC 9440 section 2.3).
const CHAIN: &str = "client-cert-chain";

impl HeaderSource {
    /// nginx's `$ssl_client_escaped_cert` in `X-Client-Cert`.
    pub fn nginx(trusted_proxies: Vec<Network>) -> Self {
        Self::in_header("x-client-cert", HeaderEncoding::EscapedPem, trusted_proxies)
    }

    /// `Client-Cert` as RFC 9440 has it. A `Client-Cert-Chain` beside it is read and proves nothing.
    pub fn rfc9440(trusted_proxies: Vec<Network>) -> Self {
        Self::in_header("client-cert", HeaderEncoding::Rfc9440, trusted_proxies)
    }

    /// Envoy's `X-Forwarded-Client-Cert`, which it must write anew (`SANITIZE_SET`).
    pub fn envoy(trusted_proxies: Vec<Network>) -> Self {
        Self::in_header("x-forwarded-client-cert", HeaderEncoding::Xfcc, trusted_proxies)
    }

    /// `X-Amzn-Mtls-Clientcert` of an AWS application load balancer in passthrough mode.
    pub fn alb(trusted_proxies: Vec<Network>) -> Self {
        Self::in_header("x-amzn-mtls-clientcert", HeaderEncoding::EscapedPemChain, trusted_proxies)
    }

    /// `X-Amzn-Mtls-Clientcert-Leaf` of an AWS application load balancer in verify mode.
    pub fn alb_verify(trusted_proxies: Vec<Network>) -> Self {
        Self::in_header("x-amzn-mtls-clientcert-leaf", HeaderEncoding::EscapedPem, trusted_proxies)
    }

    /// `X-Forwarded-Tls-Client-Cert` of Traefik's `passTLSClientCert` with `pem`.
    pub fn traefik(trusted_proxies: Vec<Network>) -> Self {
        Self::in_header("x-forwarded-tls-client-cert", HeaderEncoding::Bare, trusted_proxies)
    }

    fn in_header(name: &str, format: HeaderEncoding, trusted_proxies: Vec<Network>) -> Self {
        Self { name: name.to_owned(), format, trusted_proxies }
    }

    /// Whether certificates from this peer are believed.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(peer))
    }

    /// The certificate that the peer's headers convey, or `None` when there is no such header, an empty one, or an
    /// untrusted peer: what strangers claim is not even read. `values` gives all values of a header.
    ///
    /// # Errors
    /// [`MalformedHeader`] when a trusted peer sent anything but one certificate.
    pub fn told<'a, Values>(
        &self,
        values: impl Fn(&str) -> Values,
        peer: Option<IpAddr>,
    ) -> Result<Option<ProxiedCertificate>, MalformedHeader>
    where
        Values: Iterator<Item = &'a [u8]>,
    {
        if peer.is_some_and(|peer| self.trusts(peer)) { self.read(values) } else { Ok(None) }
    }

    /// What the headers tell of the client's certificate, where the peer is known to be a proxy by other means than its
    /// address.
    ///
    /// # Errors
    /// As [`Self::told`].
    pub fn read<'a, Values>(
        &self,
        values: impl Fn(&str) -> Values,
    ) -> Result<Option<ProxiedCertificate>, MalformedHeader>
    where
        Values: Iterator<Item = &'a [u8]>,
    {
        let mut found = values(&self.name);
        let told = match (found.next(), found.next()) {
            (None, _) | (Some([]), None) => None,
            (Some(value), None) => Some(self.format.read(value)?),
            (Some(_), Some(_)) => return Err(MalformedHeader),
        };
        if self.format == HeaderEncoding::Rfc9440 {
            check_chain(values(CHAIN), told.is_some())?;
        }
        Ok(told)
    }
}

/// A list of byte sequences, perhaps in several headers (RFC 9651 section 3.1), and none without a leaf: whoever lets
/// a chain through that it did not write would let a leaf through as well.
fn check_chain<'a>(values: impl Iterator<Item = &'a [u8]>, has_leaf: bool) -> Result<(), MalformedHeader> {
    for value in values.filter(|value| !value.is_empty()) {
        let text = str::from_utf8(value).map_err(|_| MalformedHeader)?;
        if !has_leaf || !text.split(',').all(text::is_byte_sequence) {
            return Err(MalformedHeader);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
