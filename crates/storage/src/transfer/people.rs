//! What is done to one person. A person who moves keeps identifier, password and second factor, which are sealed to it, and so signs
//! in the next morning; everything else that ties them to the old tenant is undone.

use super::judging::PersonForecast;
use super::reading::Transfer;
use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::search::NameKind;
use crate::{LedgerError, Result, Transaction, changed_one};
use serde_json::json;
use tegata_core::transfer::PersonTransferOutcome;
use tegata_core::{Entropy, PersonId, SiteId, TenantId};

/// What a person leaves behind. `$1` is the person.
const LEFT_BEHIND: [&str; 8] = [
    "DELETE FROM person_site WHERE person = $1",
    "DELETE FROM person_device WHERE person = $1",
    "DELETE FROM person_code WHERE person = $1 AND kind = 'emergency'",
    "DELETE FROM person_link WHERE person = $1",
    "DELETE FROM setup_link WHERE person = $1",
    "DELETE FROM kept_answer WHERE person = $1",
    "DELETE FROM saved_view WHERE person = $1",
    "DELETE FROM notice_recipient WHERE person = $1",
];

impl Transaction {
    /// Moves a person to the tenant that receives, or takes the sites from them that move.
    pub(super) async fn transfer_person(
        &mut self,
        transfer: &Transfer,
        person: &PersonId,
        entropy: &dyn Entropy,
        actor: &Actor,
    ) -> Result<()> {
        let Some(forecast) = self.person_forecast(transfer, person).await? else {
            return self.note_person(transfer, person.as_str(), PersonTransferOutcome::Gone.as_str()).await;
        };
        match (forecast.outcome, transfer.plan.target()) {
            (PersonTransferOutcome::Moved, Some(target)) => {
                self.move_to_tenant(transfer, target, &forecast, entropy, actor).await?;
            }
            _ => self.unbind_from_sites(transfer, &forecast, actor).await?,
        }
        self.note_person(transfer, person.as_str(), forecast.outcome.as_str()).await
    }

    async fn unbind_from_sites(
        &mut self,
        transfer: &Transfer,
        forecast: &PersonForecast,
        actor: &Actor,
    ) -> Result<()> {
        for site in &forecast.loses {
            on_transaction!(self.engine, connection => {
                sqlx::query("DELETE FROM person_site WHERE person = $1 AND site = $2")
                    .bind(forecast.person.as_str())
                    .bind(site.as_str())
                    .execute(connection)
                    .await?;
            });
        }
        let detail = json!({
            "tenant": transfer.plan.source, "person": forecast.person, "sites": forecast.loses,
            "outcome": forecast.outcome, "transfer": transfer.id,
        });
        self.audit(actor, "person.unbound", None, detail).await
    }

    async fn move_to_tenant(
        &mut self,
        transfer: &Transfer,
        target: &TenantId,
        forecast: &PersonForecast,
        entropy: &dyn Entropy,
        actor: &Actor,
    ) -> Result<()> {
        let (source, person) = (&transfer.plan.source, &forecast.person);
        let sessions = self.drop_sessions_of(person, None).await?;
        self.leave_behind(source, person, forecast, entropy).await?;
        on_transaction!(self.engine, connection => {
            for statement in LEFT_BEHIND {
                sqlx::query(statement).bind(person.as_str()).execute(&mut *connection).await?;
            }
        });
        let name = self.rewrite_person(source, target, forecast).await?;
        self.change_name_of_moved(target, person, name).await?;
        for site in &forecast.gets {
            self.put_at_site(target, person, site).await?;
        }
        let left = json!({"tenant": source, "person": person, "sessions": sessions, "transfer": transfer.id});
        self.audit(actor, "person.left", None, left).await?;
        let joined = json!({
            "tenant": target, "person": person, "roles": forecast.roles, "sites": forecast.gets, "transfer": transfer.id,
        });
        self.audit(actor, "person.joined", None, joined).await
    }

    /// Gives the name, and its number in the index of the old tenant's names.
    async fn rewrite_person(
        &mut self,
        source: &TenantId,
        target: &TenantId,
        forecast: &PersonForecast,
    ) -> Result<(String, Option<i64>)> {
        let now = self.now.millis();
        let indexed: Option<(String, Option<i64>)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT name, search_name FROM person WHERE id = $1")
                .bind(forecast.person.as_str())
                .fetch_optional(connection)
                .await?
        });
        let moved = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE person SET tenant = $3, roles = $4, external_key = NULL, left_directory_at = NULL, changed_at = $5 \
                 WHERE id = $1 AND tenant = $2 AND NOT EXISTS \
                 (SELECT 1 FROM person o WHERE o.tenant = $3 AND o.login_key = person.login_key)",
            )
            .bind(forecast.person.as_str())
            .bind(source.as_str())
            .bind(target.as_str())
            .bind(forecast.roles.as_str())
            .bind(now)
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(moved, "the person cannot be moved")?;
        indexed.ok_or(LedgerError::Guard("there is no such person"))
    }

    /// Found by name in the new tenant, and in the old one no more.
    async fn change_name_of_moved(
        &mut self,
        target: &TenantId,
        person: &PersonId,
        (name, indexed): (String, Option<i64>),
    ) -> Result<()> {
        self.set_indexed_name(target, NameKind::Person, person.as_str(), &name).await?;
        match indexed {
            Some(former) => self.forget_indexed_name(former).await,
            None => Ok(()),
        }
    }

    async fn put_at_site(&mut self, target: &TenantId, person: &PersonId, site: &SiteId) -> Result<()> {
        on_transaction!(self.engine, connection => {
            // A site that was gone at the minute has not come into being.
            sqlx::query("INSERT INTO person_site (person, site) SELECT $1, s.id FROM site s WHERE s.id = $2 AND s.tenant = $3")
                .bind(person.as_str())
                .bind(site.as_str())
                .bind(target.as_str())
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// What the old tenant's reviews say about the person, and what the person answered there, is the old tenant's: it names
    /// somebody who left from then on. Devices of the old tenant that were for the person are for that somebody, who never signs in:
    /// without a row they would be everybody's.
    async fn leave_behind(
        &mut self,
        source: &TenantId,
        person: &PersonId,
        forecast: &PersonForecast,
        entropy: &dyn Entropy,
    ) -> Result<()> {
        let found: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT review FROM person_review_answer WHERE person = $1 OR answered_by = $1 \
                 UNION ALL SELECT device FROM device_person WHERE person = $1 LIMIT 1")
                .bind(person.as_str())
                .fetch_optional(connection)
                .await?
        });
        if found.is_none() {
            return Ok(());
        }
        let stand_in = PersonId::random(entropy);
        let (now, login) = (self.now.millis(), format!("{} ({})", forecast.login, &stand_in.as_str()[..8]));
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO person (id, tenant, login, login_key, name, roles, state, created_at, changed_at) \
                 SELECT $2, p.tenant, $4, $4, p.name, p.roles, 'disabled', p.created_at, $5 FROM person p \
                 WHERE p.id = $1 AND p.tenant = $3",
            )
            .bind(person.as_str())
            .bind(stand_in.as_str())
            .bind(source.as_str())
            .bind(login)
            .bind(now)
            .execute(&mut *connection)
            .await?;
            for statement in [
                "UPDATE device_person SET person = $2 WHERE person = $1",
                "UPDATE person_review_answer SET person = $2 WHERE person = $1",
                "UPDATE person_review_answer SET answered_by = $2 WHERE answered_by = $1",
            ] {
                sqlx::query(statement)
                    .bind(person.as_str())
                    .bind(stand_in.as_str())
                    .execute(&mut *connection)
                    .await?;
            }
        });
        Ok(())
    }
}
