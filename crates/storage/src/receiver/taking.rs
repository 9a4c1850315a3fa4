//! Poll delivery: what a receiver has acknowledged, and what it has refused.

use super::{ReceiverPosition, signed};
use crate::engine::on_transaction;
use crate::group_commit::Operation;
use crate::{Ledger, Result, Transaction};
use tegata_core::Timestamp;
use tegata_core::security_event::{EventName, EventType};

/// What is remembered beyond a receiver's place. Whoever leaves something untaken for as long as that is told again of
/// what comes later.
const OUT_OF_TURN: i64 = 1000;

/// The acknowledgments of a receiver's poll. It is durable when the operation is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PollAcknowledgment {
    /// The receiver that acknowledges.
    pub id: String,
    /// Everything up to here is done with.
    pub place: ReceiverPosition,
    /// What else it has acknowledged.
    pub told: Vec<EventName>,
    /// What it refuses for good, each with its reason; they are among the acknowledged.
    pub rejected: Vec<String>,
    /// Why it could not take a token that will be sent again.
    pub failed: Option<String>,
    /// When the acknowledgment arrived.
    pub at: Timestamp,
}

struct IntroduceReceiver {
    id: String,
    wants_issued: bool,
    at: Timestamp,
}

impl Ledger {
    /// A receiver that asks is known from now on: what happens before it first asks is not lost.
    pub async fn introduce_receiver(&self, id: &str, wants_issued: bool, at: Timestamp) -> Result<()> {
        self.group(IntroduceReceiver { id: id.to_owned(), wants_issued, at }).await
    }
}

impl Operation for IntroduceReceiver {
    type Output = ();

    fn now(&self) -> Timestamp {
        self.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<()> {
        transaction.introduce(&self.id, self.wants_issued).await
    }
}

impl Operation for PollAcknowledgment {
    type Output = ();

    fn now(&self) -> Timestamp {
        self.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<()> {
        transaction.move_to(&self.id, self.place).await?;
        for told in &self.told {
            if let EventName::Notice { number, .. } = told {
                transaction.drop_notice(&self.id, *number).await?;
            }
        }
        let beyond: Vec<_> = self.told.iter().filter_map(|told| beyond(told, self.place)).collect();
        transaction.remember_acknowledged(&self.id, &beyond).await?;
        transaction.forget_acknowledged(&self.id).await?;
        if let Some(last) = self.rejected.last() {
            let count = i64::try_from(self.rejected.len()).unwrap_or(i64::MAX);
            transaction.note_rejected(&self.id, count, last).await?;
        }
        match &self.failed {
            Some(why) => transaction.note_failure(&self.id, why).await?,
            None if !self.told.is_empty() => transaction.note_success(&self.id).await?,
            None => {}
        }
        transaction.note_heard(&self.id).await
    }
}

/// Its line, number and kind, unless the place is past it.
fn beyond(told: &EventName, place: ReceiverPosition) -> Option<(&'static str, u64, EventType)> {
    match *told {
        EventName::Change { seq, kind } => (seq > place.feed).then_some(("feed", seq, kind)),
        EventName::Issued { entry } => place.issued.is_some_and(|issued| entry > issued).then_some((
            "issued",
            entry,
            EventType::CredentialChange,
        )),
        EventName::Notice { .. } => None,
    }
}

impl Transaction {
    /// Nobody acknowledges what has not happened yet.
    async fn remember_acknowledged(
        &mut self,
        id: &str,
        beyond: &[(&'static str, u64, EventType)],
    ) -> Result<()> {
        let (feed, audit) = (self.feed_seq(), self.head.audit_seq.unsigned_abs());
        for (line, number, kind) in beyond {
            if *number > if *line == "feed" { feed } else { audit } {
                continue;
            }
            on_transaction!(self.engine, connection => {
                sqlx::query(
                    "INSERT INTO receiver_ack (receiver, line, number, kind) SELECT r.id, $2, $3, $4 FROM receiver r \
                     WHERE r.id = $1 AND (SELECT COUNT(*) FROM receiver_ack a WHERE a.receiver = $1) < $5 \
                     ON CONFLICT (receiver, line, number, kind) DO NOTHING",
                )
                .bind(id)
                .bind(*line)
                .bind(signed(*number))
                .bind(kind.word())
                .bind(OUT_OF_TURN)
                .execute(connection)
                .await?;
            });
        }
        Ok(())
    }

    async fn note_heard(&mut self, id: &str) -> Result<()> {
        let now = self.now.millis();
        on_transaction!(self.engine, connection => {
            sqlx::query("UPDATE receiver SET heard_at = $2 WHERE id = $1")
                .bind(id)
                .bind(now)
                .execute(connection)
                .await?;
        });
        Ok(())
    }
}
