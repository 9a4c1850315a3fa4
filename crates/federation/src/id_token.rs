//! The ID token of a sign-in (OIDC Core section 3.1.3.7), and how strong it says the sign-in was.

use crate::identity_provider::MfaStatements;
use crate::provider::{Provider, VerifyError};
use crate::sign_in::BegunSignIn;
use crate::token_claims::{LEEWAY, ProviderTokenClaims, moment, texts};
use std::time::Duration;
use tegata_core::{Refusal, Timestamp};

/// A code is redeemed at once, and its ID token was made for it.
const OLDEST: Duration = Duration::from_mins(10);

/// The longest name of a session at a provider that is kept, in bytes. No specification has one, and idpyoidc's have 400.
pub(crate) const LONGEST_SESSION: usize = 1024;

/// The longest display name that is looked at, in bytes.
const LONGEST_DISPLAY_NAME: usize = 400;

/// Authentication methods (RFC 8176 section 2) that are handed on. `mfa` is said here, by [`MfaStatements`] alone.
const METHODS: [&str; 20] = [
    "face", "fpt", "geo", "hwk", "iris", "kba", "mca", "otp", "pin", "pop", "pwd", "rba", "retina", "sc",
    "sms", "swk", "tel", "user", "vbm", "wia",
];

/// Who signed in at a provider, and how.
#[derive(Clone, PartialEq, Eq)]
pub struct ProviderSignIn {
    /// What accounts are linked by: the claim that names the person for ever.
    pub person: String,
    /// `sub`, as logout tokens say it.
    pub subject: String,
    /// The name of the session at the provider, if it has one.
    pub session: Option<String>,
    /// When the person proved themselves, as far as the provider says.
    pub auth_time: Option<Timestamp>,
    /// In the words of RFC 8176, with spaces between; `mfa` where the provider is believed that it was.
    pub amr: String,
    /// The sites where the person works, by name or identifier, where the provider is asked.
    pub sites: Option<Vec<String>>,
    /// What the person is called, for people to read.
    pub display_name: Option<String>,
    /// The whole token, for the sign-out.
    pub id_token: String,
}

impl Provider {
    /// Who signed in, if everything that has to be true of the token is.
    pub(crate) async fn signed_in(
        &self,
        id_token: String,
        begun: &BegunSignIn<'_>,
        now: Timestamp,
    ) -> Result<ProviderSignIn, Refusal> {
        let text = self.verify(&id_token, now).await.map_err(|error| match error {
            VerifyError::Unavailable => Refusal::ProviderUnavailable,
            VerifyError::Disbelieved(error) => {
                let issuer = &self.configured().issuer;
                tracing::info!(issuer, %error, "the signature of an ID token is not believed");
                Refusal::ProviderSignInFailed
            }
        })?;
        // It may say that it is a JWT, and must not say that it is anything else.
        if text.typ.as_deref().is_some_and(|typ| typ != "jwt") {
            return Err(self.failed("the ID token has another type"));
        }
        let claims: Result<ProviderTokenClaims, _> = serde_json::from_slice(&text.payload);
        let claims = claims.map_err(|_| self.failed("the ID token lacks claims"))?;
        self.check(&claims, begun, now)?;
        self.read(&claims, id_token)
    }

    fn check(
        &self,
        claims: &ProviderTokenClaims,
        begun: &BegunSignIn<'_>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let client = self.client()?;
        let own = std::slice::from_ref(&client.client_id);
        if claims.iss != self.configured().issuer {
            return Err(self.failed("the ID token is of another issuer"));
        }
        if !claims.is_for_any(own) || !claims.is_authorized_for(own) {
            return Err(self.failed("the ID token is for another client"));
        }
        if !claims.is_timely(now, OLDEST) {
            return Err(self.failed("the ID token is not of now"));
        }
        if claims.text("nonce") != Some(begun.nonce) {
            return Err(self.failed("the ID token is of another sign-in"));
        }
        if claims.others.contains_key("events") {
            return Err(self.failed("the ID token is a logout token"));
        }
        if !client.acr_values.is_empty() && !client.acr_values.iter().any(|acr| claims.is_acr(acr)) {
            return Err(Refusal::SignInTooWeak);
        }
        self.check_age(claims, begun, now)
    }

    /// The age counts from the begin: whoever proved themselves since did so in time, however long they then took.
    fn check_age(
        &self,
        claims: &ProviderTokenClaims,
        begun: &BegunSignIn<'_>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let Some(max_age) = begun.max_age else { return Ok(()) };
        let earliest = begun.begun_at.minus(max_age).minus(LEEWAY);
        match claims.auth_time() {
            Some(at) if at >= earliest && at <= now.plus(LEEWAY) => Ok(()),
            Some(_) => Err(self.failed("the person proved themselves too long ago")),
            None => Err(self.failed("the ID token has no auth_time, which was asked for")),
        }
    }

    fn read(&self, claims: &ProviderTokenClaims, id_token: String) -> Result<ProviderSignIn, Refusal> {
        let configured = self.configured();
        let person =
            claims.person_name(configured).ok_or_else(|| self.failed("the ID token names nobody"))?;
        let subject = claims.text("sub").ok_or_else(|| self.failed("the ID token has no subject"))?;
        if !claims.is_of_tenant(configured) {
            return Err(Refusal::PersonElsewhere);
        }
        let short = |claim: &str, longest: usize| {
            claims.text(claim).filter(|text| !text.is_empty() && text.len() <= longest).map(str::to_owned)
        };
        Ok(ProviderSignIn {
            person: person.to_owned(),
            subject: subject.to_owned(),
            session: short("sid", LONGEST_SESSION),
            auth_time: claims.auth_time(),
            amr: self.client()?.mfa.amr_of(claims),
            sites: claims.sites(configured),
            display_name: short("name", LONGEST_DISPLAY_NAME),
            id_token,
        })
    }
}

impl ProviderTokenClaims {
    fn is_acr(&self, acr: &str) -> bool {
        self.text("acr") == Some(acr)
    }

    fn auth_time(&self) -> Option<Timestamp> {
        moment(self.others.get("auth_time")?.as_f64()?)
    }
}

impl MfaStatements {
    fn amr_of(&self, claims: &ProviderTokenClaims) -> String {
        let said = texts(claims.others.get("amr"));
        let mut words: Vec<&str> =
            METHODS.into_iter().filter(|method| said.iter().any(|said| said == method)).collect();
        let by_acr = self.acr.iter().any(|acr| claims.is_acr(acr));
        if by_acr || self.amr.iter().any(|method| said.contains(method)) {
            words.push("mfa");
        }
        words.join(" ")
    }
}
