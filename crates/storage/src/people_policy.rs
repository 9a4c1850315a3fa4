//! How often a tenant looks at who works there. Nothing is looked at, and nobody is suspended, unless somebody says so.

use crate::actor::Actor;
use crate::engine::{on_read, on_transaction};
use crate::scope::on_scoped_read;
use crate::{Ledger, LedgerError, Result, ScopedLedger, Transaction, changed_one};
use serde_json::json;
use std::time::Duration;
use tegata_core::{TenantId, Timestamp};

const DAY: Duration = Duration::from_hours(24);

/// The longest time before its suspension for which an unused account is shown.
const WARNING: u32 = 14;

/// The rules of one tenant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeoplePolicy {
    /// Days from the opening of one review of a site to that of the next; none where there are no reviews.
    pub review_days: Option<u32>,
    /// Days to answer a review.
    pub answer_days: u32,
    /// Days without a sign-in after which an account is suspended; none where none is.
    pub unused_days: Option<u32>,
}

impl Default for PeoplePolicy {
    fn default() -> Self {
        Self { review_days: None, answer_days: 30, unused_days: None }
    }
}

impl PeoplePolicy {
    /// Since when nobody may have signed in for an account to be suspended now; nothing where none is.
    pub(crate) fn unused_before(&self, now: Timestamp) -> Option<Timestamp> {
        self.unused_days.map(|days| now.minus(DAY * days))
    }

    /// When an account is suspended that was last used then.
    pub fn suspends_at(&self, used_at: Timestamp) -> Option<Timestamp> {
        self.unused_days.map(|days| used_at.plus(DAY * days))
    }

    /// From when on an account is shown as about to be suspended: two weeks before, or half of the time where that is less.
    pub fn warns_at(&self, used_at: Timestamp) -> Option<Timestamp> {
        self.unused_days.map(|days| used_at.plus(DAY * (days - WARNING.min(days / 2))))
    }

    /// Since when nobody may have used an account for it to be shown as about to be suspended.
    pub(crate) fn warned_before(&self, now: Timestamp) -> Option<Timestamp> {
        self.unused_days.map(|days| now.minus(DAY * (days - WARNING.min(days / 2))))
    }

    pub(crate) fn opened_before(&self, now: Timestamp) -> Option<Timestamp> {
        self.review_days.map(|days| now.minus(DAY * days))
    }

    pub(crate) fn due_at(&self, now: Timestamp) -> Timestamp {
        now.plus(DAY * self.answer_days)
    }
}

impl Ledger {
    /// The rules of all tenants that have any.
    pub async fn people_policies(&self) -> Result<Vec<(TenantId, PeoplePolicy)>> {
        let rows: Vec<PolicyRow> = on_read!(self, connection => {
            sqlx::query_as("SELECT tenant, review_days, answer_days, unused_days FROM people_policy ORDER BY tenant")
                .fetch_all(connection)
                .await?
        });
        rows.into_iter().map(PolicyRow::policy).collect()
    }
}

impl ScopedLedger {
    /// The rules of a tenant.
    pub async fn people_policy(&self, tenant: &TenantId) -> Result<PeoplePolicy> {
        let row: Option<PolicyRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT tenant, review_days, answer_days, unused_days FROM people_policy \
                 WHERE tenant = $1 AND ($2 IS NULL OR tenant = $2)",
            )
            .bind(tenant.as_str())
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        });
        Ok(row.map(PolicyRow::policy).transpose()?.map(|(_, policy)| policy).unwrap_or_default())
    }
}

impl Transaction {
    /// Puts rules in force for a tenant.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such tenant.
    pub async fn set_people_policy(
        &mut self,
        tenant: &TenantId,
        policy: &PeoplePolicy,
        actor: &Actor,
    ) -> Result<()> {
        let now = self.now.millis();
        let set = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO people_policy (tenant, review_days, answer_days, unused_days, changed_at) \
                 SELECT t.id, $2, $3, $4, $5 FROM tenant t WHERE t.id = $1 AND ($6 IS NULL OR t.id = $6) \
                 ON CONFLICT (tenant) DO UPDATE SET review_days = $2, answer_days = $3, unused_days = $4, changed_at = $5",
            )
            .bind(tenant.as_str())
            .bind(policy.review_days.map(i64::from))
            .bind(i64::from(policy.answer_days))
            .bind(policy.unused_days.map(i64::from))
            .bind(now)
            .bind(self.scope.bound())
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(set, "there is no such tenant")?;
        let detail = json!({
            "tenant": tenant, "review_days": policy.review_days, "answer_days": policy.answer_days,
            "unused_days": policy.unused_days,
        });
        self.audit(actor, "people_policy.set", None, detail).await
    }
}

#[derive(sqlx::FromRow)]
struct PolicyRow {
    #[sqlx(try_from = "String")]
    tenant: TenantId,
    review_days: Option<i64>,
    answer_days: i64,
    unused_days: Option<i64>,
}

impl PolicyRow {
    fn policy(self) -> Result<(TenantId, PeoplePolicy)> {
        let days = |days: i64| u32::try_from(days).map_err(|_| LedgerError::Unreadable("people_policy"));
        let policy = PeoplePolicy {
            review_days: self.review_days.map(days).transpose()?,
            answer_days: days(self.answer_days)?,
            unused_days: self.unused_days.map(days).transpose()?,
        };
        Ok((self.tenant, policy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_shown_before_it_is_suspended() {
        let used = Timestamp::from_seconds(1_000_000);
        let policy = |days| PeoplePolicy { unused_days: Some(days), ..PeoplePolicy::default() };
        for (days, warned) in [(90, 76), (30, 16), (10, 5), (1, 1)] {
            assert_eq!(policy(days).suspends_at(used), Some(used.plus(DAY * days)));
            assert_eq!(policy(days).warns_at(used), Some(used.plus(DAY * warned)), "{days}");
        }
        assert_eq!(PeoplePolicy::default().suspends_at(used), None);
    }
}
