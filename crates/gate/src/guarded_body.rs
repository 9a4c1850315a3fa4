//! Bodies that are cut off when their device is denied, their session is over, or the gate is stale: downloads, event streams,
//! uploads.

use crate::gate::Gate;
use crate::verified_request::VerifiedRequest;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tegata_core::Refusal;

/// A body, as long as whoever sends or gets it may go on.
pub struct GuardedBody<B> {
    body: Pin<Box<B>>,
    gate: Gate,
    verified: Arc<VerifiedRequest>,
    /// Made when the body first makes its reader wait.
    over: Option<Pin<Box<dyn Future<Output = Refusal> + Send>>>,
}

/// Why a body ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum CutReason {
    /// Whoever it belongs to may not go on.
    #[error("it may not go on: {}", .0.code())]
    Over(Refusal),
    /// The body failed by itself.
    #[error(transparent)]
    Body(Box<dyn Error + Send + Sync>),
}

impl<B> GuardedBody<B> {
    pub(crate) fn new(body: B, gate: Gate, verified: Arc<VerifiedRequest>) -> Self {
        Self { body: Box::pin(body), gate, verified, over: None }
    }

    /// Wakes the reader when it is over while the body has nothing to say.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<Refusal> {
        let over = self.over.get_or_insert_with(|| {
            let (gate, verified) = (self.gate.clone(), Arc::clone(&self.verified));
            Box::pin(async move { gate.until_over(&verified).await })
        });
        over.as_mut().poll(context)
    }
}

impl<B> Body for GuardedBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = CutReason;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutReason>>> {
        let guarded = self.get_mut();
        // A body that never makes its reader wait is looked at frame by frame.
        if let Err(refusal) = guarded.gate.recheck(&guarded.verified) {
            return Poll::Ready(Some(Err(CutReason::Over(refusal))));
        }
        match guarded.body.as_mut().poll_frame(context) {
            Poll::Ready(frame) => {
                Poll::Ready(frame.map(|frame| frame.map_err(|error| CutReason::Body(error.into()))))
            }
            Poll::Pending => guarded.wait(context).map(|refusal| Some(Err(CutReason::Over(refusal)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
