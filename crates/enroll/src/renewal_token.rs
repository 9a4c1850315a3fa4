//! The access token that may come with a renewed certificate. Who gives it is not known here.

use serde::Deserialize;
use serde_json::Value;
use std::future::Future;
use std::pin::Pin;
use tegata_core::Thumbprint;
use utoipa::ToSchema;

/// Where access tokens are given for certificates that were just issued.
pub trait RenewalTokens: Send + Sync {
    /// A token bound to this certificate: the members of RFC 6749 section 5.1, or of section 5.2 when it cannot be given.
    fn token_for<'a>(
        &'a self,
        certificate: &'a Thumbprint,
        request: &'a RenewalTokenRequest,
    ) -> RenewalTokenFuture<'a>;
}

/// The answer of a [`RenewalTokens`].
pub type RenewalTokenFuture<'a> = Pin<Box<dyn Future<Output = Result<Value, Value>> + Send + 'a>>;

/// The parameters of a token request that a renewal may carry.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewalTokenRequest {
    /// The product (RFC 8707). Without it, the default one.
    pub resource: Option<String>,
    /// The scope that is asked for, separated by spaces (RFC 6749 section 3.3).
    pub scope: Option<String>,
}
