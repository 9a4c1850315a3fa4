//! Accounts that nobody uses: they are suspended where their tenant's policy says so.
//!
//! Used is an account when somebody signs in with it, and when it is added, changed or enabled: whoever was let in again has
//! the whole time once more. Accounts for emergencies are never used, and stay. The last who can administrate a tenant stays
//! too, and so does the last operator of an installation.

use super::read_roles;
use crate::actor::Actor;
use crate::engine::{on_read, on_transaction};
use crate::{Ledger, LedgerError, PeoplePolicy, Result, Transaction};
use tegata_core::{PersonId, PersonRole, Roles, TenantId, Timestamp};

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
        for (person, roles) in self.unused(tenant, before).await? {
            if outcome.suspended == TOGETHER as usize {
                outcome.is_more = true;
                break;
            }
            if self.is_last_administrator(tenant, &person, &roles).await? {
                outcome.kept += 1;
                continue;
            }
            self.disable_person(&person, "unused", actor).await?;
            outcome.suspended += 1;
        }
        Ok(outcome)
    }

    async fn unused(&mut self, tenant: &TenantId, before: Timestamp) -> Result<Vec<(PersonId, Roles)>> {
        let rows: Vec<(String, String)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(concat!(
                "SELECT p.id, p.roles FROM person p WHERE p.tenant = $1 AND p.state = 'active' \
                 AND p.break_glass IS NULL AND ",
                used_at!(),
                " <= $2 ORDER BY p.id"
            ))
            .bind(tenant.as_str())
            .bind(before.millis())
            .fetch_all(connection)
            .await?
        });
        let read = |(person, roles): (String, String)| {
            let person = PersonId::try_from(person).map_err(|_| LedgerError::Unreadable("person.id"))?;
            Ok((person, read_roles(&roles)?))
        };
        rows.into_iter().map(read).collect()
    }

    /// Whether nobody else who may sign in could do what this person's role is for: administrate the tenant, or run the
    /// installation. Accounts for emergencies do not count.
    pub(crate) async fn is_last_administrator(
        &mut self,
        tenant: &TenantId,
        person: &PersonId,
        roles: &Roles,
    ) -> Result<bool> {
        for role in roles.iter() {
            let within = match role {
                PersonRole::TenantAdmin => Some(tenant.as_str()),
                PersonRole::Operator => None,
                _ => continue,
            };
            let others: Vec<(String,)> = on_transaction!(self.engine, connection => {
                sqlx::query_as(
                    "SELECT roles FROM person WHERE id <> $1 AND state = 'active' AND break_glass IS NULL \
                     AND ($2 IS NULL OR tenant = $2)",
                )
                .bind(person.as_str())
                .bind(within)
                .fetch_all(connection)
                .await?
            });
            let has = |(words,): &(String,)| words.split(' ').any(|word| word == role.as_str());
            if !others.iter().any(has) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
