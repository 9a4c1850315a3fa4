//! What a person who is signed in changes of what proves who they are. The other sessions end: whoever changes a password
//! because somebody knows it wants them out. Whoever was thrown out meanwhile changes nothing.

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::{LedgerError, Result, Transaction};
use serde_json::json;
use tegata_core::{PersonId, Refusal, SessionId};

impl Transaction {
    /// Changes the password of a person, if it still is the one that was shown to be known. Gives how many
    /// other sessions ended.
    ///
    /// # Errors
    /// [`Refusal::FormOutdated`] when the password was changed meanwhile, [`Refusal::SignInNeeded`] when the session ended.
    pub async fn change_password(
        &mut self,
        person: &PersonId,
        kept: &SessionId,
        before: &str,
        password: &str,
    ) -> Result<u64> {
        self.require_session(person, kept).await?;
        let now = self.now.millis();
        let changed = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE credential SET password = $3, changed_at = $4 WHERE person = $1 AND password = $2 \
                 AND person IN (SELECT p.id FROM person p WHERE $5 IS NULL OR p.tenant = $5)",
            )
            .bind(person.as_str())
            .bind(before)
            .bind(password)
            .bind(now)
            .bind(self.scope.bound())
            .execute(connection)
            .await?
            .rows_affected()
        });
        self.end_beside((person, kept), changed, "person.password_changed").await
    }

    /// Changes the sealed secret of the authenticator app of a person; `step` is the one whose code was shown.
    /// Gives how many other sessions ended.
    ///
    /// # Errors
    /// [`Refusal::FormOutdated`] when the account was reset meanwhile, [`Refusal::SignInNeeded`] when the session ended.
    pub async fn change_totp(
        &mut self,
        person: &PersonId,
        kept: &SessionId,
        sealed: &[u8],
        step: i64,
    ) -> Result<u64> {
        self.require_session(person, kept).await?;
        let now = self.now.millis();
        let changed = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE credential SET totp = $2, totp_step = $3, changed_at = $4 WHERE person = $1 \
                 AND person IN (SELECT p.id FROM person p WHERE $5 IS NULL OR p.tenant = $5)",
            )
            .bind(person.as_str())
            .bind(sealed.to_vec())
            .bind(step)
            .bind(now)
            .bind(self.scope.bound())
            .execute(connection)
            .await?
            .rows_affected()
        });
        self.end_beside((person, kept), changed, "person.totp_changed").await
    }

    /// Replaces the recovery codes of a person by others with these hashes. Gives how many other sessions ended.
    ///
    /// # Errors
    /// [`Refusal::FormOutdated`] when the account was reset meanwhile, [`Refusal::SignInNeeded`] when the session ended.
    pub async fn replace_recovery_codes(
        &mut self,
        person: &PersonId,
        kept: &SessionId,
        hashes: &[Vec<u8>],
    ) -> Result<u64> {
        self.require_session(person, kept).await?;
        let now = self.now.millis();
        let changed = on_transaction!(self.engine, connection => {
            let changed = sqlx::query(
                "UPDATE credential SET changed_at = $2 WHERE person = $1 \
                 AND person IN (SELECT p.id FROM person p WHERE $3 IS NULL OR p.tenant = $3)",
            )
            .bind(person.as_str())
            .bind(now)
            .bind(self.scope.bound())
            .execute(&mut *connection)
            .await?
            .rows_affected();
            sqlx::query("DELETE FROM person_code WHERE person = $1 AND kind = 'recovery'")
                .bind(person.as_str())
                .execute(&mut *connection)
                .await?;
            for hash in hashes {
                sqlx::query("INSERT INTO person_code (person, code_hash, kind) VALUES ($1, $2, 'recovery')")
                    .bind(person.as_str())
                    .bind(hash.clone())
                    .execute(&mut *connection)
                    .await?;
            }
            changed
        });
        self.end_beside((person, kept), changed, "person.recovery_codes_replaced").await
    }

    async fn end_beside(
        &mut self,
        (person, kept): (&PersonId, &SessionId),
        changed: u64,
        action: &'static str,
    ) -> Result<u64> {
        if changed != 1 {
            return Err(LedgerError::Refused(Refusal::FormOutdated));
        }
        let tenant = self.tenant_of(person).await?;
        let ended = self.drop_sessions_of(person, Some(kept)).await?;
        let detail = json!({"tenant": tenant, "person": person, "sessions": ended});
        self.audit(&Actor::Person(person.clone()), action, None, detail).await?;
        Ok(ended)
    }
}
