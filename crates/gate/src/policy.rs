//! What a gate insists on.

use std::time::Duration;
use tegata_core::HttpOrigin;

/// What a gate insists on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GatePolicy {
    /// The only issuer believed, compared character by character.
    pub issuer: String,
    /// The product's name: the only audience accepted.
    pub audience: String,
    /// What a token's scope must have, all of it (RFC 6750 section 3.1). Usually nothing.
    pub scopes: Vec<String>,
    /// Under which origins clients reach the product, where a token that is bound to a key is taken with its proof in place of
    /// a certificate (RFC 9449). Where there is none, no such token is taken.
    pub dpop_origins: Vec<HttpOrigin>,
    /// How far ahead of the gate's clock `iat` and `nbf` may lie. `exp` gets no leeway.
    pub leeway: Duration,
    /// How old the knowledge of revocations may be before everybody is refused.
    pub max_staleness: Duration,
}

impl GatePolicy {
    /// Ten seconds of leeway and ten seconds of staleness.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        let ten_seconds = Duration::from_secs(10);
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            scopes: Vec::new(),
            dpop_origins: Vec::new(),
            leeway: ten_seconds,
            max_staleness: ten_seconds,
        }
    }
}
