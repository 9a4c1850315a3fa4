//! Somebody acts from a session of theirs.

use crate::engine::on_transaction;
use crate::{LedgerError, Result, Transaction};
use tegata_core::{PersonId, Refusal, SessionId};

impl Transaction {
    /// That the session from which somebody asks still lasts. It did when the request came; here nobody can end it meanwhile, so
    /// whoever was thrown out since changes nothing any more.
    ///
    /// # Errors
    /// [`Refusal::SignInNeeded`] when it does not.
    pub async fn require_session(&mut self, person: &PersonId, session: &SessionId) -> Result<()> {
        let now = self.now.millis();
        let found: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT s.id FROM session s JOIN person p ON p.id = s.person WHERE s.id = $1 AND s.person = $2 \
                 AND s.idle_until > $3 AND s.expires_at > $3 AND p.state = 'active' AND ($4 IS NULL OR s.tenant = $4)",
            )
            .bind(session.as_str())
            .bind(person.as_str())
            .bind(now)
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        });
        found.map(drop).ok_or(LedgerError::Refused(Refusal::SignInNeeded))
    }
}
