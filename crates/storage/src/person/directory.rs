//! What an outside directory does to people beside changing and stopping them: they disappear from its view.

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::{Result, Transaction, changed_one};
use serde_json::json;
use tegata_core::PersonId;

impl Transaction {
    /// Says whether the tenant's directory sees a person: it sees nobody whom it has deleted, until it adds them anew.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such person, or it is so already.
    pub async fn show_in_directory(
        &mut self,
        person: &PersonId,
        is_shown: bool,
        actor: &Actor,
    ) -> Result<()> {
        let now = self.now.millis();
        let shown = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE person SET left_directory_at = CASE WHEN $2 THEN NULL ELSE $3 END WHERE id = $1 \
                 AND ($4 IS NULL OR tenant = $4) AND (left_directory_at IS NOT NULL) = $2",
            )
            .bind(person.as_str())
            .bind(is_shown)
            .bind(now)
            .bind(self.scope.bound())
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(shown, "there is no such person, or the directory sees them so already")?;
        let action = if is_shown { "person.joined_directory" } else { "person.left_directory" };
        let detail = json!({"tenant": self.tenant_of(person).await?, "person": person});
        self.audit(actor, action, None, detail).await
    }
}
