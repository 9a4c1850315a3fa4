//! Which headers go on.

use crate::cookies;
use http::header::{
    CONNECTION, EXPECT, FORWARDED, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use std::net::IpAddr;
use tegata_core::header_name::as_seen;

/// Headers of one connection (RFC 9110 section 7.6.1), beside those that `Connection` names.
const HOP_BY_HOP: [HeaderName; 10] = [
    CONNECTION,
    // Of the upgrade to HTTP/2 (RFC 7540 section 3.2.1), which is never passed on.
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// The one protocol that a connection may change to.
///
/// Any other would be bytes that nobody here reads: with `h2c` a client could go on to send requests, and whatever
/// headers it likes, past every check.
const WEBSOCKET: &str = "websocket";

/// What a request goes on with. Headers about certificates are gone already. `client` is known where this proxy is the
/// first one.
pub(super) fn towards_the_product(headers: &mut HeaderMap, host: &Authority, client: Option<IpAddr>) {
    end_to_end(headers);
    cookies::join(headers);
    // The body follows at once; whoever waits for a 100 got it from this proxy.
    headers.remove(EXPECT);
    if let Ok(host) = HeaderValue::from_str(host.as_str()) {
        headers.insert(HOST, host);
    }
    remove_claims(headers, client.is_none());
    if let Some(client) = client {
        forwarded(headers, host, client);
    }
}

/// Leaves only what is meant for the other end.
pub(super) fn end_to_end(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = named_by_connection(headers).filter_map(|name| name.parse().ok()).collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// Whether a request asks to change to a protocol that may pass (RFC 9110 section 7.8).
pub(super) fn wants_websocket(version: Version, method: &Method, headers: &HeaderMap) -> bool {
    version == Version::HTTP_11 && *method == Method::GET && names_websocket(headers)
}

/// Whether both headers of an upgrade are there, and name this protocol and no other.
pub(super) fn names_websocket(headers: &HeaderMap) -> bool {
    let mut protocols = headers.get_all(UPGRADE).iter();
    let is_websocket = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(WEBSOCKET.as_bytes());
    named_by_connection(headers).any(|name| name.eq_ignore_ascii_case("upgrade"))
        && protocols.next().is_some_and(is_websocket)
        && protocols.next().is_none()
}

/// `Connection: Upgrade` with its protocol.
pub(super) fn name_websocket(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(WEBSOCKET));
}

fn named_by_connection(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// Removes what a client claims about its way here, and the `Proxy` header, which CGI programs take for a proxy of
/// their own (CVE-2016-5385). Where another proxy stands before this one, what that one writes stays, and only what looks
/// like it to a forgetful product goes.
fn remove_claims(headers: &mut HeaderMap, keeps_exact: bool) {
    let is_removed = |name: &HeaderName| {
        let seen = as_seen(name.as_str());
        let is_claim = seen.starts_with("x-forwarded-") || seen == "x-real-ip" || seen == FORWARDED.as_str();
        seen == "proxy" || is_claim && !(keeps_exact && seen == name.as_str())
    };
    let claimed: Vec<HeaderName> = headers.keys().filter(|name| is_removed(name)).cloned().collect();
    for name in claimed {
        headers.remove(name);
    }
}

/// Where a request came from.
fn forwarded(headers: &mut HeaderMap, host: &Authority, client: IpAddr) {
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
        let mut claimed = headers(&[
            ("connection", "close, X-Own"),
            ("connection", "x-other,, Upgrade"),
            ("x-own", "1"),
            ("x-other", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-authorization", "Basic x"),
            ("http2-settings", "AAMAAABk"),
            ("te", "trailers"),
            ("trailer", "tegata-device"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("accept", "*/*"),
        ]);
        end_to_end(&mut claimed);
        assert_eq!(claimed, headers(&[("accept", "*/*")]));
    }

    #[test]
    fn a_connection_changes_to_nothing_but_a_websocket() {
        let wanted =
            |pairs: &[(&str, &str)]| wants_websocket(Version::HTTP_11, &Method::GET, &headers(pairs));
        let both = [("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")];
        assert!(wanted(&both));
        assert!(!wanted(&both[..1]) && !wanted(&both[1..]), "both headers ask");
        for other in ["h2c", "TLS/1.3", "websocket, h2c", "h2c, websocket", "websocket/13", "", " "] {
            assert!(!wanted(&[both[0], ("upgrade", other)]), "{other}");
        }
        assert!(!wanted(&[both[0], both[1], ("upgrade", "h2c")]));
        assert!(!wants_websocket(Version::HTTP_2, &Method::GET, &headers(&both)));
        assert!(!wants_websocket(Version::HTTP_11, &Method::POST, &headers(&both)));
    }

    #[test]
    fn whatever_a_client_says_about_its_way_here_is_replaced() {
        let mut claimed = headers(&[
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-for", "10.0.0.2"),
            ("x-forwarded-port", "1"),
            ("x_forwarded_proto", "http"),
            ("forwarded", "for=10.0.0.1"),
            ("x-real-ip", "10.0.0.1"),
            ("X.Real.IP", "10.0.0.1"),
            ("x~forwarded~for", "10.0.0.1"),
            ("proxy", "http://10.0.0.1"),
        ]);
        remove_claims(&mut claimed, false);
        forwarded(&mut claimed, &"a.example:8443".parse().unwrap(), "::ffff:192.0.2.7".parse().unwrap());
        let expected = [
            ("x-forwarded-for", "192.0.2.7"),
            ("x-forwarded-host", "a.example:8443"),
            ("x-forwarded-proto", "https"),
        ];
        assert_eq!(claimed, headers(&expected));
    }

    #[test]
    fn headers_of_the_trusted_proxy_stay_and_forged_ones_are_removed() {
        let mut claimed =
            headers(&[("x-forwarded-for", "192.0.2.7"), ("X.Forwarded.For", "10.0.0.1"), ("proxy", "x")]);
        remove_claims(&mut claimed, true);
        assert_eq!(claimed, headers(&[("x-forwarded-for", "192.0.2.7")]));
    }
}
