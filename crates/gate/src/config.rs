//! The configuration of a gate.

use crate::policy::GatePolicy;
use http::Uri;
use rustls::RootCertStore;
use std::path::PathBuf;
use tegata_core::{HttpUrl, UrlError};
use tegata_net::client::ConnectTo;
use tegata_net::tls::TlsError;

/// A gate cannot be built from this.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The issuer is not the address of one.
    #[error("the issuer cannot be {0:?}: {1}")]
    Issuer(String, UrlError),
    /// An address in the metadata is not an https URL.
    #[error("{0} is not an https URL")]
    NotHttps(String),
    /// The certificate is a device's.
    #[error(
        "C-10: {0} holds the certificate of a device, not of a gate. Make one with `tegata invite --gate NAME` and `tegata \
         enroll`"
    )]
    NotAGate(PathBuf),
    /// The gate's own key cannot sign assertions.
    #[error(
        "the certificate and key in {0} cannot sign Tegata-Assertion: {1}. Take the folder of a gate enrolled by `tegata \
         enroll`, or do without assertions (--no-assertion)"
    )]
    Assertion(PathBuf, &'static str),
    /// The folder for the copy of the feed does not exist.
    #[error("{0} is not a folder")]
    State(PathBuf),
    /// Certificates, keys or trust anchors cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// The configuration of a gate.
#[derive(Clone, Debug)]
pub struct GateConfig {
    /// Issuer, audience and tolerances.
    pub policy: GatePolicy,
    /// Where the issuer's metadata is (RFC 8414).
    pub metadata: Uri,
    /// Who verifies the platform's servers.
    pub trust: RootCertStore,
    /// The folder with the gate's own `key.pem` and `chain.pem`, read again at every connection, so
    /// that a renewal needs no restart.
    pub identity: PathBuf,
    /// Where to keep a copy of the feed, so that a restarted gate can serve while the platform is away. An
    /// existing folder that only the gate may write: what lies there is checked against the keys that
    /// lie beside it.
    pub state: Option<PathBuf>,
    /// Whether each request that passes is asserted to the product, signed by the gate's own key.
    pub assertions: bool,
    /// Where the platform's servers are, when names do not lead to all of them. Several for one name are tried beside each
    /// other, as several addresses of one name are.
    pub connect_to: Vec<ConnectTo>,
    /// How many verified tokens to remember, about 1 kB each.
    pub cached_tokens: usize,
}

impl GateConfig {
    /// A gate for one audience of one issuer; the metadata is where RFC 8414 section 3 puts it.
    ///
    /// # Errors
    /// [`ConfigError::Issuer`] when the issuer is not an https URL.
    pub fn new(
        mut policy: GatePolicy,
        identity: impl Into<PathBuf>,
        trust: RootCertStore,
    ) -> Result<Self, ConfigError> {
        let issuer = HttpUrl::parse_issuer(&policy.issuer)
            .map_err(|error| ConfigError::Issuer(policy.issuer.clone(), error))?;
        // Tokens and metadata say the issuer letter by letter, and they say it in this form.
        policy.issuer = issuer.to_string();
        let metadata = well_known(&issuer)?;
        Ok(Self {
            policy,
            metadata,
            trust,
            identity: identity.into(),
            state: None,
            assertions: true,
            connect_to: Vec::new(),
            cached_tokens: 10_000,
        })
    }
}

/// RFC 8414 section 3.1: the well-known segment goes between the host and the issuer's path.
fn well_known(issuer: &HttpUrl) -> Result<Uri, ConfigError> {
    let path = issuer.path().trim_end_matches('/');
    require_https(&format!("{}/.well-known/oauth-authorization-server{path}", issuer.origin()))
}

/// An absolute https URL with a host.
pub(crate) fn require_https(url: &str) -> Result<Uri, ConfigError> {
    let failed = || ConfigError::NotHttps(url.to_owned());
    let uri: Uri = url.parse().map_err(|_| failed())?;
    let is_https = uri.scheme_str() == Some("https") && uri.host().is_some_and(|host| !host.is_empty());
    if is_https { Ok(uri) } else { Err(failed()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metadata_is_where_rfc_8414_puts_it() {
        let at = |issuer: &str| Some(well_known(&HttpUrl::parse_issuer(issuer).ok()?).ok()?.to_string());
        let expected = "https://ca.example:8443/.well-known/oauth-authorization-server";
        assert_eq!(at("https://ca.example:8443").as_deref(), Some(expected));
        assert_eq!(at("https://ca.example:8443/").as_deref(), Some(expected));
        assert_eq!(at("https://ca.example:8443/a/b"), Some(format!("{expected}/a/b")));
        let without_port = "https://ca.example/.well-known/oauth-authorization-server";
        assert_eq!(at("https://CA.example:443").as_deref(), Some(without_port));
        let config =
            GateConfig::new(GatePolicy::new("https://CA.example:443/", "a"), "/", RootCertStore::empty());
        assert_eq!(config.unwrap().policy.issuer, "https://ca.example", "as tokens say it");
        for wrong in ["http://ca.example", "ca.example", "https://", "https:///x"] {
            assert_eq!(at(wrong), None, "{wrong}");
        }
    }
}
