//! The public listener: what certificates point to. Plain HTTP, because whoever checks a certificate cannot first
//! check another one; everything here is signed.

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use std::sync::Arc;
use tegata_ca::{Authorities, Authority, OcspRequest};
use tegata_core::{IssuerId, Refusal};
use tegata_storage::StoredIssuer;
use tegata_web::{Answer, Context, body};

/// The longest OCSP request read, in bytes.
const LONGEST_OCSP: usize = 64 * 1024;

/// What the routes need.
#[derive(Clone)]
pub struct Public {
    pub context: Context,
    pub authorities: Arc<Authorities>,
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
    let (issuer, shard) = shard_of(&file)?;
    let crl = public.context.ledger.crl(&issuer, shard).await.map_err(|error| error.refusal())?;
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
    let authority = authority(&public, &issuer)?;
    let body = body::read(request.into_body(), LONGEST_OCSP).await?;
    Ok(answer(&public, &authority, OcspRequest::parse(&body)).await)
}

/// RFC 6960 appendix A.1: the request, in base64, is the rest of the path.
async fn ocsp_in_path(
    State(public): State<Public>,
    Path((issuer, request)): Path<(String, String)>,
) -> Answer<Response> {
    let authority = authority(&public, &issuer)?;
    Ok(answer(&public, &authority, OcspRequest::from_path(&request)).await)
}

async fn answer(
    public: &Public,
    authority: &Authority,
    request: Result<OcspRequest, tegata_ca::ocsp::OcspError>,
) -> Response {
    let der = authority.ocsp(request, public.context.now()).await;
    ([(CONTENT_TYPE, "application/ocsp-response"), (CACHE_CONTROL, "no-store")], der).into_response()
}

fn authority(public: &Public, id: &str) -> Result<Arc<Authority>, Refusal> {
    IssuerId::parse(id).and_then(|id| public.authorities.get(&id)).ok_or(Refusal::NotFound)
}

/// `ISSUER.crl` or `ISSUER-SHARD.crl`, as [`tegata_ca::Endpoints::crl`] writes it.
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
