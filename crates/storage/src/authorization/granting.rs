//! A code is granted.

use super::CodeGrant;
use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::group_commit::Operation;
use crate::{Result, Transaction, changed_one};
use serde_json::json;
use tegata_core::{DeviceId, PersonId, SessionId, Timestamp};

/// A code to be granted on a device that is active, of a session that lasts.
#[derive(Clone, Debug)]
pub struct GrantCode {
    /// The hash of the code.
    pub hash: Vec<u8>,
    /// What it stands for.
    pub grant: CodeGrant,
    /// Whose session it is, for the audit log.
    pub person: Option<PersonId>,
    /// Whether its client was registered in the ledger: then it has to be there still.
    pub of_stored_client: bool,
    /// When it is granted.
    pub at: Timestamp,
}

impl Operation for GrantCode {
    type Output = ();

    fn now(&self) -> Timestamp {
        self.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<()> {
        transaction.grant_code(self).await
    }
}

impl Transaction {
    async fn grant_code(&mut self, new: &GrantCode) -> Result<()> {
        let (grant, person) = (&new.grant, new.grant.person.as_ref());
        let now = self.now.millis();
        let granted = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO authorization_code (code_hash, client, redirect_uri, challenge, device, thumbprint, session, \
                 subject, auth_time, undated, amr, audience, scope, nonce, dpop_jkt, state, created_at, expires_at) \
                 SELECT $1, $2, $3, $4, d.id, $6, $7, $8, $9, $18, $10, $11, $12, $13, $16, 'open', $14, $15 FROM device d \
                 JOIN tenant t ON t.id = d.tenant WHERE d.id = $5 AND d.state = 'active' AND t.state = 'active' AND ($7 IS NULL OR EXISTS (SELECT 1 FROM session s \
                 WHERE s.id = $7 AND s.device = d.id AND s.idle_until > $14 AND s.expires_at > $14)) \
                 AND ($17 = 0 OR EXISTS (SELECT 1 FROM client r WHERE r.id = $2 AND r.state = 'active'))",
            )
            .bind(new.hash.clone())
            .bind(grant.client.as_str())
            .bind(grant.redirect_uri.as_str())
            .bind(grant.challenge.as_str())
            .bind(grant.device.as_str())
            .bind(grant.thumbprint.as_bytes().to_vec())
            .bind(person.map(|person| person.session.as_str()))
            .bind(person.map(|person| person.subject.as_str()))
            .bind(person.map(|person| person.auth_time.unwrap_or(self.now).millis()))
            .bind(grant.amr.as_str())
            .bind(grant.audience.as_str())
            .bind(grant.scope.as_deref())
            .bind(grant.nonce.as_deref())
            .bind(now)
            .bind(grant.expires_at.millis())
            .bind(grant.dpop_jkt.map(|key| key.as_bytes().to_vec()))
            .bind(i64::from(new.of_stored_client))
            .bind(i64::from(person.is_some_and(|person| person.auth_time.is_none())))
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(granted, "the device is not active, the session has ended, or the client was removed")?;
        if let Some(person) = person {
            self.note_client(&person.session, &grant.client).await?;
        }
        let session = person.map(|person| &person.session);
        let detail = json!({"client": grant.client, "audience": grant.audience, "session": session});
        let device = &grant.device;
        let actor = new.person.clone().map_or_else(|| Actor::Device(device.clone()), Actor::Person);
        self.audit(&actor, "code.granted", Some(device), detail).await
    }

    /// Whoever was given something of a session hears of its end: gates by the feed, all others as they have registered.
    async fn note_client(&mut self, session: &SessionId, client: &str) -> Result<()> {
        let hears = DeviceId::parse(client).is_none();
        on_transaction!(self.engine, connection => {
            sqlx::query("INSERT INTO session_client (session, client, hears) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
                .bind(session.as_str())
                .bind(client)
                .bind(i64::from(hears))
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// Forgets requests that nobody came back with, and codes of which nothing lives any more. Each ended by itself at its
    /// time. Gives how many rows.
    pub async fn forget_authorizations(&mut self) -> Result<u64> {
        let now = self.now.millis();
        let mut forgotten = 0;
        on_transaction!(self.engine, connection => {
            for statement in [
                "DELETE FROM authorization_request WHERE expires_at <= $1",
                // For an hour longer, so that whoever shows a used one ends what came of it.
                "DELETE FROM authorization_code WHERE expires_at <= $1 - 3600000",
                "DELETE FROM session_client WHERE $1 > 0 AND session NOT IN (SELECT s.id FROM session s)",
            ] {
                forgotten += sqlx::query(statement).bind(now).execute(&mut *connection).await?.rows_affected();
            }
        });
        Ok(forgotten)
    }

    /// Codes that nobody has redeemed, of a device that is signed out or stopped, or of all devices of such a tenant.
    pub(crate) async fn drop_codes_of(&mut self, device_or_tenant: &str) -> Result<()> {
        let of = device_or_tenant.to_owned();
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "DELETE FROM authorization_code WHERE state = 'open' \
                 AND device IN (SELECT d.id FROM device d WHERE d.id = $1 OR d.tenant = $1)",
            )
            .bind(of)
            .execute(connection)
            .await?;
        });
        Ok(())
    }
}
