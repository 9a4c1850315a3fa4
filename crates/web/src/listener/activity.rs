//! Whether anything happens on a connection.

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// Counts the exchanges under way on one connection.
pub struct Activity(watch::Sender<Exchanges>);

#[derive(Clone, Copy, Default)]
struct Exchanges {
    begun: bool,
    open: usize,
}

/// One exchange: from the header of its request to the end of its response.
pub struct Exchange(watch::Sender<Exchanges>);

impl Default for Activity {
    fn default() -> Self {
        Self(watch::Sender::new(Exchanges::default()))
    }
}

impl Activity {
    pub fn begin(&self) -> Exchange {
        self.0.send_modify(|exchanges| {
            exchanges.begun = true;
            exchanges.open += 1;
        });
        Exchange(self.0.clone())
    }

    /// Done when no first request came for `first`, or none was under way for `later`.
    pub async fn idle(&self, first: Duration, later: Duration) {
        let mut seen = self.0.subscribe();
        loop {
            let now = *seen.borrow_and_update();
            let patience = if now.begun { later } else { first };
            if now.open > 0 {
                let _ = seen.changed().await;
            } else if timeout(patience, seen.changed()).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.0.send_modify(|exchanges| exchanges.open = exchanges.open.saturating_sub(1));
    }
}

/// A response body that keeps its exchange open until it has been sent.
pub struct Counted {
    body: Body,
    _exchange: Exchange,
}

impl Counted {
    pub fn new(body: Body, exchange: Exchange) -> Self {
        Self { body, _exchange: exchange }
    }
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
