//! Initial access tokens (RFC 7591 section 3): each for some products, some registrations, and some time.

use super::NewClient;
use crate::actor::Actor;
use crate::engine::{on_read, on_transaction};
use crate::{Ledger, LedgerError, Result, Transaction, changed_one};
use serde_json::json;
use tegata_core::Timestamp;

/// What whoever holds such a token may register. The token itself is kept by its hash alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InitialToken {
    /// Its name, which is no secret.
    pub id: String,
    /// The products of a client that is registered by it.
    pub audiences: Vec<String>,
    /// What of them and of people, separated by spaces.
    pub scope: String,
    /// Clients that can be registered by it.
    pub uses: u32,
    /// How many of them are left.
    pub uses_left: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on nobody can register by it.
    pub expires_at: Timestamp,
}

/// A token to be kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewInitialToken {
    /// Its name, which is no secret.
    pub id: String,
    /// The hash of its text.
    pub token_hash: Vec<u8>,
    /// The products of a client that is registered by it.
    pub audiences: Vec<String>,
    /// What of them and of people, separated by spaces.
    pub scope: String,
    /// Clients that can be registered by it.
    pub uses: u32,
    /// From when on nobody can register by it.
    pub expires_at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct InitialTokenRow {
    id: String,
    audiences: String,
    scope: String,
    uses: i64,
    uses_left: i64,
    created_at: i64,
    expires_at: i64,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, audiences, scope, uses, uses_left, created_at, expires_at FROM initial_token ",
            $rest
        )
    };
}

impl Ledger {
    /// All tokens that are there, the newest first, also those that are over.
    pub async fn initial_tokens(&self) -> Result<Vec<InitialToken>> {
        let rows: Vec<InitialTokenRow> = on_read!(self, connection => {
            sqlx::query_as(select!("ORDER BY created_at DESC, id")).fetch_all(connection).await?
        });
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// The token with this hash, if somebody may still register by it.
    pub async fn initial_token(&self, token_hash: &[u8], now: Timestamp) -> Result<Option<InitialToken>> {
        let row: Option<InitialTokenRow> = on_read!(self, connection => {
            sqlx::query_as(select!("WHERE token_hash = $1 AND uses_left > 0 AND expires_at > $2"))
                .bind(token_hash.to_vec())
                .bind(now.millis())
                .fetch_optional(connection)
                .await?
        });
        row.map(TryInto::try_into).transpose()
    }
}

impl Transaction {
    /// Keeps a token, and forgets those that were over for a month.
    pub async fn add_initial_token(&mut self, new: &NewInitialToken, actor: &Actor) -> Result<()> {
        let now = self.now.millis();
        let audiences = json!(new.audiences).to_string();
        on_transaction!(self.engine, connection => {
            sqlx::query("DELETE FROM initial_token WHERE expires_at <= $1 - 2592000000")
                .bind(now)
                .execute(&mut *connection)
                .await?;
            sqlx::query(
                "INSERT INTO initial_token (id, token_hash, audiences, scope, uses, uses_left, created_at, expires_at) \
                 VALUES ($1, $2, $3, $4, $5, $5, $6, $7)",
            )
            .bind(new.id.as_str())
            .bind(new.token_hash.clone())
            .bind(audiences)
            .bind(new.scope.as_str())
            .bind(i64::from(new.uses))
            .bind(now)
            .bind(new.expires_at.millis())
            .execute(connection)
            .await?;
        });
        let detail = json!({
            "initial_token": new.id, "audiences": new.audiences, "scope": new.scope, "uses": new.uses,
            "expires_at": new.expires_at,
        });
        self.audit(actor, "initial_token.added", None, detail).await
    }

    /// Takes a token back. What was registered by it stays.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such token.
    pub async fn withdraw_initial_token(&mut self, id: &str, actor: &Actor) -> Result<()> {
        let withdrawn = on_transaction!(self.engine, connection => {
            sqlx::query("DELETE FROM initial_token WHERE id = $1")
                .bind(id)
                .execute(connection)
                .await?
                .rows_affected()
        });
        changed_one(withdrawn, "there is no such token")?;
        self.audit(actor, "initial_token.withdrawn", None, json!({"initial_token": id})).await
    }

    /// Registers a client by a token, which is worth one client less afterwards.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when the token is used up, over or withdrawn, or somebody has that name.
    pub async fn register_client(&mut self, token_hash: &[u8], new: &NewClient) -> Result<()> {
        let (token_hash, now) = (token_hash.to_vec(), self.now.millis());
        let used = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE initial_token SET uses_left = uses_left - 1 \
                 WHERE token_hash = $1 AND uses_left > 0 AND expires_at > $2",
            )
            .bind(token_hash)
            .bind(now)
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(used, "the token is used up, over or withdrawn")?;
        self.add_client(new, &Actor::Client(new.id.clone())).await
    }
}

impl TryFrom<InitialTokenRow> for InitialToken {
    type Error = LedgerError;

    fn try_from(row: InitialTokenRow) -> Result<Self> {
        let audiences = serde_json::from_str(&row.audiences);
        let number = |count: i64| u32::try_from(count).unwrap_or_default();
        Ok(Self {
            id: row.id,
            audiences: audiences.map_err(|_| LedgerError::Unreadable("initial_token.audiences"))?,
            scope: row.scope,
            uses: number(row.uses),
            uses_left: number(row.uses_left),
            created_at: row.created_at.into(),
            expires_at: row.expires_at.into(),
        })
    }
}
