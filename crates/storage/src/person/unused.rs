//! Accounts that nobody uses: they are suspended where their tenant's policy says so.
//!
//! Used is an account when somebody signs in with it, and when it is added, changed or enabled: whoever was let in again has
//! the whole time once more. Accounts for emergencies are never used, and stay. The last who can administrate a tenant stays
//! too, and so does the last operator of an installation.

use crate::actor::Actor;
use crate::engine::{on_read, on_transaction};
use crate::{Ledger, LedgerError, PeoplePolicy, Result, Transaction};
use tegata_core::{PersonId, Refusal, TenantId, Timestamp};

/// Accounts that are suspended in one transaction.
pub(crate) const TOGETHER: u32 = 50;

/// What an account's last use is compared with, of `person p`.
macro_rules! used_at {
    () => {
        "(SELECT CASE WHEN MAX(k.signed_in_at) > p.changed_at THEN MAX(k.signed_in_at) ELSE p.changed_at END \
         FROM person_device k WHERE k.person = p.id)"
    };
}

/// What became of accounts that nobody uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SuspendedUnused {
    /// How many were suspended.
    pub suspended: usize,
    /// How many stay because nobody else could administrate.
    pub kept: usize,
    /// Whether there may be more.
    pub is_more: bool,
}

impl Ledger {
    /// How many accounts of a tenant will be suspended soon unless somebody uses them.
    pub async fn unused_soon(&self, tenant: &TenantId, policy: &PeoplePolicy, now: Timestamp) -> Result<u64> {
        let Some(before) = policy.warned_before(now) else { return Ok(0) };
        let (count,): (i64,) = on_read!(self, connection => {
            sqlx::query_as(concat!(
                "SELECT COUNT(*) FROM person p WHERE p.tenant = $1 AND p.state = 'active' AND p.break_glass IS NULL AND ",
                used_at!(),
                " <= $2"
            ))
            .bind(tenant.as_str())
            .bind(before.millis())
            .fetch_one(connection)
            .await?
        });
        Ok(count.unsigned_abs())
    }
}

impl Transaction {
    /// Suspends accounts of a tenant that nobody has used for as long as its policy says, a few at a time.
    pub async fn suspend_unused(
        &mut self,
        tenant: &TenantId,
        policy: &PeoplePolicy,
        actor: &Actor,
    ) -> Result<SuspendedUnused> {
        let Some(before) = policy.unused_before(self.now) else { return Ok(SuspendedUnused::default()) };
        let mut outcome = SuspendedUnused::default();
        for person in self.unused(tenant, before).await? {
            if outcome.suspended == TOGETHER as usize {
                outcome.is_more = true;
                break;
            }
            match self.disable_person(&person, "unused", actor).await {
                Ok(_) => outcome.suspended += 1,
                Err(LedgerError::Refused(Refusal::LastAdministrator)) => outcome.kept += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(outcome)
    }

    async fn unused(&mut self, tenant: &TenantId, before: Timestamp) -> Result<Vec<PersonId>> {
        let rows: Vec<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(concat!(
                "SELECT p.id FROM person p WHERE p.tenant = $1 AND p.state = 'active' \
                 AND p.break_glass IS NULL AND ",
                used_at!(),
                " <= $2 ORDER BY p.id"
            ))
            .bind(tenant.as_str())
            .bind(before.millis())
            .fetch_all(connection)
            .await?
        });
        let read = |(person,): (String,)| {
            PersonId::try_from(person).map_err(|_| LedgerError::Unreadable("person.id"))
        };
        rows.into_iter().map(read).collect()
    }
}
