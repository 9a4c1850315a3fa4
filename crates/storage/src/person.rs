//! People who sign in: who they are, where they work, and which devices are theirs alone.
//!
//! Whoever a caller names is looked for within the caller's scope: a person of another tenant is not there.

mod administrators;
mod changing;
mod devices;
mod directory;
mod editing;
mod finding;
mod linking;
mod unused;

pub use changing::NewPerson;
pub use editing::{ExternalKeyUpdate, PersonUpdate};
pub use finding::{PeopleFilter, PeoplePage, SiteMember};
pub use linking::{NewPersonLink, PersonLink};
pub use unused::SuspendedUnused;

use crate::engine::on_transaction;
use crate::scope::on_scoped_read;
use crate::{LedgerError, Result, ScopedLedger, Transaction};
use std::collections::HashMap;
use tegata_core::{ExternalKey, PersonId, Roles, SiteId, TenantId, Timestamp};

/// Where a person stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PersonState {
    /// The person may sign in.
    Active,
    /// May not, until somebody lets them.
    Disabled,
}

/// An account for emergencies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BreakGlass {
    /// It lets somebody in once.
    Ready,
    /// It has let somebody in, and does not again until it is enabled.
    Used,
}

/// A person as the ledger knows them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// The identifier that records carry.
    pub id: PersonId,
    /// Whose person it is.
    pub tenant: TenantId,
    /// What they sign in with.
    pub login: String,
    /// What an outside directory calls them.
    pub external_key: Option<ExternalKey>,
    /// What they are called.
    pub name: String,
    /// The roles of the person.
    pub roles: Roles,
    /// Whether they may sign in.
    pub state: PersonState,
    /// Whether the account is for emergencies, and has been used.
    pub break_glass: Option<BreakGlass>,
    /// Whether they have chosen a password and a second factor.
    pub is_set_up: bool,
    /// Whether there is a password of another product, which lets them set up the account.
    pub has_imported_password: bool,
    /// Until when a setup link of theirs works, if there is one.
    pub setup_until: Option<Timestamp>,
    /// When they were added.
    pub created_at: Timestamp,
    /// When their state, roles or sites last changed.
    pub changed_at: Timestamp,
    /// When they last signed in on a device.
    pub signed_in_at: Option<Timestamp>,
    /// When the tenant's directory deleted them.
    pub left_directory_at: Option<Timestamp>,
    /// Where they work, by name of the site.
    pub sites: Vec<PersonSite>,
}

/// A site where a person works.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct PersonSite {
    /// Identifier of the site.
    #[sqlx(try_from = "String")]
    pub id: SiteId,
    /// Name of the site.
    pub name: String,
}

impl Person {
    /// Since when the account counts as unused: since it was signed in with, or added, changed or enabled.
    pub fn used_at(&self) -> Timestamp {
        self.signed_in_at.map_or(self.changed_at, |signed_in_at| signed_in_at.max(self.changed_at))
    }
}

impl PersonState {
    /// The word in the ledger and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }
}

impl TryFrom<String> for PersonState {
    type Error = LedgerError;

    fn try_from(word: String) -> Result<Self> {
        let known = [Self::Active, Self::Disabled].into_iter().find(|state| state.as_str() == word);
        known.ok_or(LedgerError::Unreadable("person.state"))
    }
}

impl BreakGlass {
    /// The word in the ledger and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Used => "used",
        }
    }
}

impl TryFrom<String> for BreakGlass {
    type Error = LedgerError;

    fn try_from(word: String) -> Result<Self> {
        let known = [Self::Ready, Self::Used].into_iter().find(|state| state.as_str() == word);
        known.ok_or(LedgerError::Unreadable("person.break_glass"))
    }
}

/// What is read of each.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT p.id, p.tenant, p.login, p.external_key, p.name, p.roles, p.state, p.break_glass, p.created_at, \
             p.changed_at, p.left_directory_at, (SELECT COUNT(*) FROM credential c WHERE c.person = p.id) AS credentials, \
             (SELECT COUNT(*) FROM imported_password h WHERE h.person = p.id) AS imported_passwords, \
             (SELECT MAX(k.signed_in_at) FROM person_device k WHERE k.person = p.id) AS signed_in_at, \
             (SELECT l.expires_at FROM setup_link l WHERE l.person = p.id) AS setup_until FROM person p ",
            $rest
        )
    };
}
use select;

/// The sites of a person within a scope, on a connection for reading or on that of a transaction.
macro_rules! sites_of {
    ($connection:expr, $scope:expr, $person:expr) => {
        sqlx::query_as(
            "SELECT s.id, s.name FROM site s JOIN person_site w ON w.site = s.id \
             WHERE w.person = $1 AND ($2 IS NULL OR s.tenant = $2) ORDER BY s.name, s.id",
        )
        .bind($person)
        .bind($scope.bound())
        .fetch_all(&mut *$connection)
        .await?
    };
}
use sites_of;

macro_rules! person_by_id {
    ($connection:expr, $scope:expr, $person:expr) => {{
        let row: Option<PersonRow> =
            sqlx::query_as(select!("WHERE p.id = $1 AND ($2 IS NULL OR p.tenant = $2)"))
                .bind($person.as_str())
                .bind($scope.bound())
                .fetch_optional(&mut *$connection)
                .await?;
        match row {
            Some(row) => {
                let sites: Vec<PersonSite> = sites_of!($connection, $scope, $person.as_str());
                Some((row, sites))
            }
            None => None,
        }
    }};
}

impl ScopedLedger {
    /// The people of the scope, by tenant and login.
    pub async fn people(&self) -> Result<Vec<Person>> {
        let rows: Vec<PersonRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(select!("WHERE ($1 IS NULL OR p.tenant = $1) ORDER BY p.tenant, p.login_key"))
                .bind(self.scope.bound())
                .fetch_all(connection)
                .await?
        });
        let sites: Vec<(String, String, String)> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT w.person, s.id, s.name FROM site s JOIN person_site w ON w.site = s.id \
                 WHERE ($1 IS NULL OR s.tenant = $1) ORDER BY s.name, s.id",
            )
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        });
        let mut of: HashMap<String, Vec<PersonSite>> = HashMap::new();
        for (person, id, name) in sites {
            let id = SiteId::parse(&id).ok_or(LedgerError::Unreadable("site.id"))?;
            of.entry(person).or_default().push(PersonSite { id, name });
        }
        let with_sites = |row: PersonRow| {
            let own = of.remove(row.id.as_str()).unwrap_or_default();
            row.with_sites(own)
        };
        rows.into_iter().map(with_sites).collect()
    }

    /// Reads one person with the sites where they work.
    pub async fn person(&self, person: &PersonId) -> Result<Option<Person>> {
        let found = on_scoped_read!(self, connection => person_by_id!(connection, self.scope, person));
        found.map(|(row, sites)| row.with_sites(sites)).transpose()
    }
}

impl Transaction {
    /// One person as they are while the transaction holds the right to write, so that they stay so until the end.
    pub async fn person_in_hand(&mut self, person: &PersonId) -> Result<Option<Person>> {
        let found = on_transaction!(self.engine, connection => person_by_id!(connection, self.scope, person));
        found.map(|(row, sites)| row.with_sites(sites)).transpose()
    }
}

impl ScopedLedger {
    /// Whether anybody has an account.
    pub async fn has_people(&self) -> Result<bool> {
        let found: Option<(String,)> = on_scoped_read!(self, connection => {
            sqlx::query_as("SELECT id FROM person WHERE $1 IS NULL OR tenant = $1 LIMIT 1")
                .bind(self.scope.bound())
                .fetch_optional(connection)
                .await?
        });
        Ok(found.is_some())
    }
}

#[derive(sqlx::FromRow)]
struct PersonRow {
    #[sqlx(try_from = "String")]
    id: PersonId,
    #[sqlx(try_from = "String")]
    tenant: TenantId,
    login: String,
    external_key: Option<String>,
    name: String,
    roles: String,
    #[sqlx(try_from = "String")]
    state: PersonState,
    break_glass: Option<String>,
    created_at: i64,
    changed_at: i64,
    credentials: i64,
    imported_passwords: i64,
    signed_in_at: Option<i64>,
    left_directory_at: Option<i64>,
    setup_until: Option<i64>,
}

impl PersonRow {
    fn with_sites(self, sites: Vec<PersonSite>) -> Result<Person> {
        Ok(Person {
            id: self.id,
            tenant: self.tenant,
            login: self.login,
            external_key: read_external_key(self.external_key.as_deref())?,
            name: self.name,
            roles: read_roles(&self.roles)?,
            state: self.state,
            break_glass: self.break_glass.map(BreakGlass::try_from).transpose()?,
            is_set_up: self.credentials > 0,
            has_imported_password: self.imported_passwords > 0,
            setup_until: self.setup_until.map(Timestamp::from_millis),
            created_at: self.created_at.into(),
            changed_at: self.changed_at.into(),
            signed_in_at: self.signed_in_at.map(Timestamp::from_millis),
            left_directory_at: self.left_directory_at.map(Timestamp::from_millis),
            sites,
        })
    }
}

/// A role that this version does not know gives no right that it does.
pub(crate) fn read_roles(words: &str) -> Result<Roles> {
    Roles::parse(words).ok_or(LedgerError::Unreadable("person.roles"))
}

pub(crate) fn read_external_key(text: Option<&str>) -> Result<Option<ExternalKey>> {
    let read = text.map(ExternalKey::parse).transpose();
    read.map_err(|_| LedgerError::Unreadable("an external key"))
}
