//! Passwords that another product has hashed: they let somebody in as far as setting up the account here, and no further.
//!
//! A row lives until the person has set up the account. Before somebody has signed in with the password it is the other
//! product's hash, which a later list may replace; from then on it is our own of the same password, for the setup page that
//! follows.

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::{LedgerError, Result, Transaction};
use serde_json::json;
use tegata_core::{DeviceId, PersonId, Refusal, SetupCode, Timestamp};

/// The password of another product that somebody has just signed in with on a device. Nothing in it prints itself.
pub struct ProvedPassword<'a> {
    /// The person it is of.
    pub person: &'a PersonId,
    /// Where it was typed.
    pub device: &'a DeviceId,
    /// The hash that it fits.
    pub before: &'a str,
    /// Argon2id of the same password, as a PHC string; none where nobody may have this password here.
    pub kept: Option<&'a str>,
    /// The setup link by which the person goes on at once.
    pub code: &'a SetupCode,
    /// Until when the link works.
    pub until: Timestamp,
}

impl Transaction {
    /// Takes the hash of another product over for a person who has not set up an account. Gives whether anything changed:
    /// whoever has an account, or has signed in with an imported password before, keeps what they have.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such person.
    pub async fn import_password(&mut self, person: &PersonId, hash: &str, actor: &Actor) -> Result<bool> {
        let tenant = self.tenant_of(person).await?;
        let now = self.now.millis();
        let imported = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO imported_password (person, hash, imported_at) SELECT p.id, $2, $3 FROM person p \
                 WHERE p.id = $1 AND ($4 IS NULL OR p.tenant = $4) \
                 AND NOT EXISTS (SELECT 1 FROM credential c WHERE c.person = p.id) \
                 ON CONFLICT (person) DO UPDATE SET hash = $2, imported_at = $3 \
                 WHERE imported_password.proved_at IS NULL AND imported_password.hash <> $2",
            )
            .bind(person.as_str())
            .bind(hash)
            .bind(now)
            .bind(self.scope.bound())
            .execute(connection)
            .await?
            .rows_affected()
        });
        if imported == 0 {
            return Ok(false);
        }
        let detail = json!({"tenant": tenant, "person": person});
        self.audit(actor, "person.password_imported", None, detail).await?;
        Ok(true)
    }

    /// Takes note that somebody has signed in with an imported password, and makes the setup link by which they go on.
    ///
    /// # Errors
    /// [`Refusal::SignInWrong`] when the hash is another meanwhile, or the person has an account or was stopped.
    pub async fn prove_imported_password(&mut self, proved: &ProvedPassword<'_>) -> Result<()> {
        let now = self.now.millis();
        let found = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE imported_password SET hash = COALESCE($3, hash), \
                 proved_at = CASE WHEN $3 IS NULL THEN NULL ELSE $4 END \
                 WHERE person = $1 AND hash = $2 AND NOT EXISTS (SELECT 1 FROM credential c WHERE c.person = $1) \
                 AND person IN (SELECT p.id FROM person p WHERE p.state = 'active' AND ($5 IS NULL OR p.tenant = $5))",
            )
            .bind(proved.person.as_str())
            .bind(proved.before)
            .bind(proved.kept)
            .bind(now)
            .bind(self.scope.bound())
            .execute(connection)
            .await?
            .rows_affected()
        });
        if found != 1 {
            return Err(LedgerError::Refused(Refusal::SignInWrong));
        }
        let actor = Actor::Person(proved.person.clone());
        self.make_setup_link(proved.person, proved.code, proved.until, &actor).await?;
        let tenant = self.tenant_of(proved.person).await?;
        let detail = json!({"tenant": tenant, "person": proved.person, "is_kept": proved.kept.is_some()});
        self.audit(&actor, "person.password_proved", Some(proved.device), detail).await
    }

    /// The hash of the password that the person has signed in with before setting up the account.
    pub(super) async fn proved_password(&mut self, person: &PersonId) -> Result<Option<String>> {
        let found: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT hash FROM imported_password WHERE person = $1 AND proved_at IS NOT NULL")
                .bind(person.as_str())
                .fetch_optional(connection)
                .await?
        });
        Ok(found.map(|(hash,)| hash))
    }

    pub(super) async fn drop_imported_password(&mut self, person: &PersonId) -> Result<()> {
        on_transaction!(self.engine, connection => {
            sqlx::query("DELETE FROM imported_password WHERE person = $1")
                .bind(person.as_str())
                .execute(connection)
                .await?;
        });
        Ok(())
    }
}
