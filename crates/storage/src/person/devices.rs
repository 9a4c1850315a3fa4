//! Devices that are for named people alone.

use crate::actor::Actor;
use crate::engine::{on_read, on_transaction};
use crate::{Ledger, LedgerError, Result, Transaction, changed_one};
use serde_json::json;
use tegata_core::{DeviceId, PersonId, TenantId};

impl Ledger {
    /// For whom a device of a tenant is; nobody where it is for everybody at its site.
    pub async fn assigned_people(&self, tenant: &TenantId, device: &DeviceId) -> Result<Vec<PersonId>> {
        let rows: Vec<(String,)> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT p.id FROM device_person a JOIN person p ON p.id = a.person \
                 WHERE p.tenant = $1 AND a.device = $2 ORDER BY p.login_key",
            )
            .bind(tenant.as_str())
            .bind(device.as_str())
            .fetch_all(connection)
            .await?
        });
        let read =
            |(id,): (String,)| PersonId::try_from(id).map_err(|_| LedgerError::Unreadable("person.id"));
        rows.into_iter().map(read).collect()
    }
}

impl Transaction {
    /// Says for whom a device of a tenant is, from now on: these people and nobody else, or, where none is named, everybody
    /// at its site. Sessions of others on it end when they are next used.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when the device or a person is not the tenant's.
    pub async fn assign_device(
        &mut self,
        tenant: &TenantId,
        device: &DeviceId,
        people: &[PersonId],
        actor: &Actor,
    ) -> Result<()> {
        let known: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query("DELETE FROM device_person WHERE device = $1")
                .bind(device.as_str())
                .execute(&mut *connection)
                .await?;
            sqlx::query_as("SELECT id FROM device WHERE id = $1 AND tenant = $2 AND role = 'device'")
                .bind(device.as_str())
                .bind(tenant.as_str())
                .fetch_optional(connection)
                .await?
        });
        known.ok_or(LedgerError::Guard("the tenant has no such device"))?;
        for person in people {
            let added = on_transaction!(self.engine, connection => {
                sqlx::query(
                    "INSERT INTO device_person (device, person) SELECT $2, p.id FROM person p \
                     WHERE p.tenant = $1 AND p.id = $3 ON CONFLICT (device, person) DO NOTHING",
                )
                .bind(tenant.as_str())
                .bind(device.as_str())
                .bind(person.as_str())
                .execute(connection)
                .await?
                .rows_affected()
            });
            changed_one(added, "the tenant has no such person, or the person was named twice")?;
        }
        let detail = json!({"tenant": tenant, "people": people});
        self.audit(actor, "device.assigned", Some(device), detail).await
    }
}
