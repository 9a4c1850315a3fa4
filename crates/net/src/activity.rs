//! Whether anything happens on a connection.

use hyper::body::{Body, Bytes, Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Counts the exchanges under way on one connection.
pub struct Activity(Arc<Mutex<Exchanges>>);

struct Exchanges {
    begun: bool,
    open: usize,
    /// When the connection was made, or an exchange last ended.
    last: Instant,
}

/// One exchange: from the header of its request to the end of its response.
pub struct Exchange(Arc<Mutex<Exchanges>>);

impl Default for Activity {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Exchanges { begun: false, open: 0, last: Instant::now() })))
    }
}

impl Activity {
    pub fn begin(&self) -> Exchange {
        let mut exchanges = lock(&self.0);
        exchanges.begun = true;
        exchanges.open += 1;
        Exchange(self.0.clone())
    }

    /// Done when no first request came for `first`, or none was under way for `later`. Exchanges wake nobody: whoever
    /// waits here looks when the time would be over, and then for as long as is left.
    pub async fn idle(&self, first: Duration, later: Duration) {
        loop {
            let now = Instant::now();
            let end = lock(&self.0).patience_ends(first, later, now);
            if end <= now {
                return;
            }
            sleep_until(end.min(now + later)).await;
        }
    }
}

impl Exchanges {
    fn patience_ends(&self, first: Duration, later: Duration, now: Instant) -> Instant {
        match (self.begun, self.open) {
            (false, _) => self.last + first,
            (true, 0) => self.last + later,
            (true, _) => now + later,
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let mut exchanges = lock(&self.0);
        exchanges.open = exchanges.open.saturating_sub(1);
        exchanges.last = Instant::now();
    }
}

/// A poisoned lock means a panic between two whole steps: the numbers behind it are still right.
fn lock(exchanges: &Mutex<Exchanges>) -> MutexGuard<'_, Exchanges> {
    exchanges.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A response body that keeps its exchange open until it has been sent.
pub struct Counted<B> {
    body: B,
    _exchange: Exchange,
}

impl<B> Counted<B> {
    pub fn new(body: B, exchange: Exchange) -> Self {
        Self { body, _exchange: exchange }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Counted<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
