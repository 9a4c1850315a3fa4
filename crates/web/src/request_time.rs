//! The time of a request.

use axum::extract::{FromRef, FromRequestParts};
use http::request::Parts;
use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, OnceLock};
use tegata_core::{Clock, Timestamp};

/// The one time by which a request is judged and written down, however many extractors and functions ask.
///
/// The clock is read at the first question and not before: whoever sends a body slowly is judged by the time when it is in,
/// and a certificate by a memory that is fresh then. What waits for somebody else within a request reads the clock itself
/// afterwards.
#[derive(Clone)]
pub struct RequestTime {
    clock: Arc<dyn Clock>,
    read: Arc<OnceLock<Timestamp>>,
}

impl RequestTime {
    /// By this clock, not yet read.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, read: Arc::default() }
    }

    /// The time of the request.
    pub fn now(&self) -> Timestamp {
        *self.read.get_or_init(|| self.clock.now())
    }
}

impl fmt::Debug for RequestTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("RequestTime").field(&self.read.get()).finish()
    }
}

impl<S: Sync> FromRequestParts<S> for RequestTime
where
    Arc<dyn Clock>: FromRef<S>,
{
    type Rejection = Infallible;

    /// Leaves it with the request, for the next extractor.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let new = || Self::new(FromRef::from_ref(state));
        Ok(parts.extensions.get_or_insert_with(new).clone())
    }
}
