//! The paths of the endpoints, and the metadata that receivers of security events discover.

use crate::receivers::{POLL_DELIVERY, PUSH_DELIVERY};
use crate::signals::Signals;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde::Serialize;
use std::sync::Arc;
use tegata_web::document::{public, written};
use tegata_web::problem::WebResult;

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

pub(crate) async fn shared_signals(State(signals): State<Arc<Signals>>) -> Response {
    public(written(&TransmitterMetadata::of(&signals)), "application/json")
}

/// The transmitter's metadata (SSF 1.0 section 7.1).
#[derive(Serialize)]
struct TransmitterMetadata<'a> {
    spec_version: &'static str,
    issuer: &'a str,
    jwks_uri: String,
    delivery_methods_supported: [&'static str; 2],
    default_subjects: &'static str,
    #[serde(flatten)]
    management: Option<StreamManagement>,
}

/// Where receivers manage their streams. Streams are made by the operator; where none of their receivers can show who it
/// is, there are no addresses to ask at.
#[derive(Serialize)]
struct StreamManagement {
    configuration_endpoint: String,
    status_endpoint: String,
    verification_endpoint: String,
    authorization_schemes: [AuthorizationScheme; 1],
}

#[derive(Serialize)]
struct AuthorizationScheme {
    spec_urn: &'static str,
}

impl<'a> TransmitterMetadata<'a> {
    fn of(signals: &'a Signals) -> Self {
        let addresses = &signals.issuer().context.addresses;
        let managed = signals.streams().are_managed();
        Self {
            spec_version: "1_0",
            issuer: signals.issuer().url(),
            jwks_uri: format!("{}{JWKS}", addresses.portal),
            delivery_methods_supported: [PUSH_DELIVERY, POLL_DELIVERY],
            default_subjects: "ALL",
            management: managed.then(|| StreamManagement::at(&addresses.device)),
        }
    }
}

impl StreamManagement {
    fn at(device: &str) -> Self {
        Self {
            configuration_endpoint: format!("{device}{STREAMS}"),
            status_endpoint: format!("{device}{STREAM_STATUS}"),
            verification_endpoint: format!("{device}{STREAM_VERIFICATION}"),
            // By certificate.
            authorization_schemes: [AuthorizationScheme { spec_urn: "urn:ietf:rfc:8705" }],
        }
    }
}

pub(crate) async fn jwks(State(signals): State<Arc<Signals>>) -> Response {
    public(signals.issuer().published().jwks.clone(), "application/jwk-set+json")
}

/// The keys of all gates (RFC 7517).
pub(crate) async fn gate_keys(State(signals): State<Arc<Signals>>) -> WebResult<Response> {
    let jwks = signals.gate_keys.jwks(signals.issuer()).await?;
    let headers = [(CONTENT_TYPE, "application/jwk-set+json"), (CACHE_CONTROL, "no-cache")];
    Ok((headers, jwks).into_response())
}
