//! Mails: written once for a recipient, a kind and a day, and tried until somebody has taken them.
//!
//! Whichever server writes a mail, there is one: the row is unique, and the notices that are in it are written with it. Whoever tries
//! it moves the time of the next attempt on first, by a guarded UPDATE, so that no two servers try it at once and one that dies has
//! it tried again. Its Message-ID is its identifier: a mail that was taken just before a server died and is tried again is the same
//! mail to a mail server that looks.

mod sending;
mod writing;

pub use sending::MailOutcome;

use crate::engine::on_read;
use crate::{Ledger, LedgerError, Result};
use std::collections::HashMap;
use tegata_core::notice::NoticeStep;
use tegata_core::{DeviceId, MailAddress, MailId, RecipientId, TenantId, Timestamp};

/// What a mail is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MailKind {
    /// Certificates that come to their end.
    Renewal,
    /// What there is to do today.
    Digest,
}

/// How far a mail is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MailState {
    /// It is tried again and again.
    Waiting,
    /// The mail server, or the folder, has taken it.
    Sent,
    /// Nobody tries it any more.
    Failed,
}

/// A mail as the ledger keeps it.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
#[allow(missing_docs)]
pub struct Mail {
    #[sqlx(try_from = "String")]
    pub id: MailId,
    #[sqlx(try_from = "String")]
    pub recipient: RecipientId,
    tenant: Option<String>,
    #[sqlx(try_from = "String")]
    pub kind: MailKind,
    /// The day that it is about, in Japan: `2026-11-30`.
    pub day: String,
    #[sqlx(try_from = "String")]
    pub address: MailAddress,
    /// What its sender is called.
    pub sender_name: String,
    pub subject: String,
    pub plain: String,
    pub html: String,
    #[sqlx(try_from = "String")]
    pub state: MailState,
    pub attempts: i64,
    #[sqlx(try_from = "i64")]
    pub due_at: Timestamp,
    #[sqlx(try_from = "i64")]
    pub written_at: Timestamp,
    sent_at: Option<i64>,
    /// Why the last attempt failed.
    pub failure: Option<String>,
}

/// A mail that is to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct NewMail {
    pub id: MailId,
    pub recipient: RecipientId,
    pub tenant: Option<TenantId>,
    pub kind: MailKind,
    pub day: String,
    pub address: MailAddress,
    pub sender_name: String,
    pub subject: String,
    pub plain: String,
    pub html: String,
}

/// That a recipient is told at a step of the end of a certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct RenewalNotice {
    pub recipient: RecipientId,
    pub device: DeviceId,
    pub generation: i64,
    pub step: NoticeStep,
}

/// At which step, the last one so far, whom was told of which generation of which device.
pub type NotedSteps = HashMap<(DeviceId, i64, RecipientId), NoticeStep>;

/// How many mails are in trouble.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MailCounts {
    /// Those that are tried again and again, and have failed once at least.
    pub delayed: u64,
    /// Those that nobody tries any more, of the last day.
    pub failed: u64,
}

impl Mail {
    /// Whose devices or work it is about; none: everybody's.
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// When it was taken.
    pub fn sent_at(&self) -> Option<Timestamp> {
        self.sent_at.map(Timestamp::from_millis)
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, recipient, tenant, kind, day, address, sender_name, subject, plain, html, state, attempts, due_at, \
             written_at, sent_at, failure FROM mail ",
            $rest
        )
    };
}

impl Ledger {
    /// Mails that are to be tried now, those that wait longest first.
    pub async fn due_mails(&self, most: i64, now: Timestamp) -> Result<Vec<Mail>> {
        Ok(on_read!(self, connection => {
            sqlx::query_as(select!("WHERE state = 'waiting' AND due_at <= $1 ORDER BY due_at, id LIMIT $2"))
                .bind(now.millis())
                .bind(most)
                .fetch_all(connection)
                .await?
        }))
    }

    /// The newest mails of a tenant, or of everybody.
    pub async fn mails(&self, tenant: Option<&TenantId>, most: i64) -> Result<Vec<Mail>> {
        Ok(on_read!(self, connection => {
            sqlx::query_as(select!("WHERE ($1 IS NULL OR tenant = $1) ORDER BY written_at DESC, id LIMIT $2"))
                .bind(tenant.map(|tenant| tenant.as_str().to_owned()))
                .bind(most)
                .fetch_all(connection)
                .await?
        }))
    }

    /// One mail by its identifier.
    pub async fn mail(&self, id: &MailId) -> Result<Option<Mail>> {
        Ok(on_read!(self, connection => {
            sqlx::query_as(select!("WHERE id = $1")).bind(id.as_str()).fetch_optional(connection).await?
        }))
    }

    /// How the sending of mails goes.
    pub async fn mail_counts(&self, since: Timestamp) -> Result<MailCounts> {
        let (delayed, failed): (i64, i64) = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT (SELECT COUNT(*) FROM mail WHERE state = 'waiting' AND attempts > 0), \
                 (SELECT COUNT(*) FROM mail WHERE failed_at >= $1 AND state = 'failed')",
            )
            .bind(since.millis())
            .fetch_one(connection)
            .await?
        });
        Ok(MailCounts { delayed: delayed.unsigned_abs(), failed: failed.unsigned_abs() })
    }

    /// Who was told of which certificates of a tenant that end before a moment.
    pub async fn noted_steps(&self, tenant: &TenantId, before: Timestamp) -> Result<NotedSteps> {
        let rows: Vec<(String, i64, String, i64)> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT n.device, n.generation, n.recipient, MIN(n.step) \
                 FROM site s CROSS JOIN device d CROSS JOIN renewal_notice n CROSS JOIN certificate c \
                 WHERE s.tenant = $1 AND d.site = s.id AND n.device = d.id AND c.device = n.device \
                 AND c.generation = n.generation AND c.not_after < $2 AND c.state IN ('issued', 'delivered', 'in_use') \
                 GROUP BY n.device, n.generation, n.recipient",
            )
            .bind(tenant.as_str())
            .bind(before.millis())
            .fetch_all(connection)
            .await?
        });
        let noted = |(device, generation, recipient, step): (String, i64, String, i64)| {
            let device = DeviceId::try_from(device).map_err(|_| UNREADABLE)?;
            let recipient = RecipientId::try_from(recipient).map_err(|_| UNREADABLE)?;
            let step = NoticeStep::from_days(step).ok_or(UNREADABLE)?;
            Ok(((device, generation, recipient), step))
        };
        rows.into_iter().map(noted).collect()
    }
}

const UNREADABLE: LedgerError = LedgerError::Unreadable("renewal_notice");

impl MailKind {
    /// The word in the ledger and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Renewal => "renewal",
            Self::Digest => "digest",
        }
    }
}

impl MailState {
    /// The word in the ledger and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }
}

impl TryFrom<String> for MailKind {
    type Error = LedgerError;

    fn try_from(word: String) -> Result<Self> {
        let known = [Self::Renewal, Self::Digest].into_iter().find(|kind| kind.as_str() == word);
        known.ok_or(LedgerError::Unreadable("mail.kind"))
    }
}

impl TryFrom<String> for MailState {
    type Error = LedgerError;

    fn try_from(word: String) -> Result<Self> {
        let all = [Self::Waiting, Self::Sent, Self::Failed];
        all.into_iter().find(|state| state.as_str() == word).ok_or(LedgerError::Unreadable("mail.state"))
    }
}
