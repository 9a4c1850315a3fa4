//! Whether what somebody says of themselves is on file.

use crate::acting::ActingJson;
use crate::api::refusals::{ACTING, CHANGING, SIGNED_IN};
use crate::checking::FactOnFile;
use crate::service::ConsoleService;
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use tegata_core::{PersonId, Refusal};
use tegata_web::WebResult;
use tegata_web::api::{BODY, CALLER, REQUEST, WRITING};
use utoipa::ToSchema;

tegata_web::refusals! {
    CheckRefusals = REQUEST, BODY, CALLER, SIGNED_IN, ACTING, CHANGING, WRITING, &[
        Refusal::PersonUnknown,
        Refusal::TooManyChecks,
    ]
}

/// What a caller says of themselves.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckBody {
    what: FactOnFile,
    /// What was said: width, case and spaces make no difference.
    #[schema(min_length = 1, max_length = 200)]
    said: String,
}

/// The answer, and nothing else.
#[derive(Serialize, ToSchema)]
pub(crate) struct CheckAnswer {
    matches: bool,
}

/// Whether what a caller says is on file.
///
/// Each question is in the audit log without what was said, and their number is bounded.
#[utoipa::path(post, path = "/api/v1/people/{person}/check", operation_id = "checkOnFile", request_body = CheckBody,
    params(("person" = String, Path, description = "Identifier of the person")),
    responses((status = OK, description = "Yes or no", body = CheckAnswer), CheckRefusals))]
pub(crate) async fn check(
    State(service): State<ConsoleService>,
    ActingJson { by, body, rest: Path(person) }: ActingJson<CheckBody, Path<PersonId>>,
) -> WebResult<Json<CheckAnswer>> {
    let matches = service.check_on_file(&by, &person, &body.what.said(&body.said)).await?;
    Ok(Json(CheckAnswer { matches }))
}
