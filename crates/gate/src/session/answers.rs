//! What the gate itself answers at the product's origin.

use super::browser_request::BrowserRequest;
use super::{BrowserSessions, CALLBACK, SIGN_OUT, SIGNED_OUT, own_pages};
use crate::certificate::ClientCertificate;
use crate::problem::language_of;
use http::header::{ALLOW, CACHE_CONTROL, LOCATION, REFERRER_POLICY, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;
use tegata_core::{Language, Refusal};

/// A request that the gate answers itself.
pub struct OwnRequest {
    /// The method that it came with.
    pub method: Method,
    /// Path and query, as the browser wrote them.
    pub target: String,
    /// Its headers, cookies included.
    pub headers: HeaderMap,
    /// The certificate of its connection.
    pub presented: Option<ClientCertificate>,
}

impl OwnRequest {
    /// What the checks of sessions look at.
    pub fn as_browser(&self) -> BrowserRequest<'_> {
        BrowserRequest {
            method: &self.method,
            target: &self.target,
            headers: &self.headers,
            presented: self.presented.as_ref(),
        }
    }
}

impl BrowserSessions {
    /// Answers a request for one of the gate's own paths.
    pub async fn serve(&self, request: OwnRequest) -> Response<Full<Bytes>> {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let language = || chosen(query).unwrap_or_else(|| language_of(&request.headers));
        match (path, &request.method) {
            (CALLBACK, &Method::GET) => self.come_back(&request, query).await,
            (SIGN_OUT, &Method::GET) => {
                let endpoints = self.endpoints.get(&self.gate).await;
                let leads_to = endpoints.as_deref().and_then(|endpoints| endpoints.end_session.as_deref());
                own_pages::sign_out(language(), self.requires, leads_to)
            }
            (SIGN_OUT, &Method::POST) => self.sign_out(&request).await,
            (SIGNED_OUT, &Method::GET) => own_pages::signed_out(language()),
            (CALLBACK | SIGN_OUT | SIGNED_OUT, _) => {
                let mut refused = self.gate.refuse(Refusal::MethodNotAllowed, &request.headers);
                let allowed = if path == SIGN_OUT { "GET, POST" } else { "GET" };
                refused.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
                refused
            }
            _ => self.gate.refuse(Refusal::NotFound, &request.headers),
        }
    }
}

/// The language that a link names, as `lang`.
fn chosen(query: &str) -> Option<Language> {
    query.split('&').find_map(|pair| pair.strip_prefix("lang=")).and_then(Language::parse)
}

impl BrowserSessions {
    /// Has a browser ask for the same once more.
    pub(crate) fn again(&self, request: &OwnRequest) -> Response<Full<Bytes>> {
        redirect(&self.url(request.as_browser().return_to()), [])
    }
}

/// Sends a browser on by `GET`, whatever it came with, and has it set these cookies.
pub(super) fn redirect(
    location: &str,
    cookies: impl IntoIterator<Item = HeaderValue>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    // Everything in it was encoded, or checked to be visible ASCII.
    if let Ok(location) = HeaderValue::from_str(location) {
        headers.insert(LOCATION, location);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    for cookie in cookies {
        headers.append(SET_COOKIE, cookie);
    }
    response
}

/// An address with more parameters in its query.
pub(super) fn with_query(address: &str, parameters: &[(&str, &str)]) -> Option<String> {
    let query = serde_urlencoded::to_string(parameters).ok()?;
    let mark = if address.contains('?') { '&' } else { '?' };
    Some(format!("{address}{mark}{query}"))
}
