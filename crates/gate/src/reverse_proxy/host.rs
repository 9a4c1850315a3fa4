//! Which host a request is for.
//!
//! One certificate for several hosts lets a browser send requests for all of them over one HTTP/2
//! connection (RFC 9113 section 9.1.1). Which certificate a client presents is decided per connection,
//! so a request that strayed here is sent back with 421.

use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, Uri};
use std::net::{IpAddr, Ipv6Addr};
use tegata_core::Refusal;

/// The host and port of a request: from the target when it has an authority (HTTP/2, absolute form),
/// which a `Host` field may repeat but not contradict; otherwise from exactly one `Host` (RFC 9112
/// section 3.2).
pub(super) fn host(uri: &Uri, headers: &HeaderMap) -> Result<Authority, Refusal> {
    let mut fields = headers.get_all(HOST).iter();
    let field = fields.next().map(|value| Authority::try_from(value.as_bytes()));
    let field = field.transpose().map_err(|_| Refusal::RequestMalformed)?;
    if fields.next().is_some() {
        return Err(Refusal::RequestMalformed);
    }
    let host = match (uri.authority(), field) {
        (Some(target), Some(field)) if !is_same(target.host(), field.host()) => {
            return Err(Refusal::Misdirected);
        }
        (Some(target), _) => target.clone(),
        (None, field) => field.ok_or(Refusal::RequestMalformed)?,
    };
    if host.as_str().contains('@') { Err(Refusal::RequestMalformed) } else { Ok(host) }
}

/// Whether a request for `host` belongs on a connection made for `server_name`.
///
/// # Errors
/// [`Refusal::Misdirected`].
pub(super) fn must_match(host: &Authority, server_name: Option<&str>) -> Result<(), Refusal> {
    let matches = match server_name {
        Some(name) => is_same(name, host.host()),
        // A client that connects to an address has no name to ask for (RFC 6066 section 3).
        None => is_address(host.host()),
    };
    if matches { Ok(()) } else { Err(Refusal::Misdirected) }
}

fn is_same(one: &str, other: &str) -> bool {
    let plain = |name: &str| name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    plain(one) == plain(other)
}

fn is_address(host: &str) -> bool {
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    inner.map_or_else(|| host.parse::<IpAddr>().is_ok(), |inner| inner.parse::<Ipv6Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(uri: &str, hosts: &[&str]) -> Result<String, Refusal> {
        let headers = hosts.iter().map(|host| (HOST, host.parse().unwrap())).collect();
        host(&uri.parse().unwrap(), &headers).map(|host| host.to_string())
    }

    #[test]
    fn a_request_names_one_host() {
        assert_eq!(asked("/", &["a.example:8443"]).as_deref(), Ok("a.example:8443"));
        assert_eq!(asked("https://a.example/x", &["A.example."]).as_deref(), Ok("a.example"));
        assert_eq!(asked("https://a.example/x", &[]).as_deref(), Ok("a.example"));
        for wrong in [&[][..], &["a", "a"], &["a b"], &["user@a"]] {
            assert_eq!(asked("/", wrong), Err(Refusal::RequestMalformed), "{wrong:?}");
        }
        assert_eq!(asked("https://a.example/", &["b.example"]), Err(Refusal::Misdirected));
    }

    #[test]
    fn a_connection_made_for_one_host_carries_requests_for_no_other() {
        let at = |host: &str, name: Option<&str>| must_match(&host.parse().unwrap(), name).is_ok();
        assert!(at("A.example:443", Some("a.example")));
        assert!(!at("b.example", Some("a.example")));
        assert!(!at("a.example", None));
        assert!(at("127.0.0.1:8443", None) && at("[::1]:8443", None));
        assert!(!at("127.0.0.1", Some("a.example")));
    }
}
