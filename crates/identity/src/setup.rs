//! `{portal}/setup#CODE`: a person who was handed a link chooses a password and a second factor.
//!
//! The code travels in the fragment and in bodies of forms, never in an address that somebody logs. Nothing is written before
//! the last step, which uses the link up.

use crate::password::{Password, SHORTEST};
use crate::service::{IdentityService, refusal};
use crate::totp::TotpSecret;
use crate::typed_factor::TypedFactor;
use crate::typed_secret::TypedSecret;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use std::sync::Arc;
use tegata_core::encoding::base64;
use tegata_core::{Language, OneTimeCode, Refusal, SetupCode, Timestamp};
use tegata_storage::{NewCredential, OpenSetup};
use tegata_web::qr::qr_svg;
use tegata_web::{HtmlPage, ReaderLanguage, RequestTime, StrictForm, TenantWork, WebResult};
use zeroize::Zeroizing;

/// Recovery codes that a person gets.
pub(crate) const RECOVERY_CODES: usize = 10;

#[derive(Template)]
#[template(path = "setup-code.html")]
struct SetupCodePage {
    language: Language,
}

#[derive(Template)]
#[template(path = "setup.html")]
struct SetupPage<'a> {
    language: Language,
    open: &'a OpenSetup,
    code: &'a str,
    picture: String,
    secret: String,
    shortest: usize,
    wrong_password: Option<&'static str>,
    wrong_code: bool,
}

#[derive(Template)]
#[template(path = "recovery-codes.html")]
pub(crate) struct RecoveryCodesPage<'a> {
    pub(crate) language: Language,
    pub(crate) login: &'a str,
    pub(crate) codes: Vec<Zeroizing<String>>,
    /// Where it goes on.
    pub(crate) goes_on: String,
    pub(crate) is_new_account: bool,
}

/// The code of the link.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetupCodeForm {
    #[serde(default)]
    code: TypedSecret,
}

/// What the person chose.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetupForm {
    #[serde(default)]
    code: TypedSecret,
    #[serde(default)]
    password: TypedSecret,
    #[serde(default)]
    again: TypedSecret,
    #[serde(default)]
    totp: TypedSecret,
}

/// What is wrong with what was chosen.
#[derive(Default)]
struct SetupFaults {
    password: Option<&'static str>,
    code: bool,
}

pub(crate) async fn ask(
    State(service): State<IdentityService>,
    ReaderLanguage(language): ReaderLanguage,
) -> HtmlPage {
    page(&service, language, &SetupCodePage { language }).script("/assets/setup.js")
}

pub(crate) async fn open(
    State(service): State<IdentityService>,
    ReaderLanguage(language): ReaderLanguage,
    time: RequestTime,
    StrictForm(form): StrictForm<SetupCodeForm>,
) -> WebResult<Response> {
    let code = code_of(&form.code)?;
    let open = service.open_setup(&code, time.now()).await?;
    service.setup_page(&open, &code, &SetupFaults::default(), language).await
}

pub(crate) async fn complete(
    State(service): State<IdentityService>,
    ReaderLanguage(language): ReaderLanguage,
    time: RequestTime,
    StrictForm(form): StrictForm<SetupForm>,
) -> WebResult<Response> {
    let code = code_of(&form.code)?;
    let open = service.open_setup(&code, time.now()).await?;
    let totp = service.totp_of_link(&code).await?;
    let chosen = chosen_password(&open, &form);
    let step = match TypedFactor::parse(&form.totp) {
        TypedFactor::Totp(typed) => totp.step_of(typed, time.now(), 0),
        _ => None,
    };
    let wrong = chosen.as_ref().and_then(|password| password.fault(&form.again, &open.login, language));
    let (None, Some(step)) = (wrong, step) else {
        let faults = SetupFaults { password: wrong, code: step.is_none() };
        return service.setup_page(&open, &code, &faults, language).await;
    };
    let codes = service.set_up(&code, &open, chosen, (&totp, step), time.now()).await?;
    let goes_on = format!("{}/sign-in?lang={}", service.context.addresses.device, language.tag());
    let codes = codes.iter().map(OneTimeCode::reveal).collect();
    let body = RecoveryCodesPage { language, login: &open.login, codes, goes_on, is_new_account: true };
    Ok(page(&service, language, &body).script("/assets/setup.js").into_response())
}

impl IdentityService {
    async fn open_setup(&self, code: &SetupCode, now: Timestamp) -> Result<OpenSetup, Refusal> {
        self.context.ledger.open_setup(code, now).await.map_err(refusal)
    }

    /// Uses the link; gives the recovery codes, which nobody can show again.
    async fn set_up(
        &self,
        code: &SetupCode,
        open: &OpenSetup,
        chosen: Option<Password>,
        (totp, step): (&TotpSecret, i64),
        now: Timestamp,
    ) -> Result<Vec<OneTimeCode>, Refusal> {
        let entropy = self.context.entropy.clone();
        let _place = self.context.shares.enter(TenantWork::SignIn, open.tenant.as_str()).await?;
        let password = match chosen {
            Some(password) => Some(self.hasher.hash(password, Arc::clone(&entropy)).await?),
            None => None,
        };
        let codes: Vec<_> = (0..RECOVERY_CODES).map(|_| OneTimeCode::random(entropy.as_ref())).collect();
        let chosen = NewCredential {
            password,
            totp: self.seal_totp(&open.person, totp).await?,
            totp_step: step,
            recovery: codes.iter().map(OneTimeCode::hash).collect(),
        };
        let used = async {
            let mut transaction = self.context.ledger.begin(now).await?;
            transaction.set_up_person(code, &chosen).await?;
            transaction.commit().await
        };
        used.await.map_err(refusal)?;
        Ok(codes)
    }

    async fn setup_page(
        &self,
        open: &OpenSetup,
        code: &SetupCode,
        faults: &SetupFaults,
        language: Language,
    ) -> WebResult<Response> {
        let totp = self.totp_of_link(code).await?;
        let picture = qr_svg(&totp.uri(&open.tenant_name, &open.login)).ok_or(Refusal::Internal)?;
        let body = SetupPage {
            language,
            open,
            code: code.reveal(),
            picture: base64(picture.as_bytes()),
            secret: totp.typed_form(),
            shortest: SHORTEST,
            wrong_password: faults.password,
            wrong_code: faults.code,
        };
        let is_wrong = faults.password.is_some() || faults.code;
        let status = if is_wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
        Ok((status, page(self, language, &body).script("/assets/setup.js")).into_response())
    }
}

/// Nothing where the person keeps the password that they have signed in with.
fn chosen_password(open: &OpenSetup, form: &SetupForm) -> Option<Password> {
    let keeps = open.may_keep_password && form.password.is_empty() && form.again.is_empty();
    (!keeps).then(|| Password::typed(&form.password))
}

fn code_of(typed: &str) -> Result<SetupCode, Refusal> {
    SetupCode::parse(typed.trim()).ok_or(Refusal::SetupLinkUnknown)
}

fn page(service: &IdentityService, language: Language, body: &impl Template) -> HtmlPage {
    let title = language.pick("アカウントの設定", "Set up your account");
    HtmlPage::new(language, title, body).contact(service.contact()).sending_forms()
}
