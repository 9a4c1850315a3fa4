//! Alarms about certificates that two machines seem to use. A row is written when one is raised, and at no other time.

use crate::actor::Actor;
use crate::engine::{on_read, on_transaction};
use crate::scope::on_scoped_read;
use crate::{Ledger, Result, ScopedLedger, Transaction, changed_one};
use serde_json::json;
use tegata_core::{DeviceId, SiteId, TenantId, Timestamp};

/// An alarm that nobody has dismissed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CopyAlarm {
    /// Whose certificate it is.
    pub device: DeviceId,
    /// What the device is called.
    pub label: String,
    /// Whose the device is.
    pub tenant: TenantId,
    /// The site where it stands.
    pub site: SiteId,
    /// What the site is called.
    pub site_name: String,
    /// The two machines: addresses, and what they say they are.
    pub machines: [String; 2],
    /// When it was raised.
    pub raised_at: Timestamp,
    /// When it was seen last.
    pub last_at: Timestamp,
}

impl Ledger {
    /// How many alarms nobody has dismissed, about devices that may be used or may be again: to revoke one is an answer, too.
    pub async fn open_copy_alarms(&self) -> Result<u64> {
        let (count,): (i64,) = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT COUNT(*) FROM copy_alarm a JOIN device d ON d.id = a.device \
                 WHERE a.dismissed_at IS NULL AND d.state IN ('active', 'suspended')",
            )
            .fetch_one(connection)
            .await?
        });
        Ok(count.unsigned_abs())
    }
}

impl ScopedLedger {
    /// Alarms that nobody has dismissed, about devices that may be used or may be again; the newest first.
    pub async fn copy_alarms(&self, limit: u32) -> Result<Vec<CopyAlarm>> {
        let rows: Vec<AlarmRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT a.device, d.label, d.tenant, d.site, s.name AS site_name, a.one, a.other, a.raised_at, a.last_at \
                 FROM copy_alarm a JOIN device d ON d.id = a.device JOIN site s ON s.id = d.site \
                 WHERE a.dismissed_at IS NULL AND d.state IN ('active', 'suspended') AND ($1 IS NULL OR d.tenant = $1) \
                 ORDER BY a.raised_at DESC, a.device LIMIT $2",
            )
            .bind(self.scope.bound())
            .bind(i64::from(limit))
            .fetch_all(connection)
            .await?
        });
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// The alarm about a device, if there is one that nobody has dismissed.
    pub async fn copy_alarm_of(&self, device: &DeviceId) -> Result<Option<CopyAlarm>> {
        let row: Option<AlarmRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT a.device, d.label, d.tenant, d.site, s.name AS site_name, a.one, a.other, a.raised_at, a.last_at \
                 FROM copy_alarm a JOIN device d ON d.id = a.device JOIN site s ON s.id = d.site \
                 WHERE a.device = $1 AND a.dismissed_at IS NULL AND ($2 IS NULL OR d.tenant = $2)",
            )
            .bind(device.as_str())
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        });
        Ok(row.map(Into::into))
    }
}

impl Transaction {
    /// Raises an alarm about a device that is not stopped for ever, unless there is one, or somebody has dismissed one about the
    /// same machines. Gives whether it is new.
    pub async fn raise_copy_alarm(&mut self, device: &DeviceId, machines: [&str; 2]) -> Result<bool> {
        let mut machines = machines.map(str::to_owned);
        machines.sort();
        let [one, other] = machines;
        let now = self.now.millis();
        let known = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE copy_alarm SET last_at = $4 WHERE device = $1 AND (dismissed_at IS NULL OR (one = $2 AND other = $3))",
            )
            .bind(device.as_str())
            .bind(one.as_str())
            .bind(other.as_str())
            .bind(now)
            .execute(connection)
            .await?
            .rows_affected()
        });
        if known > 0 {
            return Ok(false);
        }
        let raised = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO copy_alarm (device, one, other, raised_at, last_at) SELECT d.id, $2, $3, $4, $4 FROM device d \
                 WHERE d.id = $1 AND d.role = 'device' AND d.state IN ('active', 'suspended')",
            )
            .bind(device.as_str())
            .bind(one)
            .bind(other)
            .bind(now)
            .execute(connection)
            .await?
            .rows_affected()
        });
        if raised == 1 {
            self.audit(&Actor::System("copies"), "device.copy_suspected", Some(device), json!({})).await?;
        }
        Ok(raised == 1)
    }

    /// Dismisses the alarm about a device.
    ///
    /// # Errors
    /// [`LedgerError::Guard`](crate::LedgerError::Guard) when there is none.
    pub async fn dismiss_copy_alarm(&mut self, device: &DeviceId, reason: &str, actor: &Actor) -> Result<()> {
        let now = self.now.millis();
        let dismissed = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE copy_alarm SET dismissed_at = $2, reason = $3 WHERE device = $1 AND dismissed_at IS NULL \
                 AND EXISTS (SELECT 1 FROM device d WHERE d.id = $1 AND ($4 IS NULL OR d.tenant = $4))",
            )
            .bind(device.as_str())
            .bind(now)
            .bind(reason)
            .bind(self.scope.bound())
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(dismissed, "there is no alarm about the device")?;
        self.audit(actor, "device.copy_dismissed", Some(device), json!({"note": reason})).await
    }
}

#[derive(sqlx::FromRow)]
struct AlarmRow {
    #[sqlx(try_from = "String")]
    device: DeviceId,
    label: String,
    #[sqlx(try_from = "String")]
    tenant: TenantId,
    #[sqlx(try_from = "String")]
    site: SiteId,
    site_name: String,
    one: String,
    other: String,
    raised_at: i64,
    last_at: i64,
}

impl From<AlarmRow> for CopyAlarm {
    fn from(row: AlarmRow) -> Self {
        Self {
            device: row.device,
            label: row.label,
            tenant: row.tenant,
            site: row.site,
            site_name: row.site_name,
            machines: [row.one, row.other],
            raised_at: row.raised_at.into(),
            last_at: row.last_at.into(),
        }
    }
}
