//! `{device}/account/passkeys`: a person who is signed in makes passkeys and removes them.

use super::CreatedCredential;
use super::challenge::{ChallengeHolder, STANDS};
use crate::account::confirming::{PasswordFault, PasswordForm};
use crate::service::{IdentityService, refusal};
use crate::session::{SessionHolder, SignedInForm, SignedInPage, browser_forms};
use crate::sign_in::redirect;
use crate::typed_secret::TypedSecret;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use tegata_core::encoding::base64url;
use tegata_core::webauthn::{ALGORITHMS, RegistrationResponse};
use tegata_core::{Language, Name, PasskeyId, Refusal};
use tegata_storage::{LedgerError, NewPersonPasskey, PASSKEYS_OF_A_PERSON, Passkey};
use tegata_web::{ReaderLanguage, WebResult};

/// The longest name of a passkey, in characters.
const LONGEST_NAME: usize = 40;

#[derive(Template)]
#[template(path = "passkey-name.html")]
struct PasskeyNamePage<'a> {
    language: Language,
    form_token: String,
    login: &'a str,
    name: &'a str,
    wrong_name: Option<String>,
    wrong_password: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "passkey-make.html")]
struct PasskeyMakePage<'a> {
    language: Language,
    form_token: String,
    name: &'a str,
    options: String,
}

/// What the new passkey is to be called, by somebody who knows the password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasskeyNameForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: TypedSecret,
}

/// What the browser has made.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasskeyMadeForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    passkey: String,
}

/// Names the passkey to remove.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RemovePasskeyForm {
    #[serde(default)]
    form_token: String,
    passkey: PasskeyId,
}

browser_forms!(PasskeyNameForm, PasskeyMadeForm, RemovePasskeyForm);

impl PasswordForm for PasskeyNameForm {
    fn present_password(&self) -> &str {
        &self.password
    }
}

/// Asks for a name and the password.
pub(crate) async fn ask(
    State(service): State<IdentityService>,
    ReaderLanguage(language): ReaderLanguage,
    SignedInPage(by): SignedInPage,
) -> WebResult<Response> {
    service.relying_party().ok_or(Refusal::NotFound)?;
    let page = PasskeyNamePage {
        language,
        form_token: by.secret.form_token(),
        login: &by.session.login,
        name: "",
        wrong_name: None,
        wrong_password: None,
    };
    Ok(service.account_form(&by, language, TITLE, &page).await.into_response())
}

/// Gives a page that lets the browser make a passkey.
pub(crate) async fn begin(
    State(service): State<IdentityService>,
    ReaderLanguage(language): ReaderLanguage,
    asked: SignedInForm<PasskeyNameForm>,
) -> WebResult<Response> {
    let SignedInForm { by, form, .. } = &asked;
    let named = Name::parse(&form.name, LONGEST_NAME);
    let confirmed = asked.confirm(&service, language).await?;
    match (named, confirmed) {
        (Ok(name), Ok(_)) => {
            let options = service.creation_options(by).await?;
            let page = PasskeyMakePage {
                language,
                form_token: by.secret.form_token(),
                name: name.as_str(),
                options: options.to_string(),
            };
            let page = service.account_form(by, language, TITLE, &page).await;
            Ok(page.script("/assets/passkey.js").into_response())
        }
        (named, confirmed) => {
            let page = PasskeyNamePage {
                language,
                form_token: by.secret.form_token(),
                login: &by.session.login,
                name: &form.name,
                wrong_name: named.err().map(|wrong| wrong.text(language)),
                wrong_password: confirmed.err().map(|PasswordFault(text)| text),
            };
            Ok(service.account_answer(by, language, TITLE, &page, true).await)
        }
    }
}

/// Keeps what the browser has made.
pub(crate) async fn complete(
    State(service): State<IdentityService>,
    ReaderLanguage(language): ReaderLanguage,
    SignedInForm { by, form, .. }: SignedInForm<PasskeyMadeForm>,
) -> WebResult<Response> {
    let name = Name::parse(&form.name, LONGEST_NAME).map_err(|_| Refusal::RequestMalformed)?;
    let new = service.verified_passkey(&by, &form.passkey, name).await?;
    let added = async {
        let mut transaction = service.rows(&by.holder).begin(by.at).await?;
        transaction.add_passkey(&new, &by.session.id).await?;
        transaction.commit().await
    };
    added.await.map_err(refusal)?;
    Ok(redirect("/account", language))
}

/// Removes a passkey. One that is gone already is none to remove.
pub(crate) async fn remove(
    State(service): State<IdentityService>,
    ReaderLanguage(language): ReaderLanguage,
    SignedInForm { by, form, .. }: SignedInForm<RemovePasskeyForm>,
) -> WebResult<Response> {
    let removed = async {
        let mut transaction = service.rows(&by.holder).begin(by.at).await?;
        let (person, kept) = (&by.session.person, &by.session.id);
        transaction.remove_passkey(person, kept, &form.passkey).await?;
        transaction.commit().await
    };
    match removed.await {
        Ok(()) | Err(LedgerError::Guard(_)) => Ok(redirect("/account", language)),
        Err(error) => Err(refusal(error).into()),
    }
}

impl IdentityService {
    /// The passkeys of whoever is signed in.
    pub(crate) async fn passkeys_of(&self, by: &SessionHolder) -> Result<Vec<Passkey>, Refusal> {
        self.rows(&by.holder).passkeys_of(&by.session.person).await.map_err(refusal)
    }

    /// `PublicKeyCredentialCreationOptions`, with what is binary in base64url. The user's handle is the person's random
    /// identifier: it says nothing to whoever finds it on an authenticator.
    async fn creation_options(&self, by: &SessionHolder) -> Result<serde_json::Value, Refusal> {
        let site = self.relying_party().ok_or(Refusal::NotFound)?;
        let session = &by.session;
        let known = self.passkeys_of(by).await?;
        if known.len() >= usize::from(PASSKEYS_OF_A_PERSON) {
            return Err(Refusal::PasskeysFull);
        }
        let holder = ChallengeHolder::Session(&session.id);
        let challenge = self.challenges().await?.make(holder, by.at, self.context.entropy.as_ref());
        Ok(json!({
            "rp": {"id": site.id(), "name": "Tegata"},
            "user": {
                "id": base64url(&session.person.bits()), "name": session.login, "displayName": session.name,
            },
            "challenge": base64url(&challenge),
            "pubKeyCredParams": ALGORITHMS.map(|algorithm| json!({"type": "public-key", "alg": algorithm})),
            "excludeCredentials": known.iter().map(|passkey| base64url(&passkey.credential)).collect::<Vec<_>>(),
            "timeout": u64::try_from(STANDS.as_millis()).unwrap_or(0),
        }))
    }

    async fn verified_passkey(
        &self,
        by: &SessionHolder,
        answer: &str,
        name: Name,
    ) -> Result<NewPersonPasskey, Refusal> {
        let site = self.relying_party().ok_or(Refusal::NotFound)?;
        let answer: CreatedCredential = serde_json::from_str(answer).map_err(|_| Refusal::PasskeyUnfit)?;
        let challenges = self.challenges().await?;
        let holder = ChallengeHolder::Session(&by.session.id);
        let mut challenge = None;
        let response = RegistrationResponse {
            client_data: &answer.client_data,
            attestation: &answer.attestation_object,
        };
        let made = site.register(&response, |answered| {
            challenge = challenges.answered(holder, answered, by.at);
            challenge.is_some()
        });
        match (made, challenge) {
            (Ok(made), Some(challenge)) => Ok(NewPersonPasskey {
                id: PasskeyId::random(self.context.entropy.as_ref()),
                person: by.session.person.clone(),
                credential: made.credential,
                public_key: made.public_key,
                counter: made.counter,
                name: name.as_str().to_owned(),
                challenge,
            }),
            (outcome, _) => {
                let reason = outcome.err().map(|error| error.to_string());
                tracing::info!(person = %by.session.person, reason, "a new passkey was refused");
                Err(Refusal::PasskeyUnfit)
            }
        }
    }
}

const TITLE: (&str, &str) = ("パスキーの登録", "Register a passkey");
