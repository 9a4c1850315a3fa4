//! A client leaves, and whatever came to it ends.

use super::NO_SUCH_CLIENT;
use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::refresh_token_family::FamilyEnd;
use crate::{LedgerError, Result, Transaction, changed_one};
use serde_json::json;
use tegata_core::{DeviceId, FamilyId};

/// What ended with a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RemovedClient {
    /// How many sign-ins it refreshes no longer.
    pub families: usize,
    /// The last event that gates acknowledge; none where no access token lived.
    pub event: Option<u64>,
}

impl Transaction {
    /// Removes a client. Its codes and refresh tokens end, and gates hear of its access tokens. The name stays taken.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such client.
    pub async fn remove_client(&mut self, id: &str, actor: &Actor) -> Result<RemovedClient> {
        let (now, version) = (self.now.millis(), self.head.audit_seq + 1);
        let removed = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE client SET state = 'removed', access_hash = NULL, changed_at = $2, version = $3 \
                 WHERE id = $1 AND state = 'active'",
            )
            .bind(id)
            .bind(now)
            .bind(version)
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(removed, NO_SUCH_CLIENT)?;
        self.audit(actor, "client.removed", None, json!({"client_id": id})).await?;
        on_transaction!(self.engine, connection => {
            for statement in [
                "DELETE FROM authorization_code WHERE client = $1 AND state = 'open'",
                "DELETE FROM authorization_request WHERE client = $1",
                "DELETE FROM session_client WHERE client = $1",
                "DELETE FROM logout_notice WHERE client = $1",
                "DELETE FROM logout_receiver WHERE client = $1",
            ] {
                sqlx::query(statement).bind(id).execute(&mut *connection).await?;
            }
        });
        let families = self.families_of_client(id).await?;
        let mut event = None;
        for (family, device) in &families {
            event = self.end_family(family, device, FamilyEnd::ClientRemoved, actor).await?.or(event);
        }
        Ok(RemovedClient { families: families.len(), event })
    }

    async fn families_of_client(&mut self, id: &str) -> Result<Vec<(FamilyId, DeviceId)>> {
        let rows: Vec<(String, String)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT id, device FROM token_family WHERE client = $1 AND state = 'living' ORDER BY id",
            )
            .bind(id)
            .fetch_all(connection)
            .await?
        });
        let family = |(family, device): (String, String)| {
            let family = FamilyId::parse(&family).ok_or(LedgerError::Unreadable("token_family.id"))?;
            let device = DeviceId::parse(&device).ok_or(LedgerError::Unreadable("token_family.device"))?;
            Ok((family, device))
        };
        rows.into_iter().map(family).collect()
    }
}
