//! Sessions: a person signed in on one device. A session is a row as long as it lasts, so that any server serves it.

mod acting;
mod dropping;
mod ending;
mod justifying;
mod provider;
mod starting;
mod using;

pub use acting::ActingPerson;
pub use provider::{ProofTime, ProviderLogout, ProviderSession, ProviderUse};
pub use starting::{SecondFactorUse, StartSession, StartedSession};

use crate::credential::assignment;
use crate::engine::on_read;
use crate::person::read_roles;
use crate::scope::on_scoped_read;
use crate::{Ledger, LedgerError, Result, ScopedLedger};
use tegata_core::{
    CLOCKS_APART, DeviceId, DeviceUse, Justification, PersonId, Refusal, Roles, SessionId, SiteId, TenantId,
    Timestamp,
};

/// A session that was presented and lasts. [`ScopedLedger::session`] alone makes one.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LiveSession {
    /// Identifier of the session.
    pub id: SessionId,
    /// Whose person it is.
    pub tenant: TenantId,
    /// Identifier of the person.
    pub person: PersonId,
    /// What they sign in with.
    pub login: String,
    /// What they are called.
    pub name: String,
    /// The roles of the person.
    pub roles: Roles,
    /// By what the session was begun, in the words of RFC 8176.
    pub amr: String,
    /// When the person signed in.
    pub created_at: Timestamp,
    /// When they proved who they are: before that, where a provider has remembered them.
    pub authenticated_at: Timestamp,
    /// Whether that is known. A provider may not say when it was: then it is when the provider vouched for them.
    pub is_dated: bool,
    /// When it was last used, to the minute or so.
    pub used_at: Timestamp,
    /// When it ends in any case.
    pub expires_at: Timestamp,
    /// Why its person acts, where they have said so.
    pub justification: Option<Justification>,
}

/// A session in its person's list.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct ListedSession {
    /// Identifier of the session.
    #[sqlx(try_from = "String")]
    pub id: SessionId,
    /// The device it belongs to.
    #[sqlx(try_from = "String")]
    pub device: DeviceId,
    /// What the device is called.
    pub label: String,
    /// Where the device is.
    #[sqlx(try_from = "String")]
    pub site: SiteId,
    /// What that site is called.
    pub site_name: String,
    /// When the person signed in.
    #[sqlx(try_from = "i64")]
    pub created_at: Timestamp,
    /// When it was last used, to the minute or so.
    #[sqlx(try_from = "i64")]
    pub used_at: Timestamp,
}

/// What is read of a session that is presented on a device: `$1` is what it is presented by, `$2` the device, `$5` the scope.
macro_rules! live_session {
    ($by:literal) => {
        concat!(
            "SELECT s.id, s.tenant, s.person, p.login, p.name, p.roles, s.amr, s.created_at, s.used_at, s.expires_at, \
             s.authenticated_at, s.undated, s.reason, s.ticket, d.tenant AS device_tenant, \
             (SELECT COUNT(*) FROM person_site w WHERE w.person = p.id AND w.site = d.site) AS works_at_site, \
             (SELECT COUNT(*) FROM device_person a WHERE a.device = d.id) AS assigned, \
             (SELECT COUNT(*) FROM device_person a WHERE a.device = d.id AND a.person = p.id) AS assigned_this \
             FROM session s JOIN person p ON p.id = s.person JOIN device d ON d.id = s.device WHERE ",
            $by,
            " = $1 AND s.device = $2 AND s.idle_until > $3 AND s.expires_at > $3 \
             AND s.created_at <= $4 AND p.state = 'active' AND d.state = 'active' AND ($5 IS NULL OR s.tenant = $5)"
        )
    };
}
pub(crate) use live_session;

impl Ledger {
    /// The session that a token or a family of refresh tokens names, as [`ScopedLedger::session`] has it.
    pub async fn session_named(
        &self,
        session: &SessionId,
        device: &DeviceId,
        now: Timestamp,
    ) -> Result<Option<LiveSession>> {
        let everywhere: Option<&str> = None;
        let row: Option<SessionRow> = on_read!(self, connection => {
            sqlx::query_as(live_session!("s.id"))
                .bind(session.as_str())
                .bind(device.as_str())
                .bind(now.millis())
                .bind(now.plus(CLOCKS_APART).millis())
                .bind(everywhere)
                .fetch_optional(connection)
                .await?
        });
        row.map_or(Ok(None), SessionRow::live)
    }
}

impl ScopedLedger {
    /// The session with this hash of its token, presented by this device. `None` where there is none that lasts: it was
    /// ended, is too old, is another device's, or its person may sign in no longer, or no longer here.
    pub async fn session(
        &self,
        token_hash: &[u8],
        device: &DeviceId,
        now: Timestamp,
    ) -> Result<Option<LiveSession>> {
        let row: Option<SessionRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(live_session!("s.token_hash"))
                .bind(token_hash.to_vec())
                .bind(device.as_str())
                .bind(now.millis())
                .bind(now.plus(CLOCKS_APART).millis())
                .bind(self.scope.bound())
                .fetch_optional(connection)
                .await?
        });
        row.map_or(Ok(None), SessionRow::live)
    }

    /// The sessions of a person that last, the newest first.
    pub async fn sessions_of(&self, person: &PersonId, now: Timestamp) -> Result<Vec<ListedSession>> {
        Ok(on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT s.id, s.device, d.label, d.site, w.name AS site_name, s.created_at, s.used_at FROM session s \
                 JOIN device d ON d.id = s.device JOIN site w ON w.id = d.site \
                 WHERE s.person = $1 AND s.idle_until > $2 AND s.expires_at > $2 AND ($3 IS NULL OR s.tenant = $3) \
                 AND d.state = 'active' ORDER BY s.created_at DESC, s.id",
            )
            .bind(person.as_str())
            .bind(now.millis())
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        }))
    }
}

#[derive(sqlx::FromRow)]
struct SessionRow {
    #[sqlx(try_from = "String")]
    id: SessionId,
    #[sqlx(try_from = "String")]
    tenant: TenantId,
    #[sqlx(try_from = "String")]
    person: PersonId,
    login: String,
    name: String,
    roles: String,
    amr: String,
    created_at: i64,
    used_at: i64,
    expires_at: i64,
    authenticated_at: Option<i64>,
    reason: Option<String>,
    ticket: Option<String>,
    undated: i64,
    device_tenant: String,
    works_at_site: i64,
    assigned: i64,
    assigned_this: i64,
}

impl SessionRow {
    /// The rule of account and terminal holds at every use: a device or a person that has moved since is elsewhere.
    fn live(self) -> Result<Option<LiveSession>> {
        let roles = read_roles(&self.roles)?;
        let device_tenant =
            TenantId::try_from(self.device_tenant).map_err(|_| LedgerError::Unreadable("device.tenant"))?;
        let here = DeviceUse {
            person_tenant: &self.tenant,
            roles: &roles,
            device_tenant: &device_tenant,
            works_at_site: self.works_at_site > 0,
            assigned: assignment(self.assigned, self.assigned_this),
        };
        if here.check() == Err(Refusal::PersonElsewhere) {
            return Ok(None);
        }
        Ok(Some(LiveSession {
            id: self.id,
            tenant: self.tenant,
            person: self.person,
            login: self.login,
            name: self.name,
            roles,
            amr: self.amr,
            created_at: self.created_at.into(),
            authenticated_at: self.authenticated_at.unwrap_or(self.created_at).into(),
            is_dated: self.undated == 0,
            used_at: self.used_at.into(),
            expires_at: self.expires_at.into(),
            justification: self
                .reason
                .zip(self.ticket)
                .and_then(|(reason, ticket)| Justification::new(&reason, &ticket)),
        }))
    }
}
