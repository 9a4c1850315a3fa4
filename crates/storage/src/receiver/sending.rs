//! Push delivery: which server sends to a receiver, and how that went.

use super::{ReceiverPosition, ReceiverRow, signed};
use crate::engine::on_transaction;
use crate::group_commit::Operation;
use crate::{Ledger, Result, Transaction};
use tegata_core::{CLOCKS_APART, Timestamp};

/// The result of one attempt to send tokens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DeliveryOutcome {
    /// Everything up to this place is done with.
    Passed(ReceiverPosition),
    /// It took this notice, and no other that was asked for since.
    Noticed(u64),
    /// It refuses one token, named here, for good.
    Rejected(String),
    /// It could not be reached, or would take nothing.
    Failed(String),
}

struct DeliveryClaim {
    id: String,
    wants_issued: bool,
    sender: String,
    until: Timestamp,
    at: Timestamp,
}

struct DeliveryNote {
    id: String,
    sender: String,
    delivery: DeliveryOutcome,
    until: Timestamp,
    at: Timestamp,
}

impl Ledger {
    /// Takes the right to send to a receiver until `until`; nothing while another process has it, unless a clock that was
    /// ahead gave it for longer than anybody takes it. One that is heard of
    /// for the first time begins at the end of the feed, with a verification.
    pub async fn claim_receiver(
        &self,
        (id, wants_issued): (&str, bool),
        sender: &str,
        until: Timestamp,
        at: Timestamp,
    ) -> Result<Option<ReceiverRow>> {
        self.group(DeliveryClaim { id: id.to_owned(), wants_issued, sender: sender.to_owned(), until, at })
            .await
    }

    /// Notes how sending went, and keeps the right to send until `until`. False when another process has taken it.
    pub async fn note_delivery(
        &self,
        (id, sender): (&str, &str),
        delivery: DeliveryOutcome,
        until: Timestamp,
        at: Timestamp,
    ) -> Result<bool> {
        self.group(DeliveryNote { id: id.to_owned(), sender: sender.to_owned(), delivery, until, at }).await
    }
}

impl Operation for DeliveryClaim {
    type Output = Option<ReceiverRow>;

    fn now(&self) -> Timestamp {
        self.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<Self::Output> {
        transaction.introduce(&self.id, self.wants_issued).await?;
        let claimed = on_transaction!(transaction.engine, connection => {
            sqlx::query(
                "UPDATE receiver SET sender = $2, sender_until = $3 \
                 WHERE id = $1 AND (sender = $2 OR sender_until < $4 OR sender_until > $5)",
            )
            .bind(self.id.as_str())
            .bind(self.sender.as_str())
            .bind(self.until.millis())
            .bind(self.at.millis())
            .bind(self.until.plus(CLOCKS_APART).millis())
            .execute(connection)
            .await?
            .rows_affected()
        });
        if claimed == 0 {
            return Ok(None);
        }
        transaction.find_receiver(&self.id).await
    }
}

impl Operation for DeliveryNote {
    type Output = bool;

    fn now(&self) -> Timestamp {
        self.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<bool> {
        if !transaction.keep_lease(self).await? {
            return Ok(false);
        }
        match &self.delivery {
            DeliveryOutcome::Passed(place) => {
                transaction.move_to(&self.id, *place).await?;
                transaction.forget_acknowledged(&self.id).await?;
                transaction.note_success(&self.id).await?;
            }
            DeliveryOutcome::Noticed(number) => {
                transaction.drop_notice(&self.id, *number).await?;
                transaction.note_success(&self.id).await?;
            }
            DeliveryOutcome::Rejected(what) => transaction.note_rejected(&self.id, 1, what).await?,
            DeliveryOutcome::Failed(why) => transaction.note_failure(&self.id, why).await?,
        }
        Ok(true)
    }
}

impl Transaction {
    async fn keep_lease(&mut self, note: &DeliveryNote) -> Result<bool> {
        let kept = on_transaction!(self.engine, connection => {
            sqlx::query("UPDATE receiver SET sender_until = $3 WHERE id = $1 AND sender = $2")
                .bind(note.id.as_str())
                .bind(note.sender.as_str())
                .bind(note.until.millis())
                .execute(connection)
                .await?
                .rows_affected()
        });
        Ok(kept == 1)
    }

    /// Moves the receiver's position forward. A position that lies behind changes nothing.
    pub(super) async fn move_to(&mut self, id: &str, place: ReceiverPosition) -> Result<()> {
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE receiver SET seq = CASE WHEN seq < $2 THEN $2 ELSE seq END, \
                 issued = CASE WHEN issued < $3 THEN $3 ELSE issued END WHERE id = $1",
            )
            .bind(id)
            .bind(signed(place.feed))
            .bind(place.issued.map(signed))
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    pub(super) async fn note_success(&mut self, id: &str) -> Result<()> {
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE receiver SET failures = 0, failing_since = NULL, failure = NULL \
                 WHERE id = $1 AND failures > 0",
            )
            .bind(id)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    pub(super) async fn note_failure(&mut self, id: &str, why: &str) -> Result<()> {
        let now = self.now.millis();
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE receiver SET failures = failures + 1, failure = $2, \
                 failing_since = COALESCE(failing_since, $3) WHERE id = $1",
            )
            .bind(id)
            .bind(why)
            .bind(now)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    pub(super) async fn note_rejected(&mut self, id: &str, count: i64, what: &str) -> Result<()> {
        on_transaction!(self.engine, connection => {
            sqlx::query("UPDATE receiver SET rejections = rejections + $2, rejection = $3 WHERE id = $1")
                .bind(id)
                .bind(count)
                .bind(what)
                .execute(connection)
                .await?;
        });
        Ok(())
    }
}
