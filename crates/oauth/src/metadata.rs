//! What clients and gates discover (RFC 8414, OpenID Connect Discovery): one document at two addresses.

use crate::product::ProductAudience;
use axum::body::Bytes;
use serde::Serialize;
use std::collections::BTreeSet;
use tegata_core::claims::acr;
use tegata_core::dpop::ALGORITHMS;
use tegata_signals::STATUS_LISTS;
use tegata_signals::metadata::{FEED, GATE_KEYS, JWKS, RECEIPTS};
use tegata_web::InstallationAddresses;
use tegata_web::document::written;

pub(crate) const METADATA: &str = "/.well-known/oauth-authorization-server";
pub(crate) const TOKEN: &str = "/oauth/token";
pub(crate) const INTROSPECTION: &str = "/oauth/introspect";
pub(crate) const REVOCATION: &str = "/oauth/revoke";
pub(crate) const PUSHED_AUTHORIZATION: &str = "/oauth/par";
pub(crate) const USERINFO: &str = "/oauth/userinfo";
pub(crate) const REGISTRATION: &str = "/oauth/register";
pub(crate) const REGISTERED_CLIENT: &str = "/oauth/register/{client}";
pub(crate) const END_SESSION: &str = "/end-session";

pub(crate) const OPENID_METADATA: &str = "/.well-known/openid-configuration";
pub(crate) const AUTHORIZATION: &str = "/authorize";

pub(crate) const AUTHORIZATION_CODE: &str = "authorization_code";
pub(crate) const CLIENT_CREDENTIALS: &str = "client_credentials";
pub(crate) const REFRESH_TOKEN: &str = "refresh_token";
pub(crate) const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// What a client may learn of a person: that they are signed in, and what they are called.
pub(crate) const IDENTITY_SCOPES: [&str; 2] = ["openid", PROFILE];

/// What a person is called, and signs in with.
pub(crate) const PROFILE: &str = "profile";

const GRANTS: [&str; 4] = [AUTHORIZATION_CODE, CLIENT_CREDENTIALS, REFRESH_TOKEN, TOKEN_EXCHANGE];

const METHODS: [&str; 3] = ["tls_client_auth", "self_signed_tls_client_auth", "none"];

/// What an ID token may say (OpenID Connect Discovery section 3).
const CLAIMS: [&str; 16] = [
    "iss",
    "sub",
    "aud",
    "iat",
    "exp",
    "at_hash",
    "acr",
    "amr",
    "nonce",
    "auth_time",
    "sid",
    "tenant",
    "site",
    "device",
    "generation",
    "cnf",
];

/// Written once: it changes only with the configuration.
pub(crate) struct MetadataDocuments {
    pub(crate) metadata: Bytes,
}

impl MetadataDocuments {
    pub(crate) fn new(
        addresses: &InstallationAddresses,
        products: &[ProductAudience],
        registers: bool,
    ) -> Self {
        let registration = registers.then(|| format!("{}{REGISTRATION}", addresses.device));
        Self {
            metadata: written(&ServerMetadata { registration, ..ServerMetadata::of(addresses, products) }),
        }
    }
}

#[derive(Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "the document has them")]
struct ServerMetadata<'a> {
    issuer: &'a str,
    #[serde(flatten)]
    endpoints: ServerEndpoints,
    /// The endpoints once more, for clients that look for them here (RFC 8705 section 5). The portal has none of them,
    /// so both members agree.
    mtls_endpoint_aliases: ServerEndpoints,
    jwks_uri: String,
    /// Where clients register themselves (RFC 7591), if they may.
    #[serde(rename = "registration_endpoint", skip_serializing_if = "Option::is_none")]
    registration: Option<String>,
    /// The scopes of all products, and what a client may learn of a person.
    scopes_supported: BTreeSet<&'a str>,
    response_types_supported: [&'static str; 1],
    response_modes_supported: [&'static str; 1],
    authorization_response_iss_parameter_supported: bool,
    code_challenge_methods_supported: [&'static str; 1],
    backchannel_logout_supported: bool,
    backchannel_logout_session_supported: bool,
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: [&'static str; 1],
    acr_values_supported: [&'static str; 3],
    prompt_values_supported: [&'static str; 4],
    ui_locales_supported: [&'static str; 2],
    claims_supported: [&'static str; 16],
    claims_parameter_supported: bool,
    request_parameter_supported: bool,
    request_uri_parameter_supported: bool,
    grant_types_supported: &'static [&'static str],
    token_endpoint_auth_methods_supported: [&'static str; 3],
    introspection_endpoint_auth_methods_supported: [&'static str; 3],
    revocation_endpoint_auth_methods_supported: [&'static str; 3],
    introspection_signing_alg_values_supported: [&'static str; 1],
    tls_client_certificate_bound_access_tokens: bool,
    dpop_signing_alg_values_supported: [&'static str; 3],
    status_list_aggregation_endpoint: String,
    tegata_gate_jwks_uri: String,
    tegata_feed_endpoint: String,
    tegata_receipt_endpoint: String,
    /// Where a person's browser finds out why it is refused: a refusal's `code` and `lang` go into its query.
    tegata_help_uri: String,
}

#[derive(Serialize)]
struct ServerEndpoints {
    #[serde(rename = "authorization_endpoint")]
    authorization: String,
    #[serde(rename = "token_endpoint")]
    token: String,
    #[serde(rename = "pushed_authorization_request_endpoint")]
    pushed_authorization: String,
    #[serde(rename = "userinfo_endpoint")]
    userinfo: String,
    #[serde(rename = "end_session_endpoint")]
    end_session: String,
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
            registration: None,
            scopes_supported: products
                .iter()
                .flat_map(|product| &product.scopes)
                .map(String::as_str)
                .chain(IDENTITY_SCOPES)
                .collect(),
            response_types_supported: ["code"],
            response_modes_supported: ["query"],
            authorization_response_iss_parameter_supported: true,
            code_challenge_methods_supported: ["S256"],
            backchannel_logout_supported: true,
            backchannel_logout_session_supported: true,
            subject_types_supported: ["public"],
            id_token_signing_alg_values_supported: ["ES256"],
            acr_values_supported: acr::ALL,
            prompt_values_supported: ["none", "login", "consent", "select_account"],
            ui_locales_supported: ["ja", "en"],
            claims_supported: CLAIMS,
            claims_parameter_supported: true,
            request_parameter_supported: false,
            request_uri_parameter_supported: false,
            grant_types_supported: &GRANTS,
            token_endpoint_auth_methods_supported: METHODS,
            introspection_endpoint_auth_methods_supported: METHODS,
            revocation_endpoint_auth_methods_supported: METHODS,
            introspection_signing_alg_values_supported: ["ES256"],
            tls_client_certificate_bound_access_tokens: true,
            dpop_signing_alg_values_supported: ALGORITHMS,
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
            authorization: format!("{device}{AUTHORIZATION}"),
            token: format!("{device}{TOKEN}"),
            pushed_authorization: format!("{device}{PUSHED_AUTHORIZATION}"),
            userinfo: format!("{device}{USERINFO}"),
            end_session: format!("{device}{END_SESSION}"),
            introspection: format!("{device}{INTROSPECTION}"),
            revocation: format!("{device}{REVOCATION}"),
        }
    }
}
