//! What people did to devices, and who has confirmed it: what a sheet of an incident says.
//!
//! Receipts themselves say the last event alone that a surface has applied, and when. So whoever waits for them writes down
//! what there was when the waiting was over.

use crate::engine::on_transaction;
use crate::scope::on_scoped_read;
use crate::{Result, ScopedLedger, Transaction, changed_one};
use std::fmt;
use tegata_core::{DeviceId, PersonId, Timestamp};

/// A change of a device's state that a person or a program has made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceChange {
    /// The event of the feed that surfaces acknowledge.
    pub event: u64,
    /// The device that was changed.
    pub device: DeviceId,
    /// What was done, as the audit log names it.
    pub action: String,
    /// By whom it was done.
    pub by: ChangeAuthor,
    /// Why, where it was said.
    pub reason: Option<String>,
    /// Under which number somebody asked for it.
    pub ticket: Option<String>,
    /// When it became durable.
    pub at: Timestamp,
    /// Who confirmed it and when, in JSON; nothing while that is waited for.
    pub confirmed: Option<String>,
}

/// Who has changed a device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChangeAuthor {
    /// Somebody who is signed in, themselves or by a program.
    Person(PersonId),
    /// A program that acts for nobody but itself.
    Client(String),
}

/// Before the name of a program; no identifier of a person begins so.
const CLIENT: &str = "client:";

impl fmt::Display for ChangeAuthor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(person) => person.fmt(formatter),
            Self::Client(client) => write!(formatter, "{CLIENT}{client}"),
        }
    }
}

impl TryFrom<String> for ChangeAuthor {
    type Error = <PersonId as TryFrom<String>>::Error;

    fn try_from(text: String) -> std::result::Result<Self, Self::Error> {
        match text.strip_prefix(CLIENT) {
            Some(client) => Ok(Self::Client(client.to_owned())),
            None => PersonId::try_from(text).map(Self::Person),
        }
    }
}

impl ScopedLedger {
    /// The change by this event, where a person has made one.
    pub async fn device_change(&self, event: u64) -> Result<Option<DeviceChange>> {
        let row: Option<ChangeRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT event, device, action, person, reason, ticket, at, confirmed FROM device_change \
                 WHERE event = $1 AND ($2 IS NULL OR tenant = $2)",
            )
            .bind(i64::try_from(event).unwrap_or(i64::MAX))
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        });
        Ok(row.map(ChangeRow::change))
    }

    /// The newest change of a device that a person has made.
    pub async fn last_change_of(&self, device: &DeviceId) -> Result<Option<DeviceChange>> {
        let row: Option<ChangeRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT event, device, action, person, reason, ticket, at, confirmed FROM device_change \
                 WHERE device = $1 AND ($2 IS NULL OR tenant = $2) ORDER BY event DESC LIMIT 1",
            )
            .bind(device.as_str())
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        });
        Ok(row.map(ChangeRow::change))
    }

    /// The newest changes that people have made and whose confirmations nobody waits for any longer, the newest first.
    pub async fn confirmed_changes(&self, most: u32) -> Result<Vec<DeviceChange>> {
        let rows: Vec<ChangeRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT event, device, action, person, reason, ticket, at, confirmed FROM device_change \
                 WHERE confirmed IS NOT NULL AND ($2 IS NULL OR tenant = $2) ORDER BY event DESC LIMIT $1",
            )
            .bind(i64::from(most))
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        });
        Ok(rows.into_iter().map(ChangeRow::change).collect())
    }
}

impl Transaction {
    /// Keeps what a person did to a device in this transaction. The audit entry of the act says it, too.
    ///
    /// # Errors
    /// [`LedgerError::Guard`](crate::LedgerError::Guard) when there is no such device.
    pub async fn note_device_change(&mut self, change: &DeviceChange) -> Result<()> {
        let noted = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO device_change (event, tenant, device, action, person, reason, ticket, at, confirmed) \
                 SELECT $1, d.tenant, d.id, $3, $4, $5, $6, $7, $8 FROM device d \
                 WHERE d.id = $2 AND ($9 IS NULL OR d.tenant = $9)",
            )
            .bind(i64::try_from(change.event).unwrap_or(i64::MAX))
            .bind(change.device.as_str())
            .bind(change.action.as_str())
            .bind(change.by.to_string())
            .bind(change.reason.clone())
            .bind(change.ticket.clone())
            .bind(change.at.millis())
            .bind(change.confirmed.clone())
            .bind(self.scope.bound())
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(noted, "there is no such device")
    }

    /// Keeps who has confirmed a change, once. Acknowledgments are no change of state, so there is no entry of the audit log.
    ///
    /// # Errors
    /// [`LedgerError::Guard`](crate::LedgerError::Guard) when it is kept already, or there is no such change.
    pub async fn confirm_device_change(&mut self, event: u64, confirmed: &str) -> Result<()> {
        let kept = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE device_change SET confirmed = $2 WHERE event = $1 AND confirmed IS NULL \
                 AND ($3 IS NULL OR tenant = $3)",
            )
            .bind(i64::try_from(event).unwrap_or(i64::MAX))
            .bind(confirmed)
            .bind(self.scope.bound())
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(kept, "the confirmations are kept already, or there is no such change")
    }
}

#[derive(sqlx::FromRow)]
struct ChangeRow {
    event: i64,
    #[sqlx(try_from = "String")]
    device: DeviceId,
    action: String,
    #[sqlx(try_from = "String")]
    person: ChangeAuthor,
    reason: Option<String>,
    ticket: Option<String>,
    at: i64,
    confirmed: Option<String>,
}

impl ChangeRow {
    fn change(self) -> DeviceChange {
        DeviceChange {
            event: self.event.unsigned_abs(),
            device: self.device,
            action: self.action,
            by: self.person,
            reason: self.reason,
            ticket: self.ticket,
            at: self.at.into(),
            confirmed: self.confirmed,
        }
    }
}
