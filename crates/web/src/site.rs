//! The headers that every response carries, and the checks that every request must pass.

use crate::cross_origin::{CrossOriginRequest, CrossOriginRules};
use crate::problem::{Problem, ProblemReader};
use crate::{host, origin};
use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use http::header::{
    CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue};
use std::sync::Arc;
use tegata_core::{Contact, Refusal};
use tower::ServiceExt;
use tracing::Span;

/// For whatever is not a page: JSON opened in a tab, an image.
const NOTHING_ACTIVE: &str =
    "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

const ALWAYS: [(HeaderName, &str); 4] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// What one listener adds to every response and asks of every request.
#[derive(Clone, Debug, Default)]
pub struct ListenerRules {
    /// The origins whose pages may change something here.
    pub origins: Vec<String>,
    /// What pages of other origins may ask here, although they may change nothing else.
    pub cross_origin: CrossOriginRules,
    /// Whether browsers are told to use HTTPS only, for a year (RFC 6797). Not on a developer's
    /// `localhost`, where it would catch every other server.
    pub hsts: bool,
    /// Where somebody who was refused reads what their device's certificate has to do with it.
    pub why: Option<String>,
    /// Renders a refusal in the form of the path's protocol, such as ACME; `None` for the common form.
    pub protocol_problem: Option<fn(&str, &Problem) -> Option<Response>>,
    /// The contact that is shown where neither site nor tenant has one.
    pub contact: Option<Contact>,
}

/// A router with the rules of its site. Cloning shares both.
#[derive(Clone)]
pub struct RuledRouter {
    site: Option<Arc<ListenerRules>>,
    router: Router,
    /// Routes, each of which tells the span of the request its name: for when somebody listens to spans.
    traced: Router,
}

impl ListenerRules {
    /// The router with all of them: around it, not as a layer, which would cost every request boxes for what is behind it.
    pub fn around(self, router: Router) -> RuledRouter {
        RuledRouter { site: Some(Arc::new(self)), ..RuledRouter::from(router) }
    }

    fn check(&self, request: &Request, cross_origin: Option<&CrossOriginRequest>) -> Result<(), Refusal> {
        host::check(request)?;
        let takes_form = self.cross_origin.takes_form(request.method(), request.uri().path());
        if takes_form || cross_origin.is_some_and(CrossOriginRequest::is_allowed) {
            return Ok(());
        }
        origin::check(request, &self.origins)
    }

    /// What rules about other origins say of the request.
    fn cross_origin(&self, request: &Request) -> Option<CrossOriginRequest> {
        self.cross_origin.read(request.method(), request.uri().path(), request.headers())
    }

    fn refused(&self, path: &str, problem: Problem) -> Response {
        let in_own_form = self.protocol_problem.and_then(|form| form(path, &problem));
        in_own_form.unwrap_or_else(|| problem.into_response())
    }

    /// Adds the security headers to a response.
    fn secure(&self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        headers.reserve(ALWAYS.len() + 2);
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

impl From<Router> for RuledRouter {
    /// Without rules, for a listener that only the machine itself can reach.
    fn from(router: Router) -> Self {
        let traced = router.clone().layer(from_fn(record_route));
        Self { site: None, router, traced }
    }
}

impl RuledRouter {
    /// The answer to a request.
    pub async fn answer(self, request: Request) -> Response {
        let router = if Span::current().is_disabled() { self.router } else { self.traced };
        let Some(site) = self.site else { return routed(router, request).await };
        let reader = ProblemReader::of(&request);
        let cross_origin = site.cross_origin(&request);
        let response = match site.check(&request, cross_origin.as_ref()) {
            Ok(()) => match cross_origin.as_ref().and_then(CrossOriginRequest::preflight) {
                Some(preflight) => preflight,
                None => routed(router, request).await,
            },
            Err(refusal) => site.refused(request.uri().path(), refusal.into()),
        };
        let mut response = site.secure(reader.written(response, site.why.as_deref(), site.contact.as_ref()));
        if let Some(cross_origin) = cross_origin {
            cross_origin.open(&mut response);
        }
        response
    }

    /// The refusal of a request that is not even looked at.
    pub(crate) fn refuse(&self, refusal: Refusal, request: &Request) -> Response {
        let refused = Problem::from(refusal).into_response();
        let Some(site) = &self.site else { return refused };
        site.secure(ProblemReader::of(request).written(refused, site.why.as_deref(), site.contact.as_ref()))
    }
}

/// Only what was routed has a route: whatever else somebody typed is nobody's path.
async fn record_route(route: Option<MatchedPath>, request: Request, next: Next) -> Response {
    if let Some(route) = route {
        Span::current().record("http.route", route.as_str());
    }
    next.run(request).await
}

async fn routed(router: Router, request: Request) -> Response {
    let Ok(response) = router.oneshot(request).await;
    response
}
