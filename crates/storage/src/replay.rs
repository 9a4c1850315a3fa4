//! Bringing ledger and revocation log together: when the ledger is opened, and whenever a writer finds the log ahead.
//!
//! The log ahead means that the ledger was restored from a backup, or that a commit failed after its lines were
//! written. Either way the lines are done again, in one transaction, before the caller's. The ledger ahead means that
//! the log has lost its end, or is new: then it is written from the ledger.

mod applying;

use crate::actor::Actor;
use crate::engine::{on_read, on_transaction};
use crate::revocation_log::{
    LogError, LogLines, LogRecord, LogReport, LogScan, LoggedEvent, RevocationLog, WantedLogPlace,
};
use crate::{Ledger, LedgerError, Result, Transaction};
use applying::ReplayedEvent;
use serde_json::json;
use std::sync::Arc;
use tegata_core::encoding::hex;
use tegata_core::feed::Event;
use tegata_core::{Entropy, IssuerId, Timestamp};

/// Events written to the log at a time.
const PAGE: i64 = 1000;

impl Ledger {
    /// Brings the ledger and its log together before anybody is answered.
    pub(crate) async fn join_log(
        &self,
        log: &Arc<RevocationLog>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<()> {
        let mut transaction = Transaction::take_head(&self.engine, self.shared.clone(), now).await?;
        match (transaction.log_name().await?, log.exists()?) {
            (Some(_), false) => return Err(LogError::Missing(log.name()).into()),
            (Some(name), true) if log.header()?.log != name => {
                return Err(LogError::Foreign(log.name()).into());
            }
            (Some(_), true) if transaction.is_at_the_end()? => return Ok(()),
            (Some(_), true) => {}
            (None, exists) => transaction.adopt(log, exists, entropy).await?,
        }
        transaction.come_together(log, true).await
    }

    /// Walks the whole revocation log, and says whether it ends where the ledger does; nothing where it was opened
    /// without one. A writer at the same moment may make them differ for that moment.
    ///
    /// # Errors
    /// [`LogError::Broken`] where a line does not follow its predecessor.
    pub async fn verify_log(&self) -> Result<Option<LogReport>> {
        let Some(log) = self.shared.log.clone() else { return Ok(None) };
        let (hash,): (Option<Vec<u8>>,) = on_read!(self, connection => {
            sqlx::query_as("SELECT log_hash FROM head WHERE id = 1").fetch_one(connection).await?
        });
        let report = tokio::task::spawn_blocking(move || log.report(hash.as_deref())).await;
        Ok(Some(report.map_err(|_| LedgerError::Closing)??))
    }

    /// Takes an operator's word that the ledger comes from a backup. Where nothing was stopped since the backup the log is not
    /// ahead, and nothing else tells.
    pub async fn note_restored(&self, actor: &Actor, now: Timestamp) -> Result<()> {
        let mut transaction = self.begin(now).await?;
        transaction.end_what_went_on().await?;
        transaction.audit(actor, "ledger.restored", None, json!({})).await?;
        transaction.commit().await
    }

    /// Forgets the log that is lost, so that the next opening begins another.
    pub(crate) async fn forget_log(&self, log: &RevocationLog, now: Timestamp) -> Result<()> {
        if log.exists()? {
            return Err(LogError::Exists(log.name()).into());
        }
        let mut transaction = Transaction::take_head(&self.engine, self.shared.clone(), now).await?;
        let former = transaction.log_name().await?;
        transaction.name_log(None).await?;
        transaction.head.log_hash = None;
        transaction.audit(&Actor::System("revocation log"), "log.lost", None, json!({"log": former})).await?;
        transaction.commit().await
    }
}

impl Transaction {
    /// Whether the ledger contains the log up to its end.
    pub(crate) fn is_at_the_end(&self) -> Result<bool> {
        let end = self.pending.end.clone()?;
        Ok(self.head.log_hash.as_ref() == Some(&end.hash))
    }

    /// Does what the log says and the ledger lacks, writes to the log what it lacks, and commits. A ledger that lacks
    /// something when it is opened may have been restored; later it is a commit that failed.
    pub(crate) async fn come_together(mut self, log: &Arc<RevocationLog>, is_opening: bool) -> Result<()> {
        let wanted = WantedLogPlace { hash: self.head.log_hash.clone(), feed_seq: self.feed_seq() };
        let scan = {
            let log = log.clone();
            tokio::task::spawn_blocking(move || log.scan(&wanted))
                .await
                .map_err(|_| LedgerError::Closing)??
        };
        self.refuse_divergence(log, &scan).await?;
        let done = self.apply_all(&scan.lacking).await?;
        self.head.log_hash = Some(scan.end.hash.clone());
        self.write_missing(log, &scan).await?;
        if done.events + done.keys + done.issuers > 0 {
            if is_opening {
                self.end_what_went_on().await?;
            }
            let detail =
                json!({"to": self.feed_seq(), "done": done, "log": self.head.log_hash.as_deref().map(hex)});
            self.audit(&Actor::System("revocation log"), "ledger.replayed", None, detail).await?;
            tracing::warn!(?done, "the ledger was behind its revocation log and has caught up");
        }
        self.commit().await
    }

    /// Since the backup lists were published, refresh tokens replaced and places in status lists given out, of which the
    /// ledger knows nothing: none of them is gone on with.
    async fn end_what_went_on(&mut self) -> Result<()> {
        self.withdraw_lists().await?;
        self.end_all_families().await?;
        self.end_status_lists().await
    }

    /// Lists were published since the backup, of which the ledger knows nothing. Those it has are shown to nobody again:
    /// each is made anew, with a number that is higher than any of theirs. Lists of roots stay, for only a ceremony
    /// makes others.
    async fn withdraw_lists(&mut self) -> Result<()> {
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "DELETE FROM crl WHERE issuer IN (SELECT id FROM issuer WHERE kind = 'issuing' AND custody = 'own')",
            )
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// A ledger that has no log takes the one at its place, if that is of the same installation, or begins one.
    async fn adopt(&mut self, log: &Arc<RevocationLog>, exists: bool, entropy: &dyn Entropy) -> Result<()> {
        let name = if exists {
            let header = log.header()?;
            if header.installation != log.installation {
                return Err(LogError::Foreign(log.name()).into());
            }
            header.log
        } else {
            log.create(self.now, entropy)?.0
        };
        self.name_log(Some(&name)).await?;
        let detail = json!({"log": name, "begun": !exists});
        self.audit(&Actor::System("revocation log"), "log.adopted", None, detail).await
    }

    /// The last event that both have is the same, and what the log has beyond it follows without a gap.
    async fn refuse_divergence(&mut self, log: &RevocationLog, scan: &LogScan) -> Result<()> {
        let diverged = |seq| LedgerError::Log(LogError::Diverged { file: log.name(), seq });
        if let Some(common) = &scan.common {
            let own = self.events(common.seq - 1, 1).await?;
            if own.first() != Some(common) {
                return Err(diverged(common.seq));
            }
        }
        let mut next = self.feed_seq();
        for record in &scan.lacking {
            if let LogRecord::Event(logged) = record {
                next += 1;
                if logged.event.seq != next {
                    return Err(diverged(next));
                }
            }
        }
        Ok(())
    }

    async fn apply_all(&mut self, records: &[LogRecord]) -> Result<ReplayedEvent> {
        let mut done = ReplayedEvent::default();
        for record in records {
            self.apply(record, &mut done).await?;
        }
        Ok(done)
    }

    /// The log has lost its end, or is new.
    async fn write_missing(&mut self, log: &Arc<RevocationLog>, scan: &LogScan) -> Result<()> {
        let mut end = scan.end.clone();
        let mut last = scan.last;
        let mut records = self.missing_facts(scan).await?;
        loop {
            let events = self.events(last, PAGE).await?;
            last = events.last().map_or(last, |event| event.seq);
            for event in events {
                let logged: LoggedEvent = self.describe(event).await?;
                records.push(LogRecord::Event(logged));
            }
            if records.is_empty() {
                return Ok(());
            }
            tracing::warn!(lines = records.len(), "the revocation log was behind the ledger: written again");
            end = LogLines::behind(log.clone(), end, &std::mem::take(&mut records))?.append().await?;
            self.head.log_hash = Some(end.hash.clone());
        }
    }

    /// Blocked keys and ended CAs of which the log does not speak. A ledger that found its place in the log has none.
    async fn missing_facts(&mut self, scan: &LogScan) -> Result<Vec<LogRecord>> {
        if scan.found {
            return Ok(Vec::new());
        }
        let keys: Vec<BlockedRow> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT key_hash, key_id, note, at FROM blocked_key ORDER BY at, key_hash")
                .fetch_all(connection)
                .await?
        });
        let issuers: Vec<(String, String, Option<String>, Option<i64>)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT id, state, reason, ended_at FROM issuer WHERE state <> 'active' ORDER BY id")
                .fetch_all(connection)
                .await?
        });
        let mut records = Vec::new();
        for (key, id, note, at) in keys {
            let key = hex(&key);
            if !scan.keys.contains(&key) {
                records.push(LogRecord::KeyBlocked { key, id: id.as_deref().map(hex), note, at: at.into() });
            }
        }
        for (id, state, reason, at) in issuers {
            if !scan.issuers.contains(&(id.clone(), state.clone())) {
                let issuer = IssuerId::parse(&id).ok_or(LedgerError::Unreadable("issuer.id"))?;
                let at = at.map_or(self.now, Timestamp::from);
                records.push(LogRecord::IssuerMoved { issuer, state, reason, at });
            }
        }
        Ok(records)
    }

    async fn events(&mut self, after: u64, limit: i64) -> Result<Vec<Event>> {
        let rows: Vec<(i64, i64, String)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT seq, at, change FROM feed WHERE seq > $1 ORDER BY seq LIMIT $2")
                .bind(i64::try_from(after).unwrap_or(i64::MAX))
                .bind(limit)
                .fetch_all(connection)
                .await?
        });
        rows.into_iter().map(crate::feed::event).collect()
    }

    async fn log_name(&mut self) -> Result<Option<String>> {
        let (name,): (Option<String>,) = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT revocation_log FROM head WHERE id = 1").fetch_one(connection).await?
        });
        Ok(name)
    }

    async fn name_log(&mut self, name: Option<&str>) -> Result<()> {
        on_transaction!(self.engine, connection => {
            sqlx::query("UPDATE head SET revocation_log = $1 WHERE id = 1").bind(name).execute(connection).await?;
        });
        Ok(())
    }
}

/// Hash, identity, note and time of a blocked key.
type BlockedRow = (Vec<u8>, Option<Vec<u8>>, String, i64);
