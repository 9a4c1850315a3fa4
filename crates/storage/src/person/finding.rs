//! People by what an outside directory asks for, and who works where.

use super::{Person, PersonRow, PersonSite, PersonState, select};
use crate::scope::on_scoped_read;
use crate::{Result, ScopedLedger};
use tegata_core::{ExternalKey, PersonId, SiteId};

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

impl ScopedLedger {
    /// People of the scope by what is known of them, from `offset` on, at most `limit`.
    pub async fn find_people(&self, filter: &PeopleFilter, offset: u32, limit: u32) -> Result<PeoplePage> {
        let state = filter.state.map(PersonState::as_str);
        let (total, rows, sites) = on_scoped_read!(self, connection => {
            let (total,): (i64,) = sqlx::query_as(
                "SELECT COUNT(*) FROM person p WHERE ($1 IS NULL OR p.tenant = $1) AND ($2 IS NULL OR p.id = $2) \
                 AND ($3 IS NULL OR p.login_key = $3) AND ($4 IS NULL OR p.external_key = $4) \
                 AND ($5 IS NULL OR p.state = $5) AND (NOT $6 OR p.left_directory_at IS NULL)",
            )
            .bind(self.scope.bound())
            .bind(filter.person.as_ref().map(PersonId::as_str))
            .bind(filter.login_key.as_deref())
            .bind(filter.external_key.as_ref().map(ExternalKey::as_str))
            .bind(state)
            .bind(filter.is_in_directory)
            .fetch_one(&mut *connection)
            .await?;
            let rows: Vec<PersonRow> = sqlx::query_as(select!(
                "WHERE ($1 IS NULL OR p.tenant = $1) AND ($2 IS NULL OR p.id = $2) \
                 AND ($3 IS NULL OR p.login_key = $3) AND ($4 IS NULL OR p.external_key = $4) \
                 AND ($5 IS NULL OR p.state = $5) AND (NOT $6 OR p.left_directory_at IS NULL) \
                 ORDER BY p.tenant, p.login_key LIMIT $7 OFFSET $8"
            ))
            .bind(self.scope.bound())
            .bind(filter.person.as_ref().map(PersonId::as_str))
            .bind(filter.login_key.as_deref())
            .bind(filter.external_key.as_ref().map(ExternalKey::as_str))
            .bind(state)
            .bind(filter.is_in_directory)
            .bind(i64::from(limit))
            .bind(i64::from(offset))
            .fetch_all(&mut *connection)
            .await?;
            let mut sites: Vec<Vec<PersonSite>> = Vec::with_capacity(rows.len());
            for row in &rows {
                let of = sqlx::query_as(
                    "SELECT s.id, s.name FROM site s JOIN person_site w ON w.site = s.id \
                     WHERE w.person = $1 AND ($2 IS NULL OR s.tenant = $2) ORDER BY s.name, s.id",
                );
                let of = of.bind(row.id.as_str()).bind(self.scope.bound());
                sites.push(of.fetch_all(&mut *connection).await?);
            }
            (total, rows, sites)
        });
        let people = rows.into_iter().zip(sites).map(|(row, sites)| row.with_sites(sites));
        Ok(PeoplePage { total: total.unsigned_abs(), people: people.collect::<Result<_>>()? })
    }

    /// Who works at a site, or at any, by login.
    pub async fn site_members(&self, site: Option<&SiteId>) -> Result<Vec<SiteMember>> {
        Ok(on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT w.site, w.person, p.name FROM person p JOIN person_site w ON w.person = p.id \
                 WHERE ($1 IS NULL OR p.tenant = $1) AND ($2 IS NULL OR w.site = $2) ORDER BY p.login_key",
            )
            .bind(self.scope.bound())
            .bind(site.map(SiteId::as_str))
            .fetch_all(connection)
            .await?
        }))
    }
}
