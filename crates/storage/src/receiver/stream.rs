//! The status of a receiver's stream, and verification events.

use super::{NOTICES, ReceiverPosition, ReceiverRow, signed};
use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::group_commit::Operation;
use crate::{Ledger, Result, Transaction};
use serde_json::json;
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_core::security_event::{EventType, StreamStatus};

/// Events of the feed that are held for a stream that is paused. What came before is not told.
const HELD: u64 = 100_000;

/// Entries of the audit log in which issued certificates are held.
const HELD_ENTRIES: u64 = 1_000_000;

/// Another status for a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangeStream {
    /// The receiver that the stream belongs to.
    pub id: String,
    /// The status that it gets.
    pub status: StreamStatus,
    /// The reason that the receiver is told.
    pub reason: Option<String>,
    /// Who changes it, for the audit log.
    pub by: Actor,
    /// Whether the operator changes it: the receiver cannot undo that, and is told.
    pub as_operator: bool,
    /// When it is changed.
    pub at: Timestamp,
}

/// What became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StreamChange {
    /// It is so now.
    Done(Box<ReceiverRow>),
    /// The operator has stopped the stream.
    Held,
    /// There is no such receiver.
    Unknown,
}

/// What became of asking for a verification.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VerificationAsked {
    /// It is on its way.
    Noted,
    /// It asked a moment ago, or has not taken those that it asked for.
    TooOften,
    /// There is no such receiver.
    Unknown,
}

struct AskVerification {
    id: String,
    state: String,
    interval: Duration,
    at: Timestamp,
}

impl Ledger {
    /// Asks for a verification event with this state, which may be empty, unless one was asked for within `interval`.
    /// Each that is asked for is sent.
    pub async fn ask_verification(
        &self,
        id: &str,
        state: &str,
        interval: Duration,
        at: Timestamp,
    ) -> Result<VerificationAsked> {
        self.group(AskVerification { id: id.to_owned(), state: state.to_owned(), interval, at }).await
    }
}

impl Operation for AskVerification {
    type Output = VerificationAsked;

    fn now(&self) -> Timestamp {
        self.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<VerificationAsked> {
        let Some(row) = transaction.find_receiver(&self.id).await? else {
            return Ok(VerificationAsked::Unknown);
        };
        let last = row.verified_at.map(Timestamp::from_millis);
        if last.is_some_and(|last| self.at.since(last) < self.interval) || row.waiting >= NOTICES {
            return Ok(VerificationAsked::TooOften);
        }
        let payload = if self.state.is_empty() { json!({}) } else { json!({"state": self.state}) };
        transaction.add_notice(&self.id, EventType::Verification, &payload).await?;
        on_transaction!(transaction.engine, connection => {
            sqlx::query("UPDATE receiver SET verified_at = $2 WHERE id = $1")
                .bind(self.id.as_str())
                .bind(self.at.millis())
                .execute(connection)
                .await?;
        });
        Ok(VerificationAsked::Noted)
    }
}

impl Operation for ChangeStream {
    type Output = StreamChange;

    fn now(&self) -> Timestamp {
        self.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<StreamChange> {
        let Some(row) = transaction.find_receiver(&self.id).await? else { return Ok(StreamChange::Unknown) };
        let is_news = row.status() != self.status;
        if row.is_held() && !self.as_operator && is_news {
            return Ok(StreamChange::Held);
        }
        if is_news {
            transaction.skip_what_is_not_held(&row, self.status).await?;
        }
        transaction.write_status(self, &row).await?;
        if is_news && self.as_operator {
            let mut payload = json!({"status": self.status});
            if let Some(reason) = &self.reason {
                payload["reason"] = json!(reason);
            }
            transaction.add_notice(&self.id, EventType::StreamUpdated, &payload).await?;
        }
        if is_news {
            let detail = json!({"receiver": self.id, "from": row.status()});
            transaction.audit(&self.by, action(self.status), None, detail).await?;
        }
        let row = transaction.find_receiver(&self.id).await?;
        Ok(row.map_or(StreamChange::Unknown, |row| StreamChange::Done(Box::new(row))))
    }
}

const fn action(status: StreamStatus) -> &'static str {
    match status {
        StreamStatus::Enabled => "stream.enabled",
        StreamStatus::Paused => "stream.paused",
        StreamStatus::Disabled => "stream.disabled",
    }
}

impl Transaction {
    /// What happens while a stream is disabled is not told later; of what happened while it was paused, the end is.
    async fn skip_what_is_not_held(&mut self, row: &ReceiverRow, next: StreamStatus) -> Result<()> {
        let (feed, audit) = (self.feed_seq(), self.head.audit_seq.unsigned_abs());
        let (held, entries) = match (row.status(), next) {
            (StreamStatus::Disabled, _) => (0, 0),
            (StreamStatus::Paused, StreamStatus::Enabled) => (HELD, HELD_ENTRIES),
            _ => return Ok(()),
        };
        let place =
            ReceiverPosition { feed: feed.saturating_sub(held), issued: Some(audit.saturating_sub(entries)) };
        let dropped = place.feed.saturating_sub(row.seq());
        if row.status() == StreamStatus::Paused && dropped > 0 {
            on_transaction!(self.engine, connection => {
                sqlx::query("UPDATE receiver SET dropped = dropped + $2 WHERE id = $1")
                    .bind(row.id.as_str())
                    .bind(signed(dropped))
                    .execute(connection)
                    .await?;
            });
        }
        self.move_to(&row.id, place).await?;
        self.forget_acknowledged(&row.id).await
    }

    /// The receiver's saying once more what the operator has said changes nothing of it.
    async fn write_status(&mut self, change: &ChangeStream, row: &ReceiverRow) -> Result<()> {
        if row.is_held() && !change.as_operator {
            return Ok(());
        }
        let held = change.as_operator && change.status != StreamStatus::Enabled;
        on_transaction!(self.engine, connection => {
            sqlx::query("UPDATE receiver SET status = $2, status_reason = $3, held = $4 WHERE id = $1")
                .bind(row.id.as_str())
                .bind(change.status.word())
                .bind(change.reason.as_deref())
                .bind(i64::from(held))
                .execute(connection)
                .await?;
        });
        Ok(())
    }
}
