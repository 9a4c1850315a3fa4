//! Clients that were registered while servers run, by the operator or by themselves (RFC 7591), and the tokens by which they do.
//!
//! What a registration says is of no matter here: whoever writes one has verified it, and whoever reads it does so again. Every
//! change moves the version, by which servers notice that there is something to read.

mod initial_token;
mod removing;

pub use initial_token::{InitialToken, NewInitialToken};
pub use removing::RemovedClient;

use crate::actor::Actor;
use crate::engine::{on_read, on_transaction};
use crate::{Ledger, LedgerError, Result, Transaction, changed_one};
use serde_json::{Value, json};
use tegata_core::Timestamp;

/// A client of the ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredClient {
    /// What it calls itself.
    pub id: String,
    /// Its registration, as the configuration would have it.
    pub registration: Value,
    /// The initial access token by which it registered itself; none where the operator did it.
    pub initial_token: Option<String>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub changed_at: Timestamp,
}

/// A client to be registered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewClient {
    /// What it calls itself. A name that somebody had before is nobody's any more.
    pub id: String,
    /// Its registration, which was verified.
    pub registration: Value,
    /// The initial access token by which it registers itself.
    pub initial_token: Option<String>,
    /// The hash of its registration access token.
    pub access_hash: Option<Vec<u8>>,
}

#[derive(sqlx::FromRow)]
struct ClientRow {
    id: String,
    registration: String,
    initial_token: Option<String>,
    created_at: i64,
    changed_at: i64,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, registration, initial_token, created_at, changed_at FROM client WHERE state = 'active' ",
            $rest
        )
    };
}

impl Ledger {
    /// Moves with every change of any client.
    pub async fn clients_version(&self) -> Result<u64> {
        let (version,): (i64,) = on_read!(self, connection => {
            sqlx::query_as("SELECT COALESCE(MAX(version), 0) FROM client").fetch_one(connection).await?
        });
        Ok(version.unsigned_abs())
    }

    /// All clients of the ledger, by name.
    pub async fn stored_clients(&self) -> Result<Vec<StoredClient>> {
        let rows: Vec<ClientRow> = on_read!(self, connection => {
            sqlx::query_as(select!("ORDER BY id")).fetch_all(connection).await?
        });
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// The client whose registration access token has this hash, if it has this name.
    pub async fn client_of_access(&self, id: &str, access_hash: &[u8]) -> Result<Option<StoredClient>> {
        let row: Option<ClientRow> = on_read!(self, connection => {
            sqlx::query_as(select!("AND id = $1 AND access_hash = $2"))
                .bind(id.to_owned())
                .bind(access_hash.to_vec())
                .fetch_optional(connection)
                .await?
        });
        row.map(TryInto::try_into).transpose()
    }
}

impl Transaction {
    /// Registers a client under its name.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when somebody has that name, or had it.
    pub async fn add_client(&mut self, new: &NewClient, actor: &Actor) -> Result<()> {
        let (now, version) = (self.now.millis(), self.head.audit_seq + 1);
        let added = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO client (id, registration, state, initial_token, access_hash, created_at, changed_at, version) \
                 VALUES ($1, $2, 'active', $3, $4, $5, $5, $6) ON CONFLICT (id) DO NOTHING",
            )
            .bind(new.id.as_str())
            .bind(new.registration.to_string())
            .bind(new.initial_token.as_deref())
            .bind(new.access_hash.clone())
            .bind(now)
            .bind(version)
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(added, "a client has that name, or had it")?;
        let detail = json!({"client": new.registration, "initial_token": new.initial_token});
        self.audit(actor, "client.registered", None, detail).await
    }

    /// Replaces what is registered of a client.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such client.
    pub async fn change_client(&mut self, id: &str, registration: &Value, actor: &Actor) -> Result<()> {
        let (now, version) = (self.now.millis(), self.head.audit_seq + 1);
        let changed = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE client SET registration = $2, changed_at = $3, version = $4 WHERE id = $1 AND state = 'active'",
            )
            .bind(id)
            .bind(registration.to_string())
            .bind(now)
            .bind(version)
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(changed, NO_SUCH_CLIENT)?;
        self.audit(actor, "client.changed", None, json!({"client": registration})).await
    }

    /// Gives a client another registration access token; the one before works no longer.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such client.
    pub async fn rotate_client_access(&mut self, id: &str, access_hash: &[u8], actor: &Actor) -> Result<()> {
        let (now, access_hash) = (self.now.millis(), access_hash.to_vec());
        let changed = on_transaction!(self.engine, connection => {
            sqlx::query("UPDATE client SET access_hash = $2, changed_at = $3 WHERE id = $1 AND state = 'active'")
                .bind(id)
                .bind(access_hash)
                .bind(now)
                .execute(connection)
                .await?
                .rows_affected()
        });
        changed_one(changed, NO_SUCH_CLIENT)?;
        self.audit(actor, "client.access_rotated", None, json!({"client_id": id})).await
    }
}

const NO_SUCH_CLIENT: &str = "there is no such client";

impl TryFrom<ClientRow> for StoredClient {
    type Error = LedgerError;

    fn try_from(row: ClientRow) -> Result<Self> {
        let registration = serde_json::from_str(&row.registration);
        Ok(Self {
            registration: registration.map_err(|_| LedgerError::Unreadable("client.registration"))?,
            id: row.id,
            initial_token: row.initial_token,
            created_at: row.created_at.into(),
            changed_at: row.changed_at.into(),
        })
    }
}
