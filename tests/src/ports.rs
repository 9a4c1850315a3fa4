//! Ports that nobody uses.

use std::net::{TcpListener, TcpStream};

/// A port of 127.0.0.1 that was free just now.
pub fn free() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// Whether somebody listens there.
pub fn answers(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// The port of a URL such as `https://localhost:8443/path`.
pub fn of(url: &str) -> u16 {
    let (_, rest) = url.split_once("://").unwrap_or_else(|| panic!("{url} has no scheme"));
    let authority = rest.split('/').next().unwrap_or_default();
    let (_, port) = authority.rsplit_once(':').unwrap_or_else(|| panic!("{url} has no port"));
    port.parse().unwrap_or_else(|_| panic!("{url} has no port"))
}
