//! Counts what is under way on a connection, so that an idle one can be ended.

use crate::limits::Limits;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::time::{Instant, sleep_until};

/// The most of an answer that is handed over at once, in bytes: hyper asks for more when the client has taken it.
const PART: usize = 16 * 1024;

/// Counts the exchanges under way on one connection.
pub struct ConnectionActivity(Arc<Mutex<ExchangeState>>);

struct ExchangeState {
    begun: bool,
    open: usize,
    /// When the connection was made, or an exchange last ended.
    last: Instant,
    next: u64,
    /// Since when the client has had something to take, by number of the exchange.
    offered: HashMap<u64, Instant>,
}

/// One exchange: from the header of its request to the end of its response.
pub struct OpenExchange {
    exchanges: Arc<Mutex<ExchangeState>>,
    number: u64,
}

impl Default for ConnectionActivity {
    fn default() -> Self {
        let last = Instant::now();
        let exchanges = ExchangeState { begun: false, open: 0, last, next: 0, offered: HashMap::new() };
        Self(Arc::new(Mutex::new(exchanges)))
    }
}

impl ConnectionActivity {
    pub fn begin(&self) -> OpenExchange {
        let mut exchanges = lock(&self.0);
        exchanges.begun = true;
        exchanges.open += 1;
        exchanges.next += 1;
        OpenExchange { exchanges: self.0.clone(), number: exchanges.next }
    }

    /// Done when no first request came in time, none was under way for too long, or an answer is not taken. Exchanges
    /// wake nobody: whoever waits here looks when the time would be over, and then for as long as is left.
    pub async fn idle(&self, limits: &Limits) {
        loop {
            let now = Instant::now();
            let end = lock(&self.0).patience_ends(limits, now);
            if end <= now {
                return;
            }
            sleep_until(end.min(now + limits.stalled)).await;
        }
    }
}

impl ExchangeState {
    fn patience_ends(&self, limits: &Limits, now: Instant) -> Instant {
        match (self.begun, self.open) {
            (false, _) => self.last + limits.first_request,
            (true, 0) => self.last + limits.idle,
            (true, _) => {
                let oldest = self.offered.values().min().copied().unwrap_or(now);
                (oldest + limits.stalled).min(now + limits.idle)
            }
        }
    }
}

impl OpenExchange {
    /// The client has something to take, from now on.
    fn offer(&self) {
        lock(&self.exchanges).offered.insert(self.number, Instant::now());
    }

    /// It has taken everything that there is so far.
    fn taken(&self) {
        lock(&self.exchanges).offered.remove(&self.number);
    }
}

impl Drop for OpenExchange {
    fn drop(&mut self) {
        let mut exchanges = lock(&self.exchanges);
        exchanges.offered.remove(&self.number);
        exchanges.open = exchanges.open.saturating_sub(1);
        exchanges.last = Instant::now();
    }
}

/// A poisoned lock means a panic between two whole steps: the numbers behind it are still right.
fn lock(exchanges: &Mutex<ExchangeState>) -> MutexGuard<'_, ExchangeState> {
    exchanges.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The body of a response. It keeps its exchange open until it has been sent, and is sent in parts, so that whether the
/// client takes it is seen: hyper asks for the next part when there is room for it, in the connection's buffer or the
/// stream's window.
pub struct ResponseBody<B> {
    body: B,
    /// Of the last frame, what is still to be sent.
    rest: Bytes,
    exchange: OpenExchange,
}

impl<B> ResponseBody<B> {
    pub fn new(body: B, exchange: OpenExchange) -> Self {
        exchange.offer();
        Self { body, rest: Bytes::new(), exchange }
    }

    fn next_part(&mut self) -> Frame<Bytes> {
        self.exchange.offer();
        Frame::data(self.rest.split_to(self.rest.len().min(PART)))
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(self.next_part())));
        }
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(match frame.into_data() {
                Ok(data) => {
                    self.rest = data;
                    self.next_part()
                }
                Err(trailers) => trailers,
            }))),
            Poll::Pending => {
                self.exchange.taken();
                Poll::Pending
            }
            ended @ Poll::Ready(_) => ended,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    /// Of what is to come, the rest of the last frame included.
    fn size_hint(&self) -> SizeHint {
        let (inner, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower() + rest);
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}
