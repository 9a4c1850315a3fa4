//! Response bodies that are cut off when their device is denied: downloads, event streams.

use crate::gate::Gate;
use crate::verified_request::VerifiedRequest;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tegata_core::Refusal;

/// The body of an answer, until its device is denied.
pub struct GuardedBody<B> {
    body: Pin<Box<B>>,
    gate: Gate,
    verified: Arc<VerifiedRequest>,
    /// Made when the body first makes its reader wait.
    denied: Option<Pin<Box<dyn Future<Output = Refusal> + Send>>>,
    /// The number of the last event that was looked at.
    seq: Option<u64>,
}

/// Why a body ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum CutReason {
    /// The device, its certificate or its token was denied meanwhile.
    #[error("the device is denied by now: {}", .0.code())]
    Denied(Refusal),
    /// The body failed by itself.
    #[error(transparent)]
    Body(Box<dyn Error + Send + Sync>),
}

impl<B> GuardedBody<B> {
    pub(crate) fn new(body: B, gate: Gate, verified: Arc<VerifiedRequest>) -> Self {
        let seq = gate.status_seq();
        Self { body: Box::pin(body), gate, verified, denied: None, seq }
    }

    /// Whether something was denied since the last look, and the device is among it.
    fn look(&mut self) -> Result<(), CutReason> {
        let seq = self.gate.status_seq();
        if seq != self.seq {
            self.gate.standing(&self.verified).map_err(CutReason::Denied)?;
            self.seq = seq;
        }
        Ok(())
    }

    /// Wakes the reader when the device is denied while the body has nothing to say.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<Refusal> {
        let denied = self.denied.get_or_insert_with(|| {
            let (gate, verified) = (self.gate.clone(), Arc::clone(&self.verified));
            Box::pin(async move { gate.until_denied(&verified).await })
        });
        denied.as_mut().poll(context)
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
        if let Err(cut) = guarded.look() {
            return Poll::Ready(Some(Err(cut)));
        }
        match guarded.body.as_mut().poll_frame(context) {
            Poll::Ready(frame) => {
                Poll::Ready(frame.map(|frame| frame.map_err(|error| CutReason::Body(error.into()))))
            }
            Poll::Pending => guarded.wait(context).map(|refusal| Some(Err(CutReason::Denied(refusal)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
