//! Families begin: several that are granted at once in few statements.

use super::StartFamily;
use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::group_commit::{Operation, all};
use crate::rows::{BatchStatement, MOST, bind_rows};
use crate::{Result, Transaction, changed_one};
use serde_json::json;
use tegata_core::{SessionId, Timestamp};

static FAMILIES: BatchStatement = BatchStatement::new(
    "WITH new (id, device, audience, subject, current_hash, at, idle_until, expires_at, scope, client, session, dpop_jkt) \
     AS (VALUES ",
    12,
    ") INSERT INTO token_family (id, device, audience, subject, current_hash, state, created_at, idle_until, expires_at, scope, \
     client, session, dpop_jkt) SELECT n.id, d.id, n.audience, n.subject, n.current_hash, 'living', n.at, n.idle_until, \
     n.expires_at, n.scope, n.client, n.session, n.dpop_jkt FROM new n JOIN device d ON d.id = n.device \
     WHERE d.state = 'active'",
);

static TOKENS: BatchStatement = BatchStatement::new(
    "WITH new (jti, family, until) AS (VALUES ",
    3,
    ") INSERT INTO granted_token (jti, family, until) SELECT jti, family, until FROM new WHERE jti IS NOT NULL",
);

impl Operation for StartFamily {
    type Output = ();

    fn now(&self) -> Timestamp {
        self.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<()> {
        transaction.start_family(self).await
    }

    async fn apply_all(set: &[&Self], transaction: &mut Transaction) -> Result<Vec<()>> {
        transaction.start_families(set).await?;
        Ok(vec![(); set.len()])
    }
}

impl Transaction {
    pub(crate) async fn start_family(&mut self, new: &StartFamily) -> Result<()> {
        let some = [new];
        changed_one(self.insert_families(&some).await?, "the device is not active")?;
        self.insert_first_tokens(&some).await?;
        self.note_started(new).await
    }

    /// Each with its first access token, or none of them.
    pub(crate) async fn start_families(&mut self, set: &[&StartFamily]) -> Result<()> {
        for some in set.chunks(MOST) {
            all(some, self.insert_families(some).await?)?;
            self.insert_first_tokens(some).await?;
        }
        for new in set {
            self.now = new.at;
            self.note_started(new).await?;
        }
        Ok(())
    }

    /// Gives how many: those whose device is active.
    async fn insert_families(&mut self, some: &[&StartFamily]) -> Result<u64> {
        let batch = FAMILIES.of(some.len());
        Ok(on_transaction!(self.engine, connection => {
            bind_rows!(sqlx::query(batch.text(&*connection)), some, batch.size, new => [
                new.id.as_str(),
                new.device.as_str(),
                new.audience.as_str(),
                new.subject.as_deref(),
                new.current.as_slice(),
                new.at.millis(),
                new.at.plus(new.idle).millis(),
                new.expires_at.millis(),
                new.scope.as_deref(),
                new.client.as_deref(),
                new.session.as_ref().map(SessionId::as_str),
                new.dpop_jkt.as_ref().map(|key| key.as_bytes().as_slice()),
            ])
            .execute(connection)
            .await?
            .rows_affected()
        }))
    }

    async fn insert_first_tokens(&mut self, some: &[&StartFamily]) -> Result<()> {
        let batch = TOKENS.of(some.len());
        on_transaction!(self.engine, connection => {
            bind_rows!(sqlx::query(batch.text(&*connection)), some, batch.size, new => [
                new.token.jti.as_str(),
                new.id.as_str(),
                new.token.until.millis(),
            ])
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    async fn note_started(&mut self, new: &StartFamily) -> Result<()> {
        let detail = json!({
            "family": new.id, "audience": new.audience, "person": new.subject.is_some(),
            "scope": new.scope, "client": new.client, "session": new.session,
            "generation": new.token.generation, "jti": new.token.jti, "expires_at": new.expires_at,
        });
        let actor = Actor::Device(new.device.clone());
        self.audit(&actor, "token_family.started", Some(&new.device), detail).await
    }
}
