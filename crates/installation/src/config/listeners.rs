//! `[portal]`, `[device]`, `[public]`, `[metrics]`: where the server listens, and how it is reached.

use super::ProxyConfig;
use super::proxy::networks;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use tegata_core::{HttpOrigin, Network};

/// The listener that never asks for a certificate.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortalConfig {
    /// The address and port at which it waits.
    pub listen: SocketAddr,
    /// How browsers reach it.
    pub url: HttpOrigin,
    /// PEM with the chain, the leaf first.
    pub certificate: PathBuf,
    /// PEM, PKCS#8, plain or encrypted with the same secret as the other keys.
    pub key: PathBuf,
    /// The proxies that stand before it: they say in `X-Forwarded-For` who their clients are.
    #[serde(default, deserialize_with = "networks")]
    pub trusted_proxies: Vec<Network>,
}

/// The listener that asks for certificates.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceConfig {
    /// The address and port at which it waits.
    pub listen: SocketAddr,
    /// How devices reach it.
    pub url: HttpOrigin,
    /// Its chain as a PEM file, leaf first.
    pub certificate: PathBuf,
    /// PEM, PKCS#8, plain or encrypted with the same secret as the other keys.
    pub key: PathBuf,
    /// All hosts one label below this name lead to the device listener too: pages probe there.
    pub probe_suffix: String,
    /// The proxies that terminate TLS for devices.
    pub proxy: Option<ProxyConfig>,
}

/// The listener without TLS.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicConfig {
    /// The address and port at which it waits.
    pub listen: SocketAddr,
    /// Written into certificates: it must stay true as long as they live.
    pub url: HttpOrigin,
    /// The proxies that stand before the public listener, as in `portal.trusted_proxies`.
    #[serde(default, deserialize_with = "networks")]
    pub trusted_proxies: Vec<Network>,
}

/// The listener for monitoring.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsConfig {
    /// Where `/metrics`, `/healthz` and `/readyz` are, over plain HTTP.
    pub listen: SocketAddr,
    /// Whether another address than one of loopback is meant.
    #[serde(default)]
    pub beyond_loopback: bool,
}
