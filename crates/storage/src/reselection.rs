//! Certificates that browsers are made to let go of, told to all servers.

use crate::engine::{on_read, on_transaction};
use crate::group_commit::Operation;
use crate::{Ledger, Result, Transaction};
use std::time::Duration;
use tegata_core::{ServerId, Thumbprint, Timestamp};

/// How long a row may be of use to anybody.
const KEPT: Duration = Duration::from_mins(1);

/// A certificate to let go of.
#[derive(Clone, PartialEq, Eq, Hash, Debug, sqlx::FromRow)]
pub struct AnnouncedReselection {
    /// The older certificate, which is refused within TLS.
    #[sqlx(try_from = "Vec<u8>")]
    pub thumbprint: Thumbprint,
    /// Once this one is presented, the choice is made.
    #[sqlx(try_from = "Vec<u8>")]
    pub successor: Thumbprint,
    /// When its holder asked for it.
    #[sqlx(try_from = "i64")]
    pub at: Timestamp,
}

struct AnnounceReselection {
    reselection: AnnouncedReselection,
    server: ServerId,
}

impl Ledger {
    /// Tells the other servers. No state of anything changes, so it has no audit entry.
    pub async fn announce_reselection(
        &self,
        reselection: AnnouncedReselection,
        server: &ServerId,
    ) -> Result<()> {
        self.group(AnnounceReselection { reselection, server: server.clone() }).await
    }

    /// What other servers were asked for since a moment.
    pub async fn reselections_elsewhere(
        &self,
        server: &ServerId,
        since: Timestamp,
    ) -> Result<Vec<AnnouncedReselection>> {
        Ok(on_read!(self, connection => {
            sqlx::query_as("SELECT thumbprint, successor, at FROM reselection WHERE server <> $1 AND at >= $2")
                .bind(server.as_str())
                .bind(since.millis())
                .fetch_all(connection)
                .await?
        }))
    }
}

impl Operation for AnnounceReselection {
    type Output = ();

    fn now(&self) -> Timestamp {
        self.reselection.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<()> {
        let AnnouncedReselection { thumbprint, successor, at } = &self.reselection;
        on_transaction!(transaction.engine, connection => {
            sqlx::query("DELETE FROM reselection WHERE at < $1 OR at > $2")
                .bind(at.minus(KEPT).millis())
                .bind(at.plus(KEPT).millis())
                .execute(connection)
                .await?;
        });
        on_transaction!(transaction.engine, connection => {
            sqlx::query(
                "INSERT INTO reselection (thumbprint, successor, server, at) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (thumbprint) DO UPDATE SET successor = $2, server = $3, at = $4",
            )
            .bind(thumbprint.as_bytes().as_slice())
            .bind(successor.as_bytes().as_slice())
            .bind(self.server.as_str())
            .bind(at.millis())
            .execute(connection)
            .await?;
        });
        Ok(())
    }
}
