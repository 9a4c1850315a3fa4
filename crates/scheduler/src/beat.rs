//! The one place where passes meet the ledger: leases are renewed and taken, and runs are told, together.

use crate::environment::PassEnvironment;
use crate::leases::{BEAT, LEASE};
use std::sync::Arc;
use std::time::Duration;
use tegata_core::ServerId;
use tegata_storage::{LeavePasses, Ledger, LedgerError, ReportPasses};
use tokio::time::{Instant, sleep, timeout};

/// How often the ledger hears of runs where no lease has to be written: what keeps leases tells it along.
const SAY: Duration = Duration::from_secs(5);

/// How long a server that stops waits for the ledger to hear of it.
const FAREWELL: Duration = Duration::from_secs(1);

/// Speaks with the ledger for all passes of a server.
pub(crate) struct PassReporter {
    pub(crate) ledger: Ledger,
    pub(crate) server: ServerId,
    pub(crate) around: Arc<PassEnvironment>,
}

impl PassReporter {
    /// For as long as the server lives.
    pub(crate) async fn run(&self) {
        let mut reported = None;
        loop {
            if let Err(error) = self.beat(&mut reported).await {
                tracing::debug!(%error, "the ledger does not hear of the passes");
            }
            tokio::select! {
                () = sleep(BEAT) => {}
                () = self.around.leases.hurry.notified() => {}
            }
        }
    }

    /// One question and, where there is something to write, one operation in a commit that others share.
    async fn beat(&self, reported: &mut Option<Instant>) -> Result<(), LedgerError> {
        let (asked_at, at) = (Instant::now(), self.around.clock.now());
        let known = self.ledger.pass_leases().await?;
        let request = self.around.leases.request(&known, at);
        let has_leases = !request.wanted.is_empty() || !request.released.is_empty();
        if !has_leases {
            self.around.leases.granted(&request, Vec::new(), asked_at);
            if reported.is_some_and(|reported| reported.elapsed() < SAY) {
                return Ok(());
            }
        }
        let news = self.around.records.take_news();
        if !has_leases && news.states.is_empty() && news.ended.is_empty() {
            return Ok(());
        }
        let report = ReportPasses {
            server: self.server.clone(),
            wanted: request.wanted.clone(),
            released: request.released.clone(),
            until: at.plus(LEASE),
            states: news.states.clone(),
            forgotten: news.ended.clone(),
            at,
        };
        // Whoever hears nothing by then asks anew; what is done all the same, the next beat sees.
        let answer = timeout(BEAT, self.ledger.group(report)).await;
        match answer.unwrap_or(Err(LedgerError::OutOfReach)) {
            Ok(granted) => {
                self.around.leases.granted(&request, granted, asked_at);
                *reported = Some(asked_at);
                Ok(())
            }
            Err(error) => {
                self.around.records.keep_news(news);
                Err(error)
            }
        }
    }

    /// The server stops: others need not wait for the end of its leases.
    pub(crate) async fn leave(&self) {
        self.leave_for(self.server.clone()).await;
    }

    /// Another one has stopped without a word.
    pub(crate) async fn leave_for(&self, server: ServerId) {
        let leave = LeavePasses { server, at: self.around.clock.now() };
        let left = timeout(FAREWELL, self.ledger.group(leave)).await;
        if let Err(error) = left.unwrap_or(Err(LedgerError::OutOfReach)) {
            tracing::debug!(%error, "the leases of a server end by themselves");
        }
    }
}
