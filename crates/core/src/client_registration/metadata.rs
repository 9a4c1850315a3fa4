//! A registration as it is written.

use super::{ActsFor, InvitationPlace};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::net::IpAddr;
use std::path::PathBuf;

/// What somebody wrote of a client, not verified.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ClientMetadata {
    /// What it calls itself.
    pub client_id: String,
    /// How it proves who it is.
    pub token_endpoint_auth_method: AuthenticationMethod,
    /// The whole subject of its certificate (RFC 8705 section 2.1.2, also of the next four).
    pub tls_client_auth_subject_dn: Option<String>,
    /// A host name in its certificate.
    pub tls_client_auth_san_dns: Option<String>,
    /// A URI in its certificate.
    pub tls_client_auth_san_uri: Option<String>,
    /// An address in its certificate.
    pub tls_client_auth_san_ip: Option<IpAddr>,
    /// A mail address in its certificate.
    pub tls_client_auth_san_email: Option<String>,
    /// The file of the CAs that issue its certificates.
    pub ca: Option<PathBuf>,
    /// The file of their revocation lists.
    pub crl: Option<PathBuf>,
    /// Whether this installation issues them.
    #[serde(default)]
    pub issued_here: bool,
    /// Its keys with their certificates.
    pub jwks: Option<WrittenJwks>,
    /// Where its keys are, at its own server.
    pub jwks_uri: Option<String>,
    /// How it comes to tokens.
    #[serde(default)]
    pub grants: Vec<ClientGrant>,
    /// The products that it may ask tokens for.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// What of them, and of people, separated by spaces.
    #[serde(default)]
    pub scope: String,
    /// The products whose tokens it may ask about.
    #[serde(default)]
    pub introspects: Vec<String>,
    /// Whether its tokens are bound to a key of its own (RFC 9449 section 5.2).
    #[serde(default)]
    pub dpop_bound_access_tokens: bool,
    /// For whom its own tokens act at the console's API.
    pub acts_for: Option<ActsFor>,
    /// Where it may invite devices.
    #[serde(default)]
    pub invites: Vec<InvitationPlace>,
    /// Where codes are sent.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// Where browsers go on after a sign-out.
    #[serde(default)]
    pub post_logout_redirect_uris: Vec<String>,
    /// Where it hears that a session has ended.
    pub backchannel_logout_uri: Option<String>,
    /// Whether it has to hear which one. It always does.
    #[serde(default)]
    pub backchannel_logout_session_required: bool,
    /// The origins of its pages.
    #[serde(default)]
    pub origins: Vec<String>,
}

/// A set of keys, or the file that has it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub enum WrittenJwks {
    /// The name of the file.
    File(PathBuf),
    /// The set itself, as JSON.
    Inline(Value),
}

/// How a client authenticates.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthenticationMethod {
    /// By the subject of a certificate.
    TlsClientAuth,
    /// By its own certificates.
    SelfSignedTlsClientAuth,
    /// By nothing of its own.
    None,
}

/// How a client comes to tokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientGrant {
    /// For itself, by its certificate.
    ClientCredentials,
    /// By a code, for whoever signs in.
    AuthorizationCode,
}

impl ClientMetadata {
    /// A client of this name, of which nothing else is said.
    pub fn new(client_id: String, method: AuthenticationMethod) -> Self {
        Self {
            client_id,
            token_endpoint_auth_method: method,
            tls_client_auth_subject_dn: None,
            tls_client_auth_san_dns: None,
            tls_client_auth_san_uri: None,
            tls_client_auth_san_ip: None,
            tls_client_auth_san_email: None,
            ca: None,
            crl: None,
            issued_here: false,
            jwks: None,
            jwks_uri: None,
            grants: Vec::new(),
            audiences: Vec::new(),
            scope: String::new(),
            introspects: Vec::new(),
            dpop_bound_access_tokens: false,
            acts_for: None,
            invites: Vec::new(),
            redirect_uris: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            backchannel_logout_uri: None,
            backchannel_logout_session_required: false,
            origins: Vec::new(),
        }
    }

    /// What is kept of it: members that say nothing are left out.
    pub fn as_json(&self) -> Value {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Some(members) = value.as_object_mut() {
            members.retain(|_, member| !is_nothing(member));
        }
        value
    }
}

fn is_nothing(member: &Value) -> bool {
    match member {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}
