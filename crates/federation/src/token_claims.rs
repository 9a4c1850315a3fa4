//! What all tokens of a provider say, and how times in them are read.

use crate::identity_provider::{IdentityProvider, LONGEST_NAME};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::time::Duration;
use tegata_core::Timestamp;

/// How far the provider's clock may be ahead. Ends get no leeway.
pub(crate) const LEEWAY: Duration = Duration::from_secs(10);

/// Claims that every token has, and whatever else it says.
#[derive(Deserialize)]
pub(crate) struct ProviderTokenClaims {
    pub(crate) iss: String,
    aud: TokenAudience,
    azp: Option<String>,
    exp: f64,
    iat: f64,
    nbf: Option<f64>,
    #[serde(flatten)]
    pub(crate) others: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum TokenAudience {
    One(String),
    Many(Vec<String>),
}

impl ProviderTokenClaims {
    /// A claim that this program does not know by itself. `sub` is one of them.
    pub(crate) fn text(&self, claim: &str) -> Option<&str> {
        self.others.get(claim)?.as_str()
    }

    /// What the person is called, if it is a name that can be one.
    pub(crate) fn person_name(&self, provider: &IdentityProvider) -> Option<&str> {
        let name = self.text(&provider.person_claim)?;
        (!name.is_empty() && name.len() <= LONGEST_NAME).then_some(name)
    }

    /// Whether the person is one of the tenant's, among others of the issuer.
    pub(crate) fn is_of_tenant(&self, provider: &IdentityProvider) -> bool {
        provider.require.iter().all(|(claim, value)| self.text(claim) == Some(value))
    }

    /// The sites where the person works; nothing where the provider is not asked.
    pub(crate) fn sites(&self, provider: &IdentityProvider) -> Option<Vec<String>> {
        provider.site_claim.as_ref().map(|claim| texts(self.others.get(claim)))
    }

    pub(crate) fn audiences(&self) -> &[String] {
        match &self.aud {
            TokenAudience::One(one) => std::slice::from_ref(one),
            TokenAudience::Many(many) => many,
        }
    }

    pub(crate) fn is_for_any(&self, audiences: &[String]) -> bool {
        self.audiences().iter().any(|one| audiences.contains(one))
    }

    /// An ID token for several clients, or obtained by another one, is for the client it names as authorized.
    pub(crate) fn is_authorized_for(&self, audiences: &[String]) -> bool {
        match &self.azp {
            Some(azp) => audiences.contains(azp),
            None => self.audiences().len() == 1,
        }
    }

    /// Whether it has begun, has not ended, and is no older.
    pub(crate) fn is_timely(&self, now: Timestamp, oldest: Duration) -> bool {
        let (horizon, oldest) = (now.plus(LEEWAY), now.minus(oldest));
        let (Some(iat), Some(exp)) = (self.issued_at(), moment(self.exp)) else { return false };
        let begun = self.nbf.is_none_or(|nbf| moment(nbf).is_some_and(|nbf| nbf <= horizon));
        now < exp && oldest <= iat && iat <= horizon && begun
    }

    pub(crate) fn issued_at(&self) -> Option<Timestamp> {
        moment(self.iat)
    }
}

/// A time may have a fraction (RFC 7519 section 2). Whatever lies beyond the year 9999 is none.
#[allow(clippy::cast_possible_truncation)]
pub(crate) fn moment(seconds: f64) -> Option<Timestamp> {
    (0.0..253_402_300_800.0).contains(&seconds).then(|| Timestamp::from_millis((seconds * 1000.0) as i64))
}

/// A text or a list of them.
pub(crate) fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}
