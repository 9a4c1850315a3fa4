//! The enrollment service as one request sees it.

use crate::enrollment_service::EnrollmentService;
use crate::requester::Requester;
use axum::extract::{FromRef, FromRequestParts};
use http::request::Parts;
use std::convert::Infallible;
use tegata_web::RequestTime;

/// The service that knows who sends this request, and by which time it is judged.
pub(crate) struct Serving(pub(crate) EnrollmentService);

impl<S: Sync> FromRequestParts<S> for Serving
where
    EnrollmentService: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let service = EnrollmentService::from_ref(state);
        let time = RequestTime::from_request_parts(parts, &service.context.clock).await?;
        let requester = Requester::of(&parts.extensions, &parts.headers);
        Ok(Self(service.serving(requester, time)))
    }
}
