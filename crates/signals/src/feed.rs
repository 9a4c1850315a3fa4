//! The feed on the wire: a signed snapshot, then what happens, one compact JWS a line.

use crate::signals::Signals;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use line::signed;
use std::convert::Infallible;
use std::sync::Arc;
use tegata_core::feed::{Denial, FeedMessage};
use tegata_core::{Refusal, Timestamp};
use tegata_storage::CertificateHolder;
use tegata_web::Presented;
use tegata_web::problem::WebResult;
use tokio::task::spawn_blocking;
use watch::FeedSubscription;

pub use hub::FeedHub;

mod hub;
mod line;
mod watch;

const MEDIA_TYPE: &str = "application/vnd.tegata.feed";

/// For gates only. Endless: it ends when the gate falls behind, is stopped itself, or the server closes.
pub(crate) async fn feed(State(signals): State<Arc<Signals>>, presented: Presented) -> WebResult<Response> {
    let gate = signals.issuer().context.gate(presented.0.as_ref(), signals.issuer().context.now()).await?;
    // Listening begins before the snapshot is taken, so that nothing falls in between.
    let lines = signals.feed().listen().ok_or(Refusal::Unavailable)?;
    let first = signals.snapshot_for(&gate).await?;
    let watch =
        FeedSubscription::new(lines, gate, first.seq, first.at, Arc::clone(&signals.issuer().context.clock));
    let rest = stream::unfold(watch, async |mut watch| watch.next().await.map(|line| (line, watch)));
    let body = stream::once(std::future::ready(first.line)).chain(rest).map(Ok::<Bytes, Infallible>);
    let headers = [(CONTENT_TYPE, MEDIA_TYPE), (CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(body)).into_response())
}

impl FeedHub {
    /// Serves the feed until [`FeedHub::close`], or until the task is dropped.
    pub async fn run(signals: Arc<Signals>) {
        Arc::clone(signals.feed()).serve_until_closed(signals.issuer()).await;
    }
}

/// The beginning of a gate's stream.
struct FeedStart {
    seq: u64,
    at: Timestamp,
    line: Bytes,
}

impl Signals {
    /// Everything denied now. It may be large, so it is written off the threads that serve requests, and only a few
    /// at a time, even when all gates come back at once.
    async fn snapshot_for(self: &Arc<Self>, gate: &Arc<CertificateHolder>) -> Result<FeedStart, Refusal> {
        let _turn = self.feed().snapshots.acquire().await.map_err(|_| Refusal::Unavailable)?;
        let (signals, gate) = (Arc::clone(self), Arc::clone(gate));
        spawn_blocking(move || signals.write_snapshot(&gate)).await.map_err(|_| Refusal::Internal)?
    }

    /// Its date is read before what it says: everything decided by then is in it.
    fn write_snapshot(&self, gate: &CertificateHolder) -> Result<FeedStart, Refusal> {
        let at = self.issuer().fresh_at(self.issuer().context.now())?;
        let (denials, _) = self.issuer().context.status.subscribe();
        if let Some(denial) = gate.denial(&denials) {
            return Err(refusal_of(denial));
        }
        let message = FeedMessage::Snapshot(denials.snapshot(at));
        let line = signed(self.issuer(), message).map_err(|_| Refusal::Internal)?;
        Ok(FeedStart { seq: denials.seq(), at, line })
    }
}

/// For a gate that was stopped after it had been let in.
const fn refusal_of(denial: Denial) -> Refusal {
    match denial {
        Denial::Suspended => Refusal::DeviceSuspended,
        Denial::Revoked => Refusal::CertificateRevoked,
        Denial::Retired => Refusal::CertificateRetired,
    }
}
