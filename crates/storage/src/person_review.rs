//! Periodic reviews: does everybody still work here? One for each site with people, and one for those of the tenant who work at
//! none.
//!
//! A review has no list of its own. Whoever works there, may sign in and was there when it was opened is to be answered for, as
//! long as nobody has: whoever leaves meanwhile is no question any more, and whoever comes is one of the next review.
//! Accounts for emergencies and the vendor's people are the operator's, and in no review.

mod answering;

pub use answering::{ReviewAnswer, ReviewEffect};

use crate::actor::Actor;
use crate::engine::{on_read, on_transaction};
use crate::person::read_roles;
use crate::scope::on_scoped_read;
use crate::{Ledger, LedgerError, PeoplePolicy, Result, ScopedLedger, Transaction};
use serde_json::json;
use tegata_core::{PersonId, PersonRole, Refusal, ReviewId, Roles, SiteId, TenantId, Timestamp};

/// A review that was opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PersonReview {
    /// Identifier of the review.
    pub id: ReviewId,
    /// Whose people are looked at.
    pub tenant: TenantId,
    /// At which site; none for those who work at none.
    pub site: Option<SiteId>,
    /// What the site is called.
    pub site_name: Option<String>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// By when it should be answered.
    pub due_at: Timestamp,
    /// Who is still to be answered for.
    pub left: Vec<ReviewedPerson>,
}

/// Somebody who is to be answered for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReviewedPerson {
    /// Identifier of the person.
    pub id: PersonId,
    /// What they sign in with.
    pub login: String,
    /// What they are called.
    pub name: String,
    /// The roles of the person.
    pub roles: Roles,
    /// When they last signed in.
    pub signed_in_at: Option<Timestamp>,
}

/// What a round about reviews has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ReviewRound {
    /// Reviews that were opened.
    pub opened: usize,
    /// Reviews in which nobody is left.
    pub closed: usize,
}

/// The people `p` who are left in a review `r`.
macro_rules! is_left {
    () => {
        "p.tenant = r.tenant AND p.state = 'active' AND p.break_glass IS NULL AND p.created_at <= r.opened_at \
         AND NOT EXISTS (SELECT 1 FROM person_review_answer a WHERE a.review = r.id AND a.person = p.id) \
         AND ((r.site IS NULL AND NOT EXISTS (SELECT 1 FROM person_site w WHERE w.person = p.id)) \
         OR EXISTS (SELECT 1 FROM person_site w WHERE w.person = p.id AND w.site = r.site))"
    };
}
use is_left;

/// The person is not left in the review.
const NOT_LEFT: LedgerError = LedgerError::Refused(Refusal::ReviewUnknown);

impl Ledger {
    /// How many open reviews of all tenants have not been answered in time.
    pub async fn overdue_reviews(&self, now: Timestamp) -> Result<u64> {
        let (count,): (i64,) = on_read!(self, connection => {
            sqlx::query_as("SELECT COUNT(*) FROM person_review WHERE closed_at IS NULL AND due_at <= $1")
                .bind(now.millis())
                .fetch_one(connection)
                .await?
        });
        Ok(count.unsigned_abs())
    }
}

impl ScopedLedger {
    /// The open reviews of the scope, by the time they are due, with whoever is left in them.
    pub async fn open_reviews(&self) -> Result<Vec<PersonReview>> {
        let (reviews, left) = on_scoped_read!(self, connection => {
            let reviews: Vec<ReviewRow> = sqlx::query_as(
                "SELECT r.id, r.tenant, r.site, s.name AS site_name, r.opened_at, r.due_at FROM person_review r \
                 LEFT JOIN site s ON s.id = r.site WHERE r.closed_at IS NULL AND ($1 IS NULL OR r.tenant = $1) \
                 ORDER BY r.due_at, s.name, r.id",
            )
            .bind(self.scope.bound())
            .fetch_all(&mut *connection)
            .await?;
            let left: Vec<LeftRow> = sqlx::query_as(concat!(
                "SELECT r.id AS review, p.id, p.login, p.name, p.roles, \
                 (SELECT MAX(k.signed_in_at) FROM person_device k WHERE k.person = p.id) AS signed_in_at \
                 FROM person_review r JOIN person p ON p.tenant = r.tenant WHERE r.closed_at IS NULL \
                 AND ($1 IS NULL OR r.tenant = $1) AND ",
                is_left!(),
                " ORDER BY p.login_key"
            ))
            .bind(self.scope.bound())
            .fetch_all(&mut *connection)
            .await?;
            (reviews, left)
        });
        let mut reviews: Vec<_> = reviews.into_iter().map(ReviewRow::review).collect();
        for row in left {
            let (review, person) = row.person()?;
            // The vendor's people are nobody's to review here.
            if person.roles.iter().all(PersonRole::is_of_tenant)
                && let Some(review) = reviews.iter_mut().find(|known| known.id == review)
            {
                review.left.push(person);
            }
        }
        Ok(reviews)
    }
}

impl Transaction {
    /// Opens the reviews of a tenant that are due by its policy, and closes those in which nobody is left. Done twice, or by
    /// two servers, it comes to the same.
    pub async fn round_of_reviews(
        &mut self,
        tenant: &TenantId,
        policy: &PeoplePolicy,
        fresh: &(dyn Fn() -> ReviewId + Sync),
        actor: &Actor,
    ) -> Result<ReviewRound> {
        let closed = self.close_answered(tenant, actor).await?;
        let mut round = ReviewRound { opened: 0, closed };
        let Some(before) = policy.opened_before(self.now) else { return Ok(round) };
        for site in self.places_to_review(tenant).await? {
            let id = fresh();
            if self.open_review(&id, (tenant, site.as_deref()), before, policy.due_at(self.now)).await? {
                round.opened += 1;
                let detail = json!({"tenant": tenant, "site": site, "review": id});
                self.audit(actor, "review.opened", None, detail).await?;
            }
        }
        Ok(round)
    }

    /// Sites of a tenant where somebody works, and none for those who work at none, if there are any.
    async fn places_to_review(&mut self, tenant: &TenantId) -> Result<Vec<Option<String>>> {
        let rows: Vec<(Option<String>, String)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT w.site, p.roles FROM person p LEFT JOIN person_site w ON w.person = p.id \
                 WHERE p.tenant = $1 AND p.state = 'active' AND p.break_glass IS NULL ORDER BY w.site",
            )
            .bind(tenant.as_str())
            .fetch_all(connection)
            .await?
        });
        let mut places = Vec::new();
        for (site, roles) in rows {
            let is_of_tenant = read_roles(&roles)?.iter().all(PersonRole::is_of_tenant);
            if is_of_tenant && !places.contains(&site) {
                places.push(site);
            }
        }
        Ok(places)
    }

    /// Unless one of the place is open, or was opened a short while ago.
    async fn open_review(
        &mut self,
        id: &ReviewId,
        (tenant, site): (&TenantId, Option<&str>),
        before: Timestamp,
        due_at: Timestamp,
    ) -> Result<bool> {
        let now = self.now.millis();
        let opened = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO person_review (id, tenant, site, opened_at, due_at) SELECT $1, t.id, $3, $4, $5 FROM tenant t \
                 WHERE t.id = $2 AND NOT EXISTS (SELECT 1 FROM person_review r WHERE r.tenant = t.id \
                 AND (r.site = $3 OR (r.site IS NULL AND $3 IS NULL)) AND (r.closed_at IS NULL OR r.opened_at > $6))",
            )
            .bind(id.as_str())
            .bind(tenant.as_str())
            .bind(site)
            .bind(now)
            .bind(due_at.millis())
            .bind(before.millis())
            .execute(connection)
            .await?
            .rows_affected()
        });
        Ok(opened == 1)
    }

    /// Closes the reviews of a tenant in which nobody is left. Gives how many.
    pub(crate) async fn close_answered(&mut self, tenant: &TenantId, actor: &Actor) -> Result<usize> {
        let left: Vec<(String, Option<String>)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(concat!(
                "SELECT r.id, p.roles FROM person_review r LEFT JOIN person p ON ",
                is_left!(),
                " WHERE r.tenant = $1 AND r.closed_at IS NULL ORDER BY r.id"
            ))
            .bind(tenant.as_str())
            .fetch_all(connection)
            .await?
        });
        let mut open: Vec<String> = Vec::new();
        let mut all: Vec<String> = Vec::new();
        for (review, roles) in left {
            let roles = roles.as_deref().map(read_roles).transpose()?;
            if roles.is_some_and(|roles| roles.iter().all(PersonRole::is_of_tenant)) {
                open.push(review.clone());
            }
            all.push(review);
        }
        all.dedup();
        let mut closed = 0;
        for review in all.iter().filter(|review| !open.contains(review)) {
            let now = self.now.millis();
            on_transaction!(self.engine, connection => {
                sqlx::query("UPDATE person_review SET closed_at = $2 WHERE id = $1 AND closed_at IS NULL")
                    .bind(review)
                    .bind(now)
                    .execute(connection)
                    .await?;
            });
            closed += 1;
            self.audit(actor, "review.closed", None, json!({"tenant": tenant, "review": review})).await?;
        }
        Ok(closed)
    }
}

#[derive(sqlx::FromRow)]
struct ReviewRow {
    #[sqlx(try_from = "String")]
    id: ReviewId,
    #[sqlx(try_from = "String")]
    tenant: TenantId,
    site: Option<String>,
    site_name: Option<String>,
    opened_at: i64,
    due_at: i64,
}

#[derive(sqlx::FromRow)]
struct LeftRow {
    #[sqlx(try_from = "String")]
    review: ReviewId,
    #[sqlx(try_from = "String")]
    id: PersonId,
    login: String,
    name: String,
    roles: String,
    signed_in_at: Option<i64>,
}

impl ReviewRow {
    fn review(self) -> PersonReview {
        PersonReview {
            id: self.id,
            tenant: self.tenant,
            site: self.site.as_deref().and_then(SiteId::parse),
            site_name: self.site_name,
            opened_at: self.opened_at.into(),
            due_at: self.due_at.into(),
            left: Vec::new(),
        }
    }
}

impl LeftRow {
    fn person(self) -> Result<(ReviewId, ReviewedPerson)> {
        let person = ReviewedPerson {
            id: self.id,
            login: self.login,
            name: self.name,
            roles: read_roles(&self.roles)?,
            signed_in_at: self.signed_in_at.map(Timestamp::from_millis),
        };
        Ok((self.review, person))
    }
}
