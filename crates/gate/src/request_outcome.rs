//! What becomes of a request.

use crate::verified_request::VerifiedRequest;
use http::{HeaderValue, Response};
use http_body_util::Full;
use hyper::body::Bytes;
use std::pin::Pin;
use std::sync::Arc;
use tegata_core::Refusal;

/// An answer that the gate itself makes, perhaps after asking the platform.
pub(crate) type OwnAnswer = Pin<Box<dyn Future<Output = Response<Full<Bytes>>> + Send>>;

/// What becomes of a request.
pub(crate) enum RequestOutcome {
    /// It goes on to the product.
    Admitted {
        verified: Arc<VerifiedRequest>,
        /// A `Set-Cookie` that keeps a session going.
        renewed: Option<HeaderValue>,
    },
    /// It goes no further.
    Refused(Refusal),
    /// It was for the gate itself, or leads to the sign-in.
    Answered(OwnAnswer),
}

impl From<Result<Arc<VerifiedRequest>, Refusal>> for RequestOutcome {
    fn from(checked: Result<Arc<VerifiedRequest>, Refusal>) -> Self {
        match checked {
            Ok(verified) => Self::Admitted { verified, renewed: None },
            Err(refusal) => Self::Refused(refusal),
        }
    }
}
