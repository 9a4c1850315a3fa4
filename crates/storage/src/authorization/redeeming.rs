//! A code is redeemed, or used up without that.

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::group_commit::{Operation, all};
use crate::refresh_token_family::{FamilyEnd, StartFamily};
use crate::rows::{BatchStatement, MOST, bind_rows};
use crate::{LedgerError, Result, Transaction};
use serde_json::json;
use tegata_core::{CLOCKS_APART, DeviceId, FamilyId, Timestamp};

/// A code that its client shows with the right verifier, and the family that is to come of it.
#[derive(Clone, Debug)]
pub struct RedeemCode {
    /// The hash of what it shows.
    pub hash: Vec<u8>,
    /// The client that shows it.
    pub client: String,
    /// What is to come of it.
    pub family: StartFamily,
}

/// What became of it. Whatever it is, it is durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CodeRedemption {
    /// The family has begun.
    Redeemed,
    /// It is over, or its session is: nothing came of it.
    Refused,
    /// It was used before: whatever came of it was ended. Gates acknowledge this event, if access tokens made one.
    Replayed(Option<u64>),
}

/// A code that its client shows wrongly, or once more. Gives the event that gates acknowledge, if access tokens came of the
/// code.
#[derive(Clone, Debug)]
pub struct SpendCode {
    /// The hash of what was shown.
    pub hash: Vec<u8>,
    /// Whoever showed the code.
    pub actor: Actor,
    /// What was wrong, for the audit log.
    pub reason: &'static str,
    /// When it was shown.
    pub at: Timestamp,
}

impl Operation for RedeemCode {
    type Output = CodeRedemption;

    fn now(&self) -> Timestamp {
        self.family.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<CodeRedemption> {
        if transaction.use_code(self).await? {
            return match transaction.start_family(&self.family).await {
                Ok(()) => Ok(CodeRedemption::Redeemed),
                // The device was stopped meanwhile.
                Err(LedgerError::Guard(_)) => Ok(CodeRedemption::Refused),
                Err(error) => Err(error),
            };
        }
        let actor = Actor::Client(self.client.clone());
        match transaction.end_what_came_of(&self.hash, &actor, "used before").await? {
            Some(event) => Ok(CodeRedemption::Replayed(event)),
            None => Ok(CodeRedemption::Refused),
        }
    }

    /// Whoever is refused, or shows a code that was used, is found when each is tried alone.
    async fn apply_all(set: &[&Self], transaction: &mut Transaction) -> Result<Vec<CodeRedemption>> {
        for some in set.chunks(MOST) {
            transaction.use_codes(some).await?;
        }
        let families: Vec<_> = set.iter().map(|wanted| &wanted.family).collect();
        transaction.start_families(&families).await?;
        Ok(vec![CodeRedemption::Redeemed; set.len()])
    }
}

impl Operation for SpendCode {
    type Output = Option<u64>;

    fn now(&self) -> Timestamp {
        self.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<Option<u64>> {
        let now = transaction.now.millis();
        let spent: Option<(String,)> = on_transaction!(transaction.engine, connection => {
            sqlx::query_as(
                "UPDATE authorization_code SET state = 'used' WHERE code_hash = $1 AND state = 'open' AND expires_at > $2 \
                 RETURNING device",
            )
            .bind(self.hash.clone())
            .bind(now)
            .fetch_optional(connection)
            .await?
        });
        if let Some((device,)) = spent {
            let device = DeviceId::try_from(device);
            let device = device.map_err(|_| LedgerError::Unreadable("authorization_code.device"))?;
            transaction.note_refused_code(&self.actor, &device, self.reason).await?;
            return Ok(None);
        }
        let ended = transaction.end_what_came_of(&self.hash, &self.actor, self.reason).await?;
        Ok(ended.flatten())
    }
}

static USES: BatchStatement = BatchStatement::new(
    "WITH new (hash, client, family, device, at, made_by) AS (VALUES ",
    6,
    ") UPDATE authorization_code SET state = 'used', family = new.family FROM new \
     WHERE authorization_code.code_hash = new.hash AND authorization_code.client = new.client \
     AND authorization_code.device = new.device AND authorization_code.state = 'open' \
     AND authorization_code.expires_at > new.at AND authorization_code.created_at <= new.made_by \
     AND (authorization_code.session IS NULL OR EXISTS (SELECT 1 FROM session s WHERE s.id = authorization_code.session \
     AND s.idle_until > new.at AND s.expires_at > new.at))",
);

impl Transaction {
    async fn use_codes(&mut self, some: &[&RedeemCode]) -> Result<()> {
        let batch = USES.of(some.len());
        let used = on_transaction!(self.engine, connection => {
            bind_rows!(sqlx::query(batch.text(&*connection)), some, batch.size, wanted => [
                wanted.hash.as_slice(),
                wanted.client.as_str(),
                wanted.family.id.as_str(),
                wanted.family.device.as_str(),
                wanted.family.at.millis(),
                wanted.family.at.plus(CLOCKS_APART).millis(),
            ])
            .execute(connection)
            .await?
            .rows_affected()
        });
        all(some, used)
    }

    async fn use_code(&mut self, wanted: &RedeemCode) -> Result<bool> {
        let now = self.now;
        let used = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE authorization_code SET state = 'used', family = $3 WHERE code_hash = $1 AND client = $2 \
                 AND device = $4 AND state = 'open' AND expires_at > $5 AND created_at <= $6 \
                 AND (session IS NULL OR EXISTS (SELECT 1 FROM session s WHERE s.id = authorization_code.session \
                 AND s.idle_until > $5 AND s.expires_at > $5))",
            )
            .bind(wanted.hash.clone())
            .bind(wanted.client.as_str())
            .bind(wanted.family.id.as_str())
            .bind(wanted.family.device.as_str())
            .bind(now.millis())
            .bind(now.plus(CLOCKS_APART).millis())
            .execute(connection)
            .await?
            .rows_affected()
        });
        Ok(used == 1)
    }

    /// Ends the family of a code that was used before; `None` where there is no such code.
    async fn end_what_came_of(
        &mut self,
        hash: &[u8],
        actor: &Actor,
        reason: &'static str,
    ) -> Result<Option<Option<u64>>> {
        let hash = hash.to_vec();
        let used: Option<(String, Option<String>)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT device, family FROM authorization_code WHERE code_hash = $1 AND state = 'used'")
                .bind(hash)
                .fetch_optional(connection)
                .await?
        });
        let Some((device, family)) = used else { return Ok(None) };
        let device =
            DeviceId::try_from(device).map_err(|_| LedgerError::Unreadable("authorization_code.device"))?;
        self.note_refused_code(actor, &device, reason).await?;
        let Some(family) = family else { return Ok(Some(None)) };
        let family = FamilyId::parse(&family).ok_or(LedgerError::Unreadable("authorization_code.family"))?;
        Ok(Some(self.end_family(&family, &device, FamilyEnd::Replayed, actor).await?))
    }

    async fn note_refused_code(
        &mut self,
        actor: &Actor,
        device: &DeviceId,
        reason: &'static str,
    ) -> Result<()> {
        self.audit(actor, "code.refused", Some(device), json!({"reason": reason})).await
    }
}
