//! What clients and gates discover: metadata (RFC 8414) and keys (RFC 7517).

use crate::exchange;
use crate::receivers::{POLL_DELIVERY, PUSH_DELIVERY};
use crate::status_list::STATUS_LISTS;
use crate::tokens::{Product, Tokens};
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use tegata_web::Addresses;

pub(crate) const METADATA: &str = "/.well-known/oauth-authorization-server";
pub(crate) const SHARED_SIGNALS: &str = "/.well-known/ssf-configuration";
pub(crate) const JWKS: &str = "/.well-known/jwks.json";
pub(crate) const TOKEN: &str = "/oauth/token";
pub(crate) const INTROSPECTION: &str = "/oauth/introspect";
pub(crate) const REVOCATION: &str = "/oauth/revoke";
/// Where receivers ask about their streams (SSF 1.0 section 8.1), and for their events: there by the stream's name.
pub(crate) const STREAMS: &str = "/ssf/streams";
pub(crate) const STREAM_STATUS: &str = "/ssf/status";
pub(crate) const STREAM_VERIFICATION: &str = "/ssf/verification";
pub(crate) const POLL: &str = "/ssf/poll";
pub(crate) const FEED: &str = "/feed";
pub(crate) const RECEIPTS: &str = "/feed/receipts";

const GRANTS: [&str; 3] = ["client_credentials", "refresh_token", exchange::GRANT];

const METHODS: [&str; 2] = ["tls_client_auth", "self_signed_tls_client_auth"];

/// Written once: it changes only with the configuration.
pub(crate) struct Documents {
    metadata: Bytes,
}

impl Documents {
    pub(crate) fn new(addresses: &Addresses, products: &[Product]) -> Self {
        Self { metadata: written(&Metadata::of(addresses, products)) }
    }
}

pub(crate) async fn metadata(State(tokens): State<Arc<Tokens>>) -> Response {
    public(tokens.documents.metadata.clone(), "application/json")
}

/// The transmitter's metadata (SSF 1.0 section 7.1). Streams are made by the operator; where none of their receivers can
/// show who it is, there are no addresses to ask at.
pub(crate) async fn shared_signals(State(tokens): State<Arc<Tokens>>) -> Response {
    let mut document = json!({
        "spec_version": "1_0",
        "issuer": tokens.issuer(),
        "jwks_uri": format!("{}{JWKS}", tokens.context.addresses.portal),
        "delivery_methods_supported": [PUSH_DELIVERY, POLL_DELIVERY],
        "default_subjects": "ALL",
    });
    if tokens.streams().are_managed() {
        let device = &tokens.context.addresses.device;
        document["configuration_endpoint"] = json!(format!("{device}{STREAMS}"));
        document["status_endpoint"] = json!(format!("{device}{STREAM_STATUS}"));
        document["verification_endpoint"] = json!(format!("{device}{STREAM_VERIFICATION}"));
        document["authorization_schemes"] = json!([{"spec_urn": "urn:ietf:rfc:8705"}]);
    }
    public(written(&document), "application/json")
}

pub(crate) async fn jwks(State(tokens): State<Arc<Tokens>>) -> Response {
    public(tokens.published().jwks.clone(), "application/jwk-set+json")
}

/// A cache may keep it for a minute: much shorter than the time between publishing a key and signing with it.
fn public(document: Bytes, media_type: &'static str) -> Response {
    ([(CONTENT_TYPE, media_type), (CACHE_CONTROL, "public, max-age=60")], document).into_response()
}

pub(crate) fn written(document: &impl Serialize) -> Bytes {
    serde_json::to_vec(document).unwrap_or_default().into()
}

#[derive(Serialize)]
struct Metadata<'a> {
    issuer: &'a str,
    #[serde(flatten)]
    endpoints: Endpoints,
    /// The same addresses: the portal has no such endpoints. For clients that look here (RFC 8705 section 5).
    mtls_endpoint_aliases: Endpoints,
    jwks_uri: String,
    /// Of all products.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    scopes_supported: BTreeSet<&'a str>,
    response_types_supported: [&'static str; 0],
    grant_types_supported: &'static [&'static str],
    token_endpoint_auth_methods_supported: [&'static str; 2],
    introspection_endpoint_auth_methods_supported: [&'static str; 2],
    revocation_endpoint_auth_methods_supported: [&'static str; 2],
    introspection_signing_alg_values_supported: [&'static str; 1],
    tls_client_certificate_bound_access_tokens: bool,
    status_list_aggregation_endpoint: String,
    tegata_feed_endpoint: String,
    tegata_receipt_endpoint: String,
    /// Where a person's browser finds out why it is refused: a refusal's `code` and `lang` go into its query.
    tegata_help_uri: String,
}

#[derive(Serialize)]
struct Endpoints {
    #[serde(rename = "token_endpoint")]
    token: String,
    #[serde(rename = "introspection_endpoint")]
    introspection: String,
    #[serde(rename = "revocation_endpoint")]
    revocation: String,
}

impl<'a> Metadata<'a> {
    fn of(addresses: &'a Addresses, products: &'a [Product]) -> Self {
        let device = &addresses.device;
        Self {
            issuer: addresses.issuer(),
            endpoints: Endpoints::at(device),
            mtls_endpoint_aliases: Endpoints::at(device),
            jwks_uri: format!("{}{JWKS}", addresses.portal),
            scopes_supported: products
                .iter()
                .flat_map(|product| &product.scopes)
                .map(String::as_str)
                .collect(),
            response_types_supported: [],
            grant_types_supported: &GRANTS,
            token_endpoint_auth_methods_supported: METHODS,
            introspection_endpoint_auth_methods_supported: METHODS,
            revocation_endpoint_auth_methods_supported: METHODS,
            introspection_signing_alg_values_supported: ["ES256"],
            tls_client_certificate_bound_access_tokens: true,
            status_list_aggregation_endpoint: format!("{}{STATUS_LISTS}", addresses.public),
            tegata_feed_endpoint: format!("{device}{FEED}"),
            tegata_receipt_endpoint: format!("{device}{RECEIPTS}"),
            tegata_help_uri: format!("{device}/"),
        }
    }
}

impl Endpoints {
    fn at(device: &str) -> Self {
        Self {
            token: format!("{device}{TOKEN}"),
            introspection: format!("{device}{INTROSPECTION}"),
            revocation: format!("{device}{REVOCATION}"),
        }
    }
}
