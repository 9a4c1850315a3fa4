//! A session that is used lasts longer.

use crate::engine::on_transaction;
use crate::scope::ScopedTransaction;
use crate::{Result, ScopedLedger};
use std::time::Duration;
use tegata_core::{SessionId, Timestamp};

impl ScopedLedger {
    /// Writes down that a session is used, and until when it lasts if it is not used again. Bookkeeping, as of days on which
    /// devices were seen: no entry of the audit log.
    pub async fn use_session(&self, session: &SessionId, idle: Duration, now: Timestamp) -> Result<()> {
        let mut transaction = ScopedTransaction::begin(&self.ledger, &self.scope, now).await?.whole();
        on_transaction!(transaction.engine, connection => {
            sqlx::query(
                "UPDATE session SET used_at = $2, idle_until = $3 WHERE id = $1 AND used_at < $2 \
                 AND ($4 IS NULL OR tenant = $4)",
            )
            .bind(session.as_str())
            .bind(now.millis())
            .bind(now.plus(idle).millis())
            .bind(self.scope.bound())
            .execute(connection)
            .await?;
        });
        transaction.commit().await
    }
}
