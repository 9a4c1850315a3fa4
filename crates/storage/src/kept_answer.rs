//! Answers of the API that are given again to whoever asks again by the same idempotency key: the answer may have been lost.

use crate::engine::on_transaction;
use crate::{Result, Transaction};
use std::time::Duration;
use tegata_core::PersonId;

/// Nobody asks again after a day.
const KEPT: Duration = Duration::from_hours(24);

/// What was answered to a request with a key.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct KeptAnswer {
    /// SHA-256 of what was asked: the same key for something else is a mistake.
    pub request_hash: Vec<u8>,
    /// The answer, in JSON.
    pub answer: String,
}

impl Transaction {
    /// What this person was answered by this key before.
    pub async fn answer_before(&mut self, person: &PersonId, key: &str) -> Result<Option<KeptAnswer>> {
        let since = self.now.minus(KEPT).millis();
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT k.request_hash, k.answer FROM kept_answer k JOIN person p ON p.id = k.person \
                 WHERE p.id = $1 AND k.idempotency_key = $2 AND k.at >= $3 AND ($4 IS NULL OR p.tenant = $4)",
            )
            .bind(person.as_str())
            .bind(key)
            .bind(since)
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        }))
    }

    /// Keeps an answer with what was done for it, and forgets those of this person that are too old.
    pub async fn keep_answer(&mut self, person: &PersonId, key: &str, kept: &KeptAnswer) -> Result<()> {
        let (now, since) = (self.now.millis(), self.now.minus(KEPT).millis());
        on_transaction!(self.engine, connection => {
            sqlx::query("DELETE FROM kept_answer WHERE person = $1 AND at < $2")
                .bind(person.as_str())
                .bind(since)
                .execute(&mut *connection)
                .await?;
            sqlx::query(
                "INSERT INTO kept_answer (person, idempotency_key, request_hash, answer, at) SELECT p.id, $2, $3, $4, $5 \
                 FROM person p WHERE p.id = $1 AND ($6 IS NULL OR p.tenant = $6)",
            )
            .bind(person.as_str())
            .bind(key)
            .bind(kept.request_hash.clone())
            .bind(kept.answer.as_str())
            .bind(now)
            .bind(self.scope.bound())
            .execute(connection)
            .await?;
        });
        Ok(())
    }
}
