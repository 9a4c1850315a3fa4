//! The end of sessions: by their person, by others, and with what they depend on.

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::session::dropping::ENDED_BY_THE_CLOCK;
use crate::{LedgerError, Result, Transaction};
use serde_json::json;
use std::time::Duration;
use tegata_core::{CLOCKS_APART, DeviceId, PersonId, SessionId};

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

    /// Ends a session that was begun on this device, by its name, though nobody may have used it for long: a product goes on by
    /// what it was given of it. Gives whether there was one.
    pub async fn end_session_on(&mut self, device: &DeviceId, session: &str) -> Result<bool> {
        let named = session.to_owned();
        let found: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT person FROM session WHERE id = $1 AND device = $2")
                .bind(named)
                .bind(device.as_str())
                .fetch_optional(connection)
                .await?
        });
        let Some((person,)) = found else { return Ok(false) };
        let person = PersonId::try_from(person).map_err(|_| LedgerError::Unreadable("session.person"))?;
        let session = SessionId::try_from(session.to_owned());
        let session = session.map_err(|_| LedgerError::Unreadable("session.id"))?;
        self.end_session(&person, &session, &Actor::Person(person.clone())).await?;
        Ok(true)
    }

    /// Ends all sessions of a person but one, from which it is asked. Gives how many.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such person, [`tegata_core::Refusal::SignInNeeded`] when that one is over.
    pub async fn end_other_sessions(
        &mut self,
        person: &PersonId,
        kept: &SessionId,
        actor: &Actor,
    ) -> Result<u64> {
        let tenant = self.tenant_of(person).await?;
        self.require_session(person, kept).await?;
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
        let mut forgotten = self.drop_sessions(&ENDED_BY_THE_CLOCK, None, self.now).await?;
        let over = [
            ("DELETE FROM person_code WHERE expires_at <= $1", self.now),
            // By the clock of a server that is behind, too: it would take the answer once more.
            ("DELETE FROM used_challenge WHERE expires_at <= $1", self.now.minus(CLOCKS_APART)),
            ("DELETE FROM provider_logout WHERE expires_at <= $1", self.now.minus(CLOCKS_APART)),
            // For a day longer, so that whoever comes late reads that it was too late.
            ("DELETE FROM setup_link WHERE expires_at <= $1", self.now.minus(Duration::from_hours(24))),
        ];
        on_transaction!(self.engine, connection => {
            for (statement, moment) in over {
                let query = sqlx::query(statement).bind(moment.millis());
                forgotten += query.execute(&mut *connection).await?.rows_affected();
            }
        });
        Ok(forgotten)
    }
}
