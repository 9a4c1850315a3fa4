//! People by what an outside directory asks for, and who works where.

use super::{Person, PersonRow, PersonSite, PersonState, select, sites_of};
use crate::engine::on_transaction;
use crate::scope::on_scoped_read;
use crate::{Result, ScopedLedger, Transaction};
use tegata_core::{ExternalKey, PersonId, SiteId};

/// People that a transaction reads at most: others wait for it.
const IN_HAND: u32 = 2;

/// Which people are looked for; what is nothing restricts nothing.
#[derive(Clone, Debug, Default)]
pub struct PeopleFilter {
    /// The one with this identifier.
    pub person: Option<PersonId>,
    /// With this login, as [`tegata_core::LoginId::key`] writes it.
    pub login_key: Option<String>,
    /// Whom an outside directory calls so.
    pub external_key: Option<ExternalKey>,
    /// Who may sign in, or who may not.
    pub state: Option<PersonState>,
    /// Nobody whom the tenant's directory has deleted.
    pub is_in_directory: bool,
}

/// Some of the people that were looked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeoplePage {
    /// How many there are in all.
    pub total: u64,
    /// Those of the page, by login.
    pub people: Vec<Person>,
}

/// Somebody who works at a site.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct SiteMember {
    /// The site where the person works.
    #[sqlx(try_from = "String")]
    pub site: SiteId,
    /// The identifier of the person.
    #[sqlx(try_from = "String")]
    pub person: PersonId,
    /// What the person is called.
    pub name: String,
}

/// Some of the people that are looked for, with their sites: on a connection for reading, or on that of a transaction.
macro_rules! people_found {
    ($connection:expr, $scope:expr, $filter:expr, $offset:expr, $limit:expr) => {{
        let rows: Vec<PersonRow> = sqlx::query_as(select!(
            "WHERE ($1 IS NULL OR p.tenant = $1) AND ($2 IS NULL OR p.id = $2) \
             AND ($3 IS NULL OR p.login_key = $3) AND ($4 IS NULL OR p.external_key = $4) \
             AND ($5 IS NULL OR p.state = $5) AND (NOT $6 OR p.left_directory_at IS NULL) \
             ORDER BY p.tenant, p.login_key LIMIT $7 OFFSET $8"
        ))
        .bind($scope.bound())
        .bind($filter.person.as_ref().map(PersonId::as_str))
        .bind($filter.login_key.as_deref())
        .bind($filter.external_key.as_ref().map(ExternalKey::as_str))
        .bind($filter.state.map(PersonState::as_str))
        .bind($filter.is_in_directory)
        .bind(i64::from($limit))
        .bind(i64::from($offset))
        .fetch_all(&mut *$connection)
        .await?;
        let mut found: Vec<(PersonRow, Vec<PersonSite>)> = Vec::with_capacity(rows.len());
        for row in rows {
            let sites = sites_of!($connection, $scope, row.id.as_str());
            found.push((row, sites));
        }
        found
    }};
}

/// Who works at a site, or at any, by login: on a connection for reading, or on that of a transaction.
macro_rules! members_of {
    ($connection:expr, $scope:expr, $site:expr) => {
        sqlx::query_as(
            "SELECT w.site, w.person, p.name FROM person p JOIN person_site w ON w.person = p.id \
             WHERE ($1 IS NULL OR p.tenant = $1) AND ($2 IS NULL OR w.site = $2) ORDER BY p.login_key",
        )
        .bind($scope.bound())
        .bind($site.map(SiteId::as_str))
        .fetch_all($connection)
        .await?
    };
}

impl ScopedLedger {
    /// People of the scope by what is known of them, from `offset` on, at most `limit`.
    pub async fn find_people(&self, filter: &PeopleFilter, offset: u32, limit: u32) -> Result<PeoplePage> {
        let (total, found) = on_scoped_read!(self, connection => {
            let (total,): (i64,) = sqlx::query_as(
                "SELECT COUNT(*) FROM person p WHERE ($1 IS NULL OR p.tenant = $1) AND ($2 IS NULL OR p.id = $2) \
                 AND ($3 IS NULL OR p.login_key = $3) AND ($4 IS NULL OR p.external_key = $4) \
                 AND ($5 IS NULL OR p.state = $5) AND (NOT $6 OR p.left_directory_at IS NULL)",
            )
            .bind(self.scope.bound())
            .bind(filter.person.as_ref().map(PersonId::as_str))
            .bind(filter.login_key.as_deref())
            .bind(filter.external_key.as_ref().map(ExternalKey::as_str))
            .bind(filter.state.map(PersonState::as_str))
            .bind(filter.is_in_directory)
            .fetch_one(&mut *connection)
            .await?;
            (total, people_found!(connection, self.scope, filter, offset, limit))
        });
        Ok(PeoplePage { total: total.unsigned_abs(), people: with_sites(found)? })
    }

    /// Who works at a site, or at any, by login.
    pub async fn site_members(&self, site: Option<&SiteId>) -> Result<Vec<SiteMember>> {
        Ok(on_scoped_read!(self, connection => members_of!(connection, self.scope, site)))
    }
}

impl Transaction {
    /// People of the scope by what is known of them, at most [`IN_HAND`], as they are while the transaction holds the right to
    /// write.
    pub async fn people_in_hand(&mut self, filter: &PeopleFilter) -> Result<Vec<Person>> {
        let found = on_transaction!(self.engine, connection => {
            people_found!(connection, self.scope, filter, 0_u32, IN_HAND)
        });
        with_sites(found)
    }

    /// Who works at a site while the transaction holds the right to write, by login.
    pub async fn site_members_in_hand(&mut self, site: &SiteId) -> Result<Vec<SiteMember>> {
        let site = Some(site);
        Ok(on_transaction!(self.engine, connection => members_of!(connection, self.scope, site)))
    }
}

fn with_sites(found: Vec<(PersonRow, Vec<PersonSite>)>) -> Result<Vec<Person>> {
    found.into_iter().map(|(row, sites)| row.with_sites(sites)).collect()
}
