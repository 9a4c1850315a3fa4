//! `tegata gate --upstream`: the gate as a proxy of its own.

use arc_swap::ArcSwap;
use clap::Args;
use http::Uri;
use http::uri::Authority;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tegata_gate::forward_auth::{self, ForwardAuth};
use tegata_gate::reverse_proxy::{self, ProxyFront, ProxyLimits, ReverseProxy, server_config};
use tegata_gate::session::BrowserSessions;
use tegata_gate::{Gate, HeaderSource};
use tegata_installation::{Failure, FailureContext};
use tegata_net::WatchedFiles;
use tokio::net::TcpListener;

#[derive(Args)]
pub struct FrontOptions {
    /// Stand before this product instead of answering proxies: http://HOST:PORT
    #[arg(long, value_name = "URL")]
    upstream: Option<Uri>,
    /// Speak TLS with this chain (PEM, leaf first); read again when it changes. Without it, the proxy before the
    /// gate speaks TLS
    #[arg(long, value_name = "PEM", requires_all = ["upstream", "key", "client_ca"])]
    certificate: Option<PathBuf>,
    /// The private key of that certificate (PEM)
    #[arg(long, value_name = "PEM", requires = "certificate")]
    key: Option<PathBuf>,
    /// The CAs of devices: root and issuing CA. With --certificate, clients are asked for certificates of these; with
    /// --session, they tell which device a certificate is of
    #[arg(long, value_name = "PEM")]
    pub client_ca: Option<PathBuf>,
    /// The longest body of a request, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 100, requires = "upstream", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    max_body: u32,
    /// How long the product may take to begin its answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "upstream", value_parser = clap::value_parser!(u64).range(1..=3600))]
    patience: u64,
    /// How long a WebSocket may go on after the end of the token it was opened with, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "upstream", value_parser = clap::value_parser!(u64).range(0..=86_400))]
    tunnel_grace: u64,
    /// Let preflights pass: what a browser asks, without certificate and token, before a request to another origin
    #[arg(long, requires = "upstream")]
    allow_preflight: bool,
    /// Where the machine itself asks for /health
    #[arg(long, value_name = "ADDR", requires = "upstream")]
    health: Option<SocketAddr>,
}

/// A proxy that has read its files.
pub struct OpenedProxy {
    proxy: ReverseProxy,
    /// Watched since before they were read.
    files: Option<(TlsFiles, WatchedFiles)>,
    health: Option<SocketAddr>,
}

/// What TLS is made of.
#[derive(Clone)]
struct TlsFiles {
    certificate: PathBuf,
    key: PathBuf,
    client_ca: PathBuf,
}

impl FrontOptions {
    /// The proxy, if one is wanted. `certificates` is where a proxy before it puts them.
    pub fn open(
        &self,
        certificates: &HeaderSource,
        sessions: Option<&Arc<BrowserSessions>>,
    ) -> Result<Option<OpenedProxy>, Failure> {
        if self.client_ca.is_some() && self.certificate.is_none() && sessions.is_none() {
            return Err(Failure::misuse("--client-ca goes with --certificate or --session"));
        }
        let Some(upstream) = &self.upstream else { return Ok(None) };
        let files = match (&self.certificate, &self.key, &self.client_ca) {
            (Some(certificate), Some(key), Some(client_ca)) => Some(TlsFiles {
                certificate: certificate.clone(),
                key: key.clone(),
                client_ca: client_ca.clone(),
            }),
            _ => None,
        };
        let files = files.map(|files| {
            let watched = files.watch();
            (files, watched)
        });
        let front = match &files {
            Some((files, _)) => ProxyFront::Tls(Arc::new(ArcSwap::from_pointee(files.config()?))),
            None => ProxyFront::Proxy(certificates.clone()),
        };
        let limits = ProxyLimits {
            body: usize::try_from(u64::from(self.max_body) * 1024 * 1024).unwrap_or(usize::MAX),
            answer: Duration::from_secs(self.patience),
            tunnel_grace: Duration::from_secs(self.tunnel_grace),
            ..ProxyLimits::default()
        };
        let proxy = ReverseProxy {
            upstream: authority(upstream)?,
            front,
            limits,
            preflights: self.allow_preflight,
            sessions: sessions.cloned(),
        };
        Ok(Some(OpenedProxy { proxy, files, health: self.health }))
    }
}

/// Plain HTTP to a host and port: the product is beside the gate, or the network between them is its own.
fn authority(upstream: &Uri) -> Result<Authority, Failure> {
    let is_bare = upstream.scheme_str() == Some("http") && matches!(upstream.path(), "" | "/");
    let authority = upstream.authority().filter(|authority| is_bare && !authority.as_str().contains('@'));
    let plain = authority.filter(|_| upstream.query().is_none()).cloned();
    plain.ok_or_else(|| Failure::misuse("--upstream is http://HOST:PORT without a path"))
}

impl OpenedProxy {
    /// Serves until `stop` completes.
    pub async fn run(
        self,
        listener: TcpListener,
        gate: Gate,
        stop: impl Future<Output = ()>,
    ) -> Result<(), Failure> {
        let scheme = if self.files.is_some() { "https" } else { "http" };
        let address = listener.local_addr().doing("no address")?;
        errln!("gate for {} at {scheme}://{address}, before {}", gate.audience(), self.proxy.upstream);
        let (front, files) = (self.proxy.front.clone(), self.files);
        let health = match self.health {
            Some(address) => Some(super::bind(address).await?),
            None => None,
        };
        let serving = reverse_proxy::serve(listener, gate.clone(), self.proxy, stop);
        tokio::select! {
            () = serving => {}
            () = tell_health(health, gate) => {}
            () = follow(front, files) => {}
        }
        Ok(())
    }
}

async fn tell_health(listener: Option<TcpListener>, gate: Gate) {
    let Some(listener) = listener else { return std::future::pending().await };
    // No proxy is trusted here: nobody is told about tokens.
    let config = ForwardAuth { certificates: HeaderSource::nginx(Vec::new()), sessions: None };
    forward_auth::serve(listener, gate, config, std::future::pending()).await;
}

/// The certificate, its key or the CAs of clients are replaced while the gate runs.
async fn follow(front: ProxyFront, files: Option<(TlsFiles, WatchedFiles)>) {
    let (ProxyFront::Tls(config), Some((files, watched))) = (front, files) else {
        return std::future::pending().await;
    };
    let take_over = || files.config().map(|new| config.store(Arc::new(new)));
    watched.follow(take_over).await;
}

impl TlsFiles {
    fn config(&self) -> Result<rustls::ServerConfig, Failure> {
        server_config(&self.certificate, &self.key, &self.client_ca).map_err(Failure::misuse)
    }

    fn watch(&self) -> WatchedFiles {
        WatchedFiles::new([&self.certificate, &self.key, &self.client_ca].map(Clone::clone).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_named_by_host_and_port_alone() {
        let at = |url: &str| authority(&url.parse().unwrap()).map(|authority| authority.to_string()).ok();
        assert_eq!(at("http://127.0.0.1:8080").as_deref(), Some("127.0.0.1:8080"));
        assert_eq!(at("http://product/").as_deref(), Some("product"));
        for wrong in
            ["https://product", "product:8080", "http://product/path", "http://u@product", "http://p/?q"]
        {
            assert_eq!(at(wrong), None, "{wrong}");
        }
    }
}
