//! One person: who they are, where they are signed in, and what can be done about it.

use crate::acting::{Acting, sealed_forms};
use crate::asking::{JustifiedForm, JustifiedPage};
use crate::frame::{Frame, onward, refused};
use crate::managing::{LINK_DAYS, LinkCommand, PersonCommand, PersonEdit, SeenPerson, is_active, tag_of};
use crate::pages::people::state_of;
use crate::pages::person_choices::{RoleChoice, SiteChoice, TypedChoices};
use crate::personal::PersonalText;
use crate::service::{ConsoleService, refusal};
use crate::words;
use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::collections::HashMap;
use tegata_core::{Act, Justification, Language, PersonId, Refusal, SessionId};
use tegata_storage::{ListedSession, Person};
use tegata_web::japan_date::moment;
use tegata_web::{ReaderLanguage, WebResult};

#[derive(Template)]
#[template(path = "person.html")]
struct PersonPage {
    frame: Frame,
    person: PersonFacts,
    seen: String,
    sessions: Vec<SessionView>,
    may: PersonActs,
    roles: Vec<RoleChoice>,
    sites: Vec<SiteChoice>,
    because: Option<Justification>,
}

#[derive(Template)]
#[template(path = "person-code.html")]
struct CodePage {
    frame: Frame,
    person: String,
    name: PersonalText,
    code: String,
    until: String,
}

struct PersonFacts {
    id: String,
    name: PersonalText,
    login: PersonalText,
    /// Whether the reader sees the name as it is, so that it can be changed.
    is_own_tenant: bool,
    roles: String,
    sites: String,
    key: String,
    state: &'static str,
    is_active: bool,
    last: Option<String>,
    link_until: Option<String>,
}

struct SessionView {
    id: String,
    place: String,
    since: String,
    used: String,
}

/// What the page offers.
#[allow(clippy::struct_excessive_bools, reason = "each is one button")]
struct PersonActs {
    change: bool,
    disable: bool,
    enable: bool,
    sign_out: bool,
    link: bool,
    reset: bool,
    code: bool,
}

/// A form with no more to say than why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PersonForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    note: String,
    seen: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CodeForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    ticket: String,
    seen: Option<String>,
}

/// Names and roles as they are to be; roles and sites by boxes that are ticked.
#[derive(Deserialize)]
pub(crate) struct ChangeForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    seen: String,
    name: Option<String>,
    /// Whether the form has a field for the key: forms leave out fields that are empty.
    #[serde(default)]
    has_key: bool,
    #[serde(default)]
    external_key: String,
    #[serde(flatten)]
    ticked: HashMap<String, String>,
}

sealed_forms! { PersonForm, CodeForm, ChangeForm }

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
    Path(person): Path<String>,
) -> WebResult<Response> {
    service.person_page(&by, &named(&person)?, language, None).await
}

pub(crate) async fn change(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    Path(person): Path<String>,
    JustifiedForm { by, form }: JustifiedForm<ChangeForm>,
) -> WebResult<Response> {
    let person = named(&person)?;
    let chosen = TypedChoices::of(&form.ticked)?;
    let edit = PersonEdit {
        name: form.name.as_deref(),
        roles: Some(chosen.roles),
        sites: Some(chosen.sites),
        external_key: form.has_key.then_some(&form.external_key),
    };
    let done = service.change_person(&by, (seen(&person, Some(&form.seen)), edit)).await;
    service.back_to(&by, &person, language, done).await
}

pub(crate) async fn disable(
    service: State<ConsoleService>,
    language: ReaderLanguage,
    person: Path<String>,
    form: JustifiedForm<PersonForm>,
) -> WebResult<Response> {
    acted(service, language, person, form, PersonCommand::Disable).await
}

pub(crate) async fn enable(
    service: State<ConsoleService>,
    language: ReaderLanguage,
    person: Path<String>,
    form: JustifiedForm<PersonForm>,
) -> WebResult<Response> {
    acted(service, language, person, form, PersonCommand::Enable).await
}

pub(crate) async fn sign_out(
    service: State<ConsoleService>,
    language: ReaderLanguage,
    person: Path<String>,
    form: JustifiedForm<PersonForm>,
) -> WebResult<Response> {
    acted(service, language, person, form, PersonCommand::SignOut).await
}

async fn acted(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    Path(person): Path<String>,
    JustifiedForm { by, form }: JustifiedForm<PersonForm>,
    command: PersonCommand,
) -> WebResult<Response> {
    let person = named(&person)?;
    let done = service.act_on_person(&by, (seen(&person, form.seen.as_deref()), command), &form.note).await;
    service.back_to(&by, &person, language, done).await
}

pub(crate) async fn end_session(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    Path((person, session)): Path<(String, String)>,
    JustifiedForm { by, form }: JustifiedForm<PersonForm>,
) -> WebResult<Response> {
    let person = named(&person)?;
    let session = SessionId::parse(&session).ok_or(Refusal::RequestMalformed)?;
    let done = service.end_session_of(&by, (seen(&person, form.seen.as_deref()), &session)).await;
    service.back_to(&by, &person, language, done).await
}

pub(crate) async fn setup_link(
    service: State<ConsoleService>,
    language: ReaderLanguage,
    person: Path<String>,
    form: JustifiedForm<PersonForm>,
) -> WebResult<Response> {
    linked(service, language, person, form, LinkCommand::SetUp).await
}

pub(crate) async fn reset(
    service: State<ConsoleService>,
    language: ReaderLanguage,
    person: Path<String>,
    form: JustifiedForm<PersonForm>,
) -> WebResult<Response> {
    linked(service, language, person, form, LinkCommand::Reset).await
}

async fn linked(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    Path(person): Path<String>,
    JustifiedForm { by, form }: JustifiedForm<PersonForm>,
    command: LinkCommand,
) -> WebResult<Response> {
    let person = named(&person)?;
    match service.setup_link(&by, (seen(&person, form.seen.as_deref()), command), LINK_DAYS).await {
        Ok(made) => Ok(service.link_page(&by, &made, language)),
        Err(why) => service.back_to::<()>(&by, &person, language, Err(why)).await,
    }
}

pub(crate) async fn emergency_code(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    Path(person): Path<String>,
    JustifiedForm { by, form }: JustifiedForm<CodeForm>,
) -> WebResult<Response> {
    let person = named(&person)?;
    let given = match Justification::new(&form.reason, &form.ticket) {
        Some(because) => service.emergency_code(&by, seen(&person, form.seen.as_deref()), &because).await,
        None => Err(Refusal::ReasonMissing),
    };
    let given = match given {
        Ok(given) => given,
        Err(why) => return service.back_to::<()>(&by, &person, language, Err(why)).await,
    };
    let body = CodePage {
        frame: Frame::of(&by, "", language),
        person: person.to_string(),
        name: by.name_of(&given.person.tenant, &given.person.name),
        code: given.code,
        until: moment(given.expires_at, language),
    };
    let title = language.pick("非常用コード", "Emergency code");
    Ok(service.page(language, title, &body).into_response())
}

const fn seen<'a>(id: &'a PersonId, seen: Option<&'a str>) -> SeenPerson<'a> {
    SeenPerson { id, seen }
}

fn named(text: &str) -> Result<PersonId, Refusal> {
    PersonId::parse(text).ok_or(Refusal::PersonUnknown)
}

impl ConsoleService {
    /// Back to the person, with why it was not done where it was not.
    async fn back_to<T>(
        &self,
        by: &Acting,
        person: &PersonId,
        language: Language,
        done: Result<T, Refusal>,
    ) -> WebResult<Response> {
        match done {
            Ok(_) => Ok(onward(&format!("/console/people/{person}"), language)),
            Err(Refusal::SignInNeeded) => Err(Refusal::SignInNeeded.into()),
            Err(why) => self.person_page(by, person, language, Some(why)).await,
        }
    }

    async fn person_page(
        &self,
        by: &Acting,
        id: &PersonId,
        language: Language,
        why_not: Option<Refusal>,
    ) -> WebResult<Response> {
        let known = self.noting(by, None, self.person_seen(by, id).await).await?;
        let rows = self.sight(by, Act::SeePeople)?.rows;
        let sessions = rows.sessions_of(id, by.at).await.map_err(refusal)?;
        let may = PersonActs::of(by, &known, !sessions.is_empty());
        let sites =
            if may.change { rows.directory_sites(&known.tenant).await.map_err(refusal)? } else { Vec::new() };
        let body = PersonPage {
            frame: Frame::of(by, "/console/people", language).refusing(why_not, None),
            seen: tag_of(&known),
            sessions: sessions.iter().map(|session| SessionView::of(session, language)).collect(),
            may,
            roles: RoleChoice::all(by, &known.roles, language),
            sites: SiteChoice::all(sites, &|site| known.sites.iter().any(|own| own.id == *site)),
            because: by.because().cloned(),
            person: PersonFacts::of(&known, by, language),
        };
        let title = language.pick("利用者", "A person");
        Ok(refused(self.page(language, title, &body), why_not))
    }
}

impl PersonActs {
    fn of(by: &Acting, person: &Person, is_signed_in: bool) -> Self {
        let may = |act| by.judge_person(act, person).is_ok();
        let (is_active, may_stop) = (is_active(person), may(Act::DisablePerson));
        let may_reset = is_active && may(Act::ResetPerson);
        Self {
            change: may(Act::ChangePerson),
            disable: is_active && may_stop,
            enable: !is_active && may_stop,
            sign_out: is_signed_in && may_stop,
            link: may_reset && !person.is_set_up,
            reset: may_reset && person.is_set_up,
            code: is_active && person.is_set_up && may(Act::GiveEmergencyCode),
        }
    }
}

impl PersonFacts {
    fn of(person: &Person, by: &Acting, language: Language) -> Self {
        let between = language.pick("、", ", ");
        let roles: Vec<_> = person.roles.iter().map(|role| words::role(role, language)).collect();
        let sites: Vec<_> = person.sites.iter().map(|site| site.name.as_str()).collect();
        Self {
            id: person.id.to_string(),
            name: by.name_of(&person.tenant, &person.name),
            login: by.login_of(&person.tenant, &person.login),
            is_own_tenant: person.tenant == by.tenant(),
            roles: roles.join(between),
            sites: sites.join(between),
            key: person.external_key.as_ref().map(|key| key.as_str().to_owned()).unwrap_or_default(),
            state: state_of(person, language),
            is_active: is_active(person),
            last: person.signed_in_at.map(|at| moment(at, language)),
            link_until: person.setup_until.filter(|at| *at > by.at).map(|at| moment(at, language)),
        }
    }
}

impl SessionView {
    fn of(session: &ListedSession, language: Language) -> Self {
        Self {
            id: session.id.to_string(),
            place: format!("{}　{}", session.site_name, session.label),
            since: moment(session.created_at, language),
            used: moment(session.used_at, language),
        }
    }
}
