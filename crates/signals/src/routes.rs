//! The routes, by listener.

use crate::signals::Signals;
use crate::{feed, metadata, receipts, receivers};
use axum::Router;
use axum::routing::{get, post};
use std::sync::Arc;

/// For the portal: what anybody may discover.
pub fn portal_router(signals: Arc<Signals>) -> Router {
    discovery().with_state(signals)
}

/// For the device listener: the feed and receipts of gates, and the streams of receivers.
pub fn device_router(signals: Arc<Signals>) -> Router {
    let fixed = post(receivers::fixed).put(receivers::fixed).patch(receivers::fixed).delete(receivers::fixed);
    discovery()
        .route(metadata::FEED, get(feed::feed))
        .route(metadata::RECEIPTS, post(receipts::receive))
        .route(metadata::STREAMS, fixed.get(receivers::configuration))
        .route(metadata::STREAM_STATUS, get(receivers::status).post(receivers::set_status))
        .route(metadata::STREAM_VERIFICATION, post(receivers::verify))
        .route(&format!("{}/{{id}}", metadata::POLL), post(receivers::poll))
        .with_state(signals)
}

fn discovery() -> Router<Arc<Signals>> {
    Router::new()
        .route(metadata::JWKS, get(metadata::jwks))
        .route(metadata::GATE_KEYS, get(metadata::gate_keys))
        .route(metadata::SHARED_SIGNALS, get(metadata::shared_signals))
}
