//! What every response carries, and what every request must pass.

use crate::problem::{Problem, Reader};
use crate::{host, origin};
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::header::{
    CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue};
use std::sync::Arc;
use tegata_core::Refusal;

/// For whatever is not a page: JSON opened in a tab, an image.
const NOTHING_ACTIVE: &str =
    "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

const ALWAYS: [(HeaderName, &str); 4] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// One listener's rules.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// The origins whose pages may change something here.
    pub origins: Vec<String>,
    /// Whether browsers are told to use HTTPS only, for a year (RFC 6797). Not on a developer's
    /// `localhost`, where it would catch every other server.
    pub hsts: bool,
}

impl Site {
    /// The router with all of them, in one layer: each layer of its own would cost every request a box for its future
    /// and another for what is behind it.
    pub fn around(self, router: Router) -> Router {
        router.layer(from_fn_with_state(Arc::new(self), keep))
    }

    fn check(&self, request: &Request) -> Result<(), Refusal> {
        host::check(request)?;
        origin::check(request, &self.origins)
    }

    /// Whatever goes out.
    fn secure(&self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        for (name, value) in ALWAYS {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(NOTHING_ACTIVE));
        if self.hsts {
            headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
        }
        response
    }
}

async fn keep(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let reader = Reader::of(&request);
    let response = match site.check(&request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => Problem::from(refusal).into_response(),
    };
    site.secure(reader.told(response))
}
