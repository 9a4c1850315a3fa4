//! Devices and gates: who they are, and the switch that stops them.

use crate::actor::Actor;
use crate::engine::{on_read, on_transaction};
use crate::scope::on_scoped_read;
use crate::{Ledger, LedgerError, Result, ScopedLedger, Transaction, changed_one};
use futures_util::TryStreamExt;
use serde_json::json;
use tegata_core::feed::{Change, Denial};
use tegata_core::{
    DeviceId, DeviceState, RevocationReason, Role, SiteId, StopCause, TenantId, TenantState, Thumbprint,
    Timestamp,
};

/// The columns of a [`Device`], of `device d`, its `tenant t` and its `site s`.
macro_rules! device_columns {
    () => {
        "d.id, d.tenant, t.name AS tenant_name, t.state AS tenant_state, \
         COALESCE(t.changed_at, t.created_at) AS tenant_changed_at, d.site, s.name AS site_name, d.role, d.label, \
         d.state, d.reason, d.generation, d.created_at, d.changed_at"
    };
}
pub(crate) use device_columns;

/// Devices of which this is true.
macro_rules! select_device {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            device_columns!(),
            " FROM device d JOIN tenant t ON t.id = d.tenant JOIN site s ON s.id = d.site WHERE ",
            $condition
        )
    };
}

/// A device or a gate as the ledger knows it.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
#[allow(missing_docs)]
pub struct Device {
    #[sqlx(try_from = "String")]
    pub id: DeviceId,
    #[sqlx(try_from = "String")]
    pub tenant: TenantId,
    pub tenant_name: String,
    #[sqlx(try_from = "String")]
    pub tenant_state: TenantState,
    /// When its tenant's state last changed.
    #[sqlx(try_from = "i64")]
    pub tenant_changed_at: Timestamp,
    #[sqlx(try_from = "String")]
    pub site: SiteId,
    pub site_name: String,
    #[sqlx(try_from = "String")]
    pub role: Role,
    pub label: String,
    #[sqlx(try_from = "String")]
    pub state: DeviceState,
    /// Why it was stopped, where it was.
    pub reason: Option<String>,
    /// The newest generation ever reserved.
    pub generation: i64,
    #[sqlx(try_from = "i64")]
    pub created_at: Timestamp,
    /// When its state last changed.
    #[sqlx(try_from = "i64")]
    pub changed_at: Timestamp,
}

/// What can be done to a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeviceAction {
    /// Stop it for now.
    Suspend,
    /// Let a suspended one go on.
    Resume,
    /// Stop it for ever.
    Revoke(RevocationReason),
    /// Lay it aside as planned.
    Retire,
}

/// A device in a list.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct ListedDevice {
    /// The device that is listed.
    #[sqlx(flatten)]
    pub device: Device,
    /// When it last came, in milliseconds since 1970.
    pub(crate) seen_at: Option<i64>,
}

impl ListedDevice {
    /// When it last came, to the day; nothing where it never did.
    pub fn seen_at(&self) -> Option<Timestamp> {
        self.seen_at.map(Timestamp::from_millis)
    }
}

/// Which devices a list is of; those of everybody without a restriction.
#[derive(Clone, Default, Debug)]
pub struct DeviceFilter {
    /// Of this tenant alone.
    pub tenant: Option<TenantId>,
    /// Of this site alone.
    pub site: Option<SiteId>,
    /// That did not come since; those that never came count from when they were made.
    pub unseen_since: Option<Timestamp>,
}

impl Device {
    /// What it counts as, its tenant's state included.
    pub fn effective_state(&self) -> DeviceState {
        self.state.within(self.tenant_state, self.role)
    }
}

impl Ledger {
    /// The recorded cause why a device or one of its certificates was stopped; the device's own covers both.
    pub async fn stop_cause(&self, thumbprint: &Thumbprint) -> Result<Option<StopCause>> {
        let row: Option<(Option<String>,)> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT CASE WHEN d.state <> 'active' THEN d.cause ELSE COALESCE(c.cause, \
                 (SELECT 'key_compromise' FROM blocked_key b WHERE b.key_hash = c.key_hash), \
                 CASE WHEN c.reason = 'superseded' THEN c.reason END) END \
                 FROM certificate c JOIN device d ON d.id = c.device WHERE c.thumbprint = $1",
            )
            .bind(thumbprint.as_bytes().to_vec())
            .fetch_optional(connection)
            .await?
        });
        Ok(row.and_then(|(word,)| StopCause::parse(&word?)))
    }
}

impl ScopedLedger {
    /// Reads one device; `None` if there is none.
    pub async fn device(&self, id: &DeviceId) -> Result<Option<Device>> {
        Ok(on_scoped_read!(self, connection => {
            sqlx::query_as(select_device!("d.id = $1 AND ($2 IS NULL OR d.tenant = $2)"))
            .bind(id.as_str())
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        }))
    }

    /// Shows devices to `visit` one by one, by tenant, site and label: the list may be longer than memory. A reading of the
    /// ledger is held meanwhile, so `visit` waits for nobody.
    pub async fn each_device(
        &self,
        filter: &DeviceFilter,
        mut visit: impl FnMut(ListedDevice) + Send,
    ) -> Result<()> {
        on_scoped_read!(self, connection => {
            let mut devices = sqlx::query_as(
                concat!(
                "SELECT ",
                device_columns!(),
                ", \
                 COALESCE(d.seen_at, (SELECT MAX(c.used_at) FROM certificate c WHERE c.device = d.id)) AS seen_at \
                 FROM tenant t CROSS JOIN site s CROSS JOIN device d WHERE s.tenant = t.id AND d.site = s.id \
                 AND ($1 IS NULL OR t.id = $1) AND ($2 IS NULL OR s.id = $2) AND ($3 IS NULL OR COALESCE(d.seen_at, \
                 (SELECT MAX(c.used_at) FROM certificate c WHERE c.device = d.id), d.created_at) < $3) \
                 AND ($4 IS NULL OR d.tenant = $4) \
                 ORDER BY t.name, s.name, d.label, d.id",
            ))
            .bind(filter.tenant.as_ref().map(|tenant| tenant.as_str().to_owned()))
            .bind(filter.site.as_ref().map(|site| site.as_str().to_owned()))
            .bind(filter.unseen_since.map(Timestamp::millis))
            .bind(self.scope.bound())
            .fetch(connection);
            while let Some(device) = devices.try_next().await? {
                visit(device);
            }
        });
        Ok(())
    }

    /// All devices that pass a filter, where they are few.
    pub async fn devices(&self, filter: &DeviceFilter) -> Result<Vec<ListedDevice>> {
        let mut devices = Vec::new();
        self.each_device(filter, |device| devices.push(device)).await?;
        Ok(devices)
    }

    /// Devices whose identifier begins so, two at most: enough to tell whether one is meant.
    pub async fn devices_numbered(&self, beginning: &str) -> Result<Vec<Device>> {
        let pattern = format!("{}%", beginning.replace('!', "!!").replace('%', "!%").replace('_', "!_"));
        Ok(on_scoped_read!(self, connection => {
            sqlx::query_as(select_device!("d.id LIKE $1 ESCAPE '!' AND ($2 IS NULL OR d.tenant = $2) ORDER BY d.id LIMIT 2"))
            .bind(pattern)
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        }))
    }
}

impl Transaction {
    /// One device as it stands while the transaction holds the right to write, so that it stays so until the end.
    pub async fn device_in_hand(&mut self, id: &DeviceId) -> Result<Option<Device>> {
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query_as(select_device!("d.id = $1 AND ($2 IS NULL OR d.tenant = $2)"))
            .bind(id.as_str())
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        }))
    }

    /// Suspends, resumes, revokes or retires a device: one guarded update, one event, one audit entry. Gives the
    /// number of the event that gates acknowledge.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when the device does not exist or its state does not allow the move.
    pub async fn act_on_device(
        &mut self,
        id: &DeviceId,
        action: DeviceAction,
        note: &str,
        actor: &Actor,
    ) -> Result<u64> {
        self.act_on_device_because(id, action, None, note, actor).await
    }

    /// Acts on a device and records a cause, which the device's own page shows.
    ///
    /// # Errors
    /// As [`Transaction::act_on_device`].
    pub async fn act_on_device_because(
        &mut self,
        id: &DeviceId,
        action: DeviceAction,
        cause: Option<StopCause>,
        note: &str,
        actor: &Actor,
    ) -> Result<u64> {
        let next = action.target();
        let mut moved = 0;
        for &from in DeviceState::ALL.iter().filter(|from| from.may_become(next)) {
            moved += self.move_device(id, from, next, action.reason(), cause).await?;
        }
        changed_one(moved, "the device is not in a state that allows this")?;
        self.touch_shards_of(id).await?;
        let change = match action.denial() {
            Some(reason) => Change::DeviceDenied { device: id.clone(), reason },
            None => Change::DeviceAllowed { device: id.clone() },
        };
        let event = self.feed(change).await?;
        let mut detail = json!({"event": event.seq, "reason": action.reason(), "note": note});
        // Gates hear of the device first. What it may do again some day, its sessions may not.
        if next == DeviceState::Suspended {
            self.deny_sessions_of(id.as_str()).await?;
        }
        if next != DeviceState::Active {
            self.drop_sessions_on(id, Timestamp::END).await?;
        }
        if let Some(cause) = cause {
            detail["cause"] = cause.as_str().into();
        }
        self.audit(actor, action.name(), Some(id), detail).await?;
        Ok(event.seq)
    }

    async fn move_device(
        &mut self,
        id: &DeviceId,
        from: DeviceState,
        to: DeviceState,
        reason: Option<&'static str>,
        cause: Option<StopCause>,
    ) -> Result<u64> {
        let now = self.now.millis();
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE device SET state = $3, reason = $4, changed_at = $5, cause = $6 \
                 WHERE id = $1 AND state = $2 AND ($7 IS NULL OR tenant = $7)",
            )
            .bind(id.as_str())
            .bind(from.as_str())
            .bind(to.as_str())
            .bind(reason)
            .bind(now)
            .bind(cause.map(StopCause::as_str))
            .bind(self.scope.bound())
            .execute(connection)
            .await?
            .rows_affected()
        }))
    }

    pub(crate) async fn add_device(
        &mut self,
        id: &DeviceId,
        tenant: &TenantId,
        site: &SiteId,
        role: Role,
        label: &str,
    ) -> Result<()> {
        let now = self.now.millis();
        let added = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO device (id, tenant, site, role, label, state, generation, created_at, changed_at) \
                 SELECT $1, $2, s.id, $4, $5, 'active', 0, $6, $6 FROM site s WHERE s.id = $3 AND s.closed_at IS NULL",
            )
            .bind(id.as_str())
            .bind(tenant.as_str())
            .bind(site.as_str())
            .bind(role.as_str())
            .bind(label)
            .bind(now)
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(added, "there is no such site, or it was handed over")
    }

    /// The next generation number of an active device. Numbers of failed attempts are not used again.
    pub(crate) async fn next_generation(&mut self, id: &DeviceId) -> Result<i64> {
        let row: Option<(i64,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "UPDATE device SET generation = generation + 1 WHERE id = $1 AND state = 'active' RETURNING generation",
            )
            .bind(id.as_str())
            .fetch_optional(connection)
            .await?
        });
        row.map(|(generation,)| generation)
            .ok_or(LedgerError::Refused(tegata_core::Refusal::RenewalNotPossible))
    }
}

impl DeviceAction {
    const fn target(self) -> DeviceState {
        match self {
            Self::Suspend => DeviceState::Suspended,
            Self::Resume => DeviceState::Active,
            Self::Revoke(_) => DeviceState::Revoked,
            Self::Retire => DeviceState::Retired,
        }
    }

    const fn denial(self) -> Option<Denial> {
        match self {
            Self::Suspend => Some(Denial::Suspended),
            Self::Resume => None,
            Self::Revoke(_) => Some(Denial::Revoked),
            Self::Retire => Some(Denial::Retired),
        }
    }

    const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Revoke(reason) => Some(reason.as_str()),
            Self::Retire => Some(RevocationReason::CessationOfOperation.as_str()),
            Self::Suspend | Self::Resume => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Suspend => "device.suspended",
            Self::Resume => "device.resumed",
            Self::Revoke(_) => "device.revoked",
            Self::Retire => "device.retired",
        }
    }
}
