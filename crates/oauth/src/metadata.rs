//! What clients and gates discover (RFC 8414).

use crate::product::ProductAudience;
use axum::body::Bytes;
use serde::Serialize;
use std::collections::BTreeSet;
use tegata_signals::STATUS_LISTS;
use tegata_signals::metadata::{FEED, GATE_KEYS, JWKS, RECEIPTS};
use tegata_web::InstallationAddresses;
use tegata_web::document::written;

pub(crate) const METADATA: &str = "/.well-known/oauth-authorization-server";
pub(crate) const TOKEN: &str = "/oauth/token";
pub(crate) const INTROSPECTION: &str = "/oauth/introspect";
pub(crate) const REVOCATION: &str = "/oauth/revoke";

pub(crate) const CLIENT_CREDENTIALS: &str = "client_credentials";
pub(crate) const REFRESH_TOKEN: &str = "refresh_token";
pub(crate) const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

const GRANTS: [&str; 3] = [CLIENT_CREDENTIALS, REFRESH_TOKEN, TOKEN_EXCHANGE];

const METHODS: [&str; 2] = ["tls_client_auth", "self_signed_tls_client_auth"];

/// Written once: it changes only with the configuration.
pub(crate) struct MetadataDocuments {
    pub(crate) metadata: Bytes,
}

impl MetadataDocuments {
    pub(crate) fn new(addresses: &InstallationAddresses, products: &[ProductAudience]) -> Self {
        Self { metadata: written(&ServerMetadata::of(addresses, products)) }
    }
}

#[derive(Serialize)]
struct ServerMetadata<'a> {
    issuer: &'a str,
    #[serde(flatten)]
    endpoints: ServerEndpoints,
    /// The endpoints once more, for clients that look for them here (RFC 8705 section 5). The portal has none of them,
    /// so both members agree.
    mtls_endpoint_aliases: ServerEndpoints,
    jwks_uri: String,
    /// The scopes of all products.
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
    tegata_gate_jwks_uri: String,
    tegata_feed_endpoint: String,
    tegata_receipt_endpoint: String,
    /// Where a person's browser finds out why it is refused: a refusal's `code` and `lang` go into its query.
    tegata_help_uri: String,
}

#[derive(Serialize)]
struct ServerEndpoints {
    #[serde(rename = "token_endpoint")]
    token: String,
    #[serde(rename = "introspection_endpoint")]
    introspection: String,
    #[serde(rename = "revocation_endpoint")]
    revocation: String,
}

impl<'a> ServerMetadata<'a> {
    fn of(addresses: &'a InstallationAddresses, products: &'a [ProductAudience]) -> Self {
        let device = &addresses.device;
        Self {
            issuer: addresses.issuer(),
            endpoints: ServerEndpoints::at(device),
            mtls_endpoint_aliases: ServerEndpoints::at(device),
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
            tegata_gate_jwks_uri: format!("{}{GATE_KEYS}", addresses.portal),
            tegata_feed_endpoint: format!("{device}{FEED}"),
            tegata_receipt_endpoint: format!("{device}{RECEIPTS}"),
            tegata_help_uri: format!("{device}/"),
        }
    }
}

impl ServerEndpoints {
    fn at(device: &str) -> Self {
        Self {
            token: format!("{device}{TOKEN}"),
            introspection: format!("{device}{INTROSPECTION}"),
            revocation: format!("{device}{REVOCATION}"),
        }
    }
}
