//! What an outside directory may do to people beside changing them: stop them, and let them disappear from its view.

use super::read_roles;
use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::{LedgerError, Result, Transaction, changed_one};
use serde_json::json;
use tegata_core::{PersonId, Refusal};

impl Transaction {
    /// Stops a person as [`Transaction::disable_person`] does, unless nobody else could administrate.
    ///
    /// # Errors
    /// [`Refusal::LastAdministrator`], before anything was changed; [`LedgerError::Guard`] when there is no such person, or they
    /// are stopped already.
    pub async fn disable_unless_last(&mut self, person: &PersonId, note: &str, actor: &Actor) -> Result<u64> {
        let tenant = self.tenant_of(person).await?;
        let (roles,): (String,) = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT roles FROM person WHERE id = $1")
                .bind(person.as_str())
                .fetch_one(connection)
                .await?
        });
        if self.is_last_administrator(&tenant, person, &read_roles(&roles)?).await? {
            return Err(LedgerError::Refused(Refusal::LastAdministrator));
        }
        self.disable_person(person, note, actor).await
    }

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
