//! Middleware that counts responses by their path and by the refusal they carry.

use super::labels::Labels;
use super::{Metrics, status_of_answer};
use crate::server::routes::Routes;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use std::sync::Arc;
use tegata_core::Refusal;
use tegata_web::Problem;

/// Longer than any OCSP answer.
const LONGEST_OCSP: usize = 1 << 20;

/// Adds the counting middleware to the routes of portal, device and public listener, if metrics are served.
pub fn counted(metrics: &Arc<Metrics>, is_read: bool, routes: Routes) -> Routes {
    if !is_read {
        return routes;
    }
    Routes {
        portal: routes.portal.layer(from_fn_with_state(metrics.clone(), count_portal)),
        device: routes.device.layer(from_fn_with_state(metrics.clone(), count_device)),
        public: routes.public.layer(from_fn_with_state(metrics.clone(), count_public)),
    }
}

/// Counts the answers to enrollments.
async fn count_portal(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let is_counted = request.uri().path() == "/api/v1/enrollments";
    let response = next.run(request).await;
    if is_counted {
        metrics.certificate(&response);
    }
    response
}

/// Counts the answers to renewals, token requests and introspections.
async fn count_device(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let count: Option<fn(&Metrics, &Response)> = match request.uri().path() {
        "/oauth/token" => Some(Metrics::token),
        "/oauth/introspect" => Some(Metrics::introspection),
        "/api/v1/renewals" => Some(Metrics::certificate),
        _ => None,
    };
    let response = next.run(request).await;
    if let Some(count) = count {
        count(&metrics, &response);
    }
    response
}

/// OCSP. The answer lies in memory already: looking into it copies nothing.
async fn count_public(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let is_ocsp = request.uri().path().starts_with("/ocsp/");
    let response = next.run(request).await;
    if !is_ocsp {
        return response;
    }
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, LONGEST_OCSP).await.unwrap_or_default();
    let status = match (parts.status.as_u16(), bytes.is_empty()) {
        (304, _) => "not_modified",
        (200, false) => status_of_answer(&bytes).unwrap_or("unreadable"),
        _ => "refused",
    };
    metrics.ocsp_answers.get_or_create(&vec![("status", status.to_owned())]).inc();
    Response::from_parts(parts, Body::from(bytes))
}

impl Metrics {
    /// Counts an attempt to tell a client that a session has ended.
    pub fn logout_told(&self, taken: bool) {
        let result = if taken { "taken" } else { "failed" };
        self.logouts.get_or_create(&vec![("result", result.to_owned())]).inc();
    }

    fn certificate(&self, response: &Response) {
        if response.status().is_success() {
            self.certificates_issued.inc();
        } else {
            self.certificates_refused.get_or_create(&code(response)).inc();
        }
    }

    fn token(&self, response: &Response) {
        if response.status().is_success() {
            self.tokens_issued.inc();
        } else {
            self.tokens_refused.get_or_create(&code(response)).inc();
        }
    }

    /// A token that came with a renewed certificate, or the code of the refusal.
    pub fn companion(&self, given: Result<(), &'static str>) {
        match given {
            Ok(()) => self.tokens_issued.inc(),
            Err(code) => self.tokens_refused.get_or_create(&vec![("code", code.to_owned())]).inc(),
        };
    }

    fn introspection(&self, response: &Response) {
        let result = if response.status().is_success() {
            vec![("result", "answered".to_owned())]
        } else {
            vec![("result", refusal(response).to_owned())]
        };
        self.introspections.get_or_create(&result).inc();
    }
}

fn code(response: &Response) -> Labels {
    vec![("code", refusal(response).to_owned())]
}

/// The code that support looks up; the framework's own refusals have none.
fn refusal(response: &Response) -> &'static str {
    let extensions = response.extensions();
    let problem = extensions.get::<Problem>().map(|problem| problem.refusal);
    problem.or_else(|| extensions.get::<Refusal>().copied()).map_or("other", Refusal::code)
}
