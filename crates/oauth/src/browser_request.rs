//! A browser on an enrolled device that comes to an endpoint for people: by an address, or with a form that leads to one.

use crate::authorization::AuthorizationEndpoint;
use crate::form::{Charset, FormParameters, check_media_type};
use axum::extract::{FromRequestParts, Request, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use std::sync::Arc;
use tegata_core::{Language, Refusal, Timestamp};
use tegata_storage::CertificateHolder;
use tegata_web::{
    OnwardPage, OnwardPurpose, PeerCertificate, Presented, Problem, ReaderLanguage, RequestTime, WebResult,
    body, opens_a_page,
};

/// The longest request that is looked at, in bytes: an ID token and an address may be in it.
const LONGEST: usize = 8 * 1024;

/// What a browser asks, on which device.
pub(crate) struct DeviceBrowserRequest {
    pub(crate) form: FormParameters,
    pub(crate) holder: Arc<CertificateHolder>,
    pub(crate) certificate: Option<PeerCertificate>,
    pub(crate) headers: HeaderMap,
    pub(crate) language: Language,
    /// The time of the request.
    pub(crate) at: Timestamp,
}

impl FromRequestParts<AuthorizationEndpoint> for DeviceBrowserRequest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, endpoint: &AuthorizationEndpoint) -> WebResult<Self> {
        must_open_a_page(&parts.headers)?;
        let ReaderLanguage(language) = ReaderLanguage::of(&parts.uri, &parts.headers);
        let Ok(time) = RequestTime::from_request_parts(parts, endpoint).await;
        let presented: Presented = parts.extensions.get().cloned().ok_or(Refusal::Internal)?;
        let at = time.now();
        let holder = endpoint.tokens.context.device(presented.0.as_ref(), at).await?;
        let form = read(parts.uri.query().unwrap_or_default().as_bytes(), Charset::Utf8)?;
        Ok(Self { form, holder, certificate: presented.0, headers: parts.headers.clone(), language, at })
    }
}

/// By `POST` (OpenID Connect Core section 3.1.2.1, RP-Initiated Logout section 2): the answer is a page that opens the address which
/// says what the form said.
///
/// Any page may send such a form, as it may link to the address, so nothing is done here and no cookie counts. Browsers keep
/// the cookie of the session from a form of another site; what this page opens has it. And Chromium holds the `form-action` of
/// whoever sent the form against redirects, but not against a page.
pub(crate) async fn by_form(
    State(endpoint): State<AuthorizationEndpoint>,
    ReaderLanguage(language): ReaderLanguage,
    Presented(certificate): Presented,
    time: RequestTime,
    request: Request,
) -> WebResult<Response> {
    let (parts, sent) = request.into_parts();
    must_open_a_page(&parts.headers)?;
    endpoint.tokens.context.device(certificate.as_ref(), time.now()).await?;
    if parts.uri.query().is_some() {
        let fault = "Send parameters in the body or in the address, not in both";
        return Err(Problem::with_detail(Refusal::RequestMalformed, fault));
    }
    let media = parts.headers.get(CONTENT_TYPE).and_then(|media| media.to_str().ok());
    let charset = check_media_type(media).map_err(|_| Refusal::MediaType)?;
    let form = read(&body::read(sent, LONGEST).await?, charset)?;
    let address = format!("{}?{}", parts.uri.path(), form.as_query());
    if address.len() > LONGEST {
        return Err(Refusal::RequestTooLarge.into());
    }
    Ok(OnwardPage { language, address, purpose: OnwardPurpose::Product }.into_response())
}

/// A picture, a script or a frame of any page on the device must neither take a code nor make room among the requests that
/// wait, nor end a session.
fn must_open_a_page(headers: &HeaderMap) -> Result<(), Refusal> {
    if opens_a_page(headers) { Ok(()) } else { Err(Refusal::ForeignOrigin) }
}

fn read(text: &[u8], charset: Charset) -> Result<FormParameters, Problem> {
    if text.len() > LONGEST {
        return Err(Refusal::RequestTooLarge.into());
    }
    FormParameters::parse(text, charset).map_err(|_| {
        Problem::with_detail(Refusal::RequestMalformed, "A parameter is sent twice, or is no UTF-8")
    })
}
