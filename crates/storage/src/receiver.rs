//! Receivers of security events: how far each has got in the feed, and who sends to it.
//!
//! One process sends to a receiver at a time, by a lease that always ends; so order holds with any number of servers.
//! A receiver begins at the end of the feed, and its place never goes backwards.

use crate::engine::{on_read, on_transaction};
use crate::group::Operation;
use crate::{Ledger, Result, Transaction};
use tegata_core::Timestamp;

/// A receiver as the ledger knows it.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct ReceiverRow {
    /// Its name in the configuration.
    pub id: String,
    seq: i64,
    failing_since: Option<i64>,
    /// Attempts that failed since the last one that did not.
    pub failures: i64,
    /// How the last attempt failed.
    pub failure: Option<String>,
    /// How many tokens it refused to take for good.
    pub rejections: i64,
    /// The last of them, and why.
    pub rejection: Option<String>,
    /// The state of a verification that is still to be sent; empty for one without.
    pub verification: Option<String>,
}

impl ReceiverRow {
    /// The last event of the feed that it has taken, or that is none of its business.
    pub fn seq(&self) -> u64 {
        self.seq.unsigned_abs()
    }

    /// Since when no attempt has succeeded.
    pub fn failing_since(&self) -> Option<Timestamp> {
        self.failing_since.map(Timestamp::from_millis)
    }
}

/// How sending went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// Everything up to this event is done with.
    Passed(u64),
    /// It answered, as a verification asked.
    Verified,
    /// It refuses one token, named here, for good.
    Rejected(String),
    /// It could not be reached, or would take nothing.
    Failed(String),
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, seq, failing_since, failures, failure, rejections, rejection, verification FROM receiver ",
            $rest
        )
    };
}

struct Claim {
    id: String,
    sender: String,
    until: Timestamp,
    at: Timestamp,
}

struct Note {
    id: String,
    sender: String,
    delivery: Delivery,
    until: Timestamp,
    at: Timestamp,
}

struct AskVerification {
    id: String,
    state: String,
    at: Timestamp,
}

impl Ledger {
    /// All receivers that were ever sent to, by name.
    pub async fn receivers(&self) -> Result<Vec<ReceiverRow>> {
        Ok(on_read!(self, connection => {
            sqlx::query_as(select!("ORDER BY id")).fetch_all(connection).await?
        }))
    }

    /// One of them.
    pub async fn receiver(&self, id: &str) -> Result<Option<ReceiverRow>> {
        Ok(on_read!(self, connection => {
            sqlx::query_as(select!("WHERE id = $1")).bind(id.to_owned()).fetch_optional(connection).await?
        }))
    }

    /// Takes the right to send to a receiver until `until`; nothing while another process has it. One that is heard of
    /// for the first time begins at the end of the feed, with a verification.
    pub async fn claim_receiver(
        &self,
        id: &str,
        sender: &str,
        until: Timestamp,
        at: Timestamp,
    ) -> Result<Option<ReceiverRow>> {
        self.group(Claim { id: id.to_owned(), sender: sender.to_owned(), until, at }).await
    }

    /// Notes how sending went, and keeps the right to send until `until`. False when another process has taken it.
    pub async fn note_delivery(
        &self,
        (id, sender): (&str, &str),
        delivery: Delivery,
        until: Timestamp,
        at: Timestamp,
    ) -> Result<bool> {
        self.group(Note { id: id.to_owned(), sender: sender.to_owned(), delivery, until, at }).await
    }

    /// Asks for a verification event with this state, which may be empty. False when there is no such receiver.
    pub async fn ask_verification(&self, id: &str, state: &str, at: Timestamp) -> Result<bool> {
        self.group(AskVerification { id: id.to_owned(), state: state.to_owned(), at }).await
    }
}

impl Operation for Claim {
    type Output = Option<ReceiverRow>;

    fn now(&self) -> Timestamp {
        self.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<Self::Output> {
        let seq = i64::try_from(transaction.feed_seq()).unwrap_or(i64::MAX);
        on_transaction!(transaction.engine, connection => {
            sqlx::query(
                "INSERT INTO receiver (id, seq, sender_until, failures, rejections, verification) \
                 VALUES ($1, $2, 0, 0, 0, '') ON CONFLICT (id) DO NOTHING",
            )
            .bind(self.id.as_str())
            .bind(seq)
            .execute(&mut *connection)
            .await?;
            let claimed = sqlx::query(
                "UPDATE receiver SET sender = $2, sender_until = $3 \
                 WHERE id = $1 AND (sender IS NULL OR sender = $2 OR sender_until < $4)",
            )
            .bind(self.id.as_str())
            .bind(self.sender.as_str())
            .bind(self.until.millis())
            .bind(self.at.millis())
            .execute(&mut *connection)
            .await?;
            if claimed.rows_affected() == 0 {
                return Ok(None);
            }
            let row = sqlx::query_as(select!("WHERE id = $1")).bind(self.id.as_str());
            Ok(row.fetch_optional(&mut *connection).await?)
        })
    }
}

impl Operation for Note {
    type Output = bool;

    fn now(&self) -> Timestamp {
        self.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<bool> {
        let (seq, text) = match &self.delivery {
            Delivery::Passed(seq) => (i64::try_from(*seq).unwrap_or(i64::MAX), None),
            Delivery::Verified => (0, None),
            Delivery::Rejected(text) | Delivery::Failed(text) => (0, Some(text.as_str())),
        };
        let statement = match self.delivery {
            Delivery::Passed(_) => {
                "UPDATE receiver SET seq = CASE WHEN seq < $4 THEN $4 ELSE seq END, failures = 0, \
                 failing_since = NULL, failure = $5, sender_until = $3 WHERE id = $1 AND sender = $2 AND $6 > 0"
            }
            Delivery::Verified => {
                "UPDATE receiver SET verification = NULL, failures = $4, failing_since = NULL, failure = $5, \
                 sender_until = $3 WHERE id = $1 AND sender = $2 AND $6 > 0"
            }
            Delivery::Rejected(_) => {
                "UPDATE receiver SET rejections = rejections + 1 + $4, rejection = $5, sender_until = $3 \
                 WHERE id = $1 AND sender = $2 AND $6 > 0"
            }
            Delivery::Failed(_) => {
                "UPDATE receiver SET failures = failures + 1 + $4, failure = $5, \
                 failing_since = COALESCE(failing_since, $6), sender_until = $3 WHERE id = $1 AND sender = $2"
            }
        };
        let done = on_transaction!(transaction.engine, connection => {
            sqlx::query(statement)
                .bind(self.id.as_str())
                .bind(self.sender.as_str())
                .bind(self.until.millis())
                .bind(seq)
                .bind(text)
                .bind(self.at.millis())
                .execute(connection)
                .await?
                .rows_affected()
        });
        Ok(done == 1)
    }
}

impl Operation for AskVerification {
    type Output = bool;

    fn now(&self) -> Timestamp {
        self.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<bool> {
        let done = on_transaction!(transaction.engine, connection => {
            sqlx::query("UPDATE receiver SET verification = $2 WHERE id = $1")
                .bind(self.id.as_str())
                .bind(self.state.as_str())
                .execute(connection)
                .await?
                .rows_affected()
        });
        Ok(done == 1)
    }
}
