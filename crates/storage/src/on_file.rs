//! Whether what a caller says is what is on file: yes or no, so that support knows whom it speaks with and learns nothing else.
//!
//! Each question is in the audit log, without what was said. Their number is bounded, so that nobody finds out by asking.

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::{LedgerError, Result, Transaction};
use serde_json::json;
use std::time::Duration;
use tegata_core::name::{comparison_key, is_same};
use tegata_core::{PersonId, Refusal};

/// For which time questions are counted.
const PERIOD: Duration = Duration::from_hours(1);

/// Questions about one person, whoever asks: a caller mistakes themselves once or twice.
const ABOUT_A_PERSON: i64 = 5;

/// Questions of one actor: nobody is called more often.
const OF_AN_ACTOR: i64 = 60;

/// What somebody says of themselves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum OnFile<'a> {
    /// What they are called.
    Name(&'a str),
    /// What they sign in with, which may be a mail address.
    Login(&'a str),
}

impl OnFile<'_> {
    const fn word(self) -> &'static str {
        match self {
            Self::Name(_) => "name",
            Self::Login(_) => "login",
        }
    }
}

impl Transaction {
    /// Whether this is on file of a person, without regard to width, case and spaces. To be committed whatever the answer.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such person, [`Refusal::TooManyChecks`] when it was asked too often.
    pub async fn check_on_file(
        &mut self,
        person: &PersonId,
        said: &OnFile<'_>,
        note: &str,
        actor: &Actor,
    ) -> Result<bool> {
        let row: Option<(String, String, String)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT tenant, name, login_key FROM person WHERE id = $1 AND ($2 IS NULL OR tenant = $2)")
                .bind(person.as_str())
                .bind(self.scope.bound())
                .fetch_optional(connection)
                .await?
        });
        let (tenant, name, login) = row.ok_or(LedgerError::Guard("there is no such person"))?;
        self.count_check(person, actor).await?;
        let matches = match said {
            OnFile::Name(said) => is_same(said, &name),
            OnFile::Login(said) => comparison_key(said) == login,
        };
        let detail = json!({"tenant": tenant, "person": person, "what": said.word(), "matches": matches, "note": note});
        self.audit(actor, "person.checked", None, detail).await?;
        Ok(matches)
    }

    async fn count_check(&mut self, person: &PersonId, actor: &Actor) -> Result<()> {
        let (now, since) = (self.now.millis(), self.now.minus(PERIOD).millis());
        let actor = actor.to_string();
        on_transaction!(self.engine, connection => {
            sqlx::query("DELETE FROM file_check WHERE at <= $1").bind(since).execute(connection).await?;
        });
        let (about, of): (i64, i64) = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT (SELECT COUNT(*) FROM file_check WHERE person = $1), \
                 (SELECT COUNT(*) FROM file_check WHERE actor = $2)",
            )
            .bind(person.as_str())
            .bind(actor.as_str())
            .fetch_one(connection)
            .await?
        });
        if about >= ABOUT_A_PERSON || of >= OF_AN_ACTOR {
            return Err(LedgerError::Refused(Refusal::TooManyChecks));
        }
        on_transaction!(self.engine, connection => {
            sqlx::query("INSERT INTO file_check (actor, person, at) VALUES ($1, $2, $3)")
                .bind(actor)
                .bind(person.as_str())
                .bind(now)
                .execute(connection)
                .await?;
        });
        Ok(())
    }
}
