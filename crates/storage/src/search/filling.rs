//! Filling the index: devices shortly after they come into being, and whatever a ledger had before there was an index.
//!
//! A device is issued its certificate without a look at the index, which would slow down whoever enrolls thousands. Its row
//! says that it is not there yet, and whoever searches looks at such rows one by one.

use super::index::NameKind;
use crate::engine::on_transaction;
use crate::rows::{BatchStatement, MOST, bind_rows};
use crate::{Ledger, LedgerError, Result, Transaction};
use std::collections::HashMap;
use tegata_core::{TenantId, Timestamp};

/// Rows that one transaction takes in: other writers wait no longer than for these.
const PART: i64 = 512;

static DEVICES: BatchStatement = BatchStatement::new(
    "WITH new (id, name) AS (VALUES ",
    2,
    ") UPDATE device SET search_name = new.name, number_tail = substr(device.id, 5, 4) FROM new \
     WHERE device.id = new.id AND device.search_name IS NULL",
);

/// A row whose name is not in the index.
type Unindexed = (String, String, String);

impl Ledger {
    /// Takes some rows into the index that are not there yet. Gives how many: none when all are.
    ///
    /// # Errors
    /// The ledger cannot be written; what was taken in before is.
    pub async fn fill_search_index(&self, now: Timestamp) -> Result<usize> {
        let mut transaction = self.begin(now).await?;
        let filled = transaction.fill_search_index().await?;
        if filled > 0 {
            transaction.commit().await?;
        }
        Ok(filled)
    }
}

impl Transaction {
    /// Places and people first: as long as one is missing, searches look through everything.
    async fn fill_search_index(&mut self) -> Result<usize> {
        let rows = self
            .unindexed("SELECT id, id, name FROM tenant WHERE search_name IS NULL ORDER BY id LIMIT $1")
            .await?;
        if !rows.is_empty() {
            return self.index_all(rows, NameKind::Tenant).await;
        }
        let rows = self
            .unindexed("SELECT id, tenant, name FROM site WHERE search_name IS NULL ORDER BY id LIMIT $1")
            .await?;
        if !rows.is_empty() {
            return self.index_all(rows, NameKind::Site).await;
        }
        let rows = self
            .unindexed("SELECT id, tenant, name FROM person WHERE search_name IS NULL ORDER BY id LIMIT $1")
            .await?;
        if !rows.is_empty() {
            return self.index_all(rows, NameKind::Person).await;
        }
        let rows =
            self.unindexed("SELECT id, tenant, label FROM device WHERE search_name IS NULL LIMIT $1").await?;
        self.index_devices(rows).await
    }

    async fn unindexed(&mut self, statement: &'static str) -> Result<Vec<Unindexed>> {
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query_as(statement).bind(PART).fetch_all(connection).await?
        }))
    }

    async fn index_all(&mut self, rows: Vec<Unindexed>, kind: NameKind) -> Result<usize> {
        for (id, tenant, name) in &rows {
            let tenant = read_tenant(tenant)?;
            self.set_indexed_name(&tenant, kind, id, name).await?;
        }
        Ok(rows.len())
    }

    /// Notes under which name of the index a tenant, a site or a person is found, from now on.
    pub(crate) async fn set_indexed_name(
        &mut self,
        tenant: &TenantId,
        kind: NameKind,
        id: &str,
        name: &str,
    ) -> Result<()> {
        let indexed = self.indexed_name(tenant, kind, name).await?;
        let statement = match kind {
            NameKind::Tenant => "UPDATE tenant SET search_name = $2 WHERE id = $1",
            NameKind::Site => "UPDATE site SET search_name = $2 WHERE id = $1",
            NameKind::Person => "UPDATE person SET search_name = $2 WHERE id = $1",
            NameKind::Label => {
                "UPDATE device SET search_name = $2, number_tail = substr(id, 5, 4) WHERE id = $1"
            }
        };
        on_transaction!(self.engine, connection => {
            sqlx::query(statement).bind(id).bind(indexed).execute(connection).await?;
        });
        Ok(())
    }

    /// Labels of a tenant are few and come again and again.
    async fn index_devices(&mut self, rows: Vec<Unindexed>) -> Result<usize> {
        let mut names: HashMap<(String, String), i64> = HashMap::new();
        let mut indexed = Vec::with_capacity(rows.len());
        for (id, tenant, label) in rows {
            let key = (tenant, label);
            let known = names.get(&key).copied();
            let name = match known {
                Some(name) => name,
                None => self.indexed_name(&read_tenant(&key.0)?, NameKind::Label, &key.1).await?,
            };
            names.insert(key, name);
            indexed.push((id, name));
        }
        for some in indexed.chunks(MOST) {
            let batch = DEVICES.of(some.len());
            on_transaction!(self.engine, connection => {
                bind_rows!(sqlx::query(batch.text(&*connection)), some, batch.size, one => [
                    one.0.as_str(),
                    one.1,
                ])
                .execute(connection)
                .await?;
            });
        }
        Ok(indexed.len())
    }
}

fn read_tenant(id: &str) -> Result<TenantId> {
    TenantId::parse(id).ok_or(LedgerError::Unreadable("tenant.id"))
}
