//! Drains what is left of a request's body when its answer is already known.
//!
//! A refusal often comes before the body: no such route, no certificate, too large. Whoever drops the body then resets
//! the stream or the connection, and a client that is still sending reports a broken connection in place of the answer
//! (RFC 9110 section 9.3, RFC 9112 section 9.6; curl 7.88 does so over HTTP/2). So the rest is read for a while, and
//! thrown away.

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::timeout;

/// The most that is read for a client's sake, in bytes.
const LIMIT: usize = 256 * 1024;

/// And for how long.
const PATIENCE: Duration = Duration::from_secs(2);

/// A body that is read on after it is dropped, unless it has ended.
pub struct DrainOnDrop(Option<Incoming>);

impl DrainOnDrop {
    /// The body of a request.
    pub fn new(body: Incoming) -> Self {
        Self(Some(body))
    }
}

impl Body for DrainOnDrop {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.0 else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.0 = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for DrainOnDrop {
    fn drop(&mut self) {
        if let Some(body) = self.0.take().filter(|body| !body.is_end_stream()) {
            tokio::spawn(timeout(PATIENCE, Limited::new(body, LIMIT).collect()));
        }
    }
}
