//! The response to an enrollment or renewal: the certificate, and where to go on.

use crate::enrollment_service::{EnrollmentService, HandedOverCertificate};
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderName};
use serde::Serialize;
use tegata_core::encoding::base64;
use tegata_core::{DeviceId, Refusal, Serial, Thumbprint, Timestamp};
use tegata_web::WebResult;

pub(crate) const NO_STORE: [(HeaderName, &str); 1] = [(CACHE_CONTROL, "no-store")];

/// A certificate with what its holder needs to install and to name it.
#[derive(Serialize)]
pub(crate) struct EnrollmentResponse {
    device: DeviceId,
    generation: u32,
    serial: Serial,
    pub(crate) thumbprint: Thumbprint,
    not_after: Timestamp,
    certificate: String,
    chain: Vec<String>,
    name: String,
}

impl EnrollmentResponse {
    /// To a requester without a certificate.
    pub(crate) fn answer(
        service: &EnrollmentService,
        handed_over: HandedOverCertificate,
    ) -> WebResult<Response> {
        Ok((StatusCode::CREATED, NO_STORE, Json(Self::new(service, handed_over)?)).into_response())
    }

    pub(crate) fn new(
        service: &EnrollmentService,
        HandedOverCertificate { issued, name }: HandedOverCertificate,
    ) -> Result<Self, Refusal> {
        Ok(Self {
            device: issued.device,
            generation: issued.generation,
            serial: issued.certificate.serial,
            thumbprint: issued.certificate.thumbprint,
            not_after: issued.not_after,
            certificate: base64(&issued.certificate.der),
            chain: service.chain(&issued.issuer)?,
            name,
        })
    }
}
