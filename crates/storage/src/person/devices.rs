//! Devices that are for named people alone.

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::scope::on_scoped_read;
use crate::{LedgerError, Result, ScopedLedger, Transaction, changed_one};
use serde_json::json;
use tegata_core::{DeviceId, PersonId};

impl ScopedLedger {
    /// For whom a device is; nobody where it is for everybody at its site.
    pub async fn assigned_people(&self, device: &DeviceId) -> Result<Vec<PersonId>> {
        let rows: Vec<(String,)> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT p.id FROM device_person a JOIN person p ON p.id = a.person \
                 WHERE a.device = $1 AND ($2 IS NULL OR p.tenant = $2) ORDER BY p.login_key",
            )
            .bind(device.as_str())
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        });
        let read =
            |(id,): (String,)| PersonId::try_from(id).map_err(|_| LedgerError::Unreadable("person.id"));
        rows.into_iter().map(read).collect()
    }
}

impl Transaction {
    /// Says for whom a device is, from now on: these people and nobody else, or, where none is named, everybody
    /// at its site. Sessions of others on it end when they are next used.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such device, or a person is not of its tenant.
    pub async fn assign_device(
        &mut self,
        device: &DeviceId,
        people: &[PersonId],
        actor: &Actor,
    ) -> Result<()> {
        let known: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT tenant FROM device WHERE id = $1 AND role = 'device' AND ($2 IS NULL OR tenant = $2)",
            )
            .bind(device.as_str())
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        });
        let (tenant,) = known.ok_or(LedgerError::Guard("there is no such device"))?;
        on_transaction!(self.engine, connection => {
            sqlx::query("DELETE FROM device_person WHERE device = $1")
                .bind(device.as_str())
                .execute(connection)
                .await?;
        });
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
            changed_one(added, "the device's tenant has no such person, or the person was named twice")?;
        }
        let ended = self.drop_sessions_of_others(device).await?;
        let detail = json!({"tenant": tenant, "people": people, "sessions": ended});
        self.audit(actor, "device.assigned", Some(device), detail).await
    }
}
