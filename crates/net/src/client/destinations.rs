//! Where requests may go.

use crate::listener::normalized;
use http::Uri;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tegata_core::Network;
use tokio::net::lookup_host;

/// Where requests may go. The addresses that a name leads to are looked at, and the connection is made to one of those:
/// a name that leads elsewhere a moment later changes nothing.
#[derive(Clone, Debug)]
pub enum Destinations {
    /// To whatever address: the other end is this installation, whose word is trusted about where it is.
    Anywhere,
    /// To this address and no other, whatever the name of the host leads to. The name is still verified by the certificate.
    At(SocketAddr),
    /// To these hosts, which the operator wrote down, wherever they are; to every other one, which some document named,
    /// only at a public address. So nobody outside sends the server into the network it stands in.
    Named(Vec<String>),
}

impl Destinations {
    /// These hosts, that the operator wrote down.
    pub fn named<'a>(hosts: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Named(hosts.into_iter().map(|host| normalized(host.trim_matches(['[', ']']))).collect())
    }

    /// The host of a URL that the operator wrote down.
    pub fn host_of(url: &Uri) -> Self {
        Self::named(url.host())
    }

    /// Where a connection to the host may be made.
    pub(super) async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Self::At(only) = self {
            return Ok(vec![*only]);
        }
        let found = lookup_host((host, port)).await?;
        Ok(found.filter(|address| self.allow(host, address.ip())).collect())
    }

    fn allow(&self, host: &str, address: IpAddr) -> bool {
        match self {
            Self::Anywhere => true,
            Self::At(only) => only.ip() == address,
            Self::Named(hosts) => hosts.contains(&normalized(host)) || is_public(address),
        }
    }
}

/// Whether anybody on the Internet has this address, by the registries of special addresses (RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast();
    // "This network", shared by carriers, of the IETF, benchmarks, and whatever is reserved.
    !special
        && !within(
            address.into(),
            &["0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4"],
        )
}

/// Global unicast is `2000::/3`; in it are addresses of the IETF, among them Teredo's, documentation, and 6to4, which lead
/// to whatever IPv4 address is written in them.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let address = address.into();
    within(address, &["2000::/3"])
        && !within(address, &["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"])
}

fn within(address: IpAddr, networks: &[&str]) -> bool {
    networks.iter().filter_map(|text| text.parse::<Network>().ok()).any(|network| network.contains(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_of_a_network_of_ones_own_is_public() {
        for public in ["8.8.8.8", "192.0.1.1", "100.63.0.1", "172.15.0.1", "2606:4700::1111", "2400:cb00::1"]
        {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for own in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.168.1.1",
            "192.0.0.8",
            "198.18.0.1",
            "203.0.113.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "::",
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2001:db8::1",
            "2001::1",
            "2002:a00:1::1",
            "ff02::1",
            "fec0::1",
        ] {
            assert!(!is_public(own.parse().unwrap()), "{own}");
        }
    }

    #[test]
    fn a_host_that_the_operator_named_may_be_anywhere_and_no_other_one() {
        let named = Destinations::named(["Idp.Example.JP."]);
        let inside = "10.0.0.1".parse().unwrap();
        assert!(
            named.allow("idp.example.jp", inside) && named.allow("other.example", "8.8.8.8".parse().unwrap())
        );
        assert!(!named.allow("other.example", inside) && !named.allow("sub.idp.example.jp", inside));
        assert!(Destinations::Anywhere.allow("other.example", inside));
    }
}
