//! `{device}/account/app`: another authenticator app, as after a change of phones.

use super::confirming::{PasswordFault, PasswordForm};
use crate::service::{IdentityService, refusal};
use crate::session::{SessionHolder, SignedInForm, SignedInPage, browser_forms};
use crate::sign_in::redirect;
use crate::totp::TotpSecret;
use crate::typed_factor::TypedFactor;
use crate::typed_secret::TypedSecret;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use tegata_core::encoding::{base64, hex};
use tegata_core::entropy::bytes;
use tegata_core::{Language, Refusal};
use tegata_web::qr::qr_svg;
use tegata_web::{ReaderLanguage, WebResult};

#[derive(Template)]
#[template(path = "account-app.html")]
struct NewAppPage<'a> {
    language: Language,
    form_token: String,
    login: &'a str,
    chance: &'a str,
    picture: String,
    secret: String,
    wrong_password: Option<&'static str>,
    wrong_code: bool,
}

/// That the new app shows the right digits.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAppForm {
    #[serde(default)]
    form_token: String,
    /// Which of the secrets of this session the page has shown.
    #[serde(default)]
    chance: String,
    #[serde(default)]
    password: TypedSecret,
    #[serde(default)]
    totp: TypedSecret,
}

/// What is wrong with what was typed.
#[derive(Clone, Copy, Default)]
struct NewAppFaults {
    password: Option<&'static str>,
    code: bool,
}

browser_forms!(NewAppForm);

impl PasswordForm for NewAppForm {
    fn present_password(&self) -> &str {
        &self.password
    }
}

pub(crate) async fn ask(
    State(service): State<IdentityService>,
    ReaderLanguage(language): ReaderLanguage,
    SignedInPage(by): SignedInPage,
) -> WebResult<Response> {
    let chance = hex(&bytes::<16>(service.context.entropy.as_ref()));
    service.new_app_page(&by, language, &chance, NewAppFaults::default()).await
}

pub(crate) async fn change(
    State(service): State<IdentityService>,
    ReaderLanguage(language): ReaderLanguage,
    asked: SignedInForm<NewAppForm>,
) -> WebResult<Response> {
    let SignedInForm { by, form, .. } = &asked;
    let totp = service.totp_of_session(by, &form.chance).await?;
    let step = match TypedFactor::parse(&form.totp) {
        TypedFactor::Totp(typed) => totp.step_of(typed, by.at, 0),
        _ => None,
    };
    let Some(step) = step else {
        let faults = NewAppFaults { code: true, ..NewAppFaults::default() };
        return service.new_app_page(by, language, &form.chance, faults).await;
    };
    if let Err(PasswordFault(text)) = asked.confirm(&service, language).await? {
        let faults = NewAppFaults { password: Some(text), ..NewAppFaults::default() };
        return service.new_app_page(by, language, &form.chance, faults).await;
    }
    let sealed = service.seal_totp(&by.session.person, &totp).await?;
    let changed = async {
        let mut transaction = service.rows(&by.holder).begin(by.at).await?;
        transaction.change_totp(&by.session.person, &by.session.id, &sealed, step).await?;
        transaction.commit().await
    };
    changed.await.map_err(refusal)?;
    Ok(redirect("/account", language))
}

impl IdentityService {
    /// The secret that a page of this session shows: kept nowhere until the app has proved that it has it.
    async fn totp_of_session(&self, by: &SessionHolder, chance: &str) -> Result<TotpSecret, Refusal> {
        if chance.len() != 32 || !chance.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Refusal::FormOutdated);
        }
        let purpose = format!("second factor of session {} {chance}", by.session.id);
        self.derived_totp(&purpose).await
    }

    async fn new_app_page(
        &self,
        by: &SessionHolder,
        language: Language,
        chance: &str,
        faults: NewAppFaults,
    ) -> WebResult<Response> {
        let totp = self.totp_of_session(by, chance).await?;
        let issuer = self.tenant_name(&by.holder).await?;
        let picture = qr_svg(&totp.uri(&issuer, &by.session.login)).ok_or(Refusal::Internal)?;
        let page = NewAppPage {
            language,
            form_token: by.secret.form_token(),
            login: &by.session.login,
            chance,
            picture: base64(picture.as_bytes()),
            secret: totp.typed_form(),
            wrong_password: faults.password,
            wrong_code: faults.code,
        };
        let is_wrong = faults.password.is_some() || faults.code;
        let title = ("認証アプリの変更", "Change your authenticator app");
        Ok(self.account_answer(by, language, title, &page, is_wrong).await)
    }
}
