//! A request as far as sessions look at it.

use crate::certificate::ClientCertificate;
use crate::problem::takes_a_page;
use http::header::{ORIGIN, UPGRADE};
use http::{HeaderMap, Method};
use tegata_net::navigation::opens_a_page;

/// The longest address, path and query, that a browser comes back to after a sign-in. Cookies have 4,096 bytes.
const LONGEST_RETURN: usize = 2048;

/// One request at the product.
#[derive(Clone, Copy)]
pub struct BrowserRequest<'a> {
    /// The method of the request to the product.
    pub method: &'a Method,
    /// Path and query, as the browser wrote them.
    pub target: &'a str,
    /// Its headers, cookies included.
    pub headers: &'a HeaderMap,
    /// The certificate of its connection.
    pub presented: Option<&'a ClientCertificate>,
}

impl BrowserRequest<'_> {
    /// Whether a person opens a page in a tab: what may be answered by leading them to the sign-in. A page within a page
    /// may not, for the sign-in is not shown there.
    pub(super) fn opens_a_page(&self) -> bool {
        *self.method == Method::GET && takes_a_page(self.headers) && opens_a_page(self.headers)
    }

    /// Where a browser comes back to after a sign-in: what it asked for, or the front page where that is too long to be
    /// kept, or the gate's own.
    pub(super) fn return_to(&self) -> &str {
        let is_kept = self.target.len() <= LONGEST_RETURN
            && self.target.starts_with('/')
            && self.target.bytes().all(|byte| byte.is_ascii_graphic())
            && !self.target.starts_with(super::OWN_PATHS);
        if is_kept { self.target } else { "/" }
    }

    /// Whether a page of another origin may have sent it. Cookies that are `SameSite=Lax` come along from sibling hosts,
    /// and with what a script opens as a WebSocket there.
    pub(super) fn may_be_forged(&self, origin: &str) -> bool {
        let is_safe = matches!(*self.method, Method::GET | Method::HEAD | Method::OPTIONS);
        // Proxies that ask keep `Upgrade` to themselves and pass the key on, which no page's script can set (RFC 6455 section 11.3.1).
        let opens_a_socket =
            self.headers.contains_key(UPGRADE) || self.headers.contains_key("sec-websocket-key");
        let changes_something = !is_safe || opens_a_socket;
        changes_something && self.is_foreign(origin) == Some(true)
    }

    /// Whether it surely comes from a page of this origin.
    pub(super) fn is_own(&self, origin: &str) -> bool {
        self.is_foreign(origin) == Some(false)
    }

    /// What the browser says of where the request comes from (Fetch Metadata, or `Origin`); `None` where it says nothing.
    fn is_foreign(&self, origin: &str) -> Option<bool> {
        let named = self.headers.get(ORIGIN);
        match self.headers.get("sec-fetch-site").map(http::HeaderValue::as_bytes) {
            Some(b"same-origin") => Some(false),
            // A person typed it, or followed a bookmark.
            Some(b"none") => named.map(|named| named != origin).or(Some(false)),
            Some(_) => Some(true),
            None => named.map(|named| named != origin),
        }
    }
}
