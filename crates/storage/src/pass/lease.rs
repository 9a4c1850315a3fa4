//! The right of one server to do what one does at a time.

use crate::engine::{on_read, on_transaction};
use crate::rows::{BatchStatement, MOST, bind_rows};
use crate::{Ledger, Result, Transaction};
use tegata_core::{CLOCKS_APART, ServerId, Timestamp};

/// A lease as the ledger has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PassLease {
    /// The name of the pass.
    pub name: String,
    /// The server that has it, or had it last.
    pub holder: String,
    /// Moves with every new holder.
    pub token: u64,
    /// When it ends, by the clock of its holder.
    pub until: Timestamp,
}

impl PassLease {
    /// Whether anybody may take it at `now`, who would have it until `until`. One that ends later than anybody's could was
    /// taken by a clock that was ahead.
    pub fn is_free(&self, now: Timestamp, until: Timestamp) -> bool {
        self.until < now || self.until > until.plus(CLOCKS_APART)
    }
}

/// The right to be the holder is decided here and nowhere else: of several servers that ask at once, the writers' lock lets one
/// come first, and the condition refuses the others.
static TAKE: BatchStatement = BatchStatement::with(
    4,
    "WITH wanted (name) AS (VALUES ",
    1,
    ") INSERT INTO pass_lease (name, holder, token, until) SELECT name, $1, 1, $2 FROM wanted WHERE name IS NOT NULL \
     ON CONFLICT (name) DO UPDATE SET until = excluded.until, holder = excluded.holder, \
     token = CASE WHEN pass_lease.holder = excluded.holder THEN pass_lease.token ELSE pass_lease.token + 1 END \
     WHERE pass_lease.holder = excluded.holder OR pass_lease.until < $3 OR pass_lease.until > $4 RETURNING name",
);

impl Ledger {
    /// All leases, by name.
    pub async fn pass_leases(&self) -> Result<Vec<PassLease>> {
        let rows: Vec<(String, String, i64, i64)> = on_read!(self, connection => {
            sqlx::query_as("SELECT name, holder, token, until FROM pass_lease ORDER BY name")
                .fetch_all(connection)
                .await?
        });
        let lease = |(name, holder, token, until): (String, String, i64, i64)| PassLease {
            name,
            holder,
            token: token.unsigned_abs(),
            until: until.into(),
        };
        Ok(rows.into_iter().map(lease).collect())
    }
}

impl Transaction {
    /// Renews and takes what is the server's own or free. Gives what it has until `until`.
    pub(super) async fn take_leases(
        &mut self,
        server: &ServerId,
        wanted: &[String],
        until: Timestamp,
        at: Timestamp,
    ) -> Result<Vec<String>> {
        let mut granted = Vec::new();
        for part in wanted.chunks(MOST) {
            let batch = TAKE.of(part.len());
            let rows: Vec<(String,)> = on_transaction!(self.engine, connection => {
                let query = sqlx::query_as(batch.text(&*connection))
                    .bind(server.as_str())
                    .bind(until.millis())
                    .bind(at.millis())
                    .bind(until.plus(CLOCKS_APART).millis());
                bind_rows!(query, part, batch.size, name => [name.as_str()]).fetch_all(connection).await?
            });
            granted.extend(rows.into_iter().map(|(name,)| name));
        }
        Ok(granted)
    }

    /// From now on it is anybody's; the holder's name stays, and with it the number of holders.
    pub(super) async fn release_lease(&mut self, server: &ServerId, name: &str) -> Result<()> {
        on_transaction!(self.engine, connection => {
            sqlx::query("UPDATE pass_lease SET until = 0 WHERE name = $2 AND holder = $1")
                .bind(server.as_str())
                .bind(name)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    pub(super) async fn release_all_leases(&mut self, server: &ServerId) -> Result<()> {
        on_transaction!(self.engine, connection => {
            sqlx::query("UPDATE pass_lease SET until = 0 WHERE holder = $1")
                .bind(server.as_str())
                .execute(connection)
                .await?;
        });
        Ok(())
    }
}
