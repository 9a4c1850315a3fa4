//! The public listener: what certificates point to. Plain HTTP, because whoever checks a certificate cannot first
//! check another one; everything here is signed.

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use std::sync::Arc;
use tegata_ca::{Authority, OcspRequest};
use tegata_core::{IssuerId, Refusal};
use tegata_storage::StoredIssuer;
use tegata_web::{Answer, Context, body};

/// The longest OCSP request read, in bytes.
const LONGEST_OCSP: usize = 64 * 1024;

/// What the routes need.
#[derive(Clone)]
pub struct Public {
    pub context: Context,
    pub authority: Arc<Authority>,
    pub issuers: Arc<[StoredIssuer]>,
}

/// The routes below the public address.
pub fn routes(public: Public) -> Router {
    Router::new()
        .route("/crl/{file}", get(crl))
        .route("/ca/{file}", get(certificate))
        .route("/ocsp/{issuer}", post(ocsp))
        .route("/ocsp/{issuer}/{*request}", get(ocsp_in_path))
        .with_state(public)
}

async fn crl(State(public): State<Public>, Path(file): Path<String>) -> Answer<Response> {
    let issuer = issuer_of(&file, ".crl")?;
    let crl = public.context.ledger.crl(&issuer).await.map_err(|error| error.refusal())?;
    let crl = crl.ok_or(Refusal::NotFound)?;
    // Short: a revocation must be seen at once by whoever asks again.
    let headers =
        [(CONTENT_TYPE, "application/pkix-crl"), (CACHE_CONTROL, "public, max-age=1, must-revalidate")];
    Ok((headers, crl.der).into_response())
}

async fn certificate(State(public): State<Public>, Path(file): Path<String>) -> Answer<Response> {
    let id = issuer_of(&file, ".cer")?;
    let issuer = public.issuers.iter().find(|issuer| issuer.id == id).ok_or(Refusal::NotFound)?;
    let headers = [(CONTENT_TYPE, "application/pkix-cert"), (CACHE_CONTROL, "public, max-age=86400")];
    Ok((headers, issuer.certificate.clone()).into_response())
}

async fn ocsp(
    State(public): State<Public>,
    Path(issuer): Path<String>,
    request: Request,
) -> Answer<Response> {
    check_issuer(&public, &issuer)?;
    let body = body::read(request.into_body(), LONGEST_OCSP).await?;
    Ok(answer(&public, OcspRequest::parse(&body)).await)
}

/// RFC 6960 appendix A.1: the request, in base64, is the rest of the path.
async fn ocsp_in_path(
    State(public): State<Public>,
    Path((issuer, request)): Path<(String, String)>,
) -> Answer<Response> {
    check_issuer(&public, &issuer)?;
    Ok(answer(&public, OcspRequest::from_path(&request)).await)
}

async fn answer(public: &Public, request: Result<OcspRequest, tegata_ca::ocsp::OcspError>) -> Response {
    let der = public.authority.ocsp(request, public.context.now()).await;
    ([(CONTENT_TYPE, "application/ocsp-response"), (CACHE_CONTROL, "no-store")], der).into_response()
}

fn check_issuer(public: &Public, id: &str) -> Result<(), Refusal> {
    let known = IssuerId::parse(id).is_some_and(|id| &id == public.authority.issuer().id());
    if known { Ok(()) } else { Err(Refusal::NotFound) }
}

fn issuer_of(file: &str, ending: &str) -> Result<IssuerId, Refusal> {
    file.strip_suffix(ending).and_then(IssuerId::parse).ok_or(Refusal::NotFound)
}
