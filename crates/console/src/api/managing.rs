//! One person, and what is done to them.

use crate::acting::{Acting, ActingJson, ActingProgram};
use crate::api::if_match::seen;
use crate::api::listing::PersonReport;
use crate::api::refusals::{ACTING, CHANGING, SIGNED_IN};
use crate::managing::{
    GivenCode, LINK_DAYS, LinkCommand, MadeLink, PersonCommand, PersonEdit, PersonToAdd, SeenPerson, tag_of,
};
use crate::service::{ConsoleService, refusal};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::ETAG;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use tegata_core::{
    Act, DeviceId, Justification, PersonId, PersonRole, Refusal, Roles, SessionId, SiteId, TenantId,
    Timestamp,
};
use tegata_storage::ListedSession;
use tegata_web::WebResult;
use tegata_web::api::{BODY, CALLER, REQUEST, WRITING};
use utoipa::ToSchema;

tegata_web::refusals! {
    PersonRefusals = REQUEST, CALLER, SIGNED_IN, ACTING, &[Refusal::PersonUnknown]
}

tegata_web::refusals! {
    AddRefusals = REQUEST, BODY, CALLER, SIGNED_IN, ACTING, CHANGING, WRITING, &[
        Refusal::PersonUnfit,
        Refusal::PersonKnown,
        Refusal::PersonSiteUnknown,
        Refusal::PersonSiteMissing,
    ]
}

tegata_web::refusals! {
    ChangeRefusals = REQUEST, BODY, CALLER, SIGNED_IN, ACTING, CHANGING, WRITING, &[
        Refusal::OwnRequest,
        Refusal::EmergencyAccountKept,
        Refusal::LastAdministrator,
        Refusal::PersonChangedMeanwhile,
        Refusal::PersonUnknown,
        Refusal::PersonUnfit,
        Refusal::PersonKnown,
        Refusal::PersonSiteUnknown,
        Refusal::PersonSiteMissing,
    ]
}

tegata_web::refusals! {
    ActOnPersonRefusals = REQUEST, BODY, CALLER, SIGNED_IN, ACTING, CHANGING, WRITING, &[
        Refusal::OwnRequest,
        Refusal::EmergencyAccountKept,
        Refusal::LastAdministrator,
        Refusal::PersonChangedMeanwhile,
        Refusal::PersonUnknown,
        Refusal::PersonStateOtherwise,
    ]
}

/// A person with their sessions.
#[derive(Serialize, ToSchema)]
pub(crate) struct OnePersonReport {
    #[serde(flatten)]
    person: PersonReport,
    /// Until when a setup link works, if there is one.
    #[schema(value_type = Option<String>, format = DateTime)]
    setup_until: Option<Timestamp>,
    sessions: Vec<PersonSessionReport>,
}

/// Where somebody is signed in.
#[derive(Serialize, ToSchema)]
pub(crate) struct PersonSessionReport {
    #[schema(value_type = String)]
    session: SessionId,
    #[schema(value_type = String)]
    device: DeviceId,
    label: String,
    #[schema(value_type = String)]
    site: SiteId,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    used_at: Timestamp,
}

/// Somebody who is to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddPersonBody {
    /// What they sign in with: letters, digits and . - _ @ +. It never changes.
    #[schema(min_length = 1, max_length = 64)]
    login: String,
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// The names of docs/roles.md.
    roles: Vec<String>,
    /// Where they work; staff and site managers at one site at least.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    sites: Vec<SiteId>,
    /// What the company's own directory calls them.
    external_key: Option<String>,
    /// Whoever reaches all tenants may name one; others add to their own.
    #[schema(value_type = Option<String>)]
    tenant: Option<TenantId>,
    /// How many days the setup link works: 3 unless it is said.
    #[schema(minimum = 1, maximum = 30)]
    days: Option<u32>,
}

/// What is to be changed; what is not named stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangePersonBody {
    #[schema(min_length = 1, max_length = 64)]
    name: Option<String>,
    /// All roles from now on.
    roles: Option<Vec<String>>,
    /// All sites from now on.
    #[schema(value_type = Option<Vec<String>>)]
    sites: Option<Vec<SiteId>>,
    /// An empty one takes it away.
    external_key: Option<String>,
}

/// Why something is done to somebody.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PersonNoteBody {
    #[serde(default)]
    #[schema(max_length = 200)]
    note: String,
}

/// How long a link works.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkBody {
    /// 3 days unless it is said.
    #[schema(minimum = 1, maximum = 30)]
    days: Option<u32>,
}

/// Why a code is given, and under which number it was asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmergencyCodeBody {
    #[schema(min_length = 1, max_length = 200)]
    reason: String,
    #[schema(min_length = 1, max_length = 200)]
    ticket: String,
}

/// What came of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionsEndedReport {
    sessions_ended: u64,
}

/// A link by which somebody sets up their account. It is a secret, and told once.
#[derive(Serialize, ToSchema)]
pub(crate) struct SetupLinkReport {
    #[schema(value_type = String)]
    person: PersonId,
    setup: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// A code that stands in once for a second factor. It is a secret, and told once.
#[derive(Serialize, ToSchema)]
pub(crate) struct EmergencyCodeReport {
    #[schema(value_type = String)]
    person: PersonId,
    code: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// A person with their sessions.
#[utoipa::path(get, path = "/api/v1/people/{person}", operation_id = "getPerson",
    params(("person" = String, Path, description = "Identifier of the person")),
    responses((status = OK, description = "With `ETag`", body = OnePersonReport), PersonRefusals))]
pub(crate) async fn show(
    State(service): State<ConsoleService>,
    by: Acting,
    Path(person): Path<PersonId>,
) -> WebResult<Response> {
    let known = service.noting(&by, None, service.person_seen(&by, &person).await).await?;
    let rows = service.sight(&by, Act::SeePeople)?.rows;
    let sessions = rows.sessions_of(&person, by.at).await.map_err(refusal)?;
    let tag = format!("\"{}\"", tag_of(&known));
    let report = OnePersonReport {
        setup_until: known.setup_until,
        person: PersonReport::of(known, &by),
        sessions: sessions.into_iter().map(PersonSessionReport::from).collect(),
    };
    Ok(([(ETAG, tag)], Json(report)).into_response())
}

/// Adds a person, with the link by which they set up their account.
#[utoipa::path(post, path = "/api/v1/people", operation_id = "addPerson", request_body = AddPersonBody,
    responses((status = CREATED, description = "The link, once", body = SetupLinkReport), AddRefusals))]
pub(crate) async fn add(
    State(service): State<ConsoleService>,
    ActingJson { by, body, .. }: ActingJson<AddPersonBody>,
) -> WebResult<(StatusCode, Json<SetupLinkReport>)> {
    let asked = PersonToAdd {
        tenant: body.tenant,
        login: &body.login,
        name: &body.name,
        roles: roles(&body.roles),
        sites: body.sites,
        external_key: body.external_key.as_deref(),
        days: body.days.unwrap_or(LINK_DAYS),
    };
    let made = service.add_person(&by, asked).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

/// Changes name, roles, sites or key of a person.
///
/// With `If-Match`, nothing is changed that somebody else has changed meanwhile.
#[utoipa::path(post, path = "/api/v1/people/{person}/change", operation_id = "changePerson", request_body = ChangePersonBody,
    params(("person" = String, Path, description = "Identifier of the person"),
        ("If-Match" = Option<String>, Header, description = "How the person was seen")),
    responses((status = OK, description = "It is so from now on", body = SessionsEndedReport), ChangeRefusals))]
pub(crate) async fn change(
    State(service): State<ConsoleService>,
    headers: HeaderMap,
    ActingJson { by, body, rest: Path(person) }: ActingJson<ChangePersonBody, Path<PersonId>>,
) -> WebResult<Json<SessionsEndedReport>> {
    let edit = PersonEdit {
        name: body.name.as_deref(),
        roles: body.roles.as_deref().map(roles),
        sites: body.sites,
        external_key: body.external_key.as_deref(),
    };
    let seen = seen(&headers)?;
    let on = SeenPerson { id: &person, seen: seen.as_deref() };
    let sessions_ended = service.change_person(&by, (on, edit)).await?;
    Ok(Json(SessionsEndedReport { sessions_ended }))
}

/// Stops a person for now, with all of their sessions.
#[utoipa::path(post, path = "/api/v1/people/{person}/disable", operation_id = "disablePerson", request_body = PersonNoteBody,
    params(("person" = String, Path, description = "Identifier of the person"),
        ("If-Match" = Option<String>, Header, description = "How the person was seen")),
    responses((status = OK, description = "Nobody signs in with it", body = SessionsEndedReport), ActOnPersonRefusals))]
pub(crate) async fn disable(
    state: State<ConsoleService>,
    headers: HeaderMap,
    asked: ActingJson<PersonNoteBody, Path<PersonId>>,
) -> WebResult<Json<SessionsEndedReport>> {
    acted(state, headers, asked, PersonCommand::Disable).await
}

/// Lets a person go on who was stopped.
#[utoipa::path(post, path = "/api/v1/people/{person}/enable", operation_id = "enablePerson", request_body = PersonNoteBody,
    params(("person" = String, Path, description = "Identifier of the person"),
        ("If-Match" = Option<String>, Header, description = "How the person was seen")),
    responses((status = OK, description = "They sign in as before", body = SessionsEndedReport), ActOnPersonRefusals))]
pub(crate) async fn enable(
    state: State<ConsoleService>,
    headers: HeaderMap,
    asked: ActingJson<PersonNoteBody, Path<PersonId>>,
) -> WebResult<Json<SessionsEndedReport>> {
    acted(state, headers, asked, PersonCommand::Enable).await
}

/// Ends all sessions of a person.
#[utoipa::path(post, path = "/api/v1/people/{person}/sign-out", operation_id = "signOutPerson", request_body = PersonNoteBody,
    params(("person" = String, Path, description = "Identifier of the person"),
        ("If-Match" = Option<String>, Header, description = "How the person was seen")),
    responses((status = OK, description = "They have to sign in anew", body = SessionsEndedReport), ActOnPersonRefusals))]
pub(crate) async fn sign_out(
    state: State<ConsoleService>,
    headers: HeaderMap,
    asked: ActingJson<PersonNoteBody, Path<PersonId>>,
) -> WebResult<Json<SessionsEndedReport>> {
    acted(state, headers, asked, PersonCommand::SignOut).await
}

async fn acted(
    State(service): State<ConsoleService>,
    headers: HeaderMap,
    ActingJson { by, body, rest: Path(person) }: ActingJson<PersonNoteBody, Path<PersonId>>,
    command: PersonCommand,
) -> WebResult<Json<SessionsEndedReport>> {
    let seen = seen(&headers)?;
    let on = SeenPerson { id: &person, seen: seen.as_deref() };
    let sessions_ended = service.act_on_person(&by, (on, command), body.note.trim()).await?;
    Ok(Json(SessionsEndedReport { sessions_ended }))
}

/// Ends one session of a person. One that is over already is none to end.
#[utoipa::path(post, path = "/api/v1/people/{person}/sessions/{session}/end", operation_id = "endSession",
    params(("person" = String, Path, description = "Identifier of the person"),
        ("session" = String, Path, description = "Identifier of the session"),
        ("If-Match" = Option<String>, Header, description = "How the person was seen")),
    responses((status = NO_CONTENT, description = "It is over"), ActOnPersonRefusals))]
pub(crate) async fn end_session(
    State(service): State<ConsoleService>,
    headers: HeaderMap,
    ActingProgram(by): ActingProgram,
    Path((person, session)): Path<(PersonId, SessionId)>,
) -> WebResult<StatusCode> {
    let seen = seen(&headers)?;
    let on = SeenPerson { id: &person, seen: seen.as_deref() };
    service.end_session_of(&by, (on, &session)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a new setup link for somebody who has not set up the account.
#[utoipa::path(post, path = "/api/v1/people/{person}/setup-link", operation_id = "makeSetupLink", request_body = LinkBody,
    params(("person" = String, Path, description = "Identifier of the person"),
        ("If-Match" = Option<String>, Header, description = "How the person was seen")),
    responses((status = CREATED, description = "The link, once", body = SetupLinkReport), ActOnPersonRefusals))]
pub(crate) async fn setup_link(
    state: State<ConsoleService>,
    headers: HeaderMap,
    asked: ActingJson<LinkBody, Path<PersonId>>,
) -> WebResult<(StatusCode, Json<SetupLinkReport>)> {
    linked(state, headers, asked, LinkCommand::SetUp).await
}

/// Takes password, second factors and sessions of a person, and makes the link by which they choose others.
#[utoipa::path(post, path = "/api/v1/people/{person}/reset", operation_id = "resetPerson", request_body = LinkBody,
    params(("person" = String, Path, description = "Identifier of the person"),
        ("If-Match" = Option<String>, Header, description = "How the person was seen")),
    responses((status = CREATED, description = "The link, once", body = SetupLinkReport), ActOnPersonRefusals))]
pub(crate) async fn reset(
    state: State<ConsoleService>,
    headers: HeaderMap,
    asked: ActingJson<LinkBody, Path<PersonId>>,
) -> WebResult<(StatusCode, Json<SetupLinkReport>)> {
    linked(state, headers, asked, LinkCommand::Reset).await
}

async fn linked(
    State(service): State<ConsoleService>,
    headers: HeaderMap,
    ActingJson { by, body, rest: Path(person) }: ActingJson<LinkBody, Path<PersonId>>,
    command: LinkCommand,
) -> WebResult<(StatusCode, Json<SetupLinkReport>)> {
    let seen = seen(&headers)?;
    let on = SeenPerson { id: &person, seen: seen.as_deref() };
    let made = service.setup_link(&by, (on, command), body.days.unwrap_or(LINK_DAYS)).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

/// Gives a code that stands in once, within an hour, for a second factor that is not at hand.
#[utoipa::path(post, path = "/api/v1/people/{person}/emergency-code", operation_id = "giveEmergencyCode",
    request_body = EmergencyCodeBody,
    params(("person" = String, Path, description = "Identifier of the person"),
        ("If-Match" = Option<String>, Header, description = "How the person was seen")),
    responses((status = CREATED, description = "The code, once", body = EmergencyCodeReport), ActOnPersonRefusals))]
pub(crate) async fn emergency_code(
    State(service): State<ConsoleService>,
    headers: HeaderMap,
    ActingJson { by, body, rest: Path(person) }: ActingJson<EmergencyCodeBody, Path<PersonId>>,
) -> WebResult<(StatusCode, Json<EmergencyCodeReport>)> {
    let because = Justification::new(&body.reason, &body.ticket).ok_or(Refusal::ReasonMissing)?;
    let seen = seen(&headers)?;
    let on = SeenPerson { id: &person, seen: seen.as_deref() };
    let given = service.emergency_code(&by, on, &because).await?;
    Ok((StatusCode::CREATED, Json(given.into())))
}

/// None at all where one of them is no role: nobody is to be left without, so that is refused once it is known who asks.
fn roles(words: &[String]) -> Roles {
    let roles = words.iter().map(|word| PersonRole::parse(word)).collect::<Option<Vec<_>>>();
    roles.map(Roles::new).unwrap_or_default()
}

impl From<MadeLink> for SetupLinkReport {
    fn from(made: MadeLink) -> Self {
        Self { person: made.person.id, setup: made.link, expires_at: made.expires_at }
    }
}

impl From<GivenCode> for EmergencyCodeReport {
    fn from(given: GivenCode) -> Self {
        Self { person: given.person.id, code: given.code, expires_at: given.expires_at }
    }
}

impl From<ListedSession> for PersonSessionReport {
    fn from(session: ListedSession) -> Self {
        Self {
            session: session.id,
            device: session.device,
            label: session.label,
            site: session.site,
            created_at: session.created_at,
            used_at: session.used_at,
        }
    }
}
