//! Where a request comes from when a proxy stands before a listener: `X-Forwarded-For`, from proxies that are configured and
//! from nobody else.
//!
//! Each proxy adds the address of its own client at the end, so the list is read from there: what stands before the first
//! address that is no proxy of ours was written by somebody else. Where it cannot be read, nothing is known, and the proxy
//! is not taken for its client.

use crate::connection::{BehindProxy, PeerAddress};
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http::HeaderMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tegata_core::Network;

const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// The router of a listener that these proxies stand before.
pub fn behind(proxies: &[Network], router: Router) -> Router {
    if proxies.is_empty() {
        return router;
    }
    router.layer(from_fn_with_state(Arc::<[Network]>::from(proxies), find_client))
}

async fn find_client(State(proxies): State<Arc<[Network]>>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get().map(|PeerAddress(address)| address.ip());
    let is_proxy = |address: IpAddr| proxies.iter().any(|network| network.contains(address));
    if peer.is_some_and(is_proxy) {
        match client(request.headers(), is_proxy) {
            Some(client) => {
                request.extensions_mut().insert(PeerAddress(SocketAddr::new(client, 0)));
            }
            None => {
                request.extensions_mut().insert(BehindProxy);
            }
        }
    }
    next.run(request).await
}

/// The last address that is no proxy's.
fn client(headers: &HeaderMap, is_proxy: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
    for field in headers.get_all(X_FORWARDED_FOR).iter().rev() {
        for text in field.to_str().ok()?.rsplit(',') {
            let address = address(text.trim())?;
            if !is_proxy(address) {
                return Some(address);
            }
        }
    }
    None
}

/// Some proxies write a port behind it.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let read = bare.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    read.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::routing::get;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    /// What a listener behind `10.0.0.0/8` takes for the client.
    async fn seen(peer: &str, fields: &[&str]) -> String {
        let tell = async |request: Request| {
            let facts = request.extensions();
            let PeerAddress(address) = facts.get().expect("a peer");
            if facts.get::<BehindProxy>().is_some() { "nobody".to_owned() } else { address.ip().to_string() }
        };
        let router = behind(&["10.0.0.0/8".parse().unwrap()], Router::new().route("/", get(tell)));
        let mut request = Request::get("/");
        for field in fields {
            request = request.header(X_FORWARDED_FOR, *field);
        }
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(PeerAddress(SocketAddr::new(peer.parse().unwrap(), 1)));
        let answer = router.oneshot(request).await.unwrap();
        String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_configured_proxy_says_who_its_client_is_and_nobody_else_does() {
        assert_eq!(seen("10.0.0.1", &["192.0.2.7"]).await, "192.0.2.7");
        assert_eq!(seen("10.0.0.1", &["192.0.2.7, 10.0.0.2"]).await, "192.0.2.7", "through two proxies");
        assert_eq!(seen("10.0.0.1", &["198.51.100.1, 192.0.2.7"]).await, "192.0.2.7", "a client's own word");
        assert_eq!(
            seen("10.0.0.1", &["198.51.100.1", "192.0.2.7"]).await,
            "192.0.2.7",
            "in a field of its own"
        );
        assert_eq!(seen("10.0.0.1", &["[2001:db8::7]:443"]).await, "2001:db8::7");
        assert_eq!(seen("203.0.113.5", &["192.0.2.7"]).await, "203.0.113.5", "no proxy of ours");
    }

    #[tokio::test]
    async fn a_proxy_that_does_not_say_is_not_taken_for_its_client() {
        for fields in [&[][..], &["unknown"], &[""], &["10.0.0.3"], &["192.0.2.7, _hidden"]] {
            assert_eq!(seen("10.0.0.1", fields).await, "nobody", "{fields:?}");
        }
    }
}
