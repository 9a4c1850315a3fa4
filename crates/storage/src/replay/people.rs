//! Whether people may sign in, done again from the log and written to one that lacks it.

use super::applying::LOG;
use crate::engine::on_transaction;
use crate::revocation_log::{LogRecord, LogScan, PersonRecordState};
use crate::{LedgerError, Result, Transaction};
use serde_json::json;
use tegata_core::{PersonId, TenantId, Timestamp};

impl Transaction {
    /// Moves a person as a line says. Somebody is stopped whatever came since, and let in again only where the ledger knows of
    /// nothing later, so that several logs may be done in any order.
    pub(super) async fn move_person_again(
        &mut self,
        tenant: &TenantId,
        person: &PersonId,
        state: PersonRecordState,
        at: Timestamp,
    ) -> Result<u64> {
        let statement = match state {
            PersonRecordState::Active => {
                "UPDATE person SET state = 'active', changed_at = $3, \
                 break_glass = CASE WHEN break_glass = 'used' THEN 'ready' ELSE break_glass END WHERE tenant = $1 AND id = $2 \
                 AND (state <> 'active' OR break_glass = 'used') AND changed_at <= $3"
            }
            PersonRecordState::Disabled => {
                "UPDATE person SET state = 'disabled', changed_at = CASE WHEN changed_at > $3 THEN changed_at ELSE $3 END \
                 WHERE tenant = $1 AND id = $2 AND state <> 'disabled'"
            }
            PersonRecordState::Used => {
                "UPDATE person SET break_glass = 'used', changed_at = CASE WHEN changed_at > $3 THEN changed_at ELSE $3 END \
                 WHERE tenant = $1 AND id = $2 AND break_glass = 'ready'"
            }
        };
        let moved = on_transaction!(self.engine, connection => {
            sqlx::query(statement)
                .bind(tenant.as_str())
                .bind(person.as_str())
                .bind(at.millis())
                .execute(connection)
                .await?
                .rows_affected()
        });
        if moved == 0 {
            return Ok(0);
        }
        let action = match state {
            PersonRecordState::Active => "person.enabled",
            PersonRecordState::Disabled => "person.disabled",
            PersonRecordState::Used => "person.break_glass_used",
        };
        if state != PersonRecordState::Active {
            self.drop_sessions_again(person, Timestamp::END).await?;
            self.drop_setup_link(person).await?;
        }
        self.audit(&LOG, action, None, json!({"tenant": tenant, "person": person, "at": at})).await?;
        Ok(moved)
    }

    /// People who may not sign in, of whom the log says something else or nothing.
    pub(super) async fn stopped_people(&mut self, scan: &LogScan) -> Result<Vec<LogRecord>> {
        let rows: Vec<(String, String, String, i64)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT tenant, id, state, changed_at FROM person WHERE state = 'disabled' OR break_glass = 'used' ORDER BY id",
            )
            .fetch_all(connection)
            .await?
        });
        let mut records = Vec::new();
        for (tenant, person, state, at) in rows {
            let tenant = TenantId::try_from(tenant).map_err(|_| LedgerError::Unreadable("person.tenant"))?;
            let person = PersonId::try_from(person).map_err(|_| LedgerError::Unreadable("person.id"))?;
            let is_disabled = state == "disabled";
            let state = if is_disabled { PersonRecordState::Disabled } else { PersonRecordState::Used };
            if scan.people.get(&person) != Some(&state) {
                records.push(LogRecord::PersonMoved { tenant, person, state, at: at.into() });
            }
        }
        Ok(records)
    }
}
