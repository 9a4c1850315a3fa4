//! One line for each request: at `debug` for all of them, at `info` for those that were refused.
//!
//! A line says the identifier, method, status, the refusal's code and how long it took; never a query, a header or an
//! address. Its path is said where the listener is our own: a product's paths may tell of people.

use crate::request_id::RequestId;
use http::{Method, Request, Response, StatusCode, Uri};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use tegata_core::Refusal;
use tokio::time::Instant;

/// Lines about refusals at `info`, in a second. Strangers cause refusals, and a log is a disk: what is more is counted
/// in the next line, and is there at `debug`.
const REFUSALS_IN_A_SECOND: u32 = 20;

static REFUSALS: Mutex<Option<LineAllowance>> = Mutex::new(None);

/// A request under way.
pub(crate) struct RequestLog {
    id: RequestId,
    method: Method,
    uri: Option<Uri>,
    begun: Instant,
}

impl RequestLog {
    /// `says_path`: whether the request's path may be written down.
    pub(crate) fn begin<B>(id: RequestId, request: &Request<B>, says_path: bool) -> Self {
        let uri = says_path.then(|| request.uri().clone());
        Self { id, method: request.method().clone(), uri, begun: Instant::now() }
    }

    pub(crate) fn end<B>(self, response: &Response<B>) {
        let refusal = response.extensions().get::<Refusal>().map(|refusal| refusal.code());
        let (id, method, status) = (self.id.as_str(), self.method.as_str(), response.status());
        // What is nothing of ours may be anything, even a code that somebody typed.
        let path = self.uri.as_ref().filter(|_| status != StatusCode::NOT_FOUND).map(Uri::path);
        let (status, us) = (status.as_u16(), self.begun.elapsed().as_micros());
        if let Some(code) = refusal
            && let Some(unsaid) = allowance(self.begun)
        {
            tracing::info!(request_id = %id, method, path, status, code, us, unsaid, "refused");
        } else {
            tracing::debug!(request_id = %id, method, path, status, code = refusal, us, "answered");
        }
    }
}

/// How many lines went unsaid before this one; nothing when this one goes unsaid too.
fn allowance(now: Instant) -> Option<u32> {
    let mut allowance = REFUSALS.lock().unwrap_or_else(PoisonError::into_inner);
    allowance.get_or_insert(LineAllowance { since: now, lines: 0, unsaid: 0 }).take(now)
}

struct LineAllowance {
    since: Instant,
    lines: u32,
    unsaid: u32,
}

impl LineAllowance {
    fn take(&mut self, now: Instant) -> Option<u32> {
        if now.saturating_duration_since(self.since) >= Duration::from_secs(1) {
            (self.since, self.lines) = (now, 0);
        }
        if self.lines == REFUSALS_IN_A_SECOND {
            self.unsaid = self.unsaid.saturating_add(1);
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn strangers_who_are_refused_by_the_thousand_fill_no_log() {
        let start = Instant::now();
        let mut allowance = LineAllowance { since: start, lines: 0, unsaid: 0 };
        let lines = (0..5000).filter(|_| allowance.take(start).is_some()).count();
        assert_eq!(lines, 20);
        let later = start + Duration::from_secs(1);
        assert_eq!(allowance.take(later), Some(4980), "the next line says how many there were");
        assert_eq!(allowance.take(later), Some(0));
    }
}
