//! Several logs of one ledger: what one of them has that the ledger lacks, further ones, and copies brought from elsewhere.

use super::applying::LOG;
use crate::engine::{HEAD, on_read};
use crate::head::{LedgerHead, OwedLines};
use crate::revocation_log::{LogError, LogRecord, LogScan, LoggedEvent, RevocationLog};
use crate::{Ledger, LogPlace, Result, Transaction};
use serde_json::json;
use std::collections::HashSet;
use std::sync::Arc;
use tegata_core::{Entropy, Timestamp};

/// What the ledger lacks of a log.
pub(super) struct MissedRecords {
    /// Events follow the ledger's feed without a gap.
    pub(super) in_order: Vec<LogRecord>,
    /// Their numbers are taken, or lie beyond a gap.
    pub(super) strays: Vec<LoggedEvent>,
}

impl MissedRecords {
    /// The last event of which log and ledger told the same when the feed ended at `feed_seq`, where they went apart.
    pub(super) fn told_alike(&self, feed_seq: u64) -> Option<u64> {
        let first = self.strays.iter().map(|stray| stray.event.seq).min()?;
        Some(first.saturating_sub(1).min(feed_seq))
    }
}

impl Ledger {
    /// Copies to this process's log what others have written to the feed since it was last written to, so that it alone would
    /// do after a restore, and what is owed to it. Writes nothing when there is nothing new.
    pub async fn complete_log(&self, now: Timestamp) -> Result<()> {
        let Some(log) = self.shared.log.clone() else { return Ok(()) };
        if log.end()?.last_event >= self.feed_head().await? && !self.owes_lines().await? {
            return Ok(());
        }
        let mut transaction = self.begin(now).await?;
        let (end, owed) = (transaction.pending.end.clone()?, transaction.owed_records()?);
        let end = if owed.is_empty() { end } else { transaction.write_records(&log, end, &owed).await? };
        transaction.head.owed_lines = OwedLines::default();
        transaction.copy_events(&log, end).await?;
        transaction.commit().await
    }

    async fn owes_lines(&self) -> Result<bool> {
        let head: LedgerHead = on_read!(self, connection => {
            sqlx::query_as(HEAD).fetch_one(connection).await?
        });
        Ok(!head.owed_lines.0.is_empty())
    }

    /// The names of the revocation logs that the ledger knows, the first one first.
    pub async fn revocation_logs(&self) -> Result<Vec<String>> {
        let head: LedgerHead = on_read!(self, connection => {
            sqlx::query_as(HEAD).fetch_one(connection).await?
        });
        Ok(head.logs().map(str::to_owned).collect())
    }

    /// Does what a log says that is another server's, or a copy of one, and the ledger lacks. Nothing is written there.
    ///
    /// # Errors
    /// [`LedgerError::Log`] when it is not a log of this ledger, or not whole.
    pub async fn replay_log(&self, place: &LogPlace<'_>, now: Timestamp) -> Result<()> {
        let log = Arc::new(RevocationLog::at(place));
        let mut transaction = self.begin(now).await?;
        if !log.exists()? {
            return Err(LogError::Missing(log.name()).into());
        }
        transaction.catch_up_with(&log, true).await?;
        transaction.commit().await
    }

    /// The last event of a log, by which several are put in order: the longest tells most.
    ///
    /// # Errors
    /// [`LedgerError::Log`] when it cannot be read.
    pub fn last_event_of(place: &LogPlace<'_>) -> Result<u64> {
        Ok(RevocationLog::at(place).end()?.last_event)
    }

    /// Begins a further log, with all that the ledger knows, for a server that shares no disk with the others.
    pub(crate) async fn begin_further_log(
        &self,
        place: &LogPlace<'_>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<()> {
        let log = Arc::new(RevocationLog::at(place));
        let mut transaction = Transaction::take_head(&self.engine, self.shared.clone(), now).await?;
        if transaction.head.revocation_log.is_none() {
            return Err(LogError::NoFirst.into());
        }
        let name = log.create(now, entropy)?;
        let scan = transaction.scan(&log).await?;
        transaction.audit(&LOG, "log.added", None, json!({"log": name})).await?;
        transaction.head.contains_log_to(&name, scan.end.hash.clone());
        transaction.write_missing(&log, &scan, 0).await?;
        transaction.commit().await
    }
}

impl Transaction {
    /// What the ledger lacks of a log. A log that the ledger does not know by name is believed where it tells of the same
    /// beginnings. One that tells another story is refused, unless the ledger has several: then one server may have gone on
    /// before another came back.
    pub(super) async fn missed_records(
        &mut self,
        log: &RevocationLog,
        scan: &LogScan,
    ) -> Result<MissedRecords> {
        let mut strays = self.told_otherwise(&scan.overlapping).await?;
        let is_known = self.head.knows_log(&scan.end.log);
        if !is_known && !self.is_own_story(log, scan, &strays)? {
            return Err(LogError::Foreign(log.name()).into());
        }
        let is_apart = strays.last().is_some() && strays.last() == scan.overlapping.last();
        let (in_order, late) = self.in_order(&scan.lacking, is_apart);
        strays.extend(late);
        if let Some(first) = strays.first()
            && is_known
            && !self.head.has_logs_beside(&scan.end.log)
        {
            let seq = first.event.seq.min(self.feed_seq() + 1);
            return Err(LogError::Diverged { file: log.name(), seq }.into());
        }
        Ok(MissedRecords { in_order, strays })
    }

    fn is_own_story(&self, log: &RevocationLog, scan: &LogScan, strays: &[LoggedEvent]) -> Result<bool> {
        let is_of_this_installation = log.header()?.installation == log.installation;
        let has_same_beginning = match scan.overlapping.first() {
            Some(first) => strays.first() != Some(first),
            // A ledger from before the first event cannot know any.
            None => self.feed_seq() == 0 && scan.end.last_event > 0,
        };
        Ok(is_of_this_installation && has_same_beginning)
    }

    /// Those events whose number is another event's in the ledger.
    async fn told_otherwise(&mut self, told: &[LoggedEvent]) -> Result<Vec<LoggedEvent>> {
        let (Some(first), Some(last)) = (
            told.iter().map(|logged| logged.event.seq).min(),
            told.iter().map(|logged| logged.event.seq).max(),
        ) else {
            return Ok(Vec::new());
        };
        let mut otherwise: Vec<_> = (0..told.len()).collect();
        let mut after = first.saturating_sub(1);
        while after < last {
            let own = self.events_after(after).await?;
            let (Some(oldest), Some(newest)) = (own.first(), own.last()) else { break };
            let (begin, end) = (oldest.seq, newest.seq);
            otherwise.retain(|place| {
                let event = &told[*place].event;
                let at = event.seq.checked_sub(begin).and_then(|at| usize::try_from(at).ok());
                at.and_then(|at| own.get(at)) != Some(event)
            });
            after = end;
        }
        Ok(otherwise.into_iter().map(|place| told[place].clone()).collect())
    }

    /// Those that follow the feed, and those that do not. A log that met the others again tells a number twice; the last
    /// telling counts. Nothing follows the feed of a ledger that has gone `apart` from the log before.
    fn in_order(&self, lacking: &[LogRecord], apart: bool) -> (Vec<LogRecord>, Vec<LoggedEvent>) {
        let mut seen = HashSet::new();
        let superseded: HashSet<usize> = lacking
            .iter()
            .enumerate()
            .rev()
            .filter_map(|(place, record)| match record {
                LogRecord::Event(logged) if !seen.insert(logged.event.seq) => Some(place),
                _ => None,
            })
            .collect();
        let (mut in_order, mut strays, mut last) = (Vec::new(), Vec::new(), self.feed_seq());
        for (place, record) in lacking.iter().enumerate() {
            match record {
                LogRecord::Event(logged)
                    if apart || superseded.contains(&place) || logged.event.seq != last + 1 =>
                {
                    strays.push(logged.clone());
                }
                LogRecord::Event(logged) => {
                    last = logged.event.seq;
                    in_order.push(record.clone());
                }
                _ => in_order.push(record.clone()),
            }
        }
        (in_order, strays)
    }
}
