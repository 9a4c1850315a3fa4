//! OCSP over HTTP (RFC 6960 appendix A, RFC 5019 sections 5 and 6).

use super::answer::{SignedRepresentation, respond};
use super::context::PublicContext;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use std::sync::Arc;
use tegata_ca::ocsp::MAX_LENGTH;
use tegata_ca::{IssuingCa, OcspRequest, OcspResponse};
use tegata_core::{IssuerId, Refusal, Timestamp};
use tegata_web::{WebResult, body};

const MEDIA_TYPE: &str = "application/ocsp-response";

/// By POST: not for caches.
pub async fn in_body(
    State(public): State<Arc<PublicContext>>,
    Path(issuer): Path<String>,
    request: Request,
) -> WebResult<Response> {
    let authority = authority(&public, &issuer)?;
    let body = body::read(request.into_body(), MAX_LENGTH).await?;
    let answer = public.responders.answer(&authority, OcspRequest::parse(&body), public.context.now()).await;
    Ok(uncached(answer))
}

/// By GET: the request, in base64, is the rest of the path (RFC 6960 appendix A.1).
pub async fn in_path(
    State(public): State<Arc<PublicContext>>,
    Path((issuer, request)): Path<(String, String)>,
    headers: HeaderMap,
) -> WebResult<Response> {
    let authority = authority(&public, &issuer)?;
    let now = public.context.now();
    let answer = public.responders.answer(&authority, OcspRequest::from_path(&request), now).await;
    Ok(cacheable(answer, &headers, now))
}

fn cacheable(answer: OcspResponse, asked: &HeaderMap, now: Timestamp) -> Response {
    let Some(validators) = answer.validators else { return uncached(answer) };
    let representation = SignedRepresentation {
        media_type: MEDIA_TYPE,
        bytes: Bytes::from_owner(answer.der),
        tag: &validators.tag,
        modified: validators.this_update,
        expires: Some(validators.next_update),
        // A revocation is promised to bite within a second, and nobody can call an answer back from a cache: so a cache
        // may give it for one second and must ask again then, which costs a 304 while nothing has changed. Expires says
        // nextUpdate, as RFC 5019 section 6.2 wants it for caches that know no max-age.
        cache_control: "public, max-age=1, must-revalidate, no-transform",
    };
    respond(representation, asked, now)
}

fn uncached(answer: OcspResponse) -> Response {
    let headers = [(CONTENT_TYPE, MEDIA_TYPE), (CACHE_CONTROL, "no-store")];
    (headers, Bytes::from_owner(answer.der)).into_response()
}

fn authority(public: &PublicContext, id: &str) -> Result<Arc<IssuingCa>, Refusal> {
    IssuerId::parse(id).and_then(|id| public.authorities.get(&id)).ok_or(Refusal::NotFound)
}
