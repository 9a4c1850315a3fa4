//! SCIM 2.0 (RFC 7643, RFC 7644): a tenant's directory says who works there, as Microsoft Entra ID and Okta do it.
//!
//! | path below `/scim/v2` | is |
//! |---|---|
//! | `Users` | the people of the tenant; `DELETE` disables, and hides from the directory |
//! | `Groups` | the tenant's sites with whoever works there; they are neither made nor removed here |
//! | `ServiceProviderConfig`, `ResourceTypes`, `Schemas` | what there is |
//!
//! It is on the portal listener: a directory has no device. A bearer token says whose directory asks ([`caller`]), and which
//! roles it may give. Attributes that are not in the schemas are passed over, as section 3.3 of RFC 7644 has it.

mod answer;
mod body;
mod caller;
mod discovery;
mod error;
mod filter;
mod group;
mod groups;
mod listing;
mod patch;
mod path;
mod user;
mod users;

use crate::service::IdentityService;
use axum::Router;
use axum::response::Response;
use axum::routing::{any, get};
use error::ScimError;
use http::{StatusCode, Uri};
use tegata_core::Refusal;
use tegata_web::Problem;

/// Where all of it is.
const BASE: &str = "/scim/v2";

/// The routes, on the portal listener.
pub(crate) fn routes(service: IdentityService) -> Router {
    Router::new()
        .route("/scim/v2/ServiceProviderConfig", get(discovery::service_provider_config))
        .route("/scim/v2/ResourceTypes", get(discovery::resource_types))
        .route("/scim/v2/ResourceTypes/{id}", get(discovery::resource_type))
        .route("/scim/v2/Schemas", get(discovery::schemas))
        .route("/scim/v2/Schemas/{id}", get(discovery::schema))
        .route("/scim/v2/Users", get(users::list).post(users::create))
        .route(
            "/scim/v2/Users/{id}",
            get(users::read).put(users::replace).patch(users::modify).delete(users::delete),
        )
        .route("/scim/v2/Groups", get(groups::list).post(groups::create))
        .route(
            "/scim/v2/Groups/{id}",
            get(groups::read).put(groups::replace).patch(groups::modify).delete(groups::delete),
        )
        .route("/scim/v2/{*rest}", any(nothing_here))
        .method_not_allowed_fallback(async || ScimError::from(Refusal::MethodNotAllowed))
        .with_state(service)
}

/// A refusal in the form of this protocol, for whoever refuses before a route is found.
pub fn scim_problem(path: &str, problem: &Problem) -> Option<Response> {
    let is_ours = path.strip_prefix(BASE).is_some_and(|rest| rest.starts_with('/'));
    is_ours.then(|| axum::response::IntoResponse::into_response(ScimError::from(problem.clone())))
}

/// What RFC 7644 has and this does not, and whatever else somebody asks for.
async fn nothing_here(uri: Uri) -> ScimError {
    let error = ScimError::from(Refusal::NotFound);
    let is_known = ["/.search", "/Bulk", "/Me"].iter().any(|path| uri.path().ends_with(path));
    if is_known { error.with_status(StatusCode::NOT_IMPLEMENTED) } else { error }
}
