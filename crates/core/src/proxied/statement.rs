//! The certificate that a proxy's header conveys.

use crate::Thumbprint;

/// What a proxy says about its client's certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ProxiedCertificate {
    /// The DER of the leaf.
    Certificate(Vec<u8>),
    /// Only which one it is.
    Thumbprint(Thumbprint),
}

impl ProxiedCertificate {
    /// Which certificate it is.
    pub fn thumbprint(&self) -> Thumbprint {
        match self {
            Self::Certificate(der) => Thumbprint::of(der),
            Self::Thumbprint(thumbprint) => *thumbprint,
        }
    }

    /// The leaf's DER, where the proxy passes it on.
    pub fn der(&self) -> Option<&[u8]> {
        match self {
            Self::Certificate(der) => Some(der),
            Self::Thumbprint(_) => None,
        }
    }
}
