//! What becomes of people: those at sites that move, and whoever is to move besides.

use super::identifiers::read_person;
use super::reading::Transfer;
use crate::engine::on_transaction;
use crate::person::read_roles;
use crate::{LedgerError, Result, SignInAccounts, Transaction};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use tegata_core::transfer::{PersonTransferOutcome, person_outcome, roles_in_new_tenant};
use tegata_core::{PersonId, SiteId, TenantId};

/// What becomes of a person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[allow(missing_docs)]
pub struct PersonForecast {
    pub person: PersonId,
    pub login: String,
    pub outcome: PersonTransferOutcome,
    /// Sites that they lose, and those that they have in the new tenant.
    pub loses: Vec<SiteId>,
    pub gets: Vec<SiteId>,
    /// The roles that they have afterwards.
    pub roles: String,
    /// How many sessions of theirs end.
    pub sessions: i64,
    /// Whether they can sign in afterwards with what they have: a password of this installation, where the new tenant takes it.
    pub may_sign_in: bool,
}

impl Transaction {
    /// The people about whom nothing was done yet: those at sites that move, and whoever is to move besides.
    pub(super) async fn people_to_judge(&mut self, transfer: &Transfer) -> Result<BTreeSet<PersonId>> {
        let rows: Vec<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT DISTINCT w.person FROM transfer_site y JOIN person_site w ON w.site = y.site \
                 JOIN person p ON p.id = w.person WHERE y.transfer = $1 AND y.state IN ('waiting', 'open') AND p.tenant = $2",
            )
            .bind(transfer.id.as_str())
            .bind(transfer.plan.source.as_str())
            .fetch_all(connection)
            .await?
        });
        let mut people: BTreeSet<_> = rows.into_iter().map(|(id,)| read_person(id)).collect::<Result<_>>()?;
        people.extend(transfer.plan.moving_people().into_iter().cloned());
        let done: Vec<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT subject FROM transfer_item WHERE transfer = $1 AND kind = 'person'")
                .bind(transfer.id.as_str())
                .fetch_all(connection)
                .await?
        });
        for (person,) in done {
            people.remove(&read_person(person)?);
        }
        Ok(people)
    }

    /// What becomes of a person; nothing of one who is no longer the tenant's.
    pub(super) async fn person_forecast(
        &mut self,
        transfer: &Transfer,
        person: &PersonId,
    ) -> Result<Option<PersonForecast>> {
        let target = transfer.plan.target().map(TenantId::as_str);
        let row: Option<PersonToMove> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT p.login, p.roles, p.break_glass, (SELECT COUNT(*) FROM session s WHERE s.person = p.id) AS sessions, \
                 (SELECT COUNT(*) FROM person o WHERE o.tenant = $3 AND o.login_key = p.login_key) AS taken, \
                 p.changed_at, (SELECT c.changed_at FROM credential c WHERE c.person = p.id) AS password_at, \
                 (SELECT MAX(k.created_at) FROM passkey k WHERE k.person = p.id) AS passkey_at, \
                 (SELECT a.at FROM transfer_approval a WHERE a.transfer = $4 AND a.side = 'target') AS approved_at, \
                 (SELECT o.sign_in FROM tenant o WHERE o.id = $3) AS signs_in_by, \
                 (SELECT COUNT(*) FROM imported_password i WHERE i.person = p.id) AS imported \
                 FROM person p WHERE p.id = $1 AND p.tenant = $2",
            )
            .bind(person.as_str())
            .bind(transfer.plan.source.as_str())
            .bind(target)
            .bind(transfer.id.as_str())
            .fetch_optional(connection)
            .await?
        });
        let Some(row) = row else { return Ok(None) };
        let roles = read_roles(&row.roles)?;
        let was_changed = row.was_changed();
        let may_sign_in = row.may_sign_in();
        let outcome = person_outcome(
            transfer.plan.person(person),
            row.taken > 0,
            row.break_glass.is_some(),
            was_changed,
        );
        let sites = self.sites_of_person(person).await?;
        let becomes: BTreeMap<_, _> = transfer.plan.sites().collect();
        let moves = outcome == PersonTransferOutcome::Moved;
        Ok(Some(PersonForecast {
            person: person.clone(),
            login: row.login,
            outcome,
            loses: sites.iter().filter(|site| moves || becomes.contains_key(site)).cloned().collect(),
            gets: sites
                .iter()
                .filter_map(|site| becomes.get(site).filter(|_| moves))
                .map(|planned| planned.becomes.clone())
                .collect(),
            roles: if moves { roles_in_new_tenant(&roles) } else { roles }.to_string(),
            sessions: if moves { row.sessions } else { 0 },
            may_sign_in: !moves || may_sign_in,
        }))
    }

    async fn sites_of_person(&mut self, person: &PersonId) -> Result<Vec<SiteId>> {
        let rows: Vec<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT site FROM person_site WHERE person = $1 ORDER BY site")
                .bind(person.as_str())
                .fetch_all(connection)
                .await?
        });
        let read = |(id,)| SiteId::try_from(id).map_err(|_| LedgerError::Unreadable("person_site.site"));
        rows.into_iter().map(read).collect()
    }
}

#[derive(sqlx::FromRow)]
struct PersonToMove {
    login: String,
    roles: String,
    break_glass: Option<String>,
    sessions: i64,
    taken: i64,
    changed_at: i64,
    password_at: Option<i64>,
    passkey_at: Option<i64>,
    /// When the tenant that receives approved: of the person as they were then.
    approved_at: Option<i64>,
    /// How people of the new tenant sign in.
    signs_in_by: Option<String>,
    imported: i64,
}

impl PersonToMove {
    /// Whether their roles, sites or state, or that by which they prove who they are, were changed since the new tenant approved of
    /// them: whoever holds that now is perhaps somebody else.
    fn was_changed(&self) -> bool {
        let changed = [Some(self.changed_at), self.password_at, self.passkey_at].into_iter().flatten().max();
        self.approved_at.is_some_and(|approved_at| changed > Some(approved_at))
    }

    /// A link to the former tenant's provider does not come along.
    fn may_sign_in(&self) -> bool {
        let has_password = self.password_at.is_some() || self.imported > 0;
        has_password && self.signs_in_by.as_deref() != Some(SignInAccounts::Provider.as_str())
    }
}
