//! What somebody answers: a person still works here, or does not.

use super::{NOT_LEFT, is_left};
use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::person::read_roles;
use crate::{LedgerError, PersonUpdate, Result, Transaction};
use serde_json::json;
use tegata_core::{
    Act, ActTarget, PersonId, PersonRole, Refusal, ReviewId, RoleHolder, Roles, SiteId, TenantId,
};

/// What is answered of a person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReviewAnswer {
    /// They still work here.
    Confirmed,
    /// They do not: the site is taken from them, and whoever is left without a place to work is disabled.
    Removed,
}

/// What an answer has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReviewEffect {
    /// Nothing changed for the person.
    Confirmed,
    /// The person works at this site no longer, and goes on at others.
    LeftSite,
    /// The person was disabled.
    Disabled,
}

impl ReviewAnswer {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Removed => "removed",
        }
    }
}

impl ReviewEffect {
    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::LeftSite => "left-site",
            Self::Disabled => "disabled",
        }
    }
}

/// Somebody who is answered for, and where.
struct LeftPerson {
    tenant: TenantId,
    site: Option<SiteId>,
    roles: Roles,
}

impl Transaction {
    /// Takes somebody's answer about a person. What they may answer is the table of roles' to say, and nobody answers for
    /// themselves.
    ///
    /// # Errors
    /// [`Refusal::ReviewUnknown`] when the person is not left in the review; [`Refusal::PersonUnknown`] when nobody who may sign
    /// in has the identifier `by`; those of [`RoleHolder::may`]; [`Refusal::LastAdministrator`].
    pub async fn answer_review(
        &mut self,
        review: &ReviewId,
        person: &PersonId,
        answer: ReviewAnswer,
        by: &PersonId,
        actor: &Actor,
    ) -> Result<ReviewEffect> {
        let left = self.left_in(review, person).await?;
        let holder = self.role_holder(by, &left.tenant).await?;
        let sites: Vec<_> = left.site.iter().cloned().collect();
        let target = ActTarget {
            tenant: &left.tenant,
            sites: &sites,
            person: Some((person, &left.roles)),
            requested_by: None,
        };
        holder.may(Act::ReviewPeople, &target, None).map_err(LedgerError::Refused)?;
        self.write_answer(review, person, answer, by).await?;
        let effect = match answer {
            ReviewAnswer::Confirmed => ReviewEffect::Confirmed,
            ReviewAnswer::Removed => self.remove_from_place(person, &left, actor).await?,
        };
        let detail = json!({
            "tenant": left.tenant, "site": left.site, "review": review, "person": person, "by": by,
            "effect": effect.as_str(),
        });
        self.audit(actor, "review.answered", None, detail).await?;
        self.close_answered(&left.tenant, actor).await?;
        Ok(effect)
    }

    async fn left_in(&mut self, review: &ReviewId, person: &PersonId) -> Result<LeftPerson> {
        let row: Option<(String, Option<String>, String)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(concat!(
                "SELECT r.tenant, r.site, p.roles FROM person_review r JOIN person p ON p.tenant = r.tenant \
                 WHERE r.id = $1 AND p.id = $2 AND r.closed_at IS NULL AND ($3 IS NULL OR r.tenant = $3) AND ",
                is_left!()
            ))
            .bind(review.as_str())
            .bind(person.as_str())
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        });
        let (tenant, site, roles) = row.ok_or(NOT_LEFT)?;
        let tenant =
            TenantId::try_from(tenant).map_err(|_| LedgerError::Unreadable("person_review.tenant"))?;
        let site = site.map(SiteId::try_from).transpose();
        let site = site.map_err(|_| LedgerError::Unreadable("person_review.site"))?;
        Ok(LeftPerson { tenant, site, roles: read_roles(&roles)? })
    }

    /// Somebody of a tenant who may sign in, as the table of roles knows them.
    async fn role_holder(&mut self, person: &PersonId, tenant: &TenantId) -> Result<RoleHolder> {
        let row: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT roles FROM person WHERE id = $1 AND tenant = $2 AND state = 'active'")
                .bind(person.as_str())
                .bind(tenant.as_str())
                .fetch_optional(connection)
                .await?
        });
        let (roles,) = row.ok_or(LedgerError::Refused(Refusal::PersonUnknown))?;
        Ok(RoleHolder {
            person: person.clone(),
            tenant: tenant.clone(),
            sites: self.sites_of(person).await?,
            roles: read_roles(&roles)?,
        })
    }

    async fn sites_of(&mut self, person: &PersonId) -> Result<Vec<SiteId>> {
        let rows: Vec<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT site FROM person_site WHERE person = $1 ORDER BY site")
                .bind(person.as_str())
                .fetch_all(connection)
                .await?
        });
        let read =
            |(site,): (String,)| SiteId::try_from(site).map_err(|_| LedgerError::Unreadable("site.id"));
        rows.into_iter().map(read).collect()
    }

    async fn write_answer(
        &mut self,
        review: &ReviewId,
        person: &PersonId,
        answer: ReviewAnswer,
        by: &PersonId,
    ) -> Result<()> {
        let now = self.now.millis();
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO person_review_answer (review, person, answer, answered_by, answered_at) \
                 VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(review.as_str())
            .bind(person.as_str())
            .bind(answer.as_str())
            .bind(by.as_str())
            .bind(now)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    async fn remove_from_place(
        &mut self,
        person: &PersonId,
        left: &LeftPerson,
        actor: &Actor,
    ) -> Result<ReviewEffect> {
        let mut others = self.sites_of(person).await?;
        others.retain(|site| Some(site) != left.site.as_ref());
        let goes_on = !others.is_empty() || !left.roles.iter().any(PersonRole::is_of_sites);
        if left.site.is_some() && goes_on {
            let update = PersonUpdate { sites: Some(others), ..PersonUpdate::default() };
            self.change_person(person, &update, actor).await?;
            return Ok(ReviewEffect::LeftSite);
        }
        self.disable_person(person, "review", actor).await?;
        Ok(ReviewEffect::Disabled)
    }
}
