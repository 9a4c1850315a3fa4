//! What clients have to hear of the end of sessions (OpenID Connect Back-Channel Logout), and how telling them goes.
//!
//! A notice is written with the end of its session ([`Transaction`] drops sessions in one place) and is gone once its client has
//! taken it, has nowhere to hear it, or nobody tries any more.

use crate::actor::Actor;
use crate::engine::{on_read, on_transaction};
use crate::group_commit::Operation;
use crate::{Ledger, LedgerError, Result, Transaction};
use serde_json::json;
use std::time::Duration;
use tegata_core::{PersonId, SessionId, Timestamp};

/// How long a client is tried.
pub const LOGOUT_PATIENCE: Duration = Duration::from_hours(24);

/// Notices that wait for one client at most; the oldest are given up.
pub const LOGOUTS_OF_A_CLIENT: i64 = 10_000;

/// That a session has ended, for one client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogoutNotice {
    /// The session that has ended.
    pub session: SessionId,
    /// The client that was given something of it.
    pub client: String,
    /// Whose session it was.
    pub person: PersonId,
    /// How often it was tried.
    pub attempts: u32,
}

/// A client with notices that wait, and how telling it went.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct LogoutReceiver {
    /// The client that is told.
    pub client: String,
    /// Notices that wait, also those that are not due yet.
    pub waiting: i64,
    /// Notices that it has taken.
    pub delivered: i64,
    /// Notices that nobody tries to tell it any more.
    pub given_up: i64,
    failing_since: Option<i64>,
    /// Attempts that failed since the last one that did not.
    pub failures: i64,
    /// How the last of them failed.
    pub failure: Option<String>,
}

/// What became of one attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LogoutOutcome {
    /// The client has taken the notice.
    Delivered,
    /// It answered, and did not take it. This notice is tried again at that time.
    Refused(String, Timestamp),
    /// It could not be reached. None of its notices is tried before that time.
    Unreachable(String, Timestamp),
}

/// Writes down what became of one attempt.
#[derive(Clone, Debug)]
pub struct NoteLogout {
    /// The session of the notice.
    pub session: SessionId,
    /// The client of the notice.
    pub client: String,
    /// What became of it.
    pub outcome: LogoutOutcome,
    /// When it was made.
    pub at: Timestamp,
}

impl LogoutReceiver {
    /// Since when no attempt has succeeded.
    pub fn failing_since(&self) -> Option<Timestamp> {
        self.failing_since.map(Timestamp::from_millis)
    }
}

impl Operation for NoteLogout {
    type Output = ();

    fn now(&self) -> Timestamp {
        self.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<()> {
        match &self.outcome {
            LogoutOutcome::Delivered => transaction.note_delivered(&self.session, &self.client).await,
            LogoutOutcome::Refused(why, due_at) => {
                transaction.postpone_one(&self.session, &self.client, *due_at).await?;
                transaction.note_logout_failure(&self.client, why).await
            }
            LogoutOutcome::Unreachable(why, due_at) => {
                transaction.postpone_one(&self.session, &self.client, *due_at).await?;
                transaction.postpone_all(&self.client, *due_at).await?;
                transaction.note_logout_failure(&self.client, why).await
            }
        }
    }
}

macro_rules! receivers {
    ($rest:literal) => {
        concat!(
            "SELECT k.client, (SELECT COUNT(*) FROM logout_notice n WHERE n.client = k.client) AS waiting, \
             COALESCE(r.delivered, 0) AS delivered, COALESCE(r.given_up, 0) AS given_up, r.failing_since, \
             COALESCE(r.failures, 0) AS failures, r.failure \
             FROM (SELECT client FROM logout_receiver UNION SELECT client FROM logout_notice) k \
             LEFT JOIN logout_receiver r ON r.client = k.client ",
            $rest
        )
    };
}

impl Ledger {
    /// The clients that ever had to hear of an end, by name.
    pub async fn logout_receivers(&self) -> Result<Vec<LogoutReceiver>> {
        Ok(on_read!(self, connection => {
            sqlx::query_as(receivers!("ORDER BY k.client")).fetch_all(connection).await?
        }))
    }

    /// The clients for which notices are due, and whether the last attempt with each failed.
    pub async fn clients_to_tell(&self, now: Timestamp) -> Result<Vec<(String, bool)>> {
        let rows: Vec<(String, i64)> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT k.client, COALESCE((SELECT r.failures FROM logout_receiver r WHERE r.client = k.client), 0) \
                 FROM (SELECT DISTINCT client FROM logout_notice WHERE due_at <= $1) k ORDER BY k.client",
            )
            .bind(now.millis())
            .fetch_all(connection)
            .await?
        });
        Ok(rows.into_iter().map(|(client, failures)| (client, failures > 0)).collect())
    }

    /// Notices that are due for a client, those that wait longest first.
    pub async fn due_logouts(&self, client: &str, most: i64, now: Timestamp) -> Result<Vec<LogoutNotice>> {
        let rows: Vec<(String, String, i64)> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT session, person, attempts FROM logout_notice WHERE client = $1 AND due_at <= $2 \
                 ORDER BY due_at, session LIMIT $3",
            )
            .bind(client.to_owned())
            .bind(now.millis())
            .bind(most)
            .fetch_all(connection)
            .await?
        });
        let notice = |(session, person, attempts): (String, String, i64)| {
            Ok(LogoutNotice {
                session: SessionId::try_from(session)
                    .map_err(|_| LedgerError::Unreadable("logout_notice.session"))?,
                client: client.to_owned(),
                person: PersonId::try_from(person)
                    .map_err(|_| LedgerError::Unreadable("logout_notice.person"))?,
                attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
            })
        };
        rows.into_iter().map(notice).collect()
    }
}

impl Transaction {
    /// Drops the notices of a client that has nowhere to hear them. Gives how many.
    pub async fn drop_logouts_of(&mut self, client: &str) -> Result<u64> {
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query("DELETE FROM logout_notice WHERE client = $1")
                .bind(client)
                .execute(connection)
                .await?
                .rows_affected()
        }))
    }

    /// Gives up what a client has not taken for too long, and what is too much. Gives how many notices.
    pub async fn give_up_logouts(&mut self, client: &str) -> Result<u64> {
        let too_old = self.now.minus(LOGOUT_PATIENCE).millis();
        let given_up = on_transaction!(self.engine, connection => {
            let old = sqlx::query("DELETE FROM logout_notice WHERE client = $1 AND ended_at <= $2")
                .bind(client)
                .bind(too_old)
                .execute(&mut *connection)
                .await?
                .rows_affected();
            let many = sqlx::query(
                "DELETE FROM logout_notice WHERE client = $1 AND session NOT IN (SELECT n.session FROM logout_notice n \
                 WHERE n.client = $1 ORDER BY n.ended_at DESC, n.session LIMIT $2)",
            )
            .bind(client)
            .bind(LOGOUTS_OF_A_CLIENT)
            .execute(connection)
            .await?
            .rows_affected();
            old + many
        });
        if given_up > 0 {
            self.count_logouts(client, 0, given_up).await?;
            let actor = Actor::System("backchannel-logout");
            self.audit(&actor, "logout.given_up", None, json!({"client": client, "sessions": given_up}))
                .await?;
        }
        Ok(given_up)
    }

    async fn note_delivered(&mut self, session: &SessionId, client: &str) -> Result<()> {
        let taken = on_transaction!(self.engine, connection => {
            sqlx::query("DELETE FROM logout_notice WHERE session = $1 AND client = $2")
                .bind(session.as_str())
                .bind(client)
                .execute(connection)
                .await?
                .rows_affected()
        });
        self.count_logouts(client, taken, 0).await?;
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE logout_receiver SET failures = 0, failing_since = NULL, failure = NULL \
                 WHERE client = $1 AND failures > 0",
            )
            .bind(client)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    async fn count_logouts(&mut self, client: &str, delivered: u64, given_up: u64) -> Result<()> {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO logout_receiver (client, delivered, given_up, failures) VALUES ($1, $2, $3, 0) \
                 ON CONFLICT (client) DO UPDATE SET delivered = logout_receiver.delivered + $2, \
                 given_up = logout_receiver.given_up + $3",
            )
            .bind(client)
            .bind(number(delivered))
            .bind(number(given_up))
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    async fn note_logout_failure(&mut self, client: &str, why: &str) -> Result<()> {
        let now = self.now.millis();
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO logout_receiver (client, delivered, given_up, failures, failure, failing_since) \
                 VALUES ($1, 0, 0, 1, $2, $3) ON CONFLICT (client) DO UPDATE SET \
                 failures = logout_receiver.failures + 1, failure = $2, \
                 failing_since = COALESCE(logout_receiver.failing_since, $3)",
            )
            .bind(client)
            .bind(why)
            .bind(now)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    async fn postpone_one(&mut self, session: &SessionId, client: &str, due_at: Timestamp) -> Result<()> {
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE logout_notice SET attempts = attempts + 1, due_at = $3 WHERE session = $1 AND client = $2",
            )
            .bind(session.as_str())
            .bind(client)
            .bind(due_at.millis())
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    async fn postpone_all(&mut self, client: &str, due_at: Timestamp) -> Result<()> {
        on_transaction!(self.engine, connection => {
            sqlx::query("UPDATE logout_notice SET due_at = $2 WHERE client = $1 AND due_at < $2")
                .bind(client)
                .bind(due_at.millis())
                .execute(connection)
                .await?;
        });
        Ok(())
    }
}
