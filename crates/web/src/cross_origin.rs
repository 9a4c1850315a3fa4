//! Pages of registered clients at other origins, which ask the endpoints for clients from a browser (CORS, the Fetch standard).
//!
//! The browser asks beforehand (a preflight) on a connection without the certificate, so the answer says nothing but which
//! origins may ask. What they ask afterwards is decided by certificate and client as always; no origin makes anybody known.

use crate::ClientRegistry;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, CACHE_CONTROL, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use std::sync::Arc;

/// What such a page may send, beside what every page may.
const HEADERS: &str = "authorization, content-type, dpop";

/// What of an answer its script may read, beside what every script may.
const EXPOSED: &str = "dpop-nonce, www-authenticate";

/// Seconds that a browser need not ask again.
const MAX_AGE: &str = "600";

/// What pages of other origins may ask, and which.
#[derive(Clone, Debug, Default)]
pub struct CrossOriginRules {
    /// Paths that scripts of registered clients' pages may ask, as they are written.
    pub paths: &'static [&'static str],
    /// The clients, with their origins. No other origin is like any of them.
    pub clients: Arc<ClientRegistry>,
    /// Paths to which any page may send a form. What is done there must not go by a cookie.
    pub forms: &'static [&'static str],
}

/// A request for one of the paths.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct CrossOriginRequest {
    /// The origin of the page, if it may ask.
    allowed: Option<HeaderValue>,
    is_preflight: bool,
}

impl CrossOriginRules {
    /// What a request is for these rules; none where they are not about its path.
    pub(crate) fn read(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Option<CrossOriginRequest> {
        if !self.paths.contains(&path) {
            return None;
        }
        let mut named = headers.get_all(ORIGIN).iter();
        let origin = named.next().filter(|_| named.next().is_none());
        let is_known =
            |origin: &&HeaderValue| origin.to_str().is_ok_and(|text| self.clients.has_origin(text));
        let asks = *method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        Some(CrossOriginRequest {
            allowed: origin.filter(is_known).cloned(),
            is_preflight: asks && origin.is_some(),
        })
    }
}

impl CrossOriginRules {
    /// Whether any page may send this form.
    pub(crate) fn takes_form(&self, method: &Method, path: &str) -> bool {
        *method == Method::POST && self.forms.contains(&path)
    }
}

impl CrossOriginRequest {
    /// Whether it comes from a page that may ask.
    pub(crate) fn is_allowed(&self) -> bool {
        self.allowed.is_some()
    }

    /// The answer to a preflight; none where the request is none. A browser whose page may not ask finds nothing in it.
    pub(crate) fn preflight<B: Default>(&self) -> Option<Response<B>> {
        if !self.is_preflight {
            return None;
        }
        let mut answer = Response::new(B::default());
        *answer.status_mut() = if self.is_allowed() { StatusCode::NO_CONTENT } else { StatusCode::FORBIDDEN };
        let headers = answer.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.is_allowed() {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(HEADERS));
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
        }
        Some(answer)
    }

    /// Lets the page read the answer, if it may ask. Whoever keeps answers keeps them apart by origin in any case.
    pub(crate) fn open<B>(self, answer: &mut Response<B>) {
        let headers = answer.headers_mut();
        headers.append(VARY, HeaderValue::from_static("origin"));
        let Some(origin) = self.allowed else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        if !self.is_preflight {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClientAuthentication, RegisteredClient, Registrant};
    use tegata_core::ClientSignIn;

    fn rules() -> CrossOriginRules {
        let page = RegisteredClient {
            client_id: "page".into(),
            by: Registrant::Configuration,
            method: ClientAuthentication::Public,
            client_credentials: false,
            audiences: Vec::new(),
            scope: String::new(),
            introspects: Vec::new(),
            dpop_bound_access_tokens: false,
            sign_in: ClientSignIn { origins: vec!["https://page.example".into()], ..ClientSignIn::default() },
        };
        let clients = Arc::new(ClientRegistry::new([page], |_| true).unwrap());
        CrossOriginRules { paths: &["/oauth/token"], clients, forms: &["/authorize"] }
    }

    #[test]
    fn any_page_may_send_a_form_where_no_cookie_counts_and_nowhere_else() {
        let takes = |method: Method, path: &str| rules().takes_form(&method, path);
        assert!(takes(Method::POST, "/authorize"));
        assert!(
            !takes(Method::PUT, "/authorize")
                && !takes(Method::POST, "/authorize/")
                && !takes(Method::POST, "/sign-in")
        );
    }

    fn asked(method: &str, path: &str, headers: &[(&str, &str)]) -> Option<CrossOriginRequest> {
        let pairs = headers.iter().map(|(name, value)| {
            (name.parse::<http::HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
        });
        rules().read(&method.parse().unwrap(), path, &pairs.collect())
    }

    #[test]
    fn a_registered_origin_may_ask_and_no_other_is_like_it() {
        let allowed =
            |origin: &str| asked("POST", "/oauth/token", &[("origin", origin)]).unwrap().is_allowed();
        assert!(allowed("https://page.example"));
        for other in [
            "https://page.example:443",
            "https://page.example.evil.example",
            "https://evil-page.example",
            "https://PAGE.example",
            "http://page.example",
            "https://page.example/",
            "null",
            "*",
            "",
        ] {
            assert!(!allowed(other), "{other}");
        }
        let twice = [("origin", "https://page.example"), ("origin", "https://page.example")];
        assert!(!asked("POST", "/oauth/token", &twice).unwrap().is_allowed());
        assert_eq!(asked("POST", "/oauth/token/", &twice[..1]), None, "of this path nothing is said");
    }

    #[test]
    fn the_script_of_a_page_reads_the_nonce_for_its_next_proof() {
        let mut answer: Response<()> = Response::default();
        asked("POST", "/oauth/token", &[("origin", "https://page.example")]).unwrap().open(&mut answer);
        assert_eq!(answer.headers()["access-control-expose-headers"], "dpop-nonce, www-authenticate");
    }

    #[test]
    fn a_preflight_says_what_may_be_sent_and_to_strangers_nothing() {
        let both = [("origin", "https://page.example"), ("access-control-request-method", "POST")];
        let preflight = asked("OPTIONS", "/oauth/token", &both).unwrap();
        let mut answer: Response<()> = preflight.preflight().unwrap();
        preflight.open(&mut answer);
        assert_eq!(answer.status(), 204);
        assert_eq!(answer.headers()["access-control-allow-origin"], "https://page.example");
        assert_eq!(answer.headers()["access-control-allow-credentials"], "true");
        assert_eq!(answer.headers()["vary"], "origin");
        assert_eq!(answer.headers()["access-control-allow-headers"], "authorization, content-type, dpop");

        let evil = [("origin", "https://evil.example"), both[1]];
        let preflight = asked("OPTIONS", "/oauth/token", &evil).unwrap();
        let mut answer: Response<()> = preflight.preflight().unwrap();
        preflight.open(&mut answer);
        let told = answer.headers().keys().any(|name| name.as_str().starts_with("access-control-"));
        assert_eq!((answer.status().as_u16(), told), (403, false));
        assert_eq!(asked("OPTIONS", "/oauth/token", &both[..1]).unwrap().preflight::<()>().map(drop), None);
        assert_eq!(asked("POST", "/oauth/token", &both).unwrap().preflight::<()>().map(drop), None);
    }
}
