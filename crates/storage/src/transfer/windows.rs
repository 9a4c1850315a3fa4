//! The end of the time in which an old certificate brings a new one. What nobody has fetched by then is ended: it would keep a place
//! of its tenant's for ever, and nobody could come by it any more.

use super::running::AT_ONCE;
use crate::actor::Actor;
use crate::device::DeviceAction;
use crate::engine::{on_read, on_transaction};
use crate::{Ledger, Result, Transaction};
use tegata_core::{DeviceId, Timestamp};

impl Ledger {
    /// Whether the time of any device that has moved is over, and nothing was done about it.
    pub async fn has_ended_windows(&self, now: Timestamp) -> Result<bool> {
        let row: Option<(String,)> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT subject FROM transfer_item WHERE renew_until IS NOT NULL AND closed_at IS NULL AND renew_until < $1 LIMIT 1",
            )
            .bind(now.millis())
            .fetch_optional(connection)
            .await?
        });
        Ok(row.is_some())
    }
}

impl Transaction {
    /// Ends some of the devices whose time is over and that have no certificate: laid aside, so that their places are free. Gives how
    /// many it has looked at.
    ///
    /// # Errors
    /// The ledger cannot be read or written.
    pub async fn close_windows(&mut self, actor: &Actor) -> Result<usize> {
        let now = self.now.millis();
        let rows: Vec<EndedWindow> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT x.transfer, x.subject, d.id AS device, d.state, (SELECT COUNT(*) FROM certificate c WHERE c.device = d.id \
                 AND c.der IS NOT NULL) AS certificates FROM transfer_item x JOIN device d ON d.id = x.successor \
                 WHERE x.renew_until IS NOT NULL AND x.closed_at IS NULL AND x.renew_until < $1 \
                 ORDER BY x.renew_until, x.subject LIMIT $2",
            )
            .bind(now)
            .bind(i64::try_from(AT_ONCE).unwrap_or(i64::MAX))
            .fetch_all(connection)
            .await?
        });
        for row in &rows {
            if row.certificates == 0 && ["active", "suspended"].contains(&row.state.as_str()) {
                let note = format!("transfer {}: not fetched", row.transfer);
                self.act_on_device(&row.device, DeviceAction::Retire, &note, actor).await?;
            }
            on_transaction!(self.engine, connection => {
                sqlx::query("UPDATE transfer_item SET closed_at = $3 WHERE transfer = $1 AND kind = 'device' AND subject = $2")
                    .bind(row.transfer.as_str())
                    .bind(row.subject.as_str())
                    .bind(now)
                    .execute(connection)
                    .await?;
            });
        }
        Ok(rows.len())
    }
}

#[derive(sqlx::FromRow)]
struct EndedWindow {
    transfer: String,
    subject: String,
    #[sqlx(try_from = "String")]
    device: DeviceId,
    state: String,
    certificates: i64,
}
