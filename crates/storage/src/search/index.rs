//! Writing the index: a name goes in with the row that has it, in one transaction.

use crate::engine::on_transaction;
use crate::rows::{BatchStatement, MOST, bind_rows};
use crate::{LedgerError, Result, Transaction};
use tegata_core::TenantId;
use tegata_core::search::grams::{Gram, of_key};
use tegata_core::search::search_key;

/// Whose name it is. The numbers stand in the ledger.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum NameKind {
    Tenant = 0,
    Site = 1,
    Label = 2,
    Person = 3,
}

static GRAMS: BatchStatement = BatchStatement::new(
    "WITH new (gram, tenant, kind, name) AS (VALUES ",
    4,
    ") INSERT INTO search_gram (gram, tenant, kind, name) SELECT gram, tenant, kind, name FROM new \
     WHERE gram IS NOT NULL",
);

static FORGOTTEN_GRAMS: BatchStatement = BatchStatement::new(
    "WITH new (gram, tenant, kind, name) AS (VALUES ",
    4,
    ") DELETE FROM search_gram WHERE (gram, tenant, kind, name) IN \
     (SELECT gram, tenant, kind, name FROM new WHERE gram IS NOT NULL)",
);

impl Transaction {
    /// The number of a name in the index, which gets it if it is not there.
    pub(crate) async fn indexed_name(
        &mut self,
        tenant: &TenantId,
        kind: NameKind,
        name: &str,
    ) -> Result<i64> {
        let letters = search_key(name);
        let known: Option<(i64,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT id FROM search_name WHERE tenant = $1 AND kind = $2 AND letters = $3")
                .bind(tenant.as_str())
                .bind(kind as i64)
                .bind(letters.as_str())
                .fetch_optional(connection)
                .await?
        });
        if let Some((id,)) = known {
            return Ok(id);
        }
        let number = self.search_number(tenant).await?;
        let id = self.next_search_number().await?;
        on_transaction!(self.engine, connection => {
            sqlx::query("INSERT INTO search_name (id, tenant, kind, letters) VALUES ($1, $2, $3, $4)")
                .bind(id)
                .bind(tenant.as_str())
                .bind(kind as i64)
                .bind(letters.as_str())
                .execute(connection)
                .await?;
        });
        self.write_grams(&GRAMS, &letters, (number, kind, id)).await?;
        Ok(id)
    }

    /// Takes a name out of the index when nothing is called so any more.
    pub(crate) async fn forget_indexed_name(&mut self, id: i64) -> Result<()> {
        let gone: Option<(String, i64, String)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "DELETE FROM search_name WHERE id = $1 \
                 AND NOT EXISTS (SELECT 1 FROM tenant x WHERE x.search_name = $1) \
                 AND NOT EXISTS (SELECT 1 FROM site x WHERE x.search_name = $1) \
                 AND NOT EXISTS (SELECT 1 FROM person x WHERE x.search_name = $1) \
                 AND NOT EXISTS (SELECT 1 FROM device x WHERE x.search_name = $1) RETURNING tenant, kind, letters",
            )
            .bind(id)
            .fetch_optional(connection)
            .await?
        });
        let Some((tenant, kind, letters)) = gone else { return Ok(()) };
        let tenant = TenantId::try_from(tenant).map_err(|_| LedgerError::Unreadable("search_name.tenant"))?;
        let kinds = [NameKind::Tenant, NameKind::Site, NameKind::Label, NameKind::Person];
        let kind = kinds.into_iter().find(|known| *known as i64 == kind);
        let kind = kind.ok_or(LedgerError::Unreadable("search_name.kind"))?;
        let number = self.search_number(&tenant).await?;
        self.write_grams(&FORGOTTEN_GRAMS, &letters, (number, kind, id)).await
    }

    /// The number of a tenant in the index, which gets one if it has none.
    async fn search_number(&mut self, tenant: &TenantId) -> Result<i64> {
        let known: Option<(Option<i64>,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT search_number FROM tenant WHERE id = $1")
                .bind(tenant.as_str())
                .fetch_optional(connection)
                .await?
        });
        let (known,) = known.ok_or(LedgerError::Guard("there is no such tenant"))?;
        if let Some(number) = known {
            return Ok(number);
        }
        let number = self.next_search_number().await?;
        on_transaction!(self.engine, connection => {
            sqlx::query("UPDATE tenant SET search_number = $2 WHERE id = $1")
                .bind(tenant.as_str())
                .bind(number)
                .execute(connection)
                .await?;
        });
        Ok(number)
    }

    /// Whoever writes holds the head, so no two get one number.
    async fn next_search_number(&mut self) -> Result<i64> {
        let (number,): (i64,) = on_transaction!(self.engine, connection => {
            sqlx::query_as("UPDATE head SET search_last = search_last + 1 WHERE id = 1 RETURNING search_last")
                .fetch_one(connection)
                .await?
        });
        Ok(number)
    }

    async fn write_grams(
        &mut self,
        statement: &'static BatchStatement,
        letters: &str,
        (tenant, kind, name): (i64, NameKind, i64),
    ) -> Result<()> {
        let rows: Vec<(Gram, i64, i64, i64)> =
            of_key(letters).into_iter().map(|gram| (gram, tenant, kind as i64, name)).collect();
        for some in rows.chunks(MOST) {
            let batch = statement.of(some.len());
            on_transaction!(self.engine, connection => {
                bind_rows!(sqlx::query(batch.text(&*connection)), some, batch.size, row => [
                    row.0,
                    row.1,
                    row.2,
                    row.3,
                ])
                .execute(connection)
                .await?;
            });
        }
        Ok(())
    }
}
