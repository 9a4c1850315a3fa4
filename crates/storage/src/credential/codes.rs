//! Codes that stand in once for a second factor that is not at hand.

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::{Result, Transaction, changed_one};
use serde_json::json;
use tegata_core::{Justification, PersonId, Timestamp};

/// A code that support or an administrator hands to a person whose second factor is not at hand.
#[derive(Clone, Debug)]
pub struct EmergencyCode<'a> {
    /// SHA-256 of the code.
    pub hash: Vec<u8>,
    /// Until when it works.
    pub expires_at: Timestamp,
    /// Why it was given.
    pub because: &'a Justification,
}

impl Transaction {
    /// Gives a person an emergency code; one that was given before works no longer.
    ///
    /// # Errors
    /// [`crate::LedgerError::Guard`] when there is no such person, they are stopped, or have not chosen a password.
    pub async fn give_emergency_code(
        &mut self,
        person: &PersonId,
        code: &EmergencyCode<'_>,
        actor: &Actor,
    ) -> Result<()> {
        let tenant = self.tenant_of(person).await?;
        let given = on_transaction!(self.engine, connection => {
            sqlx::query("DELETE FROM person_code WHERE person = $1 AND kind = 'emergency'")
                .bind(person.as_str())
                .execute(&mut *connection)
                .await?;
            sqlx::query(
                "INSERT INTO person_code (person, code_hash, kind, expires_at) SELECT p.id, $2, 'emergency', $3 \
                 FROM person p JOIN credential c ON c.person = p.id \
                 WHERE p.id = $1 AND p.state = 'active'",
            )
            .bind(person.as_str())
            .bind(code.hash.clone())
            .bind(code.expires_at.millis())
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(given, "there is no such person, they are disabled, or have not set up their account")?;
        let detail = json!({
            "tenant": tenant, "person": person, "until": code.expires_at,
            "reason": code.because.reason(), "ticket": code.because.ticket(),
        });
        self.audit(actor, "person.emergency_code", None, detail).await
    }
}
