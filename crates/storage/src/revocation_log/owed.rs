//! What the log could not take, and is owed to it.
//!
//! While the log cannot be written nothing is revoked, and nobody is stopped or let in again. An account for emergencies is the
//! exception: it exists for the day when nothing else works, so its sign-in does not wait for a disk. The ledger keeps the line,
//! and whoever can write there next writes it first. Events need no keeping: they are in the feed, and whoever writes to the log
//! copies those it lacks. A ledger that is restored from a backup before that has not heard of either.

use super::{LogError, LogRecord};
use crate::actor::Actor;
use crate::head::OwedLines;
use crate::{LedgerError, Result, Transaction};
use serde_json::json;

impl Transaction {
    /// What is owed from before, oldest first.
    pub(crate) fn owed_records(&self) -> Result<Vec<LogRecord>> {
        let read = |line: &serde_json::Value| {
            serde_json::from_value(line.clone()).map_err(|_| LedgerError::Unreadable("head.owed_lines"))
        };
        self.head.owed_lines.0.iter().map(read).collect()
    }

    /// Keeps in the ledger what the log did not take of these records.
    pub(crate) async fn owe(&mut self, records: &[LogRecord], error: &LogError) -> Result<()> {
        let is_in_part = matches!(error, LogError::InPart { .. });
        let taken = if is_in_part { self.taken_in_part(records).await? } else { 0 };
        let left = records[taken..].iter().filter(|record| !matches!(record, LogRecord::Event(_)));
        let left: Result<Vec<_>> = left
            .map(|record| serde_json::to_value(record).map_err(|_| LedgerError::Unreadable("a record")))
            .collect();
        self.head.owed_lines = OwedLines(left?);
        let lines = self.head.owed_lines.0.len();
        tracing::error!(%error, lines, "an emergency did not wait for the revocation log, which is written as soon as it can be");
        self.audit(&Actor::System("revocation log"), "log.owed", None, json!({"lines": lines})).await
    }

    /// How many of these records stand in a log that failed when it had taken a part. The ledger, which has done all of them,
    /// contains the log up to there.
    async fn taken_in_part(&mut self, records: &[LogRecord]) -> Result<usize> {
        let (log, seen) = (self.shared.log.clone().ok_or(LogError::NotOpened)?, self.pending.end.clone()?);
        let end =
            tokio::task::spawn_blocking(move || log.end()).await.map_err(|_| LedgerError::Closing)??;
        let mut lines = self.written_by_others(seen.last_event).await?;
        let own = lines.len();
        lines.extend_from_slice(records);
        let mut hash = seen.hash;
        for taken in 0..=lines.len() {
            if hash == end.hash {
                self.head.contains_log_to(&end.log, hash);
                return Ok(taken.saturating_sub(own));
            }
            if let Some(line) = lines.get(taken) {
                hash = line.seal(&hash)?.1;
            }
        }
        Err(LogError::Moved.into())
    }
}
