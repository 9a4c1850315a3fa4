//! Who has confirmed a change.

use crate::acting::Acting;
use crate::api::refusals::{ACTING, SIGNED_IN};
use crate::confirmations::{Confirmations, known};
use crate::service::ConsoleService;
use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use tegata_core::{DeviceId, PersonId, Refusal, Timestamp};
use tegata_storage::ChangeAuthor;
use tegata_web::WebResult;
use tegata_web::api::{CALLER, REQUEST};
use utoipa::ToSchema;

tegata_web::refusals! {
    ChangeRefusals = REQUEST, CALLER, SIGNED_IN, ACTING, &[Refusal::DeviceUnknown]
}

/// A change that a person has made.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChangeReport {
    event: u64,
    #[schema(value_type = String)]
    device: DeviceId,
    /// What was done, as the audit log names it.
    action: String,
    /// Who did it, where it was no program by itself.
    #[schema(value_type = Option<String>)]
    person: Option<PersonId>,
    /// The `client_id` of a program that did it by itself.
    program: Option<String>,
    reason: Option<String>,
    ticket: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    #[serde(flatten)]
    confirmations: Confirmations,
}

/// A change of a device, and who has confirmed it.
#[utoipa::path(get, path = "/api/v1/changes/{event}", operation_id = "showChange",
    params(("event" = u64, Path, description = "The event of the feed that the change is")),
    responses((status = OK, description = "What is known by now", body = ChangeReport), ChangeRefusals))]
pub(crate) async fn show(
    State(service): State<ConsoleService>,
    by: Acting,
    Path(event): Path<u64>,
) -> WebResult<Json<ChangeReport>> {
    let (change, ..) = service.seen_change(&by, event).await?;
    let confirmations = known(&service.confirmations, &change);
    let (person, program) = match change.by {
        ChangeAuthor::Person(person) => (Some(person), None),
        ChangeAuthor::Client(client) => (None, Some(client)),
    };
    Ok(Json(ChangeReport {
        event: change.event,
        device: change.device,
        action: change.action,
        person,
        program,
        reason: change.reason,
        ticket: change.ticket,
        at: change.at,
        confirmations,
    }))
}
