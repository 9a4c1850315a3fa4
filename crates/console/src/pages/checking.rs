//! Support asks whether what a caller says is on file, and hears yes or no.

use crate::acting::{Acting, sealed_forms};
use crate::asking::{JustifiedForm, JustifiedPage};
use crate::checking::FactOnFile;
use crate::frame::{Frame, refused};
use crate::personal::PersonalText;
use crate::service::ConsoleService;
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;
use tegata_core::{Language, PersonId, Refusal};
use tegata_web::{ReaderLanguage, WebResult};

#[derive(Template)]
#[template(path = "checking.html")]
struct CheckingPage {
    frame: Frame,
    person: String,
    name: PersonalText,
    login: PersonalText,
    is_login: bool,
    answer: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckForm {
    #[serde(default)]
    form_token: String,
    what: FactOnFile,
    #[serde(default)]
    said: String,
}

sealed_forms! { CheckForm }

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
    Path(person): Path<String>,
) -> WebResult<Response> {
    service.checking_page(&by, &named(&person)?, language, (false, Ok(None))).await
}

pub(crate) async fn check(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    Path(person): Path<String>,
    JustifiedForm { by, form }: JustifiedForm<CheckForm>,
) -> WebResult<Response> {
    let person = named(&person)?;
    let answer = match service.check_on_file(&by, &person, &form.what.said(&form.said)).await {
        Ok(matches) => Ok(Some(matches)),
        Err(why @ (Refusal::TooManyChecks | Refusal::RequestMalformed)) => Err(why),
        Err(why) => return Err(why.into()),
    };
    service.checking_page(&by, &person, language, (form.what == FactOnFile::Login, answer)).await
}

fn named(text: &str) -> Result<PersonId, Refusal> {
    PersonId::parse(text).ok_or(Refusal::PersonUnknown)
}

impl ConsoleService {
    async fn checking_page(
        &self,
        by: &Acting,
        person: &PersonId,
        language: Language,
        (is_login, answer): (bool, Result<Option<bool>, Refusal>),
    ) -> WebResult<Response> {
        let known = self.person_seen(by, person).await?;
        let why_not = answer.err();
        let body = CheckingPage {
            frame: Frame::of(by, "", language).refusing(why_not, None),
            person: person.to_string(),
            name: by.name_of(&known.tenant, &known.name),
            login: by.login_of(&known.tenant, &known.login),
            is_login,
            answer: answer.ok().flatten(),
        };
        let title = language.pick("登録内容の照合", "Is this on file?");
        Ok(refused(self.page(language, title, &body), why_not))
    }
}
