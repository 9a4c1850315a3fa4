//! Attempts to send a mail, and what becomes of each.

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::{Result, Transaction};
use serde_json::json;
use tegata_core::{MailId, Timestamp};

/// What became of an attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MailOutcome {
    /// The server or the folder has taken it.
    Sent,
    /// It is tried again then.
    Postponed(String, Timestamp),
    /// Nobody tries it any more. Others are told from now on, unless no mail to anybody was taken all the while.
    GivenUp(String),
    /// There is no such address: others are told from now on.
    Bounced(String),
}

impl Transaction {
    /// Takes a mail in hand until then. Gives false where another server has it, or there is nothing to do.
    pub async fn claim_mail(&mut self, id: &MailId, until: Timestamp) -> Result<bool> {
        let now = self.now.millis();
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE mail SET attempts = attempts + 1, due_at = $2 WHERE id = $1 AND state = 'waiting' AND due_at <= $3",
            )
            .bind(id.as_str())
            .bind(until.millis())
            .bind(now)
            .execute(connection)
            .await?
            .rows_affected()
        }) == 1)
    }

    /// Writes down what became of an attempt. Where nobody is reached by it, the notices in it are taken back, so that the next
    /// plan tells others.
    pub async fn note_mail(&mut self, id: &MailId, outcome: &MailOutcome) -> Result<()> {
        let now = self.now.millis();
        match outcome {
            MailOutcome::Sent => {
                on_transaction!(self.engine, connection => {
                    sqlx::query(
                        "UPDATE mail SET state = 'sent', sent_at = $2, failure = NULL WHERE id = $1 AND state = 'waiting'",
                    )
                    .bind(id.as_str())
                    .bind(now)
                    .execute(connection)
                    .await?;
                });
                Ok(())
            }
            MailOutcome::Postponed(why, due_at) => {
                on_transaction!(self.engine, connection => {
                    sqlx::query("UPDATE mail SET due_at = $2, failure = $3 WHERE id = $1 AND state = 'waiting'")
                        .bind(id.as_str())
                        .bind(due_at.millis())
                        .bind(why.as_str())
                        .execute(connection)
                        .await?;
                });
                Ok(())
            }
            MailOutcome::GivenUp(why) if self.is_anybody_reached_since(id).await? => {
                self.bounce_mail(id, why).await
            }
            MailOutcome::GivenUp(why) => self.fail_mail(id, why).await.map(drop),
            MailOutcome::Bounced(why) => self.bounce_mail(id, why).await,
        }
    }

    /// Whether a mail to anybody was taken since this one was written: then it is its mailbox that takes none.
    async fn is_anybody_reached_since(&mut self, id: &MailId) -> Result<bool> {
        let (taken,): (i64,) = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT COUNT(*) FROM mail m WHERE m.id = $1 AND (m.state = 'sent' OR EXISTS (SELECT 1 FROM mail o \
                 WHERE o.written_at >= m.written_at - 86400000 AND o.sent_at >= m.written_at AND o.id <> m.id))",
            )
            .bind(id.as_str())
            .fetch_one(connection)
            .await?
        });
        Ok(taken > 0)
    }

    /// Gives whether it had not failed before.
    async fn fail_mail(&mut self, id: &MailId, why: &str) -> Result<bool> {
        let now = self.now.millis();
        let failed = on_transaction!(self.engine, connection => {
            let failed = sqlx::query(
                "UPDATE mail SET state = 'failed', failure = $2, failed_at = $3 WHERE id = $1 AND state <> 'failed'",
            )
                .bind(id.as_str())
                .bind(why)
                .bind(now)
                .execute(&mut *connection)
                .await?
                .rows_affected();
            sqlx::query("DELETE FROM renewal_notice WHERE mail = $1")
                .bind(id.as_str())
                .execute(connection)
                .await?;
            failed
        });
        if failed > 0 {
            // Why is in the row alone: the audit log outlives whoever asks to be forgotten.
            let detail = json!({"mail": id});
            self.audit(&Actor::System("mail"), "mail.failed", None, detail).await?;
        }
        Ok(failed > 0)
    }

    async fn bounce_mail(&mut self, id: &MailId, why: &str) -> Result<()> {
        let now = self.now.millis();
        if !self.fail_mail(id, why).await? {
            return Ok(());
        }
        let bounced = on_transaction!(self.engine, connection => {
            // The address is gone for all sites and people for which its tenant names it.
            let bounced = sqlx::query(
                "UPDATE notice_recipient SET bounced_at = $2, bounce = $3 WHERE bounced_at IS NULL \
                 AND EXISTS (SELECT 1 FROM mail m WHERE m.id = $1 AND m.address = notice_recipient.address \
                 AND COALESCE(m.tenant, '') = COALESCE(notice_recipient.tenant, ''))",
            )
            .bind(id.as_str())
            .bind(now)
            .bind(why)
            .execute(&mut *connection)
            .await?
            .rows_affected();
            // Those above are told at their next turn, also where that was over for today, and where somebody is writing to them
            // at this moment: no day is called so.
            sqlx::query(
                "UPDATE notice_recipient SET noticed_day = 'again ' || $1 WHERE bounced_at IS NULL AND EXISTS \
                 (SELECT 1 FROM mail m WHERE m.id = $1 AND m.kind = 'renewal' \
                 AND (notice_recipient.tenant IS NULL OR m.tenant IS NULL OR notice_recipient.tenant = m.tenant))",
            )
            .bind(id.as_str())
            .execute(connection)
            .await?;
            bounced
        });
        if bounced > 0 {
            let detail = json!({"mail": id});
            self.audit(&Actor::System("mail"), "notice-recipient.bounced", None, detail).await?;
        }
        Ok(())
    }
}
