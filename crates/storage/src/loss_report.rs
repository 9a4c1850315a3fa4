//! A shop's own devices: who is there, and one of them reported lost by another.

use crate::actor::Actor;
use crate::device::DeviceAction;
use crate::engine::on_transaction;
use crate::scope::on_scoped_read;
use crate::{LedgerError, Result, ScopedLedger, Transaction, changed_one};
use serde_json::json;
use std::time::Duration;
use tegata_core::policy::Platform;
use tegata_core::{DeviceId, DeviceState, Refusal, SiteId, TenantId, TenantState, Timestamp};

/// A stolen device that still works can do no more harm than this to the others of its shop.
pub const REPORTS_A_DAY: i64 = 2;

const DAY: Duration = Duration::from_hours(24);

/// No shop has more; a page has to end somewhere.
const SHOWN: i64 = 500;

/// Whether the devices of a tenant may report each other lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LossReports {
    /// They may: a report suspends, until support resumes.
    #[default]
    On,
    /// Support alone stops devices.
    Off,
}

impl LossReports {
    /// Its name in the ledger and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
        }
    }
}

impl TryFrom<String> for LossReports {
    type Error = LedgerError;

    fn try_from(word: String) -> Result<Self> {
        match word.as_str() {
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            _ => Err(LedgerError::Unreadable("tenant.loss_reports")),
        }
    }
}

/// A device as the others of its shop see it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct SiteDevice {
    pub id: DeviceId,
    pub label: String,
    /// Its tenant's state included.
    pub state: DeviceState,
    /// The platform that it last claimed to be.
    pub platform: Option<Platform>,
    /// When it was last used. Pages show the day alone: the hour would tell about people.
    pub seen_at: Option<Timestamp>,
    /// When its state last changed.
    pub changed_at: Timestamp,
}

/// By whom a device was reported lost.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct LossReport {
    /// The label of the device that did.
    pub reporter: String,
    /// When it was reported.
    #[sqlx(try_from = "i64")]
    pub at: Timestamp,
}

impl ScopedLedger {
    /// The devices of a site by label: active, suspended and revoked ones, but not retired ones.
    pub async fn devices_of_site(&self, site: &SiteId) -> Result<Vec<SiteDevice>> {
        let rows: Vec<SiteDeviceRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT d.id, d.label, d.state, t.state AS tenant_state, d.platform, d.changed_at, \
                 COALESCE(d.seen_at, (SELECT MAX(c.used_at) FROM certificate c WHERE c.device = d.id)) AS seen_at \
                 FROM device d JOIN tenant t ON t.id = d.tenant \
                 WHERE d.site = $1 AND d.role = 'device' AND d.state <> 'retired' \
                 AND ($3 IS NULL OR d.tenant = $3) ORDER BY d.label, d.id LIMIT $2",
            )
            .bind(site.as_str())
            .bind(SHOWN)
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        });
        Ok(rows.into_iter().map(SiteDeviceRow::neighbor).collect())
    }

    /// Whether the devices of a tenant may report each other lost.
    pub async fn loss_reports(&self, tenant: &TenantId) -> Result<LossReports> {
        let row: Option<(String,)> = on_scoped_read!(self, connection => {
            sqlx::query_as("SELECT loss_reports FROM tenant WHERE id = $1 AND ($2 IS NULL OR id = $2)")
                .bind(tenant.as_str())
                .bind(self.scope.bound())
                .fetch_optional(connection)
                .await?
        });
        row.map_or(Ok(LossReports::Off), |(word,)| LossReports::try_from(word))
    }

    /// The report that stopped a device, as long as nothing has become of it.
    pub async fn loss_report_on(&self, device: &DeviceId) -> Result<Option<LossReport>> {
        Ok(on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT r.label AS reporter, l.at FROM loss_report l JOIN device d ON d.id = l.device \
                 JOIN device r ON r.id = l.reporter WHERE l.device = $1 AND l.at = d.changed_at AND d.state = 'suspended' \
                 AND ($2 IS NULL OR d.tenant = $2)",
            )
            .bind(device.as_str())
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        }))
    }
}

impl Transaction {
    /// Suspends a device because another one of its site reports it lost: the same change as support's own, with the
    /// reporter as actor. Gives the number of the event that gates acknowledge. Only support resumes.
    ///
    /// # Errors
    /// [`LedgerError::Refused`]: the reporter is stopped itself, the tenant does not want reports, there is no such
    /// device at its site, it is stopped already, or the reporter has reported enough for a day.
    pub async fn report_lost(&mut self, reporter: &DeviceId, device: &DeviceId) -> Result<u64> {
        let refuse = |refusal| Err(LedgerError::Refused(refusal));
        let own = self.standing_of(reporter).await?;
        let Some(own) = own.filter(LossReportContext::is_at_work) else {
            return refuse(Refusal::DeviceSuspended);
        };
        if own.loss_reports != LossReports::On {
            return refuse(Refusal::LossReportsOff);
        }
        let lost = self.standing_of(device).await?;
        let Some(lost) = lost.filter(|lost| lost.site == own.site && lost.role == "device") else {
            return refuse(Refusal::DeviceNotHere);
        };
        if lost.state != DeviceState::Active {
            return refuse(Refusal::DeviceStopped);
        }
        if self.reports_of(reporter).await? >= REPORTS_A_DAY {
            return refuse(Refusal::TooManyLossReports);
        }
        let actor = Actor::Device(reporter.clone());
        let event = self.act_on_device(device, DeviceAction::Suspend, "reported lost", &actor).await?;
        self.add_loss_report(event, reporter, device).await?;
        Ok(event)
    }

    /// Whether the devices of a tenant may report each other lost, from now on. What was stopped stays so.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such tenant, or it is so already.
    pub async fn set_loss_reports(
        &mut self,
        tenant: &TenantId,
        wanted: LossReports,
        actor: &Actor,
    ) -> Result<()> {
        let changed = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE tenant SET loss_reports = $2 WHERE id = $1 AND loss_reports <> $2 AND ($3 IS NULL OR id = $3)",
            )
                .bind(tenant.as_str())
                .bind(wanted.as_str())
                .bind(self.scope.bound())
                .execute(connection)
                .await?
                .rows_affected()
        });
        changed_one(changed, "there is no such tenant, or it is so already")?;
        let detail = json!({"tenant": tenant, "loss_reports": wanted.as_str()});
        self.audit(actor, "tenant.loss_reports", None, detail).await
    }

    async fn standing_of(&mut self, device: &DeviceId) -> Result<Option<LossReportContext>> {
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT d.site, d.role, d.state, t.state AS tenant_state, t.loss_reports \
                 FROM device d JOIN tenant t ON t.id = d.tenant \
                 WHERE d.id = $1 AND ($2 IS NULL OR d.tenant = $2)",
            )
            .bind(device.as_str())
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        }))
    }

    async fn reports_of(&mut self, reporter: &DeviceId) -> Result<i64> {
        let since = self.now.minus(DAY).millis();
        let (count,): (i64,) = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT COUNT(*) FROM loss_report WHERE reporter = $1 AND at > $2")
                .bind(reporter.as_str())
                .bind(since)
                .fetch_one(connection)
                .await?
        });
        Ok(count)
    }

    async fn add_loss_report(&mut self, event: u64, reporter: &DeviceId, device: &DeviceId) -> Result<()> {
        let now = self.now.millis();
        on_transaction!(self.engine, connection => {
            sqlx::query("INSERT INTO loss_report (event, device, reporter, at) VALUES ($1, $2, $3, $4)")
                .bind(i64::try_from(event).unwrap_or(i64::MAX))
                .bind(device.as_str())
                .bind(reporter.as_str())
                .bind(now)
                .execute(connection)
                .await?;
        });
        Ok(())
    }
}

/// What a report depends on.
#[derive(sqlx::FromRow)]
struct LossReportContext {
    #[sqlx(try_from = "String")]
    site: SiteId,
    role: String,
    #[sqlx(try_from = "String")]
    state: DeviceState,
    #[sqlx(try_from = "String")]
    tenant_state: TenantState,
    #[sqlx(try_from = "String")]
    loss_reports: LossReports,
}

impl LossReportContext {
    fn is_at_work(&self) -> bool {
        self.role == "device" && self.state == DeviceState::Active && self.tenant_state == TenantState::Active
    }
}

#[derive(sqlx::FromRow)]
struct SiteDeviceRow {
    #[sqlx(try_from = "String")]
    id: DeviceId,
    label: String,
    #[sqlx(try_from = "String")]
    state: DeviceState,
    #[sqlx(try_from = "String")]
    tenant_state: TenantState,
    platform: Option<String>,
    seen_at: Option<i64>,
    #[sqlx(try_from = "i64")]
    changed_at: Timestamp,
}

impl SiteDeviceRow {
    fn neighbor(self) -> SiteDevice {
        SiteDevice {
            state: self.state.within(self.tenant_state, tegata_core::Role::Device),
            id: self.id,
            label: self.label,
            platform: self.platform.as_deref().and_then(Platform::parse),
            seen_at: self.seen_at.map(Timestamp::from_millis),
            changed_at: self.changed_at,
        }
    }
}
