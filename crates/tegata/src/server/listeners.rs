//! The ports of an installation.

use crate::server::metrics;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use tegata_installation::{Config, Failure, FailureContext};
use tokio::net::TcpListener;

/// Where an installation listens.
pub struct Listeners {
    pub portal: TcpListener,
    pub device: TcpListener,
    pub public: TcpListener,
    pub proxy: Option<TcpListener>,
    pub metrics: Option<metrics::MetricsListener>,
}

impl Listeners {
    /// All that are configured.
    pub async fn bind(config: &Config) -> Result<Self, Failure> {
        Self::distinct(config)?;
        Ok(Self {
            portal: bind(config.portal.listen).await?,
            device: bind(config.device.listen).await?,
            public: bind(config.public.listen).await?,
            proxy: match &config.device.proxy {
                Some(proxy) => Some(bind(proxy.listen).await?),
                None => None,
            },
            metrics: match &config.metrics {
                Some(metrics) => Some(metrics::MetricsListener::bind(metrics.listen).await?),
                None => None,
            },
        })
    }

    /// No two listeners have one port.
    ///
    /// # Errors
    /// [`Failure::Misuse`] that names both.
    pub fn distinct(config: &Config) -> Result<(), Failure> {
        let places = [
            ("portal.listen", Some(config.portal.listen)),
            ("device.listen", Some(config.device.listen)),
            ("public.listen", Some(config.public.listen)),
            ("device.proxy.listen", config.device.proxy.as_ref().map(|proxy| proxy.listen)),
            ("metrics.listen", config.metrics.as_ref().map(|metrics| metrics.listen)),
        ];
        let places: Vec<_> = places.iter().filter_map(|(name, at)| at.map(|at| (name, at))).collect();
        for (place, (name, at)) in places.iter().enumerate() {
            if let Some((other, _)) = places[..place].iter().find(|(_, other)| collide(*other, *at)) {
                return Err(Failure::misuse(format!(
                    "{other} and {name} are one port, {}: give each its own",
                    at.port()
                )));
            }
        }
        Ok(())
    }

    /// Duplicates the listening sockets: connections that arrive meanwhile wait for whoever accepts first.
    pub fn again(&self) -> Result<Self, Failure> {
        Ok(Self {
            portal: again(&self.portal)?,
            device: again(&self.device)?,
            public: again(&self.public)?,
            proxy: self.proxy.as_ref().map(again).transpose()?,
            metrics: self.metrics.as_ref().map(metrics::MetricsListener::again).transpose()?,
        })
    }

    /// Of portal, device and public listener.
    pub fn ports(&self) -> Result<[u16; 3], Failure> {
        let port = |listener: &TcpListener| Ok(listener.local_addr().doing(PORT)?.port());
        Ok([port(&self.portal)?, port(&self.device)?, port(&self.public)?])
    }

    /// Writes the ports that were found into the addresses, where they are this machine's own. Devices behind a proxy
    /// know the proxy's.
    pub fn announce(&self, config: &mut Config) -> Result<(), Failure> {
        let public_device_url = config.device.proxy.is_some().then(|| config.device.url.clone());
        let urls = [&mut config.portal.url, &mut config.device.url, &mut config.public.url];
        for (url, port) in urls.into_iter().zip(self.ports()?) {
            *url = url.clone().with_port(port);
        }
        if let Some(url) = public_device_url {
            config.device.url = url;
        }
        Ok(())
    }
}

const PORT: &str = "cannot read a listener's port";

/// Port 0 is any free one. A listener at all addresses has the port at each of them.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let everywhere = |at: SocketAddr| at.ip().is_unspecified();
    one.port() != 0
        && one.port() == other.port()
        && (one.ip() == other.ip() || everywhere(one) || everywhere(other))
}

/// Another hold on a listening socket.
pub fn again(listener: &TcpListener) -> Result<TcpListener, Failure> {
    let cloned = listener.as_fd().try_clone_to_owned().map(std::net::TcpListener::from);
    cloned.and_then(TcpListener::from_std).doing("cannot keep a port open")
}

/// A port of this machine alone.
pub fn here(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// Binds a TCP socket; a failure names the address.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.doing(format!("cannot listen at {address}; is another server running?"))
}
