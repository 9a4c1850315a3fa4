//! The people of a tenant. The vendor's support sees its own people's names, and those of tenants masked.

use crate::acting::Acting;
use crate::asking::JustifiedPage;
use crate::frame::Frame;
use crate::personal::PersonalText;
use crate::service::{ConsoleService, refusal};
use crate::words;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use tegata_core::{Act, Language, Refusal};
use tegata_storage::{BreakGlass, Person, PersonState};
use tegata_web::{ReaderLanguage, WebResult};

#[derive(Template)]
#[template(path = "console-people.html")]
struct PeoplePage {
    frame: Frame,
    people: Vec<PersonView>,
    may_add: bool,
}

struct PersonView {
    id: String,
    name: PersonalText,
    login: PersonalText,
    roles: String,
    sites: String,
    state: &'static str,
    is_active: bool,
}

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
) -> WebResult<Response> {
    let people = service.people_seen(&by).await?;
    let people = people.iter().map(|person| PersonView::of(person, &by, language)).collect();
    let body = PeoplePage {
        frame: Frame::of(&by, "/console/people", language),
        people,
        may_add: by.may_ever(Act::AddPerson),
    };
    Ok(service.page(language, language.pick("利用者", "People"), &body).into_response())
}

impl ConsoleService {
    /// The people of their own tenant whom somebody may see. People of other tenants are not listed: support finds them by a device.
    pub(crate) async fn people_seen(&self, by: &Acting) -> Result<Vec<Person>, Refusal> {
        by.reach(Act::SeePeople)?;
        let mut people = self.own_rows(by).people().await.map_err(refusal)?;
        people.retain(|person| by.may_see(person).is_ok());
        Ok(people)
    }
}

impl PersonView {
    fn of(person: &Person, by: &Acting, language: Language) -> Self {
        let roles: Vec<_> = person.roles.iter().map(|role| words::role(role, language)).collect();
        let sites: Vec<_> = person.sites.iter().map(|site| site.name.as_str()).collect();
        Self {
            id: person.id.to_string(),
            name: by.name_of(&person.tenant, &person.name),
            login: by.login_of(&person.tenant, &person.login),
            roles: roles.join(language.pick("、", ", ")),
            sites: sites.join(language.pick("、", ", ")),
            is_active: person.state == PersonState::Active,
            state: state_of(person, language),
        }
    }
}

/// What a person's account stands at, in words.
pub(crate) fn state_of(person: &Person, language: Language) -> &'static str {
    match (person.state, person.break_glass, person.is_set_up) {
        (PersonState::Disabled, ..) => language.pick("停止中", "Disabled"),
        (_, Some(BreakGlass::Ready), _) => language.pick("緊急用", "For emergencies"),
        (_, Some(BreakGlass::Used), _) => language.pick("緊急用（使用済み）", "For emergencies (used)"),
        (PersonState::Active, None, false) => language.pick("設定待ち", "Not set up yet"),
        (PersonState::Active, None, true) => language.pick("有効", "Active"),
    }
}
