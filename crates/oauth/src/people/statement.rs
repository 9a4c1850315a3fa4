//! Checks the claims of an identity provider's token: issuer, audience, times and tenant.

use super::identity_provider::{IdentityProvider, RecognizedPerson};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::time::Duration;
use tegata_core::claims::{ACCESS_TOKEN, person_subject};
use tegata_core::jws::foreign::ForeignText;
use tegata_core::{Refusal, Timestamp};

/// How far the provider's clock may be ahead. Ends get no leeway.
const LEEWAY: Duration = Duration::from_secs(10);

/// A sign-in of longer ago is no proof of who sits there now, whatever the token's end.
const OLDEST: Duration = Duration::from_hours(24);

/// The longest name of a person (OIDC Core section 2).
const LONGEST_NAME: usize = 255;

/// Which token of a provider stands for the person (RFC 8693 section 3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SubjectTokenKind {
    IdToken,
    AccessToken,
}

/// Who signed, as the text says by itself.
pub(super) fn issuer_of(payload: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct SubjectTokenIssued {
        iss: String,
    }
    serde_json::from_slice::<SubjectTokenIssued>(payload).ok().map(|issued| issued.iss)
}

/// The person, if all that has to be true is.
///
/// # Errors
/// [`Refusal::PersonUnproven`] when it is no proof, [`Refusal::PersonElsewhere`] when it proves somebody of another
/// tenant.
pub(super) fn read(
    text: &ForeignText,
    kind: SubjectTokenKind,
    provider: &IdentityProvider,
    now: Timestamp,
) -> Result<RecognizedPerson, Refusal> {
    let claims: SubjectTokenClaims =
        serde_json::from_slice(&text.payload).map_err(|_| Refusal::PersonUnproven)?;
    let good = kind.is_type(text.typ.as_deref())
        && claims.iss == provider.issuer
        && claims.is_for(&provider.audiences, kind)
        && claims.is_timely(now)
        // A logout token looks like an ID token (OIDC Back-Channel Logout section 2.4).
        && !claims.others.contains_key("events");
    let name = claims.text(&provider.person_claim).filter(|_| good).ok_or(Refusal::PersonUnproven)?;
    if name.is_empty() || name.len() > LONGEST_NAME {
        return Err(Refusal::PersonUnproven);
    }
    if provider.require.iter().any(|(claim, value)| claims.text(claim) != Some(value)) {
        return Err(Refusal::PersonElsewhere);
    }
    let sites = provider.site_claim.as_ref().map(|claim| texts(claims.others.get(claim)));
    let at = moment(claims.iat).ok_or(Refusal::PersonUnproven)?;
    Ok(RecognizedPerson { subject: person_subject(&provider.issuer, name), sites, at })
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

#[derive(Deserialize)]
struct SubjectTokenClaims {
    iss: String,
    aud: TokenAudience,
    azp: Option<String>,
    exp: f64,
    iat: f64,
    nbf: Option<f64>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum TokenAudience {
    One(String),
    Many(Vec<String>),
}

impl SubjectTokenClaims {
    /// A claim that this program does not know by itself. `sub` is one of them.
    fn text(&self, claim: &str) -> Option<&str> {
        self.others.get(claim)?.as_str()
    }

    /// An ID token for several clients, or obtained by another one, is for the client it names as authorized.
    fn is_for(&self, audiences: &[String], kind: SubjectTokenKind) -> bool {
        let all = match &self.aud {
            TokenAudience::One(one) => std::slice::from_ref(one),
            TokenAudience::Many(many) => many,
        };
        let authorized = match &self.azp {
            Some(azp) => audiences.contains(azp),
            None => all.len() == 1,
        };
        all.iter().any(|one| audiences.contains(one)) && (kind == SubjectTokenKind::AccessToken || authorized)
    }

    fn is_timely(&self, now: Timestamp) -> bool {
        let (horizon, oldest) = (now.plus(LEEWAY), now.minus(OLDEST));
        let (Some(iat), Some(exp)) = (moment(self.iat), moment(self.exp)) else { return false };
        let begun = self.nbf.is_none_or(|nbf| moment(nbf).is_some_and(|nbf| nbf <= horizon));
        now < exp && oldest <= iat && iat <= horizon && begun
    }
}

/// A time may have a fraction (RFC 7519 section 2). Whatever lies beyond the year 9999 is none.
#[allow(clippy::cast_possible_truncation)]
fn moment(seconds: f64) -> Option<Timestamp> {
    (0.0..253_402_300_800.0).contains(&seconds).then(|| Timestamp::from_millis((seconds * 1000.0) as i64))
}

fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}
