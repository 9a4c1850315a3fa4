//! Receivers of security events: how far each has got, whether its stream flows, and who sends to it.
//!
//! To a receiver that is called one process sends at a time, by a lease that always ends; so order holds with any number
//! of servers. One that asks may ask any number of servers: it is given whatever it has not acknowledged. A receiver
//! begins at the end of the feed, and its place never goes backwards.

mod issuance;
mod sending;
mod stream;
mod taking;

use crate::engine::{on_read, on_transaction};
use crate::{Ledger, LedgerError, Result, Transaction};
use serde_json::{Map, Value};
use tegata_core::Timestamp;
use tegata_core::security_event::{EventName, EventType, StreamStatus};

pub use issuance::{Issuance, IssuedPage};
pub use sending::DeliveryOutcome;
pub use stream::{ChangeStream, StreamChange, VerificationAsked};
pub use taking::PollAcknowledgment;

/// Notices that may wait for one receiver.
const NOTICES: i64 = 16;

/// How far a receiver is: all of it is done with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReceiverPosition {
    /// The last event of the feed that it has taken, or that does not concern it.
    pub feed: u64,
    /// The entry of the audit log up to which the receiver has taken issued certificates. None where they are not
    /// wanted.
    pub issued: Option<u64>,
}

/// The ends of feed and audit log, as they were at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StreamEnds {
    /// The last event of the feed.
    pub feed: u64,
    /// The last entry of the audit log.
    pub audit: u64,
}

/// A receiver as the ledger knows it.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct ReceiverRow {
    /// Its name in the configuration.
    pub id: String,
    seq: i64,
    issued: Option<i64>,
    status: String,
    /// Why it has that status, as the operator or the receiver gave it.
    pub status_reason: Option<String>,
    held: i64,
    failing_since: Option<i64>,
    /// Attempts that failed since the last one that did not.
    pub failures: i64,
    /// How the last attempt failed.
    pub failure: Option<String>,
    /// How many tokens it refused to take for good.
    pub rejections: i64,
    /// The last of them, and why.
    pub rejection: Option<String>,
    /// How many events of the feed were dropped for it, because too many happened while it was paused.
    pub dropped: i64,
    heard_at: Option<i64>,
    verified_at: Option<i64>,
    /// How many notices about the stream itself it has not taken.
    pub waiting: i64,
}

/// A notice about the stream itself that is still to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamNotice {
    /// Its number in the stream.
    pub number: u64,
    /// What it is about.
    pub kind: EventType,
    /// The members of the event in JSON.
    pub payload: Value,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, seq, issued, status, status_reason, held, failing_since, failures, failure, rejections, \
             rejection, dropped, heard_at, verified_at, (SELECT COUNT(*) FROM receiver_notice n \
             WHERE n.receiver = receiver.id) AS waiting FROM receiver ",
            $rest
        )
    };
}

impl ReceiverRow {
    /// How far it is.
    pub fn place(&self) -> ReceiverPosition {
        ReceiverPosition { feed: self.seq(), issued: self.issued.map(i64::unsigned_abs) }
    }

    /// The last event of the feed that it has taken, or that does not concern it.
    pub fn seq(&self) -> u64 {
        self.seq.unsigned_abs()
    }

    /// How many events of the feed it has not come to. One whose events are dropped waits for none.
    pub fn behind(&self, head: u64) -> u64 {
        if self.status() == StreamStatus::Disabled { 0 } else { head.saturating_sub(self.seq()) }
    }

    /// Whether it is sent events. An unknown status counts as disabled.
    pub fn status(&self) -> StreamStatus {
        StreamStatus::parse(&self.status).unwrap_or(StreamStatus::Paused)
    }

    /// Whether the operator has stopped it.
    pub fn is_held(&self) -> bool {
        self.held != 0
    }

    /// Since when no attempt has succeeded.
    pub fn failing_since(&self) -> Option<Timestamp> {
        self.failing_since.map(Timestamp::from_millis)
    }

    /// When it last asked, where it does the asking. Written at most once a minute.
    pub fn heard_at(&self) -> Option<Timestamp> {
        self.heard_at.map(Timestamp::from_millis)
    }
}

impl Ledger {
    /// All receivers that were ever seen, by name.
    pub async fn receivers(&self) -> Result<Vec<ReceiverRow>> {
        Ok(on_read!(self, connection => {
            sqlx::query_as(select!("ORDER BY id")).fetch_all(connection).await?
        }))
    }

    /// Reads one receiver; `None` if there is none.
    pub async fn receiver(&self, id: &str) -> Result<Option<ReceiverRow>> {
        Ok(on_read!(self, connection => {
            sqlx::query_as(select!("WHERE id = $1")).bind(id.to_owned()).fetch_optional(connection).await?
        }))
    }

    /// The notices about its stream that are still to be sent, the oldest first.
    pub async fn notices(&self, id: &str) -> Result<Vec<StreamNotice>> {
        let rows: Vec<(i64, String, String)> = on_read!(self, connection => {
            sqlx::query_as("SELECT number, kind, payload FROM receiver_notice WHERE receiver = $1 ORDER BY number")
                .bind(id.to_owned())
                .fetch_all(connection)
                .await?
        });
        rows.into_iter().map(notice).collect()
    }

    /// What it has acknowledged beyond its place.
    pub async fn acknowledged(&self, id: &str) -> Result<Vec<EventName>> {
        let rows: Vec<(String, i64, String)> = on_read!(self, connection => {
            sqlx::query_as("SELECT line, number, kind FROM receiver_ack WHERE receiver = $1")
                .bind(id.to_owned())
                .fetch_all(connection)
                .await?
        });
        rows.into_iter().map(told).collect()
    }

    /// The ends of feed and audit log.
    pub async fn ends(&self) -> Result<StreamEnds> {
        let (feed, audit): (i64, i64) = on_read!(self, connection => {
            sqlx::query_as("SELECT feed_seq, audit_seq FROM head WHERE id = 1").fetch_one(connection).await?
        });
        Ok(StreamEnds { feed: feed.unsigned_abs(), audit: audit.unsigned_abs() })
    }
}

impl Transaction {
    async fn find_receiver(&mut self, id: &str) -> Result<Option<ReceiverRow>> {
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query_as(select!("WHERE id = $1")).bind(id).fetch_optional(connection).await?
        }))
    }

    /// One that is seen for the first time begins here and now, with a verification; and so do issued certificates
    /// where they were not wanted before.
    async fn introduce(&mut self, id: &str, wants_issued: bool) -> Result<()> {
        let (feed, audit) = (self.head.feed_seq, self.head.audit_seq);
        let added = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO receiver (id, seq, sender_until, failures, rejections) VALUES ($1, $2, 0, 0, 0) \
                 ON CONFLICT (id) DO NOTHING",
            )
            .bind(id)
            .bind(feed)
            .execute(connection)
            .await?
            .rows_affected()
        });
        if added > 0 {
            self.add_notice(id, EventType::Verification, &Value::Object(Map::new())).await?;
        }
        let begin = wants_issued.then_some(audit);
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE receiver SET issued = $2 \
                 WHERE id = $1 AND ((issued IS NULL AND $3 = 1) OR (issued IS NOT NULL AND $3 = 0))",
            )
            .bind(id)
            .bind(begin)
            .bind(i64::from(wants_issued))
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    async fn add_notice(&mut self, id: &str, kind: EventType, payload: &Value) -> Result<()> {
        on_transaction!(self.engine, connection => {
            sqlx::query("UPDATE receiver SET notices = notices + 1 WHERE id = $1")
                .bind(id)
                .execute(&mut *connection)
                .await?;
            sqlx::query(
                "INSERT INTO receiver_notice (receiver, number, kind, payload) \
                 SELECT id, notices, $2, $3 FROM receiver WHERE id = $1",
            )
            .bind(id)
            .bind(kind.word())
            .bind(payload.to_string())
            .execute(&mut *connection)
            .await?;
        });
        Ok(())
    }

    async fn drop_notice(&mut self, id: &str, number: u64) -> Result<()> {
        on_transaction!(self.engine, connection => {
            sqlx::query("DELETE FROM receiver_notice WHERE receiver = $1 AND number = $2")
                .bind(id)
                .bind(signed(number))
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// What was acknowledged out of turn, and has had its turn.
    async fn forget_acknowledged(&mut self, id: &str) -> Result<()> {
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "DELETE FROM receiver_ack WHERE receiver = $1 AND number <= \
                 (SELECT CASE WHEN receiver_ack.line = 'feed' THEN r.seq ELSE COALESCE(r.issued, 0) END \
                 FROM receiver r WHERE r.id = $1)",
            )
            .bind(id)
            .execute(connection)
            .await?;
        });
        Ok(())
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn notice((number, kind, payload): (i64, String, String)) -> Result<StreamNotice> {
    let kind = EventType::parse(&kind).ok_or(LedgerError::Unreadable("receiver_notice.kind"))?;
    let payload =
        serde_json::from_str(&payload).map_err(|_| LedgerError::Unreadable("receiver_notice.payload"))?;
    Ok(StreamNotice { number: number.unsigned_abs(), kind, payload })
}

fn told((line, number, kind): (String, i64, String)) -> Result<EventName> {
    let kind = EventType::parse(&kind).ok_or(LedgerError::Unreadable("receiver_ack.kind"))?;
    let number = number.unsigned_abs();
    Ok(match line.as_str() {
        "feed" => EventName::Change { seq: number, kind },
        _ => EventName::Issued { entry: number },
    })
}
