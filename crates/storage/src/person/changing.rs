//! Adding people, and letting them in or not.

use super::PersonState;
use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::revocation_log::PersonRecordState;
use crate::search::NameKind;
use crate::{LedgerError, Result, Transaction, changed_one};
use serde_json::json;
use tegata_core::{ExternalKey, LoginId, Name, PersonId, Roles, SiteId, TenantId};

/// Somebody to be added.
#[derive(Clone, Debug)]
pub struct NewPerson {
    /// The identifier, which nobody has.
    pub id: PersonId,
    /// Whose person it is.
    pub tenant: TenantId,
    /// What they sign in with, from now on and for ever.
    pub login: LoginId,
    /// What an outside directory calls them, which nobody of the tenant is called.
    pub external_key: Option<ExternalKey>,
    /// What they are called.
    pub name: Name,
    /// What they are, at least one.
    pub roles: Roles,
    /// The sites where they work.
    pub sites: Vec<SiteId>,
    /// Whether somebody whose role belongs to sites may be without one for now, as a directory adds people before it says
    /// where they work. Nobody signs in anywhere meanwhile.
    pub awaits_sites: bool,
}

impl Transaction {
    /// Adds a person, who cannot sign in before a setup link was used.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when the tenant has the login or the external key already, a site is not the tenant's, or a role
    /// that belongs to sites comes without one.
    pub async fn add_person(&mut self, new: &NewPerson, actor: &Actor) -> Result<()> {
        let is_of_sites = new.roles.iter().any(tegata_core::PersonRole::is_of_sites);
        if is_of_sites && new.sites.is_empty() && !new.awaits_sites {
            return Err(LedgerError::Guard("staff and site managers work at one site at least"));
        }
        let now = self.now.millis();
        let added = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO person (id, tenant, login, login_key, name, roles, state, created_at, changed_at, external_key) \
                 SELECT $1, t.id, $3, $4, $5, $6, 'active', $7, $7, $9 FROM tenant t WHERE t.id = $2 \
                 AND ($8 IS NULL OR t.id = $8) AND NOT EXISTS \
                 (SELECT 1 FROM person p WHERE p.tenant = $2 AND (p.login_key = $4 OR p.external_key = $9))",
            )
            .bind(new.id.as_str())
            .bind(new.tenant.as_str())
            .bind(new.login.as_str())
            .bind(new.login.key())
            .bind(new.name.as_str())
            .bind(new.roles.to_string())
            .bind(now)
            .bind(self.scope.bound())
            .bind(new.external_key.as_ref().map(ExternalKey::as_str))
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(
            added,
            "the tenant has somebody with this login ID or external key, or there is no such tenant",
        )?;
        self.set_indexed_name(&new.tenant, NameKind::Person, new.id.as_str(), new.name.as_str()).await?;
        for site in &new.sites {
            self.add_person_site(&new.tenant, &new.id, site).await?;
        }
        let detail = json!({
            "tenant": new.tenant, "person": new.id, "roles": new.roles.to_string(), "sites": new.sites,
        });
        self.audit(actor, "person.added", None, detail).await
    }

    pub(super) async fn add_person_site(
        &mut self,
        tenant: &TenantId,
        person: &PersonId,
        site: &SiteId,
    ) -> Result<()> {
        let added = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO person_site (person, site) SELECT $2, s.id FROM site s \
                 WHERE s.id = $3 AND s.tenant = $1 AND s.closed_at IS NULL \
                 ON CONFLICT (person, site) DO NOTHING",
            )
            .bind(tenant.as_str())
            .bind(person.as_str())
            .bind(site.as_str())
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(added, "the site is not one of the tenant's, or was named twice")
    }

    /// Stops a person for now, with all of their sessions, unless nobody else could administrate. Gives how many sessions ended.
    ///
    /// # Errors
    /// [`Refusal::LastAdministrator`](tegata_core::Refusal::LastAdministrator), before anything was changed;
    /// [`LedgerError::Guard`] when there is no such person, or they are stopped already.
    pub async fn disable_person(&mut self, person: &PersonId, note: &str, actor: &Actor) -> Result<u64> {
        self.keep_an_administrator(person, None).await?;
        self.disable_even_last(person, note, actor).await
    }

    /// Stops whomever it is: for an operator to whom an account in wrong hands is worse than none, and for accounts that never
    /// counted.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such person, or they are stopped already.
    pub async fn disable_even_last(&mut self, person: &PersonId, note: &str, actor: &Actor) -> Result<u64> {
        let tenant = self.move_person(person, PersonState::Disabled).await?;
        self.log_person(&tenant, person, PersonRecordState::Disabled);
        let ended = self.drop_sessions_of(person, None).await?;
        self.drop_setup_link(person).await?;
        let detail = json!({"tenant": tenant, "person": person, "sessions": ended, "note": note});
        self.audit(actor, "person.disabled", None, detail).await?;
        Ok(ended)
    }

    /// Lets a person go on who was stopped, or an account for emergencies that was used let somebody in once more, with the password and the second factor they had.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such person, or they are not stopped.
    pub async fn enable_person(&mut self, person: &PersonId, note: &str, actor: &Actor) -> Result<()> {
        let tenant = self.move_person(person, PersonState::Active).await?;
        self.log_person(&tenant, person, PersonRecordState::Active);
        let detail = json!({"tenant": tenant, "person": person, "note": note});
        self.audit(actor, "person.enabled", None, detail).await
    }

    /// Says that an account is for emergencies: it lets somebody in once, with an alarm.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such person, or it is so already.
    pub async fn set_break_glass(&mut self, person: &PersonId, actor: &Actor) -> Result<()> {
        let set = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE person SET break_glass = 'ready' WHERE id = $1 AND break_glass IS NULL \
                 AND ($2 IS NULL OR tenant = $2) AND NOT EXISTS (SELECT 1 FROM person_link l WHERE l.person = person.id)",
            )
            .bind(person.as_str())
            .bind(self.scope.bound())
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(
            set,
            "there is no such person, or the account is for emergencies already, or is linked to a provider",
        )?;
        let detail = json!({"tenant": self.tenant_of(person).await?, "person": person});
        self.audit(actor, "person.break_glass", None, detail).await
    }

    /// Gives the tenant whose person was moved.
    async fn move_person(&mut self, person: &PersonId, to: PersonState) -> Result<TenantId> {
        let now = self.now.millis();
        let moved: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "UPDATE person SET state = $2, changed_at = $3, \
                 left_directory_at = CASE WHEN $2 = 'active' THEN NULL ELSE left_directory_at END, \
                 break_glass = CASE WHEN $2 = 'active' AND break_glass = 'used' THEN 'ready' ELSE break_glass END \
                 WHERE id = $1 AND (state <> $2 OR ($2 = 'active' AND break_glass = 'used')) \
                 AND ($4 IS NULL OR tenant = $4) RETURNING tenant",
            )
            .bind(person.as_str())
            .bind(to.as_str())
            .bind(now)
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        });
        let (tenant,) = moved.ok_or(LedgerError::Guard("there is no such person, or it is so already"))?;
        TenantId::try_from(tenant).map_err(|_| LedgerError::Unreadable("person.tenant"))
    }

    /// Whose person it is.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when the scope has no such person.
    pub(crate) async fn tenant_of(&mut self, person: &PersonId) -> Result<TenantId> {
        let found: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT tenant FROM person WHERE id = $1 AND ($2 IS NULL OR tenant = $2)")
                .bind(person.as_str())
                .bind(self.scope.bound())
                .fetch_optional(connection)
                .await?
        });
        let (tenant,) = found.ok_or(LedgerError::Guard("there is no such person"))?;
        TenantId::try_from(tenant).map_err(|_| LedgerError::Unreadable("person.tenant"))
    }
}
