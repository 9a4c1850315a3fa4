//! The probe: a page asks it whether the certificate it made has arrived in the browser.
//!
//! Asked across origins with a simple GET: a CORS preflight would carry no certificate. Every answer is readable by
//! our own pages, refusals as well, because the reason is what the reader needs.

use crate::enrollment_service::EnrollmentService;
use crate::serving::Serving;
use crate::sighting::note_platform;
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue};
use serde::Serialize;
use tegata_core::{DeviceId, Serial, Standing, Thumbprint};
use tegata_web::{Presented, WebResult};

#[derive(Serialize)]
struct ProbeResponse {
    device: DeviceId,
    generation: u32,
    serial: Serial,
    thumbprint: Thumbprint,
    standing: Standing,
}

pub(crate) async fn get(
    Serving(service): Serving,
    Presented(certificate): Presented,
    headers: HeaderMap,
) -> Response {
    let seen: WebResult<_> = service.caller(certificate.as_ref()).await.map_err(Into::into).map(|facts| {
        note_platform(&service, &facts, &headers);
        Json(ProbeResponse {
            device: facts.device.clone(),
            generation: facts.generation,
            serial: facts.serial,
            thumbprint: facts.thumbprint,
            standing: Standing::Good,
        })
    });
    let mut response = seen.into_response();
    let answer = response.headers_mut();
    answer.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer.insert(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = our_origin(&service, &headers) {
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    response
}

fn our_origin(service: &EnrollmentService, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(ORIGIN)?;
    let addresses = &service.context.addresses;
    [&addresses.portal, &addresses.device]
        .into_iter()
        .any(|ours| origin == ours.as_str())
        .then(|| origin.clone())
}
