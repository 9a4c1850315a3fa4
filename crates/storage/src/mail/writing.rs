//! Mails are written, in parts where many notices are in one: each part is a short transaction, and a mail that is not finished is
//! tried by nobody and taken back by whoever writes to its address next.

use super::{MailKind, NewMail, RenewalNotice};
use crate::engine::on_transaction;
use crate::rows::{BatchStatement, MOST, bind_rows};
use crate::{Result, Transaction};
use tegata_core::{RecipientId, Timestamp};

/// The time of the first attempt of a mail that is not finished.
const UNFINISHED: i64 = i64::MAX;

/// Mails that are forgotten in one transaction at most.
const FORGOTTEN_AT_ONCE: i64 = 500;

static NOTICES: BatchStatement = BatchStatement::new(
    "WITH new (device, generation, recipient, step, mail) AS (VALUES ",
    5,
    ") INSERT INTO renewal_notice (device, generation, recipient, step, mail) \
     SELECT n.device, n.generation, n.recipient, n.step, n.mail FROM new n JOIN mail m ON m.id = n.mail \
     WHERE n.device IS NOT NULL ON CONFLICT (device, generation, recipient, step) DO NOTHING",
);

macro_rules! insert_mail {
    ($day:literal) => {
        concat!(
            "INSERT INTO mail (id, recipient, tenant, kind, day, part, address, sender_name, subject, plain, html, state, \
             attempts, due_at, written_at) SELECT $1, r.id, $3, $4, $5, \
             (SELECT COUNT(*) FROM mail m WHERE m.recipient = r.id AND m.kind = $4 AND m.day = $5), \
             $6, $7, $8, $9, $10, 'waiting', 0, $11, $12 FROM notice_recipient r \
             WHERE r.id = $2 AND COALESCE(r.",
            $day,
            ", '') = $13"
        )
    };
}

impl Transaction {
    /// Begins a mail that nobody tries before it is finished. `seen` is the last day of its recipient as whoever writes has read it:
    /// gives false, and does nothing, where it is another by now, or the recipient is gone.
    pub async fn begin_mail(&mut self, new: &NewMail, seen: Option<&str>) -> Result<bool> {
        let now = self.now.millis();
        let written = on_transaction!(self.engine, connection => {
            sqlx::query(
                "DELETE FROM renewal_notice WHERE mail IN \
                 (SELECT id FROM mail WHERE address = $1 AND kind = $2 AND state = 'waiting' AND due_at = $3)",
            )
            .bind(new.address.as_str())
            .bind(new.kind.as_str())
            .bind(UNFINISHED)
            .execute(&mut *connection)
            .await?;
            sqlx::query("DELETE FROM mail WHERE address = $1 AND kind = $2 AND state = 'waiting' AND due_at = $3")
                .bind(new.address.as_str())
                .bind(new.kind.as_str())
                .bind(UNFINISHED)
                .execute(&mut *connection)
                .await?;
            let query = match new.kind {
                MailKind::Renewal => sqlx::query(insert_mail!("noticed_day")),
                MailKind::Digest => sqlx::query(insert_mail!("digest_day")),
            };
            query
                .bind(new.id.as_str())
                .bind(new.recipient.as_str())
                .bind(new.tenant.as_ref().map(|tenant| tenant.as_str().to_owned()))
                .bind(new.kind.as_str())
                .bind(new.day.as_str())
                .bind(new.address.as_str())
                .bind(new.sender_name.as_str())
                .bind(new.subject.as_str())
                .bind(new.plain.as_str())
                .bind(new.html.as_str())
                .bind(UNFINISHED)
                .bind(now)
                .bind(seen.unwrap_or_default().to_owned())
                .execute(connection)
                .await?
                .rows_affected()
        });
        Ok(written == 1)
    }

    /// Adds notices to a mail that is not finished.
    pub async fn add_notices(&mut self, new: &NewMail, notices: &[RenewalNotice]) -> Result<()> {
        for some in notices.chunks(MOST) {
            let some: Vec<_> = some.iter().map(|notice| (notice, new)).collect();
            let batch = NOTICES.of(some.len());
            on_transaction!(self.engine, connection => {
                bind_rows!(sqlx::query(batch.text(&*connection)), some, batch.size, row => [
                    row.0.device.as_str(),
                    row.0.generation,
                    row.0.recipient.as_str(),
                    i64::from(row.0.step.days()),
                    row.1.id.as_str(),
                ])
                .execute(connection)
                .await?;
            });
        }
        Ok(())
    }

    /// Hands a mail over to whoever sends, and notes that its recipient was told for this day. Gives false where somebody else has
    /// told them meanwhile, or there is more to tell: nothing of the transaction may be kept then.
    pub async fn finish_mail(&mut self, new: &NewMail, seen: Option<&str>) -> Result<bool> {
        let now = self.now.millis();
        let finished = on_transaction!(self.engine, connection => {
            sqlx::query("UPDATE mail SET due_at = $2 WHERE id = $1 AND state = 'waiting' AND due_at = $3")
                .bind(new.id.as_str())
                .bind(now)
                .bind(UNFINISHED)
                .execute(connection)
                .await?
                .rows_affected()
        });
        Ok(finished == 1 && self.told_for_day(&new.recipient, new.kind, &new.day, seen).await?)
    }

    /// There is nothing more to tell this recipient today. Gives false where the day is not as it was read.
    pub async fn told_for_day(
        &mut self,
        recipient: &RecipientId,
        kind: MailKind,
        day: &str,
        seen: Option<&str>,
    ) -> Result<bool> {
        let told = on_transaction!(self.engine, connection => {
            let query = match kind {
                MailKind::Renewal => sqlx::query(
                    "UPDATE notice_recipient SET noticed_day = $2 WHERE id = $1 AND COALESCE(noticed_day, '') = $3",
                ),
                MailKind::Digest => sqlx::query(
                    "UPDATE notice_recipient SET digest_day = $2 WHERE id = $1 AND COALESCE(digest_day, '') = $3",
                ),
            };
            query
                .bind(recipient.as_str())
                .bind(day)
                .bind(seen.unwrap_or_default().to_owned())
                .execute(connection)
                .await?
                .rows_affected()
        });
        Ok(told == 1)
    }

    /// Forgets some of the mails that were written before then and are done, with the notices that were in them: who is still
    /// without a certificate by then is told of anew. Gives how many.
    pub async fn forget_mails(&mut self, before: Timestamp) -> Result<u64> {
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query(
                "DELETE FROM renewal_notice WHERE mail IN (SELECT id FROM mail WHERE written_at < $1 \
                 AND state <> 'waiting' ORDER BY written_at, id LIMIT $2)",
            )
            .bind(before.millis())
            .bind(FORGOTTEN_AT_ONCE)
            .execute(&mut *connection)
            .await?;
            sqlx::query(
                "DELETE FROM mail WHERE id IN (SELECT id FROM mail WHERE written_at < $1 \
                 AND state <> 'waiting' ORDER BY written_at, id LIMIT $2)",
            )
            .bind(before.millis())
            .bind(FORGOTTEN_AT_ONCE)
            .execute(connection)
            .await?
            .rows_affected()
        }))
    }
}
