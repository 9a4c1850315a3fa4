//! The switch that stops a tenant with all its devices.

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::{LedgerError, Result, Transaction, changed_one};
use serde_json::json;
use tegata_core::feed::{Change, Denial};
use tegata_core::{DeviceId, Refusal, TenantId, TenantState, Timestamp};

/// What can be done to a tenant as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TenantAction {
    /// Stop all its devices for now.
    Suspend,
    /// Let them go on, but for those that were stopped for themselves.
    Resume,
}

impl Transaction {
    /// That a tenant is not stopped. Its people have no sessions then; a program that acts by itself has none to lose.
    ///
    /// # Errors
    /// [`Refusal::TenantSuspended`] when it is stopped, or not there.
    pub async fn require_active_tenant(&mut self, tenant: &TenantId) -> Result<()> {
        let found: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT id FROM tenant WHERE id = $1 AND state = 'active' AND ($2 IS NULL OR id = $2)")
                .bind(tenant.as_str())
                .bind(self.scope.bound())
                .fetch_optional(connection)
                .await?
        });
        found.map(drop).ok_or(LedgerError::Refused(Refusal::TenantSuspended))
    }

    /// Suspends or resumes a tenant: one guarded update, one event, one audit entry, however many devices it has. Gives
    /// the number of the event that gates acknowledge.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such tenant, it is in that state already, or it is the system's own.
    pub async fn act_on_tenant(
        &mut self,
        tenant: &TenantId,
        action: TenantAction,
        note: &str,
        actor: &Actor,
    ) -> Result<u64> {
        if tenant.is_system() {
            return Err(LedgerError::Guard("the system's own tenant is nobody's customer"));
        }
        let moved = self.move_tenant(tenant, action.target(), self.now).await?;
        changed_one(moved, "the tenant is not in a state that allows this")?;
        self.touch_shards_within(tenant).await?;
        let change = match action {
            TenantAction::Suspend => {
                Change::TenantDenied { tenant: tenant.clone(), reason: Denial::Suspended }
            }
            TenantAction::Resume => Change::TenantAllowed { tenant: tenant.clone() },
        };
        let event = self.feed(change).await?;
        // Gates hear of the tenant first. What its devices may do again some day, their sessions may not.
        if action == TenantAction::Suspend {
            self.deny_sessions_of(tenant.as_str()).await?;
            self.drop_sessions_within(tenant, Timestamp::END).await?;
        }
        let detail = json!({"tenant": tenant, "event": event.seq, "note": note});
        self.audit(actor, moved_to(action.target()), None, detail).await?;
        Ok(event.seq)
    }

    /// Whether the device's tenant is suspended, and the device with it.
    pub(crate) async fn falls_with_its_tenant(&mut self, device: &DeviceId) -> Result<bool> {
        let found: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT d.id FROM device d JOIN tenant t ON t.id = d.tenant \
                 WHERE d.id = $1 AND d.role = 'device' AND t.state <> 'active'",
            )
            .bind(device.as_str())
            .fetch_optional(connection)
            .await?
        });
        Ok(found.is_some())
    }

    /// Gives how many rows moved: none when it was there already.
    pub(crate) async fn move_tenant(
        &mut self,
        tenant: &TenantId,
        to: TenantState,
        at: Timestamp,
    ) -> Result<u64> {
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE tenant SET state = $2, changed_at = $3 WHERE id = $1 AND state <> $2 AND ($4 IS NULL OR id = $4)",
            )
                .bind(tenant.as_str())
                .bind(to.as_str())
                .bind(at.millis())
                .bind(self.scope.bound())
                .execute(connection)
                .await?
                .rows_affected()
        }))
    }
}

/// The action that the audit log names.
pub(crate) const fn moved_to(state: TenantState) -> &'static str {
    match state {
        TenantState::Active => "tenant.resumed",
        TenantState::Suspended => "tenant.suspended",
    }
}

impl TenantAction {
    const fn target(self) -> TenantState {
        match self {
            Self::Suspend => TenantState::Suspended,
            Self::Resume => TenantState::Active,
        }
    }
}
