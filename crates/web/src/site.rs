//! What every response carries, and what every request must pass.

use crate::origin::Origins;
use crate::{host, origin, problem};
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use http::header::{
    CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue};

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
    /// The router with all of them. Their order matters: refusals of the inner layers are rendered by
    /// the one around them, and all that goes out passes the outermost.
    pub fn around(self, router: Router) -> Router {
        let origins = Origins::from(self.origins);
        router
            .layer(from_fn_with_state(origins, origin::must_be_ours))
            .layer(from_fn(host::must_match))
            .layer(from_fn(problem::render))
            .layer(from_fn_with_state(self.hsts, secure))
    }
}

async fn secure(State(hsts): State<bool>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(NOTHING_ACTIVE));
    if hsts {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}
