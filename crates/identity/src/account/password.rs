//! `{device}/account/password`: another password.

use super::confirming::{ConfirmedPassword, PasswordFault, PasswordForm};
use crate::password::{Password, SHORTEST};
use crate::service::{IdentityService, refusal};
use crate::session::{SessionHolder, SignedInForm, SignedInPage, browser_forms};
use crate::sign_in::redirect;
use crate::typed_secret::TypedSecret;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use tegata_core::{Language, Refusal};
use tegata_web::{ReaderLanguage, WebResult};

#[derive(Template)]
#[template(path = "account-password.html")]
struct ChangePasswordPage<'a> {
    language: Language,
    form_token: String,
    login: &'a str,
    shortest: usize,
    wrong_old: Option<&'static str>,
    wrong_new: Option<&'static str>,
}

/// The password and the one to come.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangePasswordForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    old: TypedSecret,
    #[serde(default)]
    password: TypedSecret,
    #[serde(default)]
    again: TypedSecret,
}

browser_forms!(ChangePasswordForm);

impl PasswordForm for ChangePasswordForm {
    fn present_password(&self) -> &str {
        &self.old
    }
}

pub(crate) async fn ask(
    State(service): State<IdentityService>,
    ReaderLanguage(language): ReaderLanguage,
    SignedInPage(by): SignedInPage,
) -> WebResult<Response> {
    Ok(service.change_password_page(&by, language, (None, None)).await)
}

pub(crate) async fn change(
    State(service): State<IdentityService>,
    ReaderLanguage(language): ReaderLanguage,
    asked: SignedInForm<ChangePasswordForm>,
) -> WebResult<Response> {
    let SignedInForm { by, form, .. } = &asked;
    let password = Password::typed(&form.password);
    // What is wrong with the new one costs nothing to tell, and no attempt.
    if let Some(fault) = password.fault(&form.again, &by.session.login, language) {
        return Ok(service.change_password_page(by, language, (None, Some(fault))).await);
    }
    match asked.confirm(&service, language).await? {
        Ok(before) => service.change_password(by, &before, password).await?,
        Err(PasswordFault(text)) => {
            return Ok(service.change_password_page(by, language, (Some(text), None)).await);
        }
    }
    Ok(redirect("/account", language))
}

impl IdentityService {
    async fn change_password(
        &self,
        by: &SessionHolder,
        ConfirmedPassword(before): &ConfirmedPassword,
        password: Password,
    ) -> Result<(), Refusal> {
        let hash = self.hasher.hash(password, self.context.entropy.clone()).await?;
        let changed = async {
            let mut transaction = self.rows(&by.holder).begin(self.context.now()).await?;
            transaction.change_password(&by.session.person, &by.session.id, before, &hash).await?;
            transaction.commit().await
        };
        changed.await.map_err(refusal)
    }

    async fn change_password_page(
        &self,
        by: &SessionHolder,
        language: Language,
        (wrong_old, wrong_new): (Option<&'static str>, Option<&'static str>),
    ) -> Response {
        let page = ChangePasswordPage {
            language,
            form_token: by.secret.form_token(),
            login: &by.session.login,
            shortest: SHORTEST,
            wrong_old,
            wrong_new,
        };
        let is_wrong = wrong_old.is_some() || wrong_new.is_some();
        let title = ("パスワードの変更", "Change your password");
        self.account_answer(by, language, title, &page, is_wrong).await
    }
}
