//! The vendor's register of customers.

use crate::acting::ActingJson;
use crate::api::refusals::{ACTING, CHANGING, SIGNED_IN};
use crate::contracts::{ContractLine, ContractReport};
use crate::service::ConsoleService;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use tegata_core::Refusal;
use tegata_web::WebResult;
use tegata_web::api::{BODY, CALLER, REQUEST, WRITING};
use utoipa::ToSchema;

tegata_web::refusals! {
    ContractRefusals = REQUEST, BODY, CALLER, SIGNED_IN, ACTING, CHANGING, WRITING, &[Refusal::PlacesChangedMeanwhile]
}

/// A list of the register, or a part of it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContractBody {
    /// Only say what would become of each line.
    #[serde(default)]
    dry_run: bool,
    /// 1 to 200 of them.
    #[schema(min_items = 1, max_items = 200)]
    lines: Vec<ContractLine>,
}

/// Keeps companies, sites and licenses in step with the vendor's register.
///
/// They are known by the register's keys. What no line names stays as it is, and the same list a second time changes nothing.
#[utoipa::path(post, path = "/api/v1/contracts", operation_id = "keepContracts", request_body = ContractBody,
    responses((status = OK, description = "What became of each line", body = ContractReport), ContractRefusals))]
pub(crate) async fn keep(
    State(service): State<ConsoleService>,
    ActingJson { by, body, .. }: ActingJson<ContractBody>,
) -> WebResult<Json<ContractReport>> {
    Ok(Json(service.keep_contracts(&by, body.lines, body.dry_run).await?))
}
