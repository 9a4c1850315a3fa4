//! Requests to routers, without a network.

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tegata_web::{PeerCertificate, Presented};
use tower::ServiceExt;

pub struct TestResponse {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl TestResponse {
    /// Expects an OAuth error in full form.
    pub fn is_error(&self, status: u16, error: &str, code: &str) {
        let body = self.json();
        assert_eq!((self.status.as_u16(), body["error"].as_str()), (status, Some(error)), "{}", self.text);
        assert_eq!(body["code"], code, "{}", self.text);
        assert!(body["error_description"].as_str().is_some_and(|text| text.starts_with(code)));
        assert!(body["error_description_ja"].as_str().is_some_and(|text| !text.is_ascii()));
        assert_eq!(self.headers["cache-control"], "no-store");
        assert!(!self.text.contains("access_token"), "an error never comes with a token");
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }
}

/// Sends a request as whoever presents this certificate.
pub async fn open(
    router: Router,
    certificate: Option<&PeerCertificate>,
    mut request: Request<Body>,
) -> (StatusCode, HeaderMap, Body) {
    request.extensions_mut().insert(Presented(certificate.cloned()));
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    (parts.status, parts.headers, body)
}

/// Sends a request and reads the answer to its end.
pub async fn send(
    router: Router,
    certificate: Option<&PeerCertificate>,
    request: Request<Body>,
) -> TestResponse {
    let (status, headers, body) = open(router, certificate, request).await;
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    TestResponse { status, headers, text }
}
