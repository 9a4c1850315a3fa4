//! Enrollment over Secure Transport (RFC 7030, with the clarifications of RFC 8951), below the device listener's
//! `/.well-known/est`: for routers, printers and servers that bring a client of their own.
//!
//! First enrollment is authorized by an invitation, whose code is the password of HTTP Basic; the user's name says
//! nothing. Renewal is authorized by the working certificate of the connection. Both are served by the same enrollment
//! service as the page. Who the device is comes from the ledger: names in a request are not read.

use crate::enrollment_service::{EnrollmentService, HandedOverCertificate};
use crate::serving::Serving;
use crate::shown_code::ShownCode;
use crate::submitted_csr::SubmittedCsr;
use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use tegata_ca::pkcs7;
use tegata_core::encoding::{base64, from_base64};
use tegata_core::id::InvitationCode;
use tegata_core::{Refusal, Role, TenantId};
use tegata_storage::{IssuerKind, IssuerState, StoredIssuer};
use tegata_web::{Presented, Problem, WebResult, body};

/// RFC 7030 section 4.2.1. Requests are read by this name alone; parameters say nothing.
const PKCS10: &str = "application/pkcs10";

const CERTIFICATES: &str = "application/pkcs7-mime; smime-type=certs-only";
const ATTRIBUTES: &str = "application/csrattrs";

const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"Tegata\", charset=\"UTF-8\"");

/// The routes of the device listener.
pub(crate) fn routes(service: EnrollmentService) -> Router {
    Router::new()
        .route("/.well-known/est/cacerts", get(cacerts))
        .route("/.well-known/est/csrattrs", get(csrattrs))
        .route("/.well-known/est/simpleenroll", post(simpleenroll))
        .route("/.well-known/est/simplereenroll", post(simplereenroll))
        .with_state(service)
}

/// The CAs that certificates of the caller are to be checked by; for a stranger, those that serve everybody. Public
/// knowledge: nobody is refused.
async fn cacerts(Serving(service): Serving, Presented(certificate): Presented) -> WebResult<Response> {
    let tenant = service.caller(certificate.as_ref()).await.ok().map(|facts| facts.tenant.clone());
    let issuers = service.context.ledger.issuers().await?;
    let trusted: Vec<&[u8]> = issuers
        .iter()
        .filter(|issuer| serves(issuer, tenant.as_ref()))
        .map(|issuer| &*issuer.certificate)
        .collect();
    Ok(answer(CERTIFICATES, &pkcs7::certs_only(&trusted)))
}

async fn csrattrs(Serving(service): Serving, Presented(certificate): Presented) -> WebResult<Response> {
    let caller = service.caller(certificate.as_ref()).await.ok();
    let authority = match &caller {
        Some(facts) => service.authorities.for_tenant(&facts.tenant)?,
        None => service.authorities.all().pop().ok_or(Refusal::NoIssuer)?,
    };
    let role = caller.map_or(Role::Device, |facts| facts.role);
    Ok(answer(ATTRIBUTES, &authority.csr_attributes(role)))
}

async fn simpleenroll(Serving(service): Serving, request: Request) -> Response {
    match enroll(&service, request).await {
        Ok(handed_over) => certificate(&handed_over),
        // RFC 7030 section 4.2.3: 404 would say that there is no EST here.
        Err(Problem { refusal: Refusal::InvitationNotShown | Refusal::InvitationUnknown, .. }) => {
            ([(WWW_AUTHENTICATE, CHALLENGE)], Problem::from(Refusal::InvitationNotShown)).into_response()
        }
        Err(Problem { refusal: Refusal::ApprovalPending, .. }) => waiting(),
        Err(problem) => problem.into_response(),
    }
}

async fn simplereenroll(
    Serving(service): Serving,
    Presented(certificate_shown): Presented,
    request: Request,
) -> WebResult<Response> {
    let csr = read_request(request).await?;
    Ok(certificate(&service.next_certificate(certificate_shown.as_ref(), &csr, false).await?))
}

async fn enroll(service: &EnrollmentService, request: Request) -> WebResult<HandedOverCertificate> {
    // Machines do not type: a short code, which can be guessed, is no password here.
    let code = password(request.headers()).and_then(|password| InvitationCode::parse(&password));
    let code = ShownCode::Link(code.ok_or(Refusal::InvitationNotShown)?);
    let csr = read_request(request).await?;
    Ok(service.enroll(&code, &csr, false).await?)
}

/// The password of HTTP Basic (RFC 7617).
fn password(headers: &HeaderMap) -> Option<String> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else { return None };
    let (scheme, credentials) = field.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(from_base64(credentials.trim_start())?).ok()?;
    pair.split_once(':').map(|(_, password)| password.to_owned())
}

/// The request in base64, on one line or several: clients wrap lines, or do not (RFC 8951 section 3.1).
async fn read_request(request: Request) -> WebResult<SubmittedCsr> {
    let media = request.headers().get(CONTENT_TYPE).and_then(|media| media.to_str().ok());
    let essence = media.and_then(|media| media.split(';').next()).map(str::trim);
    if !essence.is_some_and(|essence| essence.eq_ignore_ascii_case(PKCS10)) {
        return Err(Problem::media_type(PKCS10));
    }
    let bytes = body::read(request.into_body(), body::LIMIT).await?;
    let mut text = String::from_utf8(bytes.to_vec()).map_err(|_| Refusal::CsrMalformed)?;
    text.retain(|letter| !letter.is_ascii_whitespace());
    Ok(SubmittedCsr::of_base64(&text))
}

/// A CA at work or at rest, and the roots above.
fn serves(issuer: &StoredIssuer, tenant: Option<&TenantId>) -> bool {
    let is_ours = matches!(issuer.kind, IssuerKind::Root | IssuerKind::Issuing);
    let is_for_them = issuer.tenant.is_none() || issuer.tenant.as_ref() == tenant;
    is_ours && is_for_them && matches!(issuer.state, IssuerState::Active | IssuerState::Resting)
}

/// The client comes again with the same request (RFC 7030 section 4.2.3).
fn waiting() -> Response {
    let headers =
        [(RETRY_AFTER, crate::waiting::PAUSE.as_secs().to_string()), (CACHE_CONTROL, "no-store".into())];
    (StatusCode::ACCEPTED, headers).into_response()
}

/// The certificate alone: its issuers are what `cacerts` is for (RFC 7030 section 4.2.3).
fn certificate(handed_over: &HandedOverCertificate) -> Response {
    answer(CERTIFICATES, &pkcs7::certs_only(&[&handed_over.issued.certificate.der]))
}

/// One line of base64: not every client reads several.
fn answer(media_type: &'static str, der: &[u8]) -> Response {
    let headers = [
        (CONTENT_TYPE, media_type),
        (http::HeaderName::from_static("content-transfer-encoding"), "base64"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, base64(der)).into_response()
}
