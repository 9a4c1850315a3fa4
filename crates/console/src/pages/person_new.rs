//! Somebody new: the form, and the link by which they set up the account, which is shown once.

use crate::acting::{Acting, sealed_forms};
use crate::asking::{JustifiedForm, JustifiedPage};
use crate::frame::{Frame, refused};
use crate::managing::{LINK_DAYS, MOST_LINK_DAYS, MadeLink, PersonToAdd};
use crate::pages::person_choices::{RoleChoice, SiteChoice, TypedChoices};
use crate::personal::PersonalText;
use crate::service::{ConsoleService, refusal};
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::collections::HashMap;
use tegata_core::{Act, Language, PersonRole, Refusal, Roles};
use tegata_web::japan_date::moment;
use tegata_web::qr::qr_svg;
use tegata_web::{ReaderLanguage, WebResult};

#[derive(Template)]
#[template(path = "person-new.html")]
struct NewPersonPage {
    frame: Frame,
    typed: NewPersonForm,
    roles: Vec<RoleChoice>,
    sites: Vec<SiteChoice>,
    days: u32,
}

#[derive(Template)]
#[template(path = "person-link.html")]
struct LinkPage {
    frame: Frame,
    person: String,
    name: PersonalText,
    login: PersonalText,
    link: String,
    until: String,
    qr: Option<String>,
}

/// What is said of somebody new; roles and sites by boxes that are ticked.
#[derive(Default, Deserialize)]
pub(crate) struct NewPersonForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    login: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    external_key: String,
    days: Option<u32>,
    #[serde(flatten)]
    ticked: HashMap<String, String>,
}

sealed_forms! { NewPersonForm }

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
) -> WebResult<Response> {
    let staff = TypedChoices { roles: Roles::new([PersonRole::Staff]), sites: Vec::new() };
    service.new_person_page(&by, language, (NewPersonForm::default(), staff), None).await
}

pub(crate) async fn add(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedForm { by, form }: JustifiedForm<NewPersonForm>,
) -> WebResult<Response> {
    let chosen = TypedChoices::of(&form.ticked)?;
    let asked = PersonToAdd {
        tenant: None,
        login: &form.login,
        name: &form.name,
        roles: chosen.roles.clone(),
        sites: chosen.sites.clone(),
        external_key: Some(form.external_key.trim()),
        days: form.days.unwrap_or(LINK_DAYS).clamp(1, MOST_LINK_DAYS),
    };
    match service.add_person(&by, asked).await {
        Ok(made) => Ok(service.link_page(&by, &made, language)),
        Err(Refusal::SignInNeeded) => Err(Refusal::SignInNeeded.into()),
        Err(why) => service.new_person_page(&by, language, (form, chosen), Some(why)).await,
    }
}

impl ConsoleService {
    async fn new_person_page(
        &self,
        by: &Acting,
        language: Language,
        (typed, chosen): (NewPersonForm, TypedChoices),
        why_not: Option<Refusal>,
    ) -> WebResult<Response> {
        self.noting(by, None, by.reach(Act::AddPerson)).await?;
        let sites = self.own_rows(by).directory_sites(&by.tenant()).await.map_err(refusal)?;
        let is_only = sites.len() == 1 && why_not.is_none();
        let body = NewPersonPage {
            frame: Frame::of(by, "/console/people", language).refusing(why_not, None),
            roles: RoleChoice::all(by, &chosen.roles, language),
            sites: SiteChoice::all(sites, &|site| is_only || chosen.sites.contains(site)),
            days: typed.days.unwrap_or(LINK_DAYS),
            typed,
        };
        let title = language.pick("利用者を追加する", "Add a person");
        Ok(refused(self.page(language, title, &body), why_not))
    }

    /// The link that was made for somebody, once.
    pub(crate) fn link_page(&self, by: &Acting, made: &MadeLink, language: Language) -> Response {
        let person = &made.person;
        let body = LinkPage {
            frame: Frame::of(by, "", language),
            person: person.id.to_string(),
            name: by.name_of(&person.tenant, &person.name),
            login: by.login_of(&person.tenant, &person.login),
            qr: qr_svg(&made.link),
            link: made.link.clone(),
            until: moment(made.expires_at, language),
        };
        self.page(language, language.pick("設定リンク", "Setup link"), &body).into_response()
    }
}
