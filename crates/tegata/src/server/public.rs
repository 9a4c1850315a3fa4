//! The public listener: what certificates point to. Plain HTTP, because whoever checks a certificate cannot first
//! check another one; everything here is signed.

mod answer;
mod context;
mod lists;
mod ocsp;
mod statuses;

pub use context::PublicContext;
pub use lists::CrlCache;

use answer::{SignedRepresentation, respond};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use std::sync::Arc;
use tegata_core::{IssuerId, Refusal};
use tegata_web::WebResult;

/// The routes below the public address.
pub fn routes(public: PublicContext) -> Router {
    Router::new()
        .route("/crl/{file}", get(crl))
        .route("/ca/{file}", get(certificate))
        .route("/ocsp/{issuer}", post(ocsp::in_body))
        .route("/ocsp/{issuer}/{*request}", get(ocsp::in_path))
        .merge(statuses::routes())
        .with_state(Arc::new(public))
}

async fn crl(
    State(public): State<Arc<PublicContext>>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> WebResult<Response> {
    let (issuer, shard) = shard_of(&file)?;
    let now = public.context.now();
    let found = public.lists.get(&public.context.ledger, &issuer, shard, now).await;
    let list = found?.ok_or(Refusal::NotFound)?;
    let representation = SignedRepresentation {
        media_type: "application/pkix-crl",
        bytes: list.der.clone(),
        tag: &list.tag,
        modified: list.this_update,
        expires: None,
        // Short: a revocation must be seen at once by whoever asks again. Asking again is cheap: 304 if nothing is new.
        cache_control: "public, max-age=1, must-revalidate",
    };
    Ok(respond(representation, &headers, now))
}

async fn certificate(
    State(public): State<Arc<PublicContext>>,
    Path(file): Path<String>,
) -> WebResult<Response> {
    let id = issuer_of(&file, ".cer")?;
    let certificate = public.hierarchy.certificate(&id).ok_or(Refusal::NotFound)?;
    let headers = [(CONTENT_TYPE, "application/pkix-cert"), (CACHE_CONTROL, "public, max-age=86400")];
    Ok((headers, certificate).into_response())
}

/// `ISSUER.crl` or `ISSUER-SHARD.crl`, as [`tegata_ca::IssuerEndpoints::crl`] writes it.
fn shard_of(file: &str) -> Result<(IssuerId, u16), Refusal> {
    let name = file.strip_suffix(".crl").ok_or(Refusal::NotFound)?;
    let (issuer, shard) = match name.split_once('-') {
        Some((issuer, shard)) => (issuer, shard.parse().map_err(|_| Refusal::NotFound)?),
        None => (name, 0),
    };
    Ok((IssuerId::parse(issuer).ok_or(Refusal::NotFound)?, shard))
}

fn issuer_of(file: &str, ending: &str) -> Result<IssuerId, Refusal> {
    file.strip_suffix(ending).and_then(IssuerId::parse).ok_or(Refusal::NotFound)
}
