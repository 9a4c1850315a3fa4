//! Logout: a provider says that somebody's session has ended (OIDC Back-Channel Logout), and a browser is sent there to end
//! it (OIDC RP-Initiated Logout).

use crate::id_token::LONGEST_SESSION;
use crate::provider::{Provider, VerifyError};
use crate::sign_in::encoded;
use crate::token_claims::{LEEWAY, ProviderTokenClaims};
use ring::digest::{Context, SHA256};
use std::time::Duration;
use tegata_core::{Language, Refusal, Timestamp};

/// What a logout token is told by.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// How old one may be. They are sent as it happens.
const OLDEST: Duration = Duration::from_mins(5);

/// The longest `jti` and `sub`, in bytes.
const LONGEST_TEXT: usize = 255;

/// What a browser is sent to its provider with, to sign out there.
#[derive(Clone, Copy)]
pub struct SignOutParameters<'a> {
    /// The ID token of the sign-in, if it was kept.
    pub id_token: Option<&'a str>,
    /// Where the browser comes back to.
    pub back: &'a str,
    /// What it brings back.
    pub state: Option<&'a str>,
    /// The language of the page before.
    pub language: Language,
}

/// A logout token that is believed: the session ends, or all of the subject's.
#[derive(Clone, PartialEq, Eq)]
pub struct LogoutToken {
    /// `sub`, as sign-ins have said it.
    pub subject: Option<String>,
    /// The name of the session at the provider. One of the two is there.
    pub session: Option<String>,
    /// Tells it from all others of all issuers: SHA-256 over issuer and `jti`.
    pub hash: Vec<u8>,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it would not be taken any more in any case.
    pub expires_at: Timestamp,
}

impl Provider {
    /// What a logout token says, if this provider has sent it to this installation.
    ///
    /// # Errors
    /// [`Refusal::LogoutTokenRefused`] whatever does not hold, [`Refusal::ProviderUnavailable`] when the keys are not known.
    pub async fn logout_token(&self, token: &str, now: Timestamp) -> Result<LogoutToken, Refusal> {
        let issuer = &self.configured().issuer;
        let disbelieved = |why: &str| {
            tracing::info!(issuer, why, "a logout token is not believed");
            Refusal::LogoutTokenRefused
        };
        let text = self.verify(token, now).await.map_err(|error| match error {
            VerifyError::Unavailable => Refusal::ProviderUnavailable,
            VerifyError::Disbelieved(error) => disbelieved(&error.to_string()),
        })?;
        if text.typ.as_deref().is_some_and(|typ| !matches!(typ, "jwt" | "logout+jwt")) {
            return Err(disbelieved("it has another type"));
        }
        let claims: ProviderTokenClaims =
            serde_json::from_slice(&text.payload).map_err(|_| disbelieved("it lacks claims"))?;
        let client = self.client()?;
        if claims.iss != *issuer || !claims.is_for_any(std::slice::from_ref(&client.client_id)) {
            return Err(disbelieved("it is of another issuer, or for another client"));
        }
        if !claims.is_timely(now, OLDEST) {
            return Err(disbelieved("it is not of now"));
        }
        claims.logout(issuer).ok_or_else(|| disbelieved("it is no logout token"))
    }

    /// Where the browser goes so that the session at the provider ends as well; nothing where there is no such place.
    pub async fn sign_out_url(&self, sign_out: &SignOutParameters<'_>, now: Timestamp) -> Option<String> {
        let known = self.discovered(now).await.ok()?;
        let endpoint = known.metadata.end_session_endpoint()?;
        let mut fields = vec![
            ("client_id", self.client().ok()?.client_id.clone()),
            ("post_logout_redirect_uri", sign_out.back.to_owned()),
            ("ui_locales", sign_out.language.tag().to_owned()),
        ];
        fields.extend(sign_out.id_token.map(|token| ("id_token_hint", token.to_owned())));
        fields.extend(sign_out.state.map(|state| ("state", state.to_owned())));
        let joint = if endpoint.contains('?') { '&' } else { '?' };
        Some(format!("{endpoint}{joint}{}", encoded(&fields)))
    }
}

impl ProviderTokenClaims {
    /// An ID token passes for none: it has no event. One with a nonce is refused, so that none passes for an ID token.
    fn logout(&self, issuer: &str) -> Option<LogoutToken> {
        let read = |claim: &str, longest: usize| {
            self.text(claim).filter(|text| !text.is_empty() && text.len() <= longest).map(str::to_owned)
        };
        let short = |claim: &str| read(claim, LONGEST_TEXT);
        let is_event = self.others.get("events")?.get(EVENT)?.is_object();
        let (subject, session, id) = (short("sub"), read("sid", LONGEST_SESSION), short("jti")?);
        let names_somebody = subject.is_some() || session.is_some();
        if !is_event || !names_somebody || self.others.contains_key("nonce") {
            return None;
        }
        let issued_at = self.issued_at()?;
        let mut hash = Context::new(&SHA256);
        for part in [issuer.as_bytes(), &[0], id.as_bytes()] {
            hash.update(part);
        }
        Some(LogoutToken {
            subject,
            session,
            hash: hash.finish().as_ref().to_vec(),
            issued_at,
            expires_at: issued_at.plus(OLDEST).plus(LEEWAY),
        })
    }
}
