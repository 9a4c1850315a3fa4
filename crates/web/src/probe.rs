//! The host names below the probe suffix. A page requests each only once, so that the browser opens a new connection.
//!
//! A browser keeps its choice of a client certificate, or of none, per host until it is closed. A page
//! that wants to see the choice made afresh asks a host that the browser has never met.

use tegata_core::url::Scheme;

/// Every host one label below a suffix, such as `0123456789abcdef.probe.localhost`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProbeHosts {
    suffix: String,
    /// `:PORT`, or nothing for the default port: browsers write addresses so.
    port: String,
}

impl ProbeHosts {
    /// `suffix` without a leading dot, such as `probe.localhost`; `port` as browsers reach it.
    pub fn new(suffix: &str, port: u16) -> Self {
        let port = if port == Scheme::Https.default_port() { String::new() } else { format!(":{port}") };
        Self { suffix: suffix.trim_matches('.').to_ascii_lowercase(), port }
    }

    /// The URL with `{nonce}` where a fresh label goes.
    pub fn pattern(&self) -> String {
        format!("https://{{nonce}}.{}{}/probe", self.suffix, self.port)
    }

    /// The host source of a Content-Security-Policy that allows all of them.
    pub fn source(&self) -> String {
        format!("https://*.{}{}", self.suffix, self.port)
    }

    /// Whether a host, in lower case and without a port, is one of them.
    pub fn contains(&self, host: &str) -> bool {
        let label = host.strip_suffix(&self.suffix).and_then(|head| head.strip_suffix('.'));
        label.is_some_and(|label| !label.is_empty() && !label.contains('.'))
    }
}
