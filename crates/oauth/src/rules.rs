//! The operator's rules about tokens.

use crate::authorization_server::ConfigurationError;
use crate::people::IdentityProvider;
use std::time::Duration;

/// How long tokens live, and where people sign in for them.
#[derive(Clone)]
pub struct TokenRules {
    /// How long an access token lives: one second to one hour.
    pub lifetime: Duration,
    /// How refresh tokens do.
    pub refresh: RefreshRules,
    /// Where people sign in, by tenant.
    pub people: Vec<IdentityProvider>,
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
        Self { lifetime, refresh: RefreshRules::default(), people: Vec::new() }
    }
}

impl RefreshRules {
    pub(crate) fn check(&self, access: Duration) -> Result<(), ConfigurationError> {
        let is_sound = access <= self.idle && self.idle <= self.lifetime && self.grace < self.idle;
        if is_sound { Ok(()) } else { Err(ConfigurationError::Refresh) }
    }
}
