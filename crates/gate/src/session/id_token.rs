//! What the platform says about who signed in (`OpenID` Connect Core 1.0 section 2).

use super::config::RequiredSignIn;
use super::facts::SessionFacts;
use serde::Deserialize;
use std::time::Duration;
use tegata_core::claims::{Confirmation, device_subject, is_person};
use tegata_core::{DeviceId, Refusal, SiteId, TenantId, Timestamp};
use tracing::warn;

/// The longest of the texts that go into the cookie.
const LONGEST: usize = 128;

/// The claims of an ID token.
#[derive(Deserialize)]
pub(super) struct IdTokenClaims {
    iss: String,
    aud: Audience,
    sub: String,
    iat: i64,
    exp: i64,
    nonce: String,
    acr: String,
    #[serde(default)]
    amr: Vec<String>,
    /// None where the person's own provider has not said when they proved themselves.
    auth_time: Option<i64>,
    sid: Option<String>,
    tenant: TenantId,
    site: SiteId,
    device: DeviceId,
    generation: u32,
    /// The certificate that signed in. A renewal may have come since.
    #[expect(dead_code, reason = "it must be there and be one that is understood")]
    cnf: Confirmation,
}

/// One client, or a list with that one in it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    List([String; 1]),
}

/// What it must say.
pub(super) struct IdTokenExpectation<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) device: &'a DeviceId,
    pub(super) requires: RequiredSignIn,
    pub(super) leeway: Duration,
    pub(super) now: Timestamp,
    pub(super) absolute: Duration,
}

impl IdTokenClaims {
    /// The session that begins with it.
    pub(super) fn session(self, expected: &IdTokenExpectation<'_>) -> Result<SessionFacts, Refusal> {
        self.check(expected)?;
        let begun = self.auth_time.unwrap_or(self.iat);
        let ends = Timestamp::from_seconds(begun).plus(expected.absolute);
        if expected.now >= ends {
            return Err(Refusal::SessionOver);
        }
        Ok(SessionFacts {
            subject: self.sub.into(),
            device: self.device,
            tenant: self.tenant,
            site: self.site,
            generation: self.generation,
            sid: self.sid.map(Into::into),
            acr: self.acr.into(),
            amr: self.amr.join(" ").into(),
            auth_time: self.auth_time,
            issued: Timestamp::from_seconds(self.iat),
            used: expected.now,
            ends,
        })
    }

    fn check(&self, expected: &IdTokenExpectation<'_>) -> Result<(), Refusal> {
        let audience = match &self.aud {
            Audience::One(audience) | Audience::List([audience]) => audience,
        };
        let horizon = expected.now.plus(expected.leeway);
        let in_time =
            expected.now < Timestamp::from_seconds(self.exp) && Timestamp::from_seconds(self.iat) <= horizon;
        let texts = [&self.sub, &self.acr, &self.amr.join(" "), self.sid.as_ref().unwrap_or(&self.acr)];
        for (holds, what) in [
            (self.iss == expected.issuer, "iss"),
            (audience == expected.client_id, "aud"),
            (self.nonce == expected.nonce, "nonce"),
            (in_time, "exp or iat"),
            (self.names_whom_the_product_wants(expected.requires), "sub or sid"),
            (texts.iter().all(|text| is_short(text)), "a text"),
        ] {
            if !holds {
                warn!(what, "the platform's ID token does not say what it must");
                return Err(Refusal::SignInUnavailable);
            }
        }
        // Another device signed in: somebody carried the answer here.
        if self.device == *expected.device { Ok(()) } else { Err(Refusal::SessionOfAnotherDevice) }
    }

    fn names_whom_the_product_wants(&self, requires: RequiredSignIn) -> bool {
        match requires {
            RequiredSignIn::Person => {
                is_person(&self.sub) && self.sid.as_ref().is_some_and(|sid| sid.len() >= 16)
            }
            RequiredSignIn::Device => self.sub == device_subject(&self.device),
        }
    }
}

/// Whether it may go into a header, and leaves room in the cookie.
fn is_short(text: &str) -> bool {
    text.len() <= LONGEST && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}
