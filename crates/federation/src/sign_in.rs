//! The way to a sign-in at a provider, and what comes back (OIDC Core section 3.1.2, RFC 7636, RFC 9207).

use crate::id_token::ProviderSignIn;
use crate::identity_provider::{LONGEST_NAME, SignInClient};
use crate::provider::Provider;
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use std::time::Duration;
use tegata_core::encoding::{base64url, percent_encoded};
use tegata_core::{Entropy, Language, Refusal, Timestamp};

/// The longest code and error that are looked at, in bytes.
const LONGEST_CODE: usize = 4096;
const LONGEST_ERROR: usize = 64;

/// What a sign-in is begun with. State, nonce and verifier are random and known to one browser alone.
pub struct SignInParameters<'a> {
    /// Where the provider sends the browser back to.
    pub redirect_uri: &'a str,
    /// What comes back with it.
    pub state: &'a str,
    /// What the ID token has to name.
    pub nonce: &'a str,
    /// What the code is redeemed with (RFC 7636).
    pub verifier: &'a str,
    /// How long ago the person may have proved themselves, where a product says so; zero for anew.
    pub max_age: Option<Duration>,
    /// Who the product believes it is.
    pub login_hint: Option<&'a str>,
    /// The language of the page before.
    pub language: Language,
}

/// The begin of a sign-in.
pub struct SignInStart {
    /// Where the browser goes.
    pub url: String,
    /// How long ago the person may have proved themselves, by product and operator.
    pub max_age: Option<Duration>,
}

/// What the browser brings back.
#[derive(Default, Deserialize)]
pub struct AuthorizationCallback {
    /// What was sent with it.
    pub state: Option<String>,
    code: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

/// A sign-in that was begun, as its browser has kept it.
pub struct BegunSignIn<'a> {
    /// Where the provider was to send the browser back to.
    pub redirect_uri: &'a str,
    /// What the ID token has to name.
    pub nonce: &'a str,
    /// What the code is redeemed with.
    pub verifier: &'a str,
    /// How long ago the person may have proved themselves, as [`SignInStart`] has it.
    pub max_age: Option<Duration>,
    /// When the browser was sent there.
    pub begun_at: Timestamp,
}

impl Provider {
    /// The address at the provider that a sign-in begins with.
    ///
    /// # Errors
    /// [`Refusal::ProviderUnavailable`] when it cannot be asked where that is.
    pub async fn start_sign_in(
        &self,
        parameters: &SignInParameters<'_>,
        now: Timestamp,
    ) -> Result<SignInStart, Refusal> {
        let client = self.client()?;
        let known = self.discovered(now).await.map_err(|_| Refusal::ProviderUnavailable)?;
        let endpoint = known.metadata.authorization_endpoint().ok_or(Refusal::ProviderUnavailable)?;
        let max_age = [parameters.max_age, client.max_age].into_iter().flatten().min();
        let query = query(client, parameters, max_age);
        let joint = if endpoint.contains('?') { '&' } else { '?' };
        Ok(SignInStart { url: format!("{endpoint}{joint}{query}"), max_age })
    }

    /// Who has signed in, by what the browser brought back. The state was compared before.
    ///
    /// # Errors
    /// [`Refusal::ProviderSignInFailed`] whatever does not hold, [`Refusal::ProviderUnavailable`] where the provider does not
    /// answer, [`Refusal::SignInTooWeak`] where it answers with a weaker sign-in than was asked for.
    pub async fn complete_sign_in(
        &self,
        callback: &AuthorizationCallback,
        begun: &BegunSignIn<'_>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<ProviderSignIn, Refusal> {
        self.check_issuer(callback.iss.as_deref(), now).await?;
        if let Some(error) = &callback.error {
            return Err(self.refused_by_provider(error));
        }
        let code = callback.code.as_deref().filter(|code| !code.is_empty() && code.len() <= LONGEST_CODE);
        let code = code.ok_or_else(|| self.failed("it sent no code"))?;
        let id_token = self.redeem(code, begun, now, entropy).await?;
        self.signed_in(id_token, begun, now).await
    }

    /// The client that people are sent there by.
    pub(crate) fn client(&self) -> Result<&SignInClient, Refusal> {
        self.configured().sign_in.as_ref().ok_or(Refusal::ProviderMissing)
    }

    /// Says why in the log, in words that nobody outside has chosen.
    pub(crate) fn failed(&self, why: &'static str) -> Refusal {
        tracing::info!(issuer = self.configured().issuer, why, "a sign-in at a provider is not believed");
        Refusal::ProviderSignInFailed
    }

    /// An answer of another provider is none (mix-up, RFC 9207 section 2.4): it has to name this one where it promises to, and
    /// must never name another.
    async fn check_issuer(&self, named: Option<&str>, now: Timestamp) -> Result<(), Refusal> {
        let known = self.discovered(now).await.map_err(|_| Refusal::ProviderUnavailable)?;
        match named {
            Some(named) if named != self.configured().issuer => Err(self.failed("another issuer answers")),
            None if known.metadata.authorization_response_iss_parameter_supported => {
                Err(self.failed("the answer names no issuer"))
            }
            _ => Ok(()),
        }
    }

    /// The person said no, or the provider did.
    fn refused_by_provider(&self, error: &str) -> Refusal {
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        let is_code = error.len() <= LONGEST_ERROR && error.bytes().all(is_word);
        let shown = if is_code { error } else { "unreadable" };
        let issuer = &self.configured().issuer;
        tracing::info!(issuer, error = shown, "a provider has refused a sign-in");
        match shown {
            "temporarily_unavailable" | "server_error" => Refusal::ProviderUnavailable,
            "unmet_authentication_requirements" => Refusal::SignInTooWeak,
            _ => Refusal::ProviderSignInFailed,
        }
    }
}

fn query(client: &SignInClient, parameters: &SignInParameters<'_>, max_age: Option<Duration>) -> String {
    let challenge = base64url(digest(&SHA256, parameters.verifier.as_bytes()).as_ref());
    let mut fields = vec![
        ("response_type", "code".to_owned()),
        ("client_id", client.client_id.clone()),
        ("redirect_uri", parameters.redirect_uri.to_owned()),
        ("scope", client.scope.clone()),
        ("state", parameters.state.to_owned()),
        ("nonce", parameters.nonce.to_owned()),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256".to_owned()),
        ("ui_locales", parameters.language.tag().to_owned()),
    ];
    if !client.acr_values.is_empty() {
        fields.push(("acr_values", client.acr_values.join(" ")));
    }
    if let Some(max_age) = max_age {
        fields.push(("max_age", max_age.as_secs().to_string()));
        if max_age.is_zero() {
            fields.push(("prompt", "login".to_owned()));
        }
    }
    if let Some(hint) = parameters.login_hint.filter(|hint| hint.len() <= LONGEST_NAME) {
        fields.push(("login_hint", hint.to_owned()));
    }
    encoded(&fields)
}

/// Fields as a form or a query has them.
pub(crate) fn encoded(fields: &[(&str, String)]) -> String {
    let pair = |(name, value): &(&str, String)| format!("{name}={}", percent_encoded(value));
    fields.iter().map(pair).collect::<Vec<_>>().join("&")
}
