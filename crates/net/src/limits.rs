//! The limits of a listener: times, sizes and numbers of connections.

use std::time::Duration;

/// What no client of one listener may exceed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the TCP connection to the end of the TLS handshake; where a certificate is asked for, to that question.
    pub handshake: Duration,
    /// From that question to the end of the handshake. Firefox asks its reader in the middle of it. Only half of the
    /// connections may take this time at once; the others have `handshake`.
    pub choice: Duration,
    /// From the end of the handshake to the first request.
    pub first_request: Duration,
    /// From the moment a request may be sent to the end of its header. hyper's clock runs between two
    /// requests as well, so an HTTP/1.1 connection that waits longer than this for its next one is closed.
    pub header: Duration,
    /// Without any request, once there was one: the shorter of this and `header` in HTTP/1.1.
    pub idle: Duration,
    /// How long a connection may take to end once it is asked to, before it is cut.
    pub drain: Duration,
    /// For a client to take the next 16 KiB of an answer. It is noticed after twice this time at most.
    pub stalled: Duration,
    /// Connections at one time; others wait in the kernel's queue.
    pub connections: usize,
    /// Connections at one time from one IPv4 address, or one /64 of IPv6. Behind an address there may be a company
    /// whose stores all begin at nine.
    pub per_network: usize,
    /// Connections at one time that have sent no request yet, handshakes under way among them. Further ones push out
    /// others: strangers first, those of the network with the most of them first.
    pub silent: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            choice: Duration::from_mins(2),
            first_request: Duration::from_secs(10),
            header: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            drain: Duration::from_secs(10),
            stalled: Duration::from_secs(30),
            connections: 4096,
            per_network: 2048,
            silent: 2048,
        }
    }
}

impl Limits {
    /// These limits for a listener whose clients are proxies: all users share a proxy's address, so no network is
    /// limited by itself.
    #[must_use]
    pub fn for_proxies(self) -> Self {
        Self { per_network: self.connections, silent: self.connections, ..self }
    }
}
