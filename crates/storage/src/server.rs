//! The servers that are running: who has to confirm what is stopped.
//!
//! A server registers itself before it answers anybody, says every few seconds that it is there, and takes its row away
//! when it has answered its last request. One that was killed is forgotten by the others.

use crate::engine::{on_read, on_transaction};
use crate::group_commit::Operation;
use crate::{Ledger, Result, ServerSurface, Transaction};
use std::time::Duration;
use tegata_core::{ServerId, Timestamp};

/// How often a server says that it is there.
pub const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// A server that has been silent for so long is no longer waited for, and its rows go. What it remembered has long been too
/// old for it to answer by, and should it wake up, it asks the ledger before it answers and registers itself again.
pub const FORGOTTEN: Duration = Duration::from_mins(1);

/// What this program is: another version may not know what this one relies on.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A running server of the installation.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct RegisteredServer {
    /// It is another after every start.
    #[sqlx(try_from = "String")]
    pub id: ServerId,
    /// The name of its host, for people: several servers may share it.
    pub name: String,
    /// When it was started.
    #[sqlx(try_from = "i64")]
    pub started_at: Timestamp,
    /// When it last said that it is there.
    #[sqlx(try_from = "i64")]
    pub seen_at: Timestamp,
}

impl RegisteredServer {
    /// Whether it has been silent for so long that it is as good as gone.
    pub(crate) fn is_forgotten(&self, now: Timestamp) -> bool {
        now.since(self.seen_at) >= FORGOTTEN
    }
}

struct RegisterServer {
    id: ServerId,
    name: String,
    at: Timestamp,
}

struct RemoveServer {
    id: ServerId,
    name: String,
    at: Timestamp,
}

impl Ledger {
    /// Says that a server is there, at its start and every [`SIGN_OF_LIFE`], and forgets those that have not for long.
    pub async fn register_server(&self, id: &ServerId, name: &str, now: Timestamp) -> Result<()> {
        self.group(RegisterServer { id: id.clone(), name: name.into(), at: now }).await
    }

    /// Takes a server of this host away that answers nobody any more, with its receipts. One of another host stays.
    pub async fn remove_server(&self, id: &ServerId, name: &str, now: Timestamp) -> Result<()> {
        self.group(RemoveServer { id: id.clone(), name: name.into(), at: now }).await
    }

    /// When each server last said that it is there, by its own clock; those included that nobody waits for any more.
    pub async fn signs_of_life(&self) -> Result<Vec<(String, Timestamp)>> {
        let rows: Vec<(String, i64)> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT id, MAX(seen_at) FROM (SELECT id, seen_at FROM server UNION ALL SELECT server, seen_at FROM pass_state) s \
                 GROUP BY id ORDER BY id",
            )
            .fetch_all(connection)
            .await?
        });
        Ok(rows.into_iter().map(|(server, at)| (server, at.into())).collect())
    }

    /// The servers that are there, or were a moment ago; the eldest first.
    pub async fn servers(&self, now: Timestamp) -> Result<Vec<RegisteredServer>> {
        let mut servers: Vec<RegisteredServer> = on_read!(self, connection => {
            sqlx::query_as("SELECT id, name, started_at, seen_at FROM server ORDER BY started_at, id")
                .fetch_all(connection)
                .await?
        });
        servers.retain(|server| !server.is_forgotten(now));
        Ok(servers)
    }
}

impl Operation for RegisterServer {
    type Output = ();

    fn now(&self) -> Timestamp {
        self.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<()> {
        on_transaction!(transaction.engine, connection => {
            sqlx::query(
                "INSERT INTO server (id, name, started_at, seen_at, version) VALUES ($1, $2, $3, $3, $4) \
                 ON CONFLICT (id) DO UPDATE SET name = $2, seen_at = $3, version = $4",
            )
            .bind(self.id.as_str())
            .bind(self.name.as_str())
            .bind(self.at.millis())
            .bind(VERSION)
            .execute(connection)
            .await?;
        });
        transaction.forget_silent_servers(self.at).await
    }
}

impl Operation for RemoveServer {
    type Output = ();

    fn now(&self) -> Timestamp {
        self.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<()> {
        let removed = on_transaction!(transaction.engine, connection => {
            sqlx::query("DELETE FROM server WHERE id = $1 AND name = $2")
                .bind(self.id.as_str())
                .bind(self.name.as_str())
                .execute(connection)
                .await?
                .rows_affected()
        });
        if removed == 0 {
            return Ok(());
        }
        for surface in ServerSurface::ALL {
            on_transaction!(transaction.engine, connection => {
                sqlx::query("DELETE FROM receipt WHERE surface = $1")
                    .bind(surface.of(&self.id))
                    .execute(connection)
                    .await?;
            });
        }
        Ok(())
    }
}

/// Also what is dated so far in the future that a wrong clock must have written it: a server that lives comes again.
const FORGET: [&str; 2] = [
    "DELETE FROM server WHERE seen_at <= $1 OR seen_at >= $2",
    "DELETE FROM receipt WHERE (seen_at <= $1 OR seen_at >= $2) AND (surface LIKE 'introspection:%' \
     OR surface LIKE 'ocsp:%' OR surface LIKE 'status-list:%' OR surface LIKE 'token:%')",
];

impl Transaction {
    async fn forget_silent_servers(&mut self, now: Timestamp) -> Result<()> {
        for statement in FORGET {
            on_transaction!(self.engine, connection => {
                sqlx::query(statement)
                    .bind(now.minus(FORGOTTEN).millis())
                    .bind(now.plus(FORGOTTEN).millis())
                    .execute(connection)
                    .await?;
            });
        }
        Ok(())
    }
}
