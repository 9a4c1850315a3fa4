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
use tegata_web::api::ThumbprintSchema;
use utoipa::ToSchema;

pub(crate) const NO_STORE: [(HeaderName, &str); 1] = [(CACHE_CONTROL, "no-store")];

/// A certificate with what its holder needs to install and to name it.
#[derive(Serialize, ToSchema)]
pub(crate) struct EnrollmentResponse {
    /// The device, which stays the same over its generations.
    #[schema(value_type = String)]
    device: DeviceId,
    /// Counts the certificates of a device, from 1.
    #[schema(minimum = 1)]
    generation: u32,
    /// The serial number in hexadecimal digits.
    #[schema(value_type = String, pattern = "^[0-9a-f]+$")]
    serial: Serial,
    #[schema(value_type = ThumbprintSchema)]
    pub(crate) thumbprint: Thumbprint,
    #[schema(value_type = String, format = DateTime)]
    not_after: Timestamp,
    /// The certificate, DER in base64.
    #[schema(content_encoding = "base64")]
    certificate: String,
    /// The certificates above it, each DER in base64, the nearest first.
    chain: Vec<String>,
    /// What a browser's list of certificates shows.
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
