//! The operator's rules about tokens.

use std::sync::Arc;
use std::time::Duration;
use tegata_federation::IdentityProviders;
use tegata_web::ClientCas;
use thiserror::Error;

/// How long tokens live, and where people sign in for them.
#[derive(Clone)]
pub struct TokenRules {
    /// How long an access token lives: one second to one hour.
    pub lifetime: Duration,
    /// How refresh tokens do.
    pub refresh: RefreshRules,
    /// Where people sign in, by tenant.
    pub people: IdentityProviders,
    /// Whether clients may register themselves, and how they are known; they may not where there is nothing.
    pub registration: Option<RegistrationRules>,
}

/// How clients that register themselves are known (RFC 7591).
#[derive(Clone, Default)]
pub struct RegistrationRules {
    /// Who issues certificates of clients by `tls_client_auth`; nobody, where there is no such CA.
    pub cas: Option<Arc<ClientCas>>,
}

/// How families of refresh tokens live.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RefreshRules {
    /// From a grant to the end of its family, however much it is used.
    pub lifetime: Duration,
    /// From a use to the end, if there is no other.
    pub idle: Duration,
    /// How long a replaced value works once more.
    pub grace: Duration,
}

/// A configuration that cannot be served.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ConfigurationError {
    /// No product, one without a name, or one that stands twice.
    #[error("products need names, each its own, and there must be one at least")]
    Products,
    /// A scope value with other characters than RFC 6749 section 3.3 allows.
    #[error("a scope is a word in visible ASCII without quotes and backslashes")]
    Scopes,
    /// More than one default product.
    #[error("more than one product is the default")]
    Defaults,
    /// A lifetime under a second or over an hour.
    #[error("tokens live from one second to one hour")]
    Lifetime,
    /// Refresh tokens that end before the access tokens they come with, or whose window of grace outlives them.
    #[error(
        "refresh tokens live longer than access tokens, and than the time in which a replaced one works again"
    )]
    Refresh,
}

impl Default for RefreshRules {
    /// A long working day, a long lunch, and a network that comes back.
    fn default() -> Self {
        Self {
            lifetime: Duration::from_hours(16),
            idle: Duration::from_hours(3),
            grace: Duration::from_mins(1),
        }
    }
}

impl From<Duration> for TokenRules {
    fn from(lifetime: Duration) -> Self {
        let people = IdentityProviders::default();
        Self { lifetime, refresh: RefreshRules::default(), people, registration: None }
    }
}

impl RefreshRules {
    pub(crate) fn check(&self, access: Duration) -> Result<(), ConfigurationError> {
        let is_sound = access <= self.idle && self.idle <= self.lifetime && self.grace < self.idle;
        if is_sound { Ok(()) } else { Err(ConfigurationError::Refresh) }
    }
}
