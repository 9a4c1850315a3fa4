//! Why somebody of the vendor's support acts: said once for a call, and kept with the session.

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::{LedgerError, Result, Transaction};
use serde_json::json;
use tegata_core::{Justification, SessionId};

impl Transaction {
    /// Keeps with a session why its person acts from now on; nothing ends the call.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such session.
    pub async fn justify_session(
        &mut self,
        session: &SessionId,
        because: Option<&Justification>,
        actor: &Actor,
    ) -> Result<()> {
        let kept: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "UPDATE session SET reason = $2, ticket = $3 WHERE id = $1 AND ($4 IS NULL OR tenant = $4) RETURNING tenant",
            )
            .bind(session.as_str())
            .bind(because.map(|because| because.reason().to_owned()))
            .bind(because.map(|because| because.ticket().to_owned()))
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        });
        let (tenant,) = kept.ok_or(LedgerError::Guard("there is no such session"))?;
        let detail = |because: Option<&Justification>| {
            json!({
                "tenant": tenant, "session": session,
                "reason": because.map(Justification::reason), "ticket": because.map(Justification::ticket),
            })
        };
        if because.is_none() || self.because.is_some() {
            self.audit(actor, "call.ended", None, detail(None)).await?;
        }
        // What comes from here on is of the new call.
        self.because = because.cloned();
        if because.is_some() {
            self.audit(actor, "call.begun", None, detail(because)).await?;
        }
        Ok(())
    }
}
