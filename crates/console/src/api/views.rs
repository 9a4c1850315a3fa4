//! Views of the list of devices that the person keeps.

use crate::acting::{Acting, ActingJson, ActingProgram};
use crate::api::refusals::{ACTING, CHANGING, SIGNED_IN};
use crate::service::ConsoleService;
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tegata_core::Refusal;
use tegata_storage::SavedView;
use tegata_web::WebResult;
use tegata_web::api::{BODY, CALLER, REQUEST, WRITING};
use utoipa::ToSchema;

tegata_web::refusals! {
    ViewListRefusals = REQUEST, CALLER, SIGNED_IN, ACTING
}

tegata_web::refusals! {
    ViewRefusals = REQUEST, BODY, CALLER, SIGNED_IN, ACTING, CHANGING, WRITING, &[
        Refusal::ViewUnfit,
        Refusal::ViewsFull,
    ]
}

/// A view of the list.
#[derive(Serialize, ToSchema)]
pub(crate) struct ViewReport {
    /// What the person calls it.
    name: String,
    /// The query of `GET /api/v1/devices` by which it is shown.
    query: String,
}

/// How the list is narrowed and sorted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ViewBody {
    /// Restrictions in the words of `GET /api/v1/devices`; what is none of them is left out.
    #[schema(max_length = 1000)]
    query: String,
}

/// The views that the person keeps, by name.
#[utoipa::path(get, path = "/api/v1/views", operation_id = "listViews",
    responses((status = OK, description = "All of them", body = Vec<ViewReport>), ViewListRefusals))]
pub(crate) async fn list(
    State(service): State<ConsoleService>,
    by: Acting,
) -> WebResult<Json<Vec<ViewReport>>> {
    let report = |SavedView { name, query }| ViewReport { name, query };
    Ok(Json(service.views_of(&by).await?.into_iter().map(report).collect()))
}

/// Keeps a view, in the place of one of this name.
#[utoipa::path(put, path = "/api/v1/views/{name}", operation_id = "saveView", request_body = ViewBody,
    params(("name" = String, Path, description = "What the person calls it, in 1 to 64 characters")),
    responses((status = NO_CONTENT, description = "It is kept"), ViewRefusals))]
pub(crate) async fn save(
    State(service): State<ConsoleService>,
    ActingJson { by, body, rest: Path(name) }: ActingJson<ViewBody, Path<String>>,
) -> WebResult<StatusCode> {
    service.save_view(&by, &name, &body.query).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets a view of the list.
#[utoipa::path(delete, path = "/api/v1/views/{name}", operation_id = "forgetView",
    params(("name" = String, Path, description = "What the person calls it")),
    responses((status = NO_CONTENT, description = "There is none of this name any more"), ViewRefusals))]
pub(crate) async fn forget(
    State(service): State<ConsoleService>,
    ActingProgram(by): ActingProgram,
    Path(name): Path<String>,
) -> WebResult<StatusCode> {
    service.forget_view(&by, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
