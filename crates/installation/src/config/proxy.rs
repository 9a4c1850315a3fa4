//! `[device.proxy]`: which proxies are believed about the certificates of devices.

use serde::de::IntoDeserializer;
use serde::de::value::Error as ValueError;
use serde::{Deserialize, Deserializer};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use tegata_core::Network;
use tegata_core::proxied::HeaderSource;

/// What `tegata init` writes about it.
pub const TEMPLATE: &str = r#"# Uncomment where a proxy terminates TLS for devices: it connects here and says in a header which certificate its
# client has. Which proxy: by address, by its own certificate, or both. See docs/proxy.md.
# [device.proxy]
# listen = "127.0.0.1:9446"
# format = "nginx"
# trusted = ["127.0.0.1"]
# certificate = "proxy.pem"
"#;

/// A listener for proxies that terminate TLS for devices.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxyConfig {
    /// Where proxies connect: an address of its own.
    pub listen: SocketAddr,
    /// The one form in which they pass a certificate on.
    pub format: HeaderFormat,
    /// Another header than the usual one of this form, in lower case.
    pub header: Option<String>,
    /// The addresses they come from.
    #[serde(default, deserialize_with = "networks")]
    pub trusted: Vec<Network>,
    /// PEM: the certificates they present, each by itself.
    pub certificate: Option<PathBuf>,
    /// HTTPS, with the certificate of the device listener; `false` for plain HTTP within this machine.
    #[serde(default = "yes")]
    pub tls: bool,
}

/// The one format in which the certificate arrives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeaderFormat {
    /// `X-Client-Cert` with nginx's `$ssl_client_escaped_cert`.
    Nginx,
    /// `Client-Cert` of RFC 9440: `HAProxy`, Caddy.
    Rfc9440,
    /// `X-Forwarded-Client-Cert` as Envoy writes it.
    Envoy,
    /// `X-Amzn-Mtls-Clientcert` of an AWS load balancer that passes certificates through.
    Alb,
    /// `X-Amzn-Mtls-Clientcert-Leaf` of an AWS load balancer that verifies.
    AlbVerify,
    /// `X-Forwarded-Tls-Client-Cert` as Traefik writes it.
    Traefik,
}

impl HeaderFormat {
    /// The header as these proxies write it.
    pub fn trusting(self, trusted: Vec<Network>) -> HeaderSource {
        match self {
            Self::Nginx => HeaderSource::nginx(trusted),
            Self::Rfc9440 => HeaderSource::rfc9440(trusted),
            Self::Envoy => HeaderSource::envoy(trusted),
            Self::Alb => HeaderSource::alb(trusted),
            Self::AlbVerify => HeaderSource::alb_verify(trusted),
            Self::Traefik => HeaderSource::traefik(trusted),
        }
    }
}

impl FromStr for HeaderFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::deserialize(text.into_deserializer()).map_err(|error: ValueError| error.to_string())
    }
}

impl ProxyConfig {
    /// What could let somebody in who is no proxy is refused.
    pub fn check(&self) -> Result<(), String> {
        if self.trusted.is_empty() && self.certificate.is_none() {
            return Err(
                "device.proxy: say which proxy is meant, by `trusted` addresses or by its `certificate`"
                    .into(),
            );
        }
        if !self.tls && self.certificate.is_some() {
            return Err("device.proxy: without TLS nobody shows a certificate".into());
        }
        if !self.tls && !self.listen.ip().is_loopback() {
            return Err(
                "device.proxy: plain HTTP stays within this machine: listen at an address of loopback".into(),
            );
        }
        Ok(())
    }

    /// The header that is read.
    pub fn source(&self) -> HeaderSource {
        let mut source = self.format.trusting(self.trusted.clone());
        if let Some(header) = &self.header {
            source.name.clone_from(header);
        }
        source
    }
}

/// Addresses and prefixes, as text.
pub fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Network>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| text.parse().map_err(serde::de::Error::custom)).collect()
}

const fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ProxyConfig, String> {
        let config: ProxyConfig = toml::from_str(text).map_err(|error| error.to_string())?;
        config.check().map(|()| config)
    }

    const LISTEN: &str = "listen = \"127.0.0.1:1\"\nformat = \"nginx\"\n";

    #[test]
    fn an_operator_names_the_form_and_the_proxy() {
        let config = read(&format!("{LISTEN}trusted = [\"10.1.0.0/16\"]\nheader = \"ssl-cert\"")).unwrap();
        assert_eq!(config.source().name, "ssl-cert");
        assert!(config.source().trusts("10.1.2.3".parse().unwrap()));
        assert!(config.tls);
        read(&format!("{LISTEN}certificate = \"proxy.pem\"")).unwrap();
        read(&format!("{LISTEN}trusted = [\"127.0.0.1\"]\ntls = false")).unwrap();
        for (written, format) in [
            ("rfc9440", HeaderFormat::Rfc9440),
            ("envoy", HeaderFormat::Envoy),
            ("alb", HeaderFormat::Alb),
            ("alb-verify", HeaderFormat::AlbVerify),
            ("traefik", HeaderFormat::Traefik),
        ] {
            let text = LISTEN.replace("nginx", written);
            assert_eq!(read(&format!("{text}certificate = \"proxy.pem\"")).unwrap().format, format);
            assert_eq!(written.parse(), Ok(format));
        }
    }

    #[test]
    fn whatever_would_believe_anybody_is_refused() {
        for wrong in [
            String::new(),
            "trusted = []".into(),
            "trusted = [\"10.1.2.3/16\"]".into(),
            "trusted = [\"localhost\"]".into(),
            "tls = false\ncertificate = \"proxy.pem\"".into(),
            "trusted = [\"127.0.0.1\"]\nformats = [\"envoy\"]".into(),
        ] {
            assert!(read(&format!("{LISTEN}{wrong}")).is_err(), "{wrong}");
        }
        let everywhere = LISTEN.replace("127.0.0.1", "0.0.0.0");
        assert!(read(&format!("{everywhere}trusted = [\"127.0.0.1\"]\ntls = false")).is_err());
        assert!(read(&LISTEN.replace("nginx", "any")).is_err());
    }
}
