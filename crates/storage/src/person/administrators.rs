//! The last who can administrate: whoever would leave a tenant, or the installation, without anybody who can.

use super::read_roles;
use crate::engine::on_transaction;
use crate::{LedgerError, Result, Transaction};
use tegata_core::{PersonId, PersonRole, Refusal, Roles, TenantId};

impl Transaction {
    /// Looks whether others could still do what a role of this person is for once the person has these roles alone, or may sign
    /// in no longer (`None`). Whoever may not sign in now, or is an account for emergencies, is no administrator who could be
    /// missed.
    ///
    /// # Errors
    /// [`Refusal::LastAdministrator`]. Nothing was changed.
    pub(crate) async fn keep_an_administrator(
        &mut self,
        person: &PersonId,
        after: Option<&Roles>,
    ) -> Result<()> {
        let found: Option<(String, String)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT tenant, roles FROM person WHERE id = $1 AND state = 'active' AND break_glass IS NULL \
                 AND ($2 IS NULL OR tenant = $2)",
            )
            .bind(person.as_str())
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        });
        let Some((tenant, roles)) = found else { return Ok(()) };
        let tenant = TenantId::try_from(tenant).map_err(|_| LedgerError::Unreadable("person.tenant"))?;
        let is_kept = |role| after.is_some_and(|after| after.iter().any(|kept| kept == role));
        for role in read_roles(&roles)?.iter().filter(|role| !is_kept(*role)) {
            if self.is_last_with(role, &tenant, person).await? {
                return Err(LedgerError::Refused(Refusal::LastAdministrator));
            }
        }
        Ok(())
    }

    /// Whether nobody else who may sign in has a role without which nobody administrates: within the tenant, or, for an operator,
    /// anywhere.
    async fn is_last_with(&mut self, role: PersonRole, tenant: &TenantId, person: &PersonId) -> Result<bool> {
        let within = match role {
            PersonRole::TenantAdmin => Some(tenant.as_str()),
            PersonRole::Operator => None,
            _ => return Ok(false),
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
        Ok(!others.iter().any(has))
    }
}
