//! A request must be for the host that its connection was made for.
//!
//! One certificate for several hosts lets a browser send requests for all of them over one HTTP/2
//! connection. Which certificate a client presents is decided per connection, so a request that
//! strayed here is sent back with 421 (RFC 9110 section 15.5.20).

use crate::connection::ServerName;
use axum::extract::Request;
use http::header::HOST;
use http::uri::Authority;
use std::net::{IpAddr, Ipv6Addr};
use tegata_core::Refusal;
use tegata_net::normalized;

/// Plain HTTP has no server name to compare with and passes.
pub(crate) fn check(request: &Request) -> Result<(), Refusal> {
    let Some(ServerName(asked)) = request.extensions().get() else { return Ok(()) };
    let host = host_of(request)?;
    let matches = match asked {
        Some(name) => *name == host,
        // A client that connects to an address has no name to ask for (RFC 6066 section 3).
        None => is_address(&host),
    };
    if matches { Ok(()) } else { Err(Refusal::Misdirected) }
}

/// From the target when it has an authority (HTTP/2, absolute form), which a `Host` field may repeat but
/// not contradict; otherwise from exactly one `Host` (RFC 9112 section 3.2).
fn host_of(request: &Request) -> Result<String, Refusal> {
    let mut fields = request.headers().get_all(HOST).iter();
    let field = fields.next().map(|value| Authority::try_from(value.as_bytes()));
    let field = field.transpose().map_err(|_| Refusal::RequestMalformed)?;
    if fields.next().is_some() {
        return Err(Refusal::RequestMalformed);
    }
    let (host, other) = match (request.uri().authority(), field.as_ref()) {
        (Some(target), other) => (target, other),
        (None, Some(field)) => (field, None),
        (None, None) => return Err(Refusal::RequestMalformed),
    };
    let agreed = other.is_none_or(|other| normalized(other.host()) == normalized(host.host()));
    if agreed && !host.as_str().contains('@') {
        Ok(normalized(host.host()))
    } else {
        Err(Refusal::Misdirected)
    }
}

fn is_address(host: &str) -> bool {
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    inner.map_or_else(|| host.parse::<IpAddr>().is_ok(), |inner| inner.parse::<Ipv6Addr>().is_ok())
}
