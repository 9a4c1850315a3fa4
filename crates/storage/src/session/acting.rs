//! Somebody acts from a session of theirs.

use super::{LiveSession, SessionRow, live_session};
use crate::engine::on_transaction;
use crate::scope::on_scoped_read;
use crate::{LedgerError, Result, ScopedLedger, Transaction};
use tegata_core::{CLOCKS_APART, DeviceId, PersonId, Refusal, SessionId, SiteId, Timestamp};

/// Somebody who acts, as they stand at this moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ActingPerson {
    /// Their session, with their roles and why they act.
    pub session: LiveSession,
    /// Where they work, by identifier.
    pub sites: Vec<SiteId>,
}

const SESSION: &str = live_session!("s.id");

const SITES: &str = "SELECT w.site FROM person_site w JOIN person p ON p.id = w.person \
                     WHERE w.person = $1 AND ($2 IS NULL OR p.tenant = $2) ORDER BY w.site";

/// The session of a person who acts, and their sites: on a connection that shows the scope's rows alone.
macro_rules! acting_person {
    ($connection:ident, $session:expr, $device:expr, $now:expr, $scope:expr) => {{
        let row: Option<SessionRow> = sqlx::query_as(SESSION)
            .bind($session.as_str())
            .bind($device.as_str())
            .bind($now.millis())
            .bind($now.plus(CLOCKS_APART).millis())
            .bind($scope.bound())
            .fetch_optional(&mut *$connection)
            .await?;
        let sites: Vec<(String,)> = match &row {
            Some(row) => {
                sqlx::query_as(SITES)
                    .bind(row.person.as_str())
                    .bind($scope.bound())
                    .fetch_all($connection)
                    .await?
            }
            None => Vec::new(),
        };
        (row, sites)
    }};
}

impl ScopedLedger {
    /// Who acts from a session on this device, as they stand at this moment; `None` where it lasts no longer, or not here.
    pub async fn acting_person(
        &self,
        session: &SessionId,
        device: &DeviceId,
        now: Timestamp,
    ) -> Result<Option<ActingPerson>> {
        let found =
            on_scoped_read!(self, connection => acting_person!(connection, session, device, now, self.scope));
        ActingPerson::of(found)
    }
}

impl Transaction {
    /// Who acts from a session on this device. Nobody can end it or take a role away until the transaction ends, so whoever was
    /// thrown out or demoted since the request came changes nothing any more. Its audit entries say why they act, and by which
    /// program, from here on.
    ///
    /// # Errors
    /// [`Refusal::SignInNeeded`] when the session does not last, or not on this device.
    pub async fn act_as(
        &mut self,
        session: &SessionId,
        device: &DeviceId,
        program: Option<&str>,
    ) -> Result<ActingPerson> {
        let now = self.now;
        let found = on_transaction!(self.engine, connection => {
            acting_person!(connection, session, device, now, self.scope)
        });
        let person = ActingPerson::of(found)?.ok_or(LedgerError::Refused(Refusal::SignInNeeded))?;
        self.because.clone_from(&person.session.justification);
        self.program = program.map(str::to_owned);
        Ok(person)
    }

    /// That the session from which somebody asks still lasts. It did when the request came; here nobody can end it meanwhile, so
    /// whoever was thrown out since changes nothing any more.
    ///
    /// # Errors
    /// [`Refusal::SignInNeeded`] when it does not.
    pub async fn require_session(&mut self, person: &PersonId, session: &SessionId) -> Result<()> {
        let now = self.now.millis();
        let found: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT s.id FROM session s JOIN person p ON p.id = s.person WHERE s.id = $1 AND s.person = $2 \
                 AND s.idle_until > $3 AND s.expires_at > $3 AND p.state = 'active' AND ($4 IS NULL OR s.tenant = $4)",
            )
            .bind(session.as_str())
            .bind(person.as_str())
            .bind(now)
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        });
        found.map(drop).ok_or(LedgerError::Refused(Refusal::SignInNeeded))
    }
}

impl ActingPerson {
    fn of((row, sites): (Option<SessionRow>, Vec<(String,)>)) -> Result<Option<Self>> {
        let Some(session) = row.map_or(Ok(None), SessionRow::live)? else { return Ok(None) };
        let site = |(site,)| SiteId::try_from(site).map_err(|_| LedgerError::Unreadable("person_site.site"));
        Ok(Some(Self { session, sites: sites.into_iter().map(site).collect::<Result<_>>()? }))
    }
}
