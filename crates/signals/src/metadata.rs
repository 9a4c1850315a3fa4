//! The paths of the endpoints, and the metadata that receivers of security events discover.

use crate::receivers::{POLL_DELIVERY, PUSH_DELIVERY};
use crate::signals::Signals;
use axum::extract::State;
use axum::response::Response;
use serde_json::json;
use std::sync::Arc;
use tegata_web::document::{public, written};

/// The keys that signatures are verified with (RFC 7517), on the portal and the device listener.
pub const JWKS: &str = "/.well-known/jwks.json";

/// The keys by which products verify the assertions of gates, on the portal and the device listener.
pub const GATE_KEYS: &str = "/.well-known/gates.jwks.json";

/// The feed for gates, on the device listener.
pub const FEED: &str = "/feed";

/// Receipts of gates, on the device listener.
pub const RECEIPTS: &str = "/feed/receipts";

pub(crate) const SHARED_SIGNALS: &str = "/.well-known/ssf-configuration";
/// Where receivers ask about their streams (SSF 1.0 section 8.1), and for their events: there by the stream's name.
pub(crate) const STREAMS: &str = "/ssf/streams";
pub(crate) const STREAM_STATUS: &str = "/ssf/status";
pub(crate) const STREAM_VERIFICATION: &str = "/ssf/verification";
pub(crate) const POLL: &str = "/ssf/poll";

/// The transmitter's metadata (SSF 1.0 section 7.1). Streams are made by the operator; where none of their receivers can
/// show who it is, there are no addresses to ask at.
pub(crate) async fn shared_signals(State(signals): State<Arc<Signals>>) -> Response {
    let addresses = &signals.issuer().context.addresses;
    let mut document = json!({
        "spec_version": "1_0",
        "issuer": signals.issuer().url(),
        "jwks_uri": format!("{}{JWKS}", addresses.portal),
        "delivery_methods_supported": [PUSH_DELIVERY, POLL_DELIVERY],
        "default_subjects": "ALL",
    });
    if signals.streams().are_managed() {
        let device = &addresses.device;
        document["configuration_endpoint"] = json!(format!("{device}{STREAMS}"));
        document["status_endpoint"] = json!(format!("{device}{STREAM_STATUS}"));
        document["verification_endpoint"] = json!(format!("{device}{STREAM_VERIFICATION}"));
        document["authorization_schemes"] = json!([{"spec_urn": "urn:ietf:rfc:8705"}]);
    }
    public(written(&document), "application/json")
}

pub(crate) async fn jwks(State(signals): State<Arc<Signals>>) -> Response {
    public(signals.issuer().published().jwks.clone(), "application/jwk-set+json")
}
