//! People and sites, as the person who is signed in may see them.

use crate::acting::Acting;
use crate::api::refusals::{ACTING, SIGNED_IN};
use crate::service::ConsoleService;
use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use tegata_core::{Act, PersonId, Refusal, SiteId, TenantId};
use tegata_storage::Person;
use tegata_web::WebResult;
use tegata_web::api::{CALLER, REQUEST};
use utoipa::{IntoParams, ToSchema};

tegata_web::refusals! {
    ListingRefusals = REQUEST, CALLER, SIGNED_IN, ACTING
}

/// A person of the tenant.
#[derive(Serialize, ToSchema)]
pub(crate) struct PersonReport {
    #[schema(value_type = String)]
    person: PersonId,
    name: String,
    login: String,
    /// The names of docs/roles.md.
    roles: Vec<&'static str>,
    #[schema(value_type = Vec<String>)]
    sites: Vec<SiteId>,
    /// The word active or disabled.
    state: &'static str,
    /// Whether they have chosen a password and a second factor.
    set_up: bool,
}

/// A site of a tenant.
#[derive(Serialize, ToSchema)]
pub(crate) struct SiteReport {
    #[schema(value_type = String)]
    site: SiteId,
    name: String,
    #[schema(value_type = String)]
    tenant: TenantId,
}

/// People of the person's own tenant.
#[utoipa::path(get, path = "/api/v1/people", operation_id = "listPeople",
    responses((status = OK, description = "Those that the person may see", body = Vec<PersonReport>), ListingRefusals))]
pub(crate) async fn people(
    State(service): State<ConsoleService>,
    by: Acting,
) -> WebResult<Json<Vec<PersonReport>>> {
    let people = service.people_seen(&by).await?;
    Ok(Json(people.into_iter().map(|person| PersonReport::of(person, &by)).collect()))
}

impl PersonReport {
    /// A person, as somebody may see them.
    pub(crate) fn of(person: Person, by: &Acting) -> Self {
        Self {
            name: by.name_of(&person.tenant, &person.name).to_string(),
            login: by.login_of(&person.tenant, &person.login).to_string(),
            person: person.id,
            roles: person.roles.iter().map(tegata_core::PersonRole::as_str).collect(),
            sites: person.sites.into_iter().map(|site| site.id).collect(),
            state: person.state.as_str(),
            set_up: person.is_set_up,
        }
    }
}

/// Of which tenant sites are listed.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SiteListQuery {
    /// Whoever reaches all tenants names one; others see their own.
    tenant: Option<String>,
}

/// Sites that the person may see.
#[utoipa::path(get, path = "/api/v1/sites", operation_id = "listSites", params(SiteListQuery),
    responses((status = OK, description = "By name", body = Vec<SiteReport>), ListingRefusals))]
pub(crate) async fn sites(
    State(service): State<ConsoleService>,
    by: Acting,
    Query(SiteListQuery { tenant }): Query<SiteListQuery>,
) -> WebResult<Json<Vec<SiteReport>>> {
    let tenant = match tenant {
        Some(tenant) => Some(TenantId::parse(&tenant).ok_or(Refusal::RequestMalformed)?),
        None => None,
    };
    let sight = service.sight(&by, Act::SeeDevices)?;
    let sites = service.sites_seen(&by, &sight, tenant.as_ref()).await?;
    let report =
        |site: tegata_storage::Site| SiteReport { site: site.id, name: site.name, tenant: site.tenant };
    Ok(Json(sites.into_iter().map(report).collect()))
}
