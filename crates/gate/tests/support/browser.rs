//! A browser of the device: it keeps cookies and says of itself what browsers say.

use super::client::{ClientAnswer, TestClient};
use http::Method;
use std::collections::BTreeMap;

pub struct DeviceBrowser {
    client: TestClient,
    pub cookies: BTreeMap<String, String>,
}

/// What a browser sends when a person opens a page.
pub const NAVIGATION: [(&str, &str); 4] = [
    ("accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-dest", "document"),
    ("sec-fetch-site", "none"),
];

/// What it sends when a page's script fetches from its own origin.
pub const FETCH: [(&str, &str); 3] =
    [("accept", "*/*"), ("sec-fetch-mode", "cors"), ("sec-fetch-site", "same-origin")];

impl DeviceBrowser {
    pub fn new(client: TestClient) -> Self {
        Self { client, cookies: BTreeMap::new() }
    }

    /// Keeps the cookies and goes on over a new connection.
    pub fn reconnected(self, client: TestClient) -> Self {
        Self { client, ..self }
    }

    /// Opens a page, without following where it leads.
    pub async fn open(&mut self, path: &str) -> ClientAnswer {
        self.send(Method::GET, path, &NAVIGATION).await
    }

    pub async fn fetch(&mut self, path: &str) -> ClientAnswer {
        self.send(Method::GET, path, &FETCH).await
    }

    pub async fn send(&mut self, method: Method, path: &str, headers: &[(&str, &str)]) -> ClientAnswer {
        let cookies = self.cookie_header();
        let mut headers = headers.to_vec();
        if !cookies.is_empty() {
            headers.push(("cookie", &cookies));
        }
        let answer = self.client.request(method, path, &headers).await;
        for cookie in answer.headers.get_all("set-cookie") {
            self.keep(cookie.to_str().unwrap());
        }
        answer
    }

    pub fn cookie_header(&self) -> String {
        let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    /// RFC 6265bis, for the cookies of this gate: `__Host-` demands `Secure`, `Path=/` and no `Domain`.
    fn keep(&mut self, cookie: &str) {
        let (pair, attributes) = cookie.split_once("; ").expect("attributes");
        let (name, value) = pair.split_once('=').expect("a pair");
        assert!(name.starts_with("__Host-"), "{name}");
        for wanted in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
            assert!(attributes.split("; ").any(|attribute| attribute == wanted), "{cookie}");
        }
        assert!(!attributes.contains("Domain"), "{cookie}");
        assert!(cookie.len() <= 4096, "a browser keeps no longer one");
        if attributes.contains("Max-Age=0") {
            self.cookies.remove(name);
        } else {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }

    pub fn session(&self) -> &str {
        &self.cookies["__Host-tegata-session"]
    }

    pub fn has_session(&self) -> bool {
        self.cookies.contains_key("__Host-tegata-session")
    }
}
