//! `{device}/account/recovery-codes`: ten others.

use super::confirming::{PasswordFault, PasswordForm};
use crate::service::{IdentityService, refusal};
use crate::session::{SessionHolder, SignedInForm, SignedInPage, browser_forms};
use crate::setup::{RECOVERY_CODES, RecoveryCodesPage};
use crate::typed_secret::TypedSecret;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tegata_core::{Language, OneTimeCode};
use tegata_web::{ReaderLanguage, WebResult};

#[derive(Template)]
#[template(path = "account-recovery.html")]
struct NewCodesPage<'a> {
    language: Language,
    form_token: String,
    login: &'a str,
    wrong_password: Option<&'static str>,
}

/// That the password is known.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCodesForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    password: TypedSecret,
}

browser_forms!(NewCodesForm);

impl PasswordForm for NewCodesForm {
    fn present_password(&self) -> &str {
        &self.password
    }
}

const TITLE: (&str, &str) = ("復旧用のコード", "Recovery codes");

pub(crate) async fn ask(
    State(service): State<IdentityService>,
    ReaderLanguage(language): ReaderLanguage,
    SignedInPage(by): SignedInPage,
) -> WebResult<Response> {
    Ok(service.new_codes_page(&by, language, None).await)
}

pub(crate) async fn replace(
    State(service): State<IdentityService>,
    ReaderLanguage(language): ReaderLanguage,
    asked: SignedInForm<NewCodesForm>,
) -> WebResult<Response> {
    let by = &asked.by;
    if let Err(PasswordFault(text)) = asked.confirm(&service, language).await? {
        return Ok(service.new_codes_page(by, language, Some(text)).await);
    }
    let entropy = service.context.entropy.as_ref();
    let codes: Vec<_> = (0..RECOVERY_CODES).map(|_| OneTimeCode::random(entropy)).collect();
    let hashes: Vec<_> = codes.iter().map(OneTimeCode::hash).collect();
    let replaced = async {
        let mut transaction = service.rows(&by.holder).begin(by.at).await?;
        transaction.replace_recovery_codes(&by.session.person, &by.session.id, &hashes).await?;
        transaction.commit().await
    };
    replaced.await.map_err(refusal)?;
    let page = RecoveryCodesPage {
        language,
        login: &by.session.login,
        codes: codes.iter().map(OneTimeCode::reveal).collect(),
        goes_on: format!("/account?lang={}", language.tag()),
        is_new_account: false,
    };
    let page = service.account_form(by, language, TITLE, &page).await;
    Ok(page.script("/assets/setup.js").into_response())
}

impl IdentityService {
    async fn new_codes_page(
        &self,
        by: &SessionHolder,
        language: Language,
        wrong_password: Option<&'static str>,
    ) -> Response {
        let page = NewCodesPage {
            language,
            form_token: by.secret.form_token(),
            login: &by.session.login,
            wrong_password,
        };
        self.account_answer(by, language, TITLE, &page, wrong_password.is_some()).await
    }
}
