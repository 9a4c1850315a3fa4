//! Where the canary of a server asks: at the listeners of this server, also where the names lead to others.

use crate::server::listeners::Listeners;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tegata_installation::{Failure, FailureContext};
use tokio::net::TcpListener;

/// The addresses of this server's own listeners.
#[derive(Clone, Copy, Debug)]
pub struct OwnListeners {
    pub portal: SocketAddr,
    pub device: SocketAddr,
    pub public: SocketAddr,
}

impl OwnListeners {
    pub fn of(bound: &Listeners) -> Result<Self, Failure> {
        Ok(Self {
            portal: reachable(&bound.portal)?,
            device: reachable(&bound.device)?,
            public: reachable(&bound.public)?,
        })
    }
}

/// A listener at all addresses is asked at this machine's own.
fn reachable(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    let at = listener.local_addr().doing("cannot read a listener's address")?;
    let ip = match at.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    Ok(SocketAddr::new(ip, at.port()))
}
