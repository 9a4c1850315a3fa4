//! Tokens of a provider that a product brings for a person (RFC 8693 section 2.1): issuer, audience, times and tenant.

use crate::identity_provider::{IdentityProvider, LONGEST};
use crate::provider::{Provider, VerifyError};
use crate::providers::IdentityProviders;
use crate::token_claims::ProviderTokenClaims;
use serde::Deserialize;
use std::time::Duration;
use tegata_core::claims::{ACCESS_TOKEN, person_subject};
use tegata_core::jws::foreign::{ForeignText, unverified_payload};
use tegata_core::{Refusal, TenantId, Timestamp};

/// A sign-in of longer ago is no proof of who sits there now, whatever the token's end.
const OLDEST: Duration = Duration::from_hours(24);

/// Which token of a provider stands for the person (RFC 8693 section 3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SubjectTokenKind {
    /// An ID token (OIDC Core section 2).
    IdToken,
    /// An access token that is a JWT (RFC 9068).
    AccessToken,
}

/// A person who was recognized.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecognizedPerson {
    /// The subject of the person's tokens, made by [`tegata_core::claims::person_subject`].
    pub subject: String,
    /// Where the person works, unless everywhere.
    pub sites: Option<Vec<String>>,
    /// When the provider authenticated the person.
    pub at: Timestamp,
}

impl IdentityProviders {
    /// The person whom a token of this kind is about, at this tenant.
    ///
    /// # Errors
    /// [`Refusal::PersonUnproven`] when it is no proof, [`Refusal::PersonElsewhere`] when it proves somebody of another
    /// tenant, [`Refusal::Unavailable`] when the provider's keys are not known.
    pub async fn recognize(
        &self,
        token: &str,
        kind: SubjectTokenKind,
        tenant: &TenantId,
        now: Timestamp,
    ) -> Result<RecognizedPerson, Refusal> {
        let payload = unverified_payload(token, LONGEST).ok_or(Refusal::PersonUnproven)?;
        let issuer = issuer_of(&payload).ok_or(Refusal::PersonUnproven)?;
        let provider = self.of_issuer(&issuer, tenant)?;
        let text = provider.verify(token, now).await.map_err(|error| refusal(&issuer, &error))?;
        read(&text, kind, provider.configured(), now)
    }

    /// The tenant's own with this issuer; whoever signs in at another tenant's belongs there.
    fn of_issuer(&self, issuer: &str, tenant: &TenantId) -> Result<&Provider, Refusal> {
        let mut refusal = Refusal::PersonUnproven;
        for provider in self.iter().filter(|provider| provider.configured().issuer == issuer) {
            if provider.configured().tenant == *tenant {
                return Ok(provider);
            }
            refusal = Refusal::PersonElsewhere;
        }
        Err(refusal)
    }
}

fn refusal(issuer: &str, error: &VerifyError) -> Refusal {
    match error {
        VerifyError::Unavailable => Refusal::Unavailable,
        VerifyError::Disbelieved(error) => {
            tracing::info!(issuer, %error, "a person's token is not believed");
            Refusal::PersonUnproven
        }
    }
}

/// Who signed, as the text says by itself.
fn issuer_of(payload: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct SubjectTokenIssued {
        iss: String,
    }
    serde_json::from_slice::<SubjectTokenIssued>(payload).ok().map(|issued| issued.iss)
}

/// The person, if all that has to be true is.
fn read(
    text: &ForeignText,
    kind: SubjectTokenKind,
    provider: &IdentityProvider,
    now: Timestamp,
) -> Result<RecognizedPerson, Refusal> {
    let claims: ProviderTokenClaims =
        serde_json::from_slice(&text.payload).map_err(|_| Refusal::PersonUnproven)?;
    let audiences = &provider.audiences;
    let good = kind.is_type(text.typ.as_deref())
        && claims.iss == provider.issuer
        && claims.is_for_any(audiences)
        && (kind == SubjectTokenKind::AccessToken || claims.is_authorized_for(audiences))
        && claims.is_timely(now, OLDEST)
        // A logout token looks like an ID token (OIDC Back-Channel Logout section 2.4).
        && !claims.others.contains_key("events");
    let name = claims.person_name(provider).filter(|_| good).ok_or(Refusal::PersonUnproven)?;
    if !claims.is_of_tenant(provider) {
        return Err(Refusal::PersonElsewhere);
    }
    let at = claims.issued_at().ok_or(Refusal::PersonUnproven)?;
    Ok(RecognizedPerson {
        subject: person_subject(&provider.issuer, name),
        sites: claims.sites(provider),
        at,
    })
}

impl SubjectTokenKind {
    /// An ID token often has no type. An access token must say that it is one (RFC 9068 section 2.1), so that neither
    /// passes for the other.
    fn is_type(self, typ: Option<&str>) -> bool {
        match self {
            Self::IdToken => typ.is_none_or(|typ| typ == "jwt"),
            Self::AccessToken => typ == Some(ACCESS_TOKEN),
        }
    }
}
