//! The last who can administrate: whoever would leave a tenant, or the installation, without anybody who can.

use super::read_roles;
use crate::engine::on_transaction;
use crate::{LedgerError, Result, Transaction};
use tegata_core::{PersonId, PersonRole, Refusal, Roles, TenantId};

/// By how many ways `person p` of `tenant t` can sign in: none before an account was set up, after a reset, or where the tenant
/// does not take what the person has.
macro_rules! ways_in {
    () => {
        "(CASE t.sign_in WHEN 'provider' THEN 0 ELSE (SELECT COUNT(*) FROM credential c WHERE c.person = p.id) \
         + (SELECT COUNT(*) FROM imported_password i WHERE i.person = p.id) END \
         + CASE t.sign_in WHEN 'local' THEN 0 ELSE (SELECT COUNT(*) FROM person_link l WHERE l.person = p.id) END)"
    };
}

/// Somebody who may lose a role.
struct RoleLoser<'a> {
    id: &'a PersonId,
    tenant: TenantId,
    /// Whether they could sign in.
    has_way_in: bool,
}

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
        let found: Option<(String, String, String, i64)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(concat!(
                "SELECT p.tenant, p.roles, t.state, ", ways_in!(), " FROM person p JOIN tenant t ON t.id = p.tenant \
                 WHERE p.id = $1 AND p.state = 'active' AND p.break_glass IS NULL AND ($2 IS NULL OR p.tenant = $2)",
            ))
            .bind(person.as_str())
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        });
        let Some((tenant, roles, tenant_state, ways_in)) = found else { return Ok(()) };
        let tenant = TenantId::try_from(tenant).map_err(|_| LedgerError::Unreadable("person.tenant"))?;
        let loser = RoleLoser { id: person, tenant, has_way_in: ways_in > 0 };
        let is_kept = |role| after.is_some_and(|after| after.iter().any(|kept| kept == role));
        for role in read_roles(&roles)?.iter().filter(|role| !is_kept(*role)) {
            let is_last = match role {
                PersonRole::TenantAdmin => !self.is_another_with(role, &loser).await?,
                // Of a tenant that is stopped nobody operates anything.
                PersonRole::Operator if tenant_state == "active" => !self.is_another_operator(&loser).await?,
                _ => false,
            };
            if is_last {
                return Err(LedgerError::Refused(Refusal::LastAdministrator));
            }
        }
        Ok(())
    }

    /// Operators are those of the whole installation, so the scope is left for this look and nothing else.
    async fn is_another_operator(&mut self, loser: &RoleLoser<'_>) -> Result<bool> {
        let scope = self.scope.clone();
        self.widen().await?;
        let found = self.is_another_with(PersonRole::Operator, loser).await;
        self.narrow(&scope).await?;
        found
    }

    /// Whether somebody else has the role and can sign in: of the same tenant, or, for an operator, of any that is not stopped.
    /// Whoever cannot sign in yet can be replaced by others who cannot yet.
    async fn is_another_with(&mut self, role: PersonRole, loser: &RoleLoser<'_>) -> Result<bool> {
        let within = (role != PersonRole::Operator).then_some(loser.tenant.as_str());
        let (others,): (i64,) = on_transaction!(self.engine, connection => {
            sqlx::query_as(concat!(
                "SELECT COUNT(*) FROM person p JOIN tenant t ON t.id = p.tenant \
                 WHERE p.id <> $1 AND p.state = 'active' AND p.break_glass IS NULL \
                 AND (' ' || p.roles || ' ') LIKE $2 \
                 AND (p.tenant = $3 OR ($3 IS NULL AND t.state = 'active')) AND ($4 = 0 OR ", ways_in!(), " > 0)",
            ))
            .bind(loser.id.as_str())
            .bind(format!("% {role} %"))
            .bind(within)
            .bind(i64::from(loser.has_way_in))
            .fetch_one(connection)
            .await?
        });
        Ok(others > 0)
    }
}
