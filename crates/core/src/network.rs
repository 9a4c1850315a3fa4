//! Networks in CIDR notation, for trusted proxies and rules.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// One address, or all addresses with the same first bits: `127.0.0.1`, `10.1.0.0/16`, `fd00::/8`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// The text is not an address, or not one with a prefix length that covers it exactly.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a network is an address such as 127.0.0.1 or a prefix such as 10.1.0.0/16 without bits beyond it")]
pub struct NotANetwork;

impl Network {
    /// Whether the address lies within. An IPv4 address inside an IPv6 one (`::ffff:127.0.0.1`, as
    /// dual-stack listeners report it) counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                (network.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(self.bits)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                (network.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(self.bits)
            }
            _ => false,
        }
    }

    /// The loopback networks of IPv4 and IPv6: the host itself.
    pub fn loopback() -> Vec<Self> {
        vec![IpAddr::V4(Ipv4Addr::LOCALHOST).into(), IpAddr::V6(Ipv6Addr::LOCALHOST).into()]
    }

    fn has_bits_beyond(&self) -> bool {
        match self.address {
            IpAddr::V4(address) => u32::from(self.bits) + address.to_bits().trailing_zeros() < 32,
            IpAddr::V6(address) => u32::from(self.bits) + address.to_bits().trailing_zeros() < 128,
        }
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self { address, bits: if address.is_ipv4() { 32 } else { 128 } }
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let Some((address, bits)) = text.split_once('/') else {
            return text.parse::<IpAddr>().map(Self::from).map_err(|_| NotANetwork);
        };
        let address: IpAddr = address.parse().map_err(|_| NotANetwork)?;
        let network = Self { address, bits: bits.parse().map_err(|_| NotANetwork)? };
        let whole = Self::from(address).bits;
        if network.bits > whole || address != address.to_canonical() || network.has_bits_beyond() {
            return Err(NotANetwork);
        }
        Ok(network)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.address, self.bits)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        network.parse::<Network>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn an_operator_names_addresses_and_prefixes() {
        assert!(contains("127.0.0.1", "127.0.0.1"));
        assert!(contains("127.0.0.1", "::ffff:127.0.0.1"));
        assert!(!contains("127.0.0.1", "127.0.0.2"));
        assert!(contains("10.1.0.0/16", "10.1.255.3"));
        assert!(!contains("10.1.0.0/16", "10.2.0.0"));
        assert!(contains("fd00::/8", "fdff::1"));
        assert!(!contains("fd00::/8", "fe80::1"));
        assert!(contains("0.0.0.0/0", "8.8.8.8"));
        assert!(!contains("0.0.0.0/0", "::1"), "all of IPv4 is nothing of IPv6");
    }

    #[test]
    fn what_covers_more_or_less_than_it_says_is_refused() {
        for wrong in
            ["", "localhost", "10.1.0.0/33", "10.1.2.3/16", "::/129", "10.0.0.0/", "::ffff:10.0.0.0/104"]
        {
            assert_eq!(wrong.parse::<Network>(), Err(NotANetwork), "{wrong}");
        }
    }
}
