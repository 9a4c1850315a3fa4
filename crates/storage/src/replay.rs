//! Bringing ledger and revocation log together: when the ledger is opened, and whenever a writer finds the log ahead.
//!
//! The log ahead means that the ledger was restored from a backup, or that a commit failed after its lines were
//! written. Either way the lines are done again, in one transaction, before the caller's. The ledger ahead means that
//! the log has lost its end, or is new: then it is written from the ledger.
//!
//! A ledger with several logs may meet them in any order after a restore, and go on between one and the next. What follows
//! its feed is done under its own numbers; what comes too late for that is a stray ([`strays`]).

mod applying;
mod people;
mod several;
mod strays;

use crate::actor::Actor;
use crate::engine::{HEAD, on_read, on_transaction};
use crate::head::LedgerHead;
use crate::revocation_log::{
    LogEnd, LogError, LogLines, LogRecord, LogReport, LogScan, PersonRecordState, RevocationLog,
    WantedLogPlace,
};
use crate::{Ledger, LedgerError, Result, Transaction};
use applying::{LOG, ReplayedEvent};
use serde_json::json;
use several::MissedRecords;
use std::collections::HashMap;
use std::sync::Arc;
use tegata_core::encoding::hex;
use tegata_core::feed::Event;
use tegata_core::{Entropy, IssuerId, PersonId, Timestamp};

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
        match (&transaction.head.revocation_log, log.exists()?) {
            (Some(_), false) => return Err(LogError::Missing(log.name()).into()),
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
        let head: LedgerHead = on_read!(self, connection => {
            sqlx::query_as(HEAD).fetch_one(connection).await?
        });
        let owed = head.owed_lines.0.len();
        let report = move || log.report(head.log_hash(&log.header()?.log).as_deref());
        let report = tokio::task::spawn_blocking(report).await;
        Ok(Some(LogReport { owed, ..report.map_err(|_| LedgerError::Closing)?? }))
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
        let former: Vec<String> = transaction.head.logs().map(str::to_owned).collect();
        transaction.name_log(None).await?;
        transaction.head.forget_logs();
        transaction.audit(&LOG, "log.lost", None, json!({"log": former})).await?;
        transaction.commit().await
    }
}

impl Transaction {
    /// Whether the ledger contains the log up to its end.
    pub(crate) fn is_at_the_end(&self) -> Result<bool> {
        let end = self.pending.end.clone()?;
        Ok(self.head.log_hash(&end.log).as_ref() == Some(&end.hash))
    }

    /// Does what the log says and the ledger lacks, writes to the log what it lacks, and commits. A ledger that lacks
    /// something when it is opened may have been restored; later it is a commit that failed.
    pub(crate) async fn come_together(mut self, log: &Arc<RevocationLog>, is_opening: bool) -> Result<()> {
        let (scan, last) = self.catch_up_with(log, is_opening).await?;
        self.write_missing(log, &scan, last).await?;
        self.commit().await
    }

    /// Does what the log says and the ledger lacks. Gives the log as it was read, and the last event up to which both tell
    /// the same.
    async fn catch_up_with(&mut self, log: &Arc<RevocationLog>, is_opening: bool) -> Result<(LogScan, u64)> {
        let scan = self.scan(log).await?;
        let missed = self.missed_records(log, &scan).await?;
        let last = missed.told_alike(self.feed_seq()).unwrap_or(scan.end.last_event);
        let done = self.apply_all(&missed).await?;
        self.head.contains_log_to(&scan.end.log, scan.end.hash.clone());
        if done.events + done.keys + done.issuers + done.people > 0 {
            if is_opening {
                self.end_what_went_on().await?;
            }
            let detail = json!({"to": self.feed_seq(), "done": done, "log": hex(&scan.end.hash)});
            self.audit(&LOG, "ledger.replayed", None, detail).await?;
            tracing::warn!(?done, "the ledger was behind its revocation log and has caught up");
        }
        Ok((scan, last))
    }

    async fn scan(&self, log: &Arc<RevocationLog>) -> Result<LogScan> {
        let name = log.header()?.log;
        let wanted = WantedLogPlace {
            hash: self.head.log_hash(&name),
            feed_seq: self.feed_seq(),
            is_one_of_several: self.head.has_logs_beside(&name),
        };
        let log = log.clone();
        Ok(tokio::task::spawn_blocking(move || log.scan(&wanted))
            .await
            .map_err(|_| LedgerError::Closing)??)
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
            log.create(self.now, entropy)?
        };
        self.name_log(Some(&name)).await?;
        let detail = json!({"log": name, "begun": !exists});
        self.audit(&LOG, "log.adopted", None, detail).await
    }

    async fn apply_all(&mut self, missed: &MissedRecords) -> Result<ReplayedEvent> {
        let mut done = ReplayedEvent::default();
        let let_in_again = places_of_entry(&missed.in_order);
        for (place, record) in missed.in_order.iter().enumerate() {
            match record {
                // What a later line takes back only ends what was begun before it: done again, it would stand as the latest.
                LogRecord::PersonMoved { person, state, at, .. }
                    if *state != PersonRecordState::Active
                        && let_in_again.get(person).is_some_and(|later| *later > place) =>
                {
                    self.drop_sessions_again(person, *at).await?;
                }
                _ => self.apply(record, &mut done).await?,
            }
        }
        for stray in &missed.strays {
            self.apply_stray(stray, &mut done).await?;
        }
        Ok(done)
    }

    /// The log has lost its end, is new, or others have written since: it is given what it lacks after `last`.
    async fn write_missing(&mut self, log: &Arc<RevocationLog>, scan: &LogScan, last: u64) -> Result<()> {
        let facts = self.missing_facts(scan).await?;
        let end = scan.end.clone();
        let end = if facts.is_empty() { end } else { self.write_records(log, end, &facts).await? };
        self.copy_events(log, end.telling_to(last)).await
    }

    /// Copies the events of the feed that the log lacks.
    async fn copy_events(&mut self, log: &Arc<RevocationLog>, mut end: LogEnd) -> Result<()> {
        loop {
            let mut records = Vec::new();
            for event in self.events_after(end.last_event).await? {
                records.push(LogRecord::Event(self.describe(event).await?));
            }
            if records.is_empty() {
                return Ok(());
            }
            end = self.write_records(log, end, &records).await?;
        }
    }

    async fn write_records(
        &mut self,
        log: &Arc<RevocationLog>,
        end: LogEnd,
        records: &[LogRecord],
    ) -> Result<LogEnd> {
        tracing::info!(lines = records.len(), log = log.name(), "the revocation log was behind the ledger");
        let end = LogLines::behind(log.clone(), end, records)?.append().await?;
        self.head.contains_log_to(&end.log, end.hash.clone());
        Ok(end)
    }

    /// Blocked keys, ended CAs and stopped people of which the log does not speak. A ledger that found its place in the log has none.
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
        for (kid, at) in self.withdrawn_token_keys().await? {
            if !scan.token_keys.contains(&kid) {
                records.push(LogRecord::TokenKeyWithdrawn { kid, note: String::new(), at: at.into() });
            }
        }
        for (id, state, reason, at) in issuers {
            if !scan.issuers.contains(&(id.clone(), state.clone())) {
                let issuer = IssuerId::parse(&id).ok_or(LedgerError::Unreadable("issuer.id"))?;
                let at = at.map_or(self.now, Timestamp::from);
                records.push(LogRecord::IssuerMoved { issuer, state, reason, at });
            }
        }
        records.extend(self.stopped_people(scan).await?);
        Ok(records)
    }

    /// A page of events after this one.
    pub(crate) async fn events_after(&mut self, after: u64) -> Result<Vec<Event>> {
        let rows: Vec<(i64, i64, String)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT seq, at, change FROM feed WHERE seq > $1 ORDER BY seq LIMIT $2")
                .bind(i64::try_from(after).unwrap_or(i64::MAX))
                .bind(PAGE)
                .fetch_all(connection)
                .await?
        });
        rows.into_iter().map(crate::feed::event).collect()
    }

    async fn name_log(&mut self, name: Option<&str>) -> Result<()> {
        self.head.revocation_log = name.map(str::to_owned);
        on_transaction!(self.engine, connection => {
            sqlx::query("UPDATE head SET revocation_log = $1 WHERE id = 1").bind(name).execute(connection).await?;
        });
        Ok(())
    }
}

/// Hash, identity, note and time of a blocked key.
type BlockedRow = (Vec<u8>, Option<Vec<u8>>, String, i64);

/// Of each person, where the last line stands that lets them in.
fn places_of_entry(records: &[LogRecord]) -> HashMap<&PersonId, usize> {
    let entry = |(place, record)| match record {
        &LogRecord::PersonMoved { ref person, state: PersonRecordState::Active, .. } => Some((person, place)),
        _ => None,
    };
    records.iter().enumerate().filter_map(entry).collect()
}
