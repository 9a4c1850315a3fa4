//! What a provider says of itself (OIDC Discovery section 3), as far as it is read.

use serde::Deserialize;

/// The discovery document. Members that a product's tokens do not need may be missing.
#[derive(Deserialize)]
pub(crate) struct ProviderMetadata {
    pub(crate) issuer: String,
    pub(crate) jwks_uri: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
    /// Whether every answer names the issuer (RFC 9207 section 3).
    #[serde(default)]
    pub(crate) authorization_response_iss_parameter_supported: bool,
    mtls_endpoint_aliases: Option<MtlsEndpointAliases>,
}

/// Addresses for clients that show a certificate (RFC 8705 section 5).
#[derive(Deserialize)]
struct MtlsEndpointAliases {
    token_endpoint: Option<String>,
}

impl ProviderMetadata {
    /// Where people sign in.
    pub(crate) fn authorization_endpoint(&self) -> Option<&str> {
        https(self.authorization_endpoint.as_ref())
    }

    /// Where codes are redeemed by a client that shows a certificate, or does not.
    pub(crate) fn token_endpoint(&self, with_certificate: bool) -> Option<&str> {
        let alias = self.mtls_endpoint_aliases.as_ref().filter(|_| with_certificate);
        https(alias.and_then(|aliases| aliases.token_endpoint.as_ref()).or(self.token_endpoint.as_ref()))
    }

    /// Where people sign out (OIDC RP-Initiated Logout section 2.1).
    pub(crate) fn end_session_endpoint(&self) -> Option<&str> {
        https(self.end_session_endpoint.as_ref())
    }
}

/// An address with TLS that a browser can be sent to.
fn https(address: Option<&String>) -> Option<&str> {
    let is_plain = |address: &&str| {
        address.starts_with("https://") && address.bytes().all(|byte| byte.is_ascii_graphic())
    };
    address.map(String::as_str).filter(is_plain).filter(|address| !address.contains('#'))
}
