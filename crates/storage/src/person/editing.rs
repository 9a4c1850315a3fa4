//! Changing what a person is called, what they may do, and where they work.

use super::read_roles;
use crate::actor::Actor;
use crate::credential::assignment;
use crate::engine::on_transaction;
use crate::search::NameKind;
use crate::{LedgerError, Result, Transaction, changed_one};
use serde_json::json;
use tegata_core::{DeviceUse, ExternalKey, Name, PersonId, PersonRole, Roles, SiteId, TenantId};

/// What is to be changed; what is nothing stays.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PersonUpdate {
    /// What they are called.
    pub name: Option<Name>,
    /// All roles from now on, at least one.
    pub roles: Option<Roles>,
    /// All sites from now on.
    pub sites: Option<Vec<SiteId>>,
    /// What an outside directory calls them.
    pub external_key: ExternalKeyUpdate,
    /// Whether somebody whose role belongs to sites may be left without one, as [`NewPerson::awaits_sites`](crate::NewPerson).
    pub awaits_sites: bool,
}

/// What becomes of an external key.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum ExternalKeyUpdate {
    /// It stays what it is.
    #[default]
    Keep,
    /// There is none any more.
    Clear,
    /// It is this one, which nobody else of the tenant has.
    Set(ExternalKey),
}

impl ExternalKeyUpdate {
    fn key(&self) -> Option<&str> {
        if let Self::Set(key) = self { Some(key.as_str()) } else { None }
    }
}

impl Transaction {
    /// Changes a person. Sessions on devices that they may use no longer end; gives how many.
    ///
    /// # Errors
    /// [`Refusal::LastAdministrator`](tegata_core::Refusal::LastAdministrator) when a role would go without which nobody
    /// administrates, before anything was changed; [`LedgerError::Guard`] when there is no such person, somebody else has the external key, a site is not the tenant's, or a
    /// role that belongs to sites would be left without one.
    pub async fn change_person(
        &mut self,
        person: &PersonId,
        change: &PersonUpdate,
        actor: &Actor,
    ) -> Result<u64> {
        if let Some(roles) = &change.roles {
            self.keep_an_administrator(person, Some(roles)).await?;
        }
        let tenant = self.write_change(person, change).await?;
        if let Some(name) = &change.name {
            self.change_indexed_name(&tenant, NameKind::Person, person.as_str(), name.as_str()).await?;
        }
        if let Some(sites) = &change.sites {
            self.replace_sites(&tenant, person, sites).await?;
        }
        let (roles, sites) = self.roles_and_sites(person).await?;
        if sites == 0 && !change.awaits_sites && roles.iter().any(PersonRole::is_of_sites) {
            return Err(LedgerError::Guard("staff and site managers work at one site at least"));
        }
        let ended = self.end_sessions_elsewhere(&tenant, person, &roles).await?;
        let detail = json!({
            "tenant": tenant, "person": person, "renamed": change.name.is_some(),
            "roles": change.roles.as_ref().map(ToString::to_string), "sites": change.sites,
            "external_key": change.external_key != ExternalKeyUpdate::Keep, "sessions": ended,
        });
        self.audit(actor, "person.changed", None, detail).await?;
        Ok(ended)
    }

    /// Says whether somebody works at a site, and leaves their other sites as they are: a directory may leave them without one.
    /// Sessions on devices that they may use no longer end; gives how many.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such person, the site is not their tenant's, or it is so already.
    pub async fn set_works_at(
        &mut self,
        person: &PersonId,
        site: &SiteId,
        works_there: bool,
        actor: &Actor,
    ) -> Result<u64> {
        let tenant = self.write_change(person, &PersonUpdate::default()).await?;
        let ended = if works_there {
            self.add_person_site(&tenant, person, site).await?;
            0
        } else {
            self.remove_person_site(person, site).await?;
            let (roles, _) = self.roles_and_sites(person).await?;
            self.end_sessions_elsewhere(&tenant, person, &roles).await?
        };
        let detail = json!({
            "tenant": tenant, "person": person, "site": site, "works_there": works_there, "sessions": ended,
        });
        self.audit(actor, "person.changed", None, detail).await?;
        Ok(ended)
    }

    async fn remove_person_site(&mut self, person: &PersonId, site: &SiteId) -> Result<()> {
        let removed = on_transaction!(self.engine, connection => {
            sqlx::query("DELETE FROM person_site WHERE person = $1 AND site = $2")
                .bind(person.as_str())
                .bind(site.as_str())
                .execute(connection)
                .await?
                .rows_affected()
        });
        changed_one(removed, "the person does not work at this site")
    }

    /// Gives whose person it is.
    async fn write_change(&mut self, person: &PersonId, change: &PersonUpdate) -> Result<TenantId> {
        let now = self.now.millis();
        let changed: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "UPDATE person SET name = COALESCE($3, name), roles = COALESCE($4, roles), changed_at = $5, \
                 external_key = CASE WHEN $6 THEN $7 ELSE external_key END \
                 WHERE id = $1 AND ($2 IS NULL OR tenant = $2) AND NOT EXISTS \
                 (SELECT 1 FROM person o WHERE o.tenant = person.tenant AND o.external_key = $7 AND o.id <> $1) \
                 RETURNING tenant",
            )
            .bind(person.as_str())
            .bind(self.scope.bound())
            .bind(change.name.as_ref().map(Name::as_str))
            .bind(change.roles.as_ref().map(ToString::to_string))
            .bind(now)
            .bind(change.external_key != ExternalKeyUpdate::Keep)
            .bind(change.external_key.key())
            .fetch_optional(connection)
            .await?
        });
        let otherwise = "there is no such person, or somebody else has the external key";
        let (tenant,) = changed.ok_or(LedgerError::Guard(otherwise))?;
        TenantId::try_from(tenant).map_err(|_| LedgerError::Unreadable("person.tenant"))
    }

    async fn replace_sites(&mut self, tenant: &TenantId, person: &PersonId, sites: &[SiteId]) -> Result<()> {
        on_transaction!(self.engine, connection => {
            sqlx::query("DELETE FROM person_site WHERE person = $1")
                .bind(person.as_str())
                .execute(connection)
                .await?;
        });
        for site in sites {
            self.add_person_site(tenant, person, site).await?;
        }
        Ok(())
    }

    async fn roles_and_sites(&mut self, person: &PersonId) -> Result<(Roles, i64)> {
        let (roles, sites): (String, i64) = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT p.roles, (SELECT COUNT(*) FROM person_site w WHERE w.person = p.id) FROM person p WHERE p.id = $1",
            )
            .bind(person.as_str())
            .fetch_one(connection)
            .await?
        });
        Ok((read_roles(&roles)?, sites))
    }

    /// The rule of account and terminal, for every session there is.
    async fn end_sessions_elsewhere(
        &mut self,
        tenant: &TenantId,
        person: &PersonId,
        roles: &Roles,
    ) -> Result<u64> {
        let rows: Vec<(String, String, i64, i64, i64)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT s.id, d.tenant, \
                 (SELECT COUNT(*) FROM person_site w WHERE w.person = s.person AND w.site = d.site), \
                 (SELECT COUNT(*) FROM device_person a WHERE a.device = d.id), \
                 (SELECT COUNT(*) FROM device_person a WHERE a.device = d.id AND a.person = s.person) \
                 FROM session s JOIN device d ON d.id = s.device WHERE s.person = $1",
            )
            .bind(person.as_str())
            .fetch_all(connection)
            .await?
        });
        let mut elsewhere = Vec::new();
        for (session, device_tenant, works_at_site, assigned, assigned_this) in rows {
            let device_tenant =
                TenantId::try_from(device_tenant).map_err(|_| LedgerError::Unreadable("device.tenant"))?;
            let here = DeviceUse {
                person_tenant: tenant,
                roles,
                device_tenant: &device_tenant,
                works_at_site: works_at_site > 0,
                assigned: assignment(assigned, assigned_this),
            };
            if here.check().is_err() {
                elsewhere.push(session);
            }
        }
        self.drop_named_sessions(&elsewhere, person).await
    }
}
