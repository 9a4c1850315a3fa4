//! Views of the list of devices that people keep for themselves. They show nothing that whoever opens them does not see anyway, so
//! there are no entries of the audit log.

use crate::engine::on_transaction;
use crate::scope::on_scoped_read;
use crate::{Result, ScopedLedger, Transaction, changed_one};
use tegata_core::{Name, PersonId};

/// Views of one person at most.
const MOST: i64 = 20;

/// A view that somebody keeps.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct SavedView {
    /// What they call it.
    pub name: String,
    /// How the list is narrowed and sorted, as its address says it.
    pub query: String,
}

impl ScopedLedger {
    /// The views of a person, by name.
    pub async fn saved_views(&self, person: &PersonId) -> Result<Vec<SavedView>> {
        Ok(on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT v.name, v.query FROM saved_view v JOIN person p ON p.id = v.person \
                 WHERE p.id = $1 AND ($2 IS NULL OR p.tenant = $2) ORDER BY v.name",
            )
            .bind(person.as_str())
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        }))
    }
}

impl Transaction {
    /// Keeps a view for a person, in the place of one of this name.
    ///
    /// # Errors
    /// [`LedgerError::Guard`](crate::LedgerError::Guard) when they keep twenty others already, or there is no such person.
    pub async fn save_view(&mut self, person: &PersonId, name: &Name, query: &str) -> Result<()> {
        let now = self.now.millis();
        let saved = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO saved_view (person, name, query, created_at) SELECT p.id, $2, $3, $4 FROM person p \
                 WHERE p.id = $1 AND ($5 IS NULL OR p.tenant = $5) \
                 AND (SELECT COUNT(*) FROM saved_view o WHERE o.person = p.id AND o.name <> $2) < $6 \
                 ON CONFLICT (person, name) DO UPDATE SET query = excluded.query",
            )
            .bind(person.as_str())
            .bind(name.as_str())
            .bind(query)
            .bind(now)
            .bind(self.scope.bound())
            .bind(MOST)
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(saved, "there is no such person, or they keep twenty views already")
    }

    /// Forgets a view of a person.
    ///
    /// # Errors
    /// [`LedgerError::Guard`](crate::LedgerError::Guard) when they keep none of this name.
    pub async fn forget_view(&mut self, person: &PersonId, name: &str) -> Result<()> {
        let forgotten = on_transaction!(self.engine, connection => {
            sqlx::query(
                "DELETE FROM saved_view WHERE person = $1 AND name = $2 \
                 AND EXISTS (SELECT 1 FROM person p WHERE p.id = $1 AND ($3 IS NULL OR p.tenant = $3))",
            )
            .bind(person.as_str())
            .bind(name)
            .bind(self.scope.bound())
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(forgotten, "there is no such view")
    }
}
