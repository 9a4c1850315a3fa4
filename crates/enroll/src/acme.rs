//! ACME (RFC 8555) below the portal's `/acme`, for clients that others wrote.
//!
//! | a client | comes through | is authorized by | orders |
//! |---|---|---|---|
//! | certbot, lego, any other | `/acme/directory` | external account binding: the key of an invitation | the name that came with the key |
//! | an Apple device with an ACME payload | `/acme/device/directory` | an invitation's code as its permanent identifier, and its maker's attestation where that is wanted | that identifier |
//!
//! Names are what the protocol needs to speak of, and identify nobody: a DNS name becomes the common name, because clients
//! look for it there; the identity in the certificate is the device's, from the ledger, as always. The first certificate of an account claims
//! its invitation, later ones are the next generations of that device. The one enrollment service issues them all.

mod account;
mod attestation;
mod authorization;
mod binding;
mod jwk;
mod jws;
mod nonce;
mod order;
mod problem;
mod renewal;
mod request;
mod revocation;
mod server;
mod waiting;

pub use attestation::AttestationPolicy;
pub use binding::AccountBinding;
pub use server::AcmeServer;

use crate::api_refusals::INVITATION;
use crate::shown_code::ShownCode;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use http::header::{ALLOW, CACHE_CONTROL, LINK};
use http::{HeaderName, HeaderValue, StatusCode};
use problem::AcmeError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use server::ServingAcme;
use tegata_core::Refusal;
use tegata_web::api::{BODY, REQUEST};
use tegata_web::problem::problem_of;
use tegata_web::{Problem, StrictJson};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const REPLAY_NONCE: HeaderName = HeaderName::from_static("replay-nonce");

/// Routes of the portal listener.
pub fn acme_routes(acme: AcmeServer) -> Router {
    Router::new()
        .route("/acme/directory", get(directory).post(signed_directory))
        .route("/acme/device/directory", get(device_directory).post(signed_device_directory))
        .route("/acme/new-nonce", get(no_content).head(async || StatusCode::OK).post(signed_no_content))
        .route("/acme/new-account", post(account::new))
        .route("/acme/device/new-account", post(account::new_unbound))
        .route("/acme/account/{id}", post(account::account))
        .route("/acme/account/{id}/orders", post(account::orders))
        .route("/acme/key-change", post(account::change_key))
        .route("/acme/new-order", post(order::new))
        .route("/acme/order/{id}", post(order::order))
        .route("/acme/order/{id}/finalize", post(order::finalize))
        .route("/acme/certificate/{id}", post(order::certificate))
        .route("/acme/authorization/{id}", post(authorization::authorization))
        .route("/acme/challenge/{id}", post(authorization::challenge))
        .route("/acme/revoke-cert", post(revocation::revoke))
        .route("/acme/renewal-info/{id}", get(renewal::info))
        .route("/acme", any(nothing_here))
        .route("/acme/{*rest}", any(nothing_here))
        .layer(from_fn_with_state(acme.clone(), with_nonce))
        .merge(api().split_for_parts().0)
        .with_state(acme)
}

/// The part of the portal's API.
pub(crate) fn api() -> OpenApiRouter<AcmeServer> {
    OpenApiRouter::new().routes(routes!(bind))
}

async fn directory(State(acme): State<AcmeServer>) -> Json<Value> {
    Json(acme.directory("/acme/new-account", true))
}

async fn device_directory(State(acme): State<AcmeServer>) -> Json<Value> {
    Json(acme.directory("/acme/device/new-account", false))
}

async fn no_content() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Directory and nonces also by POST-as-GET (RFC 8555 section 6.3).
async fn signed_directory(
    ServingAcme(acme): ServingAcme,
    request: Request,
) -> problem::AcmeResult<Json<Value>> {
    acme.as_get(request).await?;
    Ok(directory(State(acme)).await)
}

async fn signed_device_directory(
    ServingAcme(acme): ServingAcme,
    request: Request,
) -> problem::AcmeResult<Json<Value>> {
    acme.as_get(request).await?;
    Ok(device_directory(State(acme)).await)
}

async fn signed_no_content(
    ServingAcme(acme): ServingAcme,
    request: Request,
) -> problem::AcmeResult<StatusCode> {
    acme.as_get(request).await?;
    Ok(no_content().await)
}

async fn nothing_here() -> AcmeError {
    AcmeError::not_found()
}

/// Every answer brings a fresh nonce and the way back to the directory (RFC 8555 sections 6.5 and 7.1).
async fn with_nonce(State(acme): State<AcmeServer>, request: Request, next: Next) -> Response {
    let mut response = in_acmes_words(next.run(request).await);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let index = format!("<{}>;rel=\"index\"", acme.url("/acme/directory"));
    // By the time of the answer: its life begins now. Without the secret there is none; whoever needs one is refused by the request that needs it.
    let nonce = acme.nonces.issue(acme.now()).await.unwrap_or_default();
    for (name, value) in [(REPLAY_NONCE, nonce), (LINK, index)] {
        if !value.is_empty()
            && let Ok(value) = HeaderValue::from_str(&value)
        {
            headers.append(name, value);
        }
    }
    response
}

/// A refusal that was made before a request came to these routes, such as for its `Host`.
pub fn acme_problem(path: &str, problem: &Problem) -> Option<Response> {
    let is_acme = path == "/acme" || path.starts_with("/acme/");
    is_acme.then(|| AcmeError::from(problem.clone()).into_response())
}

/// A refusal by the framework, such as that of a method, says the same as ours do (RFC 8555 section 6.7). What it says in
/// headers stays.
fn in_acmes_words(response: Response) -> Response {
    let Some(problem) = problem_of(&response) else { return response };
    let mut written = AcmeError::from(problem).into_response();
    if let Some(allow) = response.headers().get(ALLOW) {
        written.headers_mut().insert(ALLOW, allow.clone());
    }
    written
}

tegata_web::refusals! {
    BindRefusals = REQUEST, BODY, INVITATION
}

/// The body of `POST {portal}/api/v1/invitations/acme`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AcmeBindingRequest {
    /// The whole code of a link, not a short one.
    #[schema(value_type = String, max_length = 128)]
    code: ShownCode,
}

/// What an ACME client is to be configured with.
#[derive(Serialize, ToSchema)]
struct AcmeBindingResponse {
    /// The directory of RFC 8555 section 7.1.1.
    #[schema(format = "uri")]
    directory: String,
    #[serde(flatten)]
    binding: AccountBinding,
}

/// External account binding of an invitation (RFC 8555 section 7.3.4).
///
/// For clients that can do nothing but ACME. The whole code of a link, not a short one.
#[utoipa::path(post, path = "/api/v1/invitations/acme", operation_id = "bindAcme", request_body = AcmeBindingRequest,
    responses((status = OK, description = "What the ACME client is configured with", body = AcmeBindingResponse), BindRefusals))]
async fn bind(
    ServingAcme(acme): ServingAcme,
    StrictJson(body): StrictJson<AcmeBindingRequest>,
) -> tegata_web::WebResult<impl IntoResponse> {
    if !matches!(body.code, ShownCode::Link(_)) {
        return Err(Refusal::InvitationUnknown.into());
    }
    let invitation = acme.service.open(&body.code).await?;
    let secret = acme.service.opening.secret().await?;
    let binding = AccountBinding::of(&secret, &invitation.id, &acme.service.context.installation);
    Ok((
        [(CACHE_CONTROL, "no-store")],
        Json(AcmeBindingResponse { directory: acme.url("/acme/directory"), binding }),
    ))
}
