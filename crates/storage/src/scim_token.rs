//! Tokens by which a tenant's directory says who works there (SCIM, RFC 7644 section 2). A tenant may have several, so that
//! one is replaced without a gap.

use crate::actor::Actor;
use crate::engine::{on_read, on_transaction};
use crate::person::read_roles;
use crate::scope::on_scoped_read;
use crate::{Ledger, LedgerError, Result, ScopedLedger, Transaction, changed_one};
use serde_json::json;
use std::time::Duration;
use tegata_core::{Name, Refusal, Roles, ScimSecret, ScimTokenId, TenantId, Timestamp};

/// How coarsely the use of a token is written down.
const STEP: Duration = Duration::from_mins(1);

/// A token as the ledger knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScimToken {
    /// Identifier of the token.
    pub id: ScimTokenId,
    /// Whose directory has it.
    pub tenant: TenantId,
    /// What the operator calls it.
    pub name: String,
    /// The roles that it may give, and on whose people it may act.
    pub roles: Roles,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it works.
    pub expires_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub used_at: Option<Timestamp>,
}

/// A token to be made.
#[derive(Clone, Debug)]
pub struct NewScimToken {
    /// Identifier of the token.
    pub id: ScimTokenId,
    /// Whose directory gets it.
    pub tenant: TenantId,
    /// What the operator calls it.
    pub name: Name,
    /// The roles that it may give: of a tenant's own people alone.
    pub roles: Roles,
    /// Until when it works.
    pub expires_at: Timestamp,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT s.id, s.tenant, s.name, s.roles, s.created_at, s.expires_at, s.revoked_at, s.used_at FROM scim_token s ",
            $rest
        )
    };
}

impl ScimToken {
    /// Whether it works at a time.
    pub fn works_at(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }
}

impl Ledger {
    /// The token with this secret, whether it works or not. What is looked up is its hash: how long that takes says nothing of
    /// the secret.
    pub async fn scim_token(&self, secret: &ScimSecret) -> Result<Option<ScimToken>> {
        let row: Option<ScimTokenRow> = on_read!(self, connection => {
            sqlx::query_as(select!("WHERE s.token_hash = $1"))
                .bind(secret.hash())
                .fetch_optional(connection)
                .await?
        });
        row.map(ScimTokenRow::token).transpose()
    }
}

impl ScopedLedger {
    /// The tokens of the scope, the newest first.
    pub async fn scim_tokens(&self) -> Result<Vec<ScimToken>> {
        let rows: Vec<ScimTokenRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(select!("WHERE $1 IS NULL OR s.tenant = $1 ORDER BY s.created_at DESC, s.id"))
                .bind(self.scope.bound())
                .fetch_all(connection)
                .await?
        });
        rows.into_iter().map(ScimTokenRow::token).collect()
    }
}

impl Transaction {
    /// Makes a token with this secret.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such tenant, or a role is none of a tenant's own people.
    pub async fn add_scim_token(
        &mut self,
        new: &NewScimToken,
        secret: &ScimSecret,
        actor: &Actor,
    ) -> Result<()> {
        if !new.roles.iter().all(tegata_core::PersonRole::is_of_tenant) {
            return Err(LedgerError::Guard("a directory gives roles of the tenant's own people alone"));
        }
        let now = self.now.millis();
        let added = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO scim_token (id, tenant, token_hash, name, roles, created_at, expires_at) \
                 SELECT $1, t.id, $3, $4, $5, $6, $7 FROM tenant t WHERE t.id = $2 AND ($8 IS NULL OR t.id = $8)",
            )
            .bind(new.id.as_str())
            .bind(new.tenant.as_str())
            .bind(secret.hash())
            .bind(new.name.as_str())
            .bind(new.roles.to_string())
            .bind(now)
            .bind(new.expires_at.millis())
            .bind(self.scope.bound())
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(added, "there is no such tenant")?;
        let detail = json!({
            "tenant": new.tenant, "token": new.id, "roles": new.roles.to_string(), "until": new.expires_at,
        });
        self.audit(actor, "scim_token.made", None, detail).await
    }

    /// Ends a token: it works no more, on any server.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such token, or it was revoked before.
    pub async fn revoke_scim_token(&mut self, token: &ScimTokenId, actor: &Actor) -> Result<()> {
        let now = self.now.millis();
        let revoked: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "UPDATE scim_token SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL \
                 AND ($3 IS NULL OR tenant = $3) RETURNING tenant",
            )
            .bind(token.as_str())
            .bind(now)
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        });
        let (tenant,) =
            revoked.ok_or(LedgerError::Guard("there is no such token, or it was revoked before"))?;
        self.audit(actor, "scim_token.revoked", None, json!({"tenant": tenant, "token": token})).await
    }

    /// Looks whether a token works while the transaction holds the right to write: a request may take its time to arrive, and the
    /// token may have been revoked meanwhile.
    ///
    /// # Errors
    /// [`Refusal::ScimTokenWrong`].
    pub async fn require_scim_token(&mut self, token: &ScimTokenId) -> Result<()> {
        let now = self.now.millis();
        let works: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT id FROM scim_token WHERE id = $1 AND revoked_at IS NULL AND expires_at > $2 \
                 AND ($3 IS NULL OR tenant = $3)",
            )
            .bind(token.as_str())
            .bind(now)
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        });
        works.map(drop).ok_or(LedgerError::Refused(Refusal::ScimTokenWrong))
    }

    /// Writes down that a token was used, once a minute at most.
    pub async fn use_scim_token(&mut self, token: &ScimTokenId) -> Result<bool> {
        let (now, before) = (self.now.millis(), self.now.minus(STEP).millis());
        let used = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE scim_token SET used_at = $2 WHERE id = $1 AND (used_at IS NULL OR used_at <= $3) \
                 AND ($4 IS NULL OR tenant = $4)",
            )
            .bind(token.as_str())
            .bind(now)
            .bind(before)
            .bind(self.scope.bound())
            .execute(connection)
            .await?
            .rows_affected()
        });
        Ok(used == 1)
    }
}

#[derive(sqlx::FromRow)]
struct ScimTokenRow {
    #[sqlx(try_from = "String")]
    id: ScimTokenId,
    #[sqlx(try_from = "String")]
    tenant: TenantId,
    name: String,
    roles: String,
    created_at: i64,
    expires_at: i64,
    revoked_at: Option<i64>,
    used_at: Option<i64>,
}

impl ScimTokenRow {
    fn token(self) -> Result<ScimToken> {
        Ok(ScimToken {
            id: self.id,
            tenant: self.tenant,
            name: self.name,
            roles: read_roles(&self.roles)?,
            created_at: self.created_at.into(),
            expires_at: self.expires_at.into(),
            revoked_at: self.revoked_at.map(Timestamp::from_millis),
            used_at: self.used_at.map(Timestamp::from_millis),
        })
    }
}
