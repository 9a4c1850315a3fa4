//! The `Date` of answers (RFC 9110 section 6.6.1).
//!
//! hyper writes one where there is none, and keeps it until its second is over: after a clock that was ahead was set right
//! it would go on saying the future.

use arc_swap::ArcSwapOption;
use axum::Router;
use axum::middleware::map_response;
use axum::response::Response;
use http::HeaderValue;
use http::header::DATE;
use std::sync::Arc;
use tegata_core::Clock;

/// Answers of these routes say what this clock says.
pub fn dated(router: Router, clock: Arc<dyn Clock>) -> Router {
    let last: Arc<ArcSwapOption<(i64, HeaderValue)>> = Arc::default();
    router.layer(map_response(move |mut response: Response| {
        let now = clock.now();
        let written = last.load();
        // Written once a second, for all who are answered in it.
        let date = match written.as_deref() {
            Some((second, date)) if *second == now.seconds() => Some(date.clone()),
            _ => HeaderValue::from_str(&now.http_date()).ok().inspect(|date| {
                last.store(Some(Arc::new((now.seconds(), date.clone()))));
            }),
        };
        if let Some(date) = date {
            response.headers_mut().insert(DATE, date);
        }
        async move { response }
    }))
}
