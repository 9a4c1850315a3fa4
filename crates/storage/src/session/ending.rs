//! The end of sessions: by their person, by others, and with what they depend on.

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::session::dropping::ENDED_BY_THE_CLOCK;
use crate::{LedgerError, Result, Transaction};
use serde_json::json;
use tegata_core::{PersonId, SessionId};

impl Transaction {
    /// Ends one session of a person.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when the person has no such session.
    pub async fn end_session(&mut self, person: &PersonId, session: &SessionId, actor: &Actor) -> Result<()> {
        let ended = self.drop_session(person, session).await?;
        let tenant = ended.ok_or(LedgerError::Guard("the person has no such session"))?;
        let detail = json!({"tenant": tenant, "person": person, "session": session});
        self.audit(actor, "session.ended", None, detail).await
    }

    /// Ends all sessions of a person but one, from which it is asked. Gives how many.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such person.
    pub async fn end_other_sessions(
        &mut self,
        person: &PersonId,
        kept: &SessionId,
        actor: &Actor,
    ) -> Result<u64> {
        let tenant = self.tenant_of(person).await?;
        let ended = self.drop_sessions_of(person, Some(kept)).await?;
        let detail = json!({"tenant": tenant, "person": person, "kept": kept, "sessions": ended});
        self.audit(actor, "session.others_ended", None, detail).await?;
        Ok(ended)
    }

    /// Ends all sessions of a person. Gives how many.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such person.
    pub async fn sign_out_person(&mut self, person: &PersonId, note: &str, actor: &Actor) -> Result<u64> {
        let tenant = self.tenant_of(person).await?;
        let ended = self.drop_sessions_of(person, None).await?;
        let detail = json!({"tenant": tenant, "person": person, "sessions": ended, "note": note});
        self.audit(actor, "person.signed_out", None, detail).await?;
        Ok(ended)
    }

    /// Forgets sessions, setup links, challenges and emergency codes that ended by the clock: each ended by itself at its time. Gives
    /// how many rows.
    pub async fn forget_ended_sign_ins(&mut self) -> Result<u64> {
        let now = self.now.millis();
        let mut forgotten = self.drop_sessions(&ENDED_BY_THE_CLOCK, None, self.now).await?;
        on_transaction!(self.engine, connection => {
            for statement in [
                "DELETE FROM person_code WHERE expires_at <= $1",
                "DELETE FROM used_challenge WHERE expires_at <= $1",
                // For a day longer, so that whoever comes late reads that it was too late.
                "DELETE FROM setup_link WHERE expires_at <= $1 - 86400000",
            ] {
                forgotten += sqlx::query(statement).bind(now).execute(&mut *connection).await?.rows_affected();
            }
        });
        Ok(forgotten)
    }
}
