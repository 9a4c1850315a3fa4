//! One run of a pass: with an end, whatever the pass does.

use crate::pass::{Pass, PassReport};
use futures_util::FutureExt;
use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_storage::PassOutcome;
use tokio::time::{Instant, timeout};

/// How a run ended.
#[derive(Debug)]
pub(crate) struct RunEnd {
    pub(crate) outcome: PassOutcome,
    pub(crate) error: Option<String>,
    pub(crate) report: PassReport,
    pub(crate) took: Duration,
}

/// Runs it until it ends, its time is over, or `lost` says that it must not go on. A panic ends the run and nothing else: a pass
/// keeps nothing between runs that half a run could spoil.
pub(crate) async fn run_once(pass: &dyn Pass, now: Timestamp, limit: Duration, lost: impl Future) -> RunEnd {
    let begun = Instant::now();
    let run = AssertUnwindSafe(async { pass.run(now).await }).catch_unwind();
    let (outcome, error, report) = tokio::select! {
        // Whoever has lost the lease does not do one step more.
        biased;
        _ = lost => (PassOutcome::Interrupted, None, PassReport::nothing()),
        ended = timeout(limit, run) => match ended {
            Ok(Ok(Ok(report))) => (PassOutcome::Done, None, report),
            Ok(Ok(Err(error))) => (PassOutcome::Failed, Some(error.to_string()), PassReport::nothing()),
            Ok(Err(panic)) => (PassOutcome::Panicked, Some(text_of(&*panic)), PassReport::nothing()),
            Err(_) => (PassOutcome::TimedOut, Some(format!("given up after {limit:?}")), PassReport::nothing()),
        }
    };
    RunEnd { outcome, error, report, took: begun.elapsed() }
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    crate::PassError::new(text.unwrap_or("a panic without a text")).to_string()
}
