//! Sessions leave the ledger, and whatever came from them ends with them.

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::refresh_token_family::FamilyEnd;
use crate::{LedgerError, Result, Transaction};
use serde_json::json;
use tegata_core::feed::Change;
use tegata_core::{DeviceId, FamilyId, PersonId, SessionId, TenantId, Timestamp};

/// What is said to the ledger about the sessions of one kind: `$1` says whose they are, `$2` is a time.
pub(super) struct DroppedSessions {
    families: &'static str,
    codes: &'static str,
    /// `$3` is the time of the transaction.
    notices: &'static str,
    clients: &'static str,
    sessions: &'static str,
}

macro_rules! dropped {
    ($which:literal) => {
        DroppedSessions {
            families: concat!(
                "UPDATE token_family SET state = 'ended', reason = 'signed_out', previous_hash = NULL \
                 WHERE state = 'living' AND session IN (SELECT s.id FROM session s WHERE ",
                $which,
                ")"
            ),
            codes: concat!(
                "DELETE FROM authorization_code WHERE state = 'open' AND session IN (SELECT s.id FROM session s WHERE ",
                $which,
                ")"
            ),
            notices: concat!(
                "INSERT INTO logout_notice (session, client, tenant, person, ended_at, attempts, due_at) \
                 SELECT c.session, c.client, s.tenant, s.person, $3, 0, $3 FROM session s \
                 JOIN session_client c ON c.session = s.id WHERE c.hears = 1 AND (",
                $which,
                ") ON CONFLICT DO NOTHING"
            ),
            clients: concat!(
                "DELETE FROM session_client WHERE session IN (SELECT s.id FROM session s WHERE ",
                $which,
                ")"
            ),
            sessions: concat!("DELETE FROM session WHERE id IN (SELECT s.id FROM session s WHERE ", $which, ")"),
        }
    };
}

const ONE: DroppedSessions = dropped!("s.id = $1 AND s.created_at < $2");
const ON_A_DEVICE: DroppedSessions = dropped!("s.device = $1 AND s.created_at < $2");
const OF_A_PERSON: DroppedSessions = dropped!("s.person = $1 AND s.created_at < $2");
const WITHIN_A_TENANT: DroppedSessions = dropped!("s.tenant = $1 AND s.created_at < $2");
/// One that a client was given something of is kept until its end in any case, though nobody signs in by it any more: a gate
/// goes on by what it was given, and has to hear when the person is stopped.
pub(super) const ENDED_BY_THE_CLOCK: DroppedSessions = dropped!(
    "$1 IS NULL AND (s.expires_at <= $2 OR (s.idle_until <= $2 \
     AND NOT EXISTS (SELECT 1 FROM session_client c WHERE c.session = s.id)))"
);

impl Transaction {
    /// One session of a person, if it is theirs. Gates hear of it at once. Gives whose it was.
    pub(super) async fn drop_session(
        &mut self,
        person: &PersonId,
        session: &SessionId,
    ) -> Result<Option<String>> {
        let found: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT tenant FROM session WHERE person = $1 AND id = $2 AND ($3 IS NULL OR tenant = $3)",
            )
            .bind(person.as_str())
            .bind(session.as_str())
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        });
        let Some((tenant,)) = found else { return Ok(None) };
        self.deny_and_drop(session.as_str(), &Actor::Person(person.clone())).await?;
        Ok(Some(tenant))
    }

    /// All sessions but `kept` of a person who was found within the scope. Gates hear of it at once.
    pub(crate) async fn drop_sessions_of(
        &mut self,
        person: &PersonId,
        kept: Option<&SessionId>,
    ) -> Result<u64> {
        let found: Vec<(String,)> = on_transaction!(self.engine, connection => {
            // No session has the empty identifier.
            sqlx::query_as("SELECT id FROM session WHERE person = $1 AND id <> $2 ORDER BY id")
                .bind(person.as_str())
                .bind(kept.map_or("", SessionId::as_str))
                .fetch_all(connection)
                .await?
        });
        let found: Vec<_> = found.into_iter().map(|(session,)| session).collect();
        self.drop_named_sessions(&found, person).await
    }

    /// Those sessions of a person that began before a moment, when a line of the log is done again. Gates hear of it by the
    /// log's own lines.
    pub(crate) async fn drop_sessions_again(&mut self, person: &PersonId, before: Timestamp) -> Result<u64> {
        self.drop_sessions(&OF_A_PERSON, Some(person.as_str()), before).await
    }

    /// These sessions of a person. Gates hear of it at once. Gives how many there were.
    pub(crate) async fn drop_named_sessions(
        &mut self,
        sessions: &[String],
        person: &PersonId,
    ) -> Result<u64> {
        let mut ended = 0;
        for session in sessions {
            ended += self.deny_and_drop(session, &Actor::Person(person.clone())).await?;
        }
        Ok(ended)
    }

    /// Those sessions on a device whose people are not among those it is for. Gates hear of it at once.
    pub(crate) async fn drop_sessions_of_others(&mut self, device: &DeviceId) -> Result<u64> {
        let own = device.as_str().to_owned();
        let others: Vec<(String, String)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT s.id, s.person FROM session s WHERE s.device = $1 \
                 AND EXISTS (SELECT 1 FROM device_person a WHERE a.device = $1) \
                 AND NOT EXISTS (SELECT 1 FROM device_person a WHERE a.device = $1 AND a.person = s.person) ORDER BY s.id",
            )
            .bind(own)
            .fetch_all(connection)
            .await?
        });
        let mut ended = 0;
        for (session, person) in others {
            let person = PersonId::try_from(person).map_err(|_| LedgerError::Unreadable("session.person"))?;
            ended += self.deny_and_drop(&session, &Actor::Person(person)).await?;
        }
        Ok(ended)
    }

    /// Those sessions on a device that began before a moment: it is stopped, or its people are signed out. Gates hear of the
    /// device.
    pub(crate) async fn drop_sessions_on(&mut self, device: &DeviceId, before: Timestamp) -> Result<u64> {
        self.drop_codes_of(device.as_str()).await?;
        self.drop_sessions(&ON_A_DEVICE, Some(device.as_str()), before).await
    }

    /// Those sessions of a tenant's people that began before a moment: it is stopped, or they are signed out. Gates hear of the
    /// tenant.
    pub(crate) async fn drop_sessions_within(&mut self, tenant: &TenantId, before: Timestamp) -> Result<u64> {
        self.drop_codes_of(tenant.as_str()).await?;
        self.drop_sessions(&WITHIN_A_TENANT, Some(tenant.as_str()), before).await
    }

    /// A few statements however many sessions there are. Access tokens that came from them are denied by what the caller does;
    /// clients hear of it by what is written here.
    pub(super) async fn drop_sessions(
        &mut self,
        which: &DroppedSessions,
        of: Option<&str>,
        at: Timestamp,
    ) -> Result<u64> {
        let (of, at, now) = (of.map(str::to_owned), at.millis(), self.now.millis());
        Ok(on_transaction!(self.engine, connection => {
            for statement in [which.families, which.codes] {
                sqlx::query(statement).bind(of.clone()).bind(at).execute(&mut *connection).await?;
            }
            sqlx::query(which.notices).bind(of.clone()).bind(at).bind(now).execute(&mut *connection).await?;
            sqlx::query(which.clients).bind(of.clone()).bind(at).execute(&mut *connection).await?;
            sqlx::query(which.sessions).bind(of).bind(at).execute(connection).await?.rows_affected()
        }))
    }

    /// Denies, one by one, the sessions of which clients were given something, on a device or at all devices of a tenant, which
    /// is suspended: when it is let in again, they are not. Gives how many.
    pub(crate) async fn deny_sessions_of(&mut self, device_or_tenant: &str) -> Result<u64> {
        let (of, now) = (device_or_tenant.to_owned(), self.now.millis());
        let denied: Vec<(String, i64)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "INSERT INTO denied_token (jti, until, device) SELECT s.id, s.expires_at, s.device FROM session s \
                 WHERE (s.device = $1 OR s.tenant = $1) AND s.expires_at > $2 \
                 AND EXISTS (SELECT 1 FROM session_client c WHERE c.session = s.id) \
                 ON CONFLICT (jti) DO NOTHING RETURNING jti, until",
            )
            .bind(of)
            .bind(now)
            .fetch_all(connection)
            .await?
        });
        let changes = denied
            .iter()
            .map(|(jti, until)| Change::TokenDenied { jti: jti.clone(), until: (*until).into() });
        self.feed_all(changes.collect()).await?;
        Ok(denied.len() as u64)
    }

    async fn deny_and_drop(&mut self, session: &str, actor: &Actor) -> Result<u64> {
        let own = session.to_owned();
        let granted: Option<(String, i64)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT s.device, s.expires_at FROM session s WHERE s.id = $1 \
                 AND EXISTS (SELECT 1 FROM session_client c WHERE c.session = s.id)",
            )
            .bind(own)
            .fetch_optional(connection)
            .await?
        });
        if let Some((device, expires_at)) = granted {
            let device = DeviceId::try_from(device).map_err(|_| LedgerError::Unreadable("session.device"))?;
            self.end_families_of(session, &device, actor).await?;
            self.deny_session(session, &device, expires_at.into(), actor).await?;
        }
        self.drop_sessions(&ONE, Some(session), Timestamp::END).await
    }

    /// Each with its access tokens: gates of the previous version do not look at the session's name.
    async fn end_families_of(&mut self, session: &str, device: &DeviceId, actor: &Actor) -> Result<()> {
        let own = session.to_owned();
        let families: Vec<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT id FROM token_family WHERE session = $1 AND state = 'living' ORDER BY id")
                .bind(own)
                .fetch_all(connection)
                .await?
        });
        for (family,) in families {
            let family = FamilyId::parse(&family).ok_or(LedgerError::Unreadable("token_family.id"))?;
            self.end_family(&family, device, FamilyEnd::SignedOut, actor).await?;
        }
        Ok(())
    }

    /// Whatever names the session is refused at every gate, until it would have ended in any case.
    async fn deny_session(
        &mut self,
        session: &str,
        device: &DeviceId,
        until: Timestamp,
        actor: &Actor,
    ) -> Result<()> {
        let name = session.to_owned();
        let added = on_transaction!(self.engine, connection => {
            sqlx::query("INSERT INTO denied_token (jti, until, device) VALUES ($1, $2, $3) ON CONFLICT (jti) DO NOTHING")
                .bind(name)
                .bind(until.millis())
                .bind(device.as_str())
                .execute(connection)
                .await?
                .rows_affected()
        });
        if added == 1 {
            let event = self.feed(Change::TokenDenied { jti: session.to_owned(), until }).await?;
            let detail = json!({"session": session, "event": event.seq});
            self.audit(actor, "session.denied", Some(device), detail).await?;
        }
        Ok(())
    }
}
