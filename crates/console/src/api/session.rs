//! Who is signed in, and why they act.

use crate::acting::{Acting, ActingJson};
use crate::api::refusals::{ACTING, CHANGING, SIGNED_IN};
use crate::service::ConsoleService;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use tegata_core::{Act, Justification, PersonId, Refusal, SiteId, TenantId};
use tegata_web::WebResult;
use tegata_web::api::{BODY, CALLER, REQUEST, WRITING};
use utoipa::ToSchema;

tegata_web::refusals! {
    SessionRefusals = REQUEST, CALLER, SIGNED_IN
}

tegata_web::refusals! {
    JustifyRefusals = REQUEST, BODY, CALLER, SIGNED_IN, ACTING, CHANGING, WRITING
}

/// Whoever is signed in, or the program that acts by itself.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionReport {
    /// None of a program that acts by itself.
    #[schema(value_type = Option<String>)]
    person: Option<PersonId>,
    /// What the person is called.
    name: Option<String>,
    login: Option<String>,
    /// The `client_id` of the program that asks, if it is one.
    program: Option<String>,
    #[schema(value_type = String)]
    tenant: TenantId,
    #[schema(value_type = Vec<String>)]
    sites: Vec<SiteId>,
    /// The names of docs/roles.md.
    roles: Vec<&'static str>,
    /// What the roles let them do somewhere; the names of docs/roles.md.
    acts: Vec<&'static str>,
    /// Why they act, where they have said so.
    justification: Option<JustificationJson>,
    /// What `X-CSRF-Token` has to say with everything that changes something.
    csrf_token: String,
}

/// Why somebody of the vendor's support acts.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JustificationJson {
    /// No names of persons.
    #[schema(max_length = 200)]
    reason: String,
    /// The number under which somebody asked for it.
    #[schema(max_length = 200)]
    ticket: String,
}

/// Who is signed in.
#[utoipa::path(get, path = "/api/v1/session", operation_id = "showSession",
    responses((status = OK, description = "Somebody is", body = SessionReport), SessionRefusals))]
pub(crate) async fn show(by: Acting) -> Json<SessionReport> {
    let session = by.who.person().ok().map(|person| &person.session);
    let roles = session.map(|session| session.roles.iter());
    let acts = Act::ALL.iter().filter(|act| by.may_ever(**act)).map(|act| act.as_str()).collect();
    Json(SessionReport {
        person: session.map(|session| session.person.clone()),
        name: session.map(|session| session.name.clone()),
        login: session.map(|session| session.login.clone()),
        program: by.who.client_id().map(str::to_owned),
        tenant: by.tenant(),
        sites: by.sites().to_vec(),
        roles: roles.into_iter().flatten().map(tegata_core::PersonRole::as_str).collect(),
        acts,
        justification: by.because().map(|because| JustificationJson {
            reason: because.reason().to_owned(),
            ticket: because.ticket().to_owned(),
        }),
        csrf_token: by.form_token(),
    })
}

/// Why somebody acts from now on in this session.
///
/// The vendor's support says it before anything else.
#[utoipa::path(put, path = "/api/v1/session/justification", operation_id = "justifySession",
    request_body = JustificationJson,
    responses((status = NO_CONTENT, description = "It is kept with the session"), JustifyRefusals))]
pub(crate) async fn justify(
    State(service): State<ConsoleService>,
    ActingJson { by, body: said, .. }: ActingJson<JustificationJson>,
) -> WebResult<http::StatusCode> {
    if by.who.is_program() {
        // Why somebody acts they say themselves.
        return Err(Refusal::ScopeInsufficient.into());
    }
    let because = Justification::new(&said.reason, &said.ticket).ok_or(Refusal::ReasonMissing)?;
    service.keep_justification(&by, Some(&because)).await?;
    Ok(http::StatusCode::NO_CONTENT)
}
