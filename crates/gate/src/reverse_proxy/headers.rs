//! Which headers go on.

use crate::check::Verified;
use crate::introduction::introduce;
use http::header::{
    CONNECTION, EXPECT, FORWARDED, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use std::net::IpAddr;

/// Headers of one connection (RFC 9110 section 7.6.1), beside those that `Connection` names.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// What a request goes on with. Certificate headers are gone already.
pub(super) fn towards_the_product(
    headers: &mut HeaderMap,
    verified: &Verified,
    host: &Authority,
    client: Option<IpAddr>,
) {
    end_to_end(headers);
    // The body follows at once; whoever waits for a 100 got it from this proxy.
    headers.remove(EXPECT);
    if let Ok(host) = HeaderValue::from_str(host.as_str()) {
        headers.insert(HOST, host);
    }
    if let Some(client) = client {
        forwarded(headers, host, client);
    }
    introduce(verified, headers);
}

/// Leaves only what is meant for the other end.
pub(super) fn end_to_end(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = named_by_connection(headers).filter_map(|name| name.parse().ok()).collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// The protocol that a request asks to change to (RFC 9110 section 7.8), one alone.
pub(super) fn wanted_protocol(version: Version, method: &Method, headers: &HeaderMap) -> Option<HeaderValue> {
    let is_asked = named_by_connection(headers).any(|name| name.eq_ignore_ascii_case("upgrade"));
    let mut protocols = headers.get_all(UPGRADE).iter();
    let protocol = protocols.next().filter(|_| protocols.next().is_none())?;
    let may = version == Version::HTTP_11 && *method == Method::GET && is_asked;
    may.then(|| protocol.clone())
}

/// `Connection: Upgrade` with its protocol.
pub(super) fn ask_for(protocol: HeaderValue, headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, protocol);
}

fn named_by_connection(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// Where a request came from, in place of what the client claims.
fn forwarded(headers: &mut HeaderMap, host: &Authority, client: IpAddr) {
    let is_claim = |name: &HeaderName| {
        let name = name.as_str().replace('_', "-");
        name.starts_with("x-forwarded-") || name == "x-real-ip" || name == FORWARDED.as_str()
    };
    let claimed: Vec<HeaderName> = headers.keys().filter(|name| is_claim(name)).cloned().collect();
    for name in claimed {
        headers.remove(name);
    }
    let client = client.to_canonical().to_string();
    for (name, value) in [
        ("x-forwarded-for", client.as_str()),
        ("x-forwarded-host", host.as_str()),
        ("x-forwarded-proto", "https"),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn what_belongs_to_a_connection_stays_there() {
        let mut told = headers(&[
            ("connection", "close, X-Own"),
            ("connection", "x-other,, Upgrade"),
            ("x-own", "1"),
            ("x-other", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-authorization", "Basic x"),
            ("te", "trailers"),
            ("trailer", "tegata-device"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("accept", "*/*"),
        ]);
        end_to_end(&mut told);
        assert_eq!(told, headers(&[("accept", "*/*")]));
    }

    #[test]
    fn an_upgrade_is_asked_for_by_both_headers_and_one_protocol() {
        let wanted = |pairs: &[(&str, &str)]| {
            wanted_protocol(Version::HTTP_11, &Method::GET, &headers(pairs))
                .map(|value| value.to_str().unwrap().to_owned())
        };
        let both = [("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")];
        assert_eq!(wanted(&both).as_deref(), Some("websocket"));
        assert_eq!(wanted(&both[..1]), None);
        assert_eq!(wanted(&both[1..]), None);
        assert_eq!(wanted(&[both[0], both[1], ("upgrade", "h2c")]), None);
        assert_eq!(wanted_protocol(Version::HTTP_2, &Method::GET, &headers(&both)), None);
        assert_eq!(wanted_protocol(Version::HTTP_11, &Method::POST, &headers(&both)), None);
    }

    #[test]
    fn whatever_a_client_says_about_its_way_here_is_replaced() {
        let mut told = headers(&[
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-for", "10.0.0.2"),
            ("x-forwarded-port", "1"),
            ("x_forwarded_proto", "http"),
            ("forwarded", "for=10.0.0.1"),
            ("x-real-ip", "10.0.0.1"),
        ]);
        forwarded(&mut told, &"a.example:8443".parse().unwrap(), "::ffff:192.0.2.7".parse().unwrap());
        let expected = [
            ("x-forwarded-for", "192.0.2.7"),
            ("x-forwarded-host", "a.example:8443"),
            ("x-forwarded-proto", "https"),
        ];
        assert_eq!(told, headers(&expected));
    }
}
