//! Answers of the API that are given again to whoever asks again by the same idempotency key: the answer may have been lost.

use crate::engine::on_transaction;
use crate::{Result, Transaction};
use std::time::Duration;
use tegata_core::{PersonId, TenantId};

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

/// Who asked, and is answered again.
#[derive(Clone, Copy, Debug)]
pub enum AnsweredCaller<'a> {
    /// Somebody who is signed in.
    Person(&'a PersonId),
    /// A program that acts for nobody but itself, within a tenant.
    Client(&'a TenantId, &'a str),
}

impl Transaction {
    /// What this caller was answered by this key before.
    pub async fn answer_before(
        &mut self,
        caller: AnsweredCaller<'_>,
        key: &str,
    ) -> Result<Option<KeptAnswer>> {
        let since = self.now.minus(KEPT).millis();
        Ok(match caller {
            AnsweredCaller::Person(person) => on_transaction!(self.engine, connection => {
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
            }),
            AnsweredCaller::Client(tenant, client) => on_transaction!(self.engine, connection => {
                sqlx::query_as(
                    "SELECT request_hash, answer FROM kept_client_answer WHERE tenant = $1 AND client = $2 \
                     AND idempotency_key = $3 AND at >= $4 AND ($5 IS NULL OR tenant = $5)",
                )
                .bind(tenant.as_str())
                .bind(client)
                .bind(key)
                .bind(since)
                .bind(self.scope.bound())
                .fetch_optional(connection)
                .await?
            }),
        })
    }

    /// Keeps an answer with what was done for it, and forgets those of this caller that are too old.
    pub async fn keep_answer(
        &mut self,
        caller: AnsweredCaller<'_>,
        key: &str,
        kept: &KeptAnswer,
    ) -> Result<()> {
        match caller {
            AnsweredCaller::Person(person) => self.keep_for_person(person, key, kept).await,
            AnsweredCaller::Client(tenant, client) => self.keep_for_client(tenant, client, key, kept).await,
        }
    }

    async fn keep_for_person(&mut self, person: &PersonId, key: &str, kept: &KeptAnswer) -> Result<()> {
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

    async fn keep_for_client(
        &mut self,
        tenant: &TenantId,
        client: &str,
        key: &str,
        kept: &KeptAnswer,
    ) -> Result<()> {
        let (now, since) = (self.now.millis(), self.now.minus(KEPT).millis());
        on_transaction!(self.engine, connection => {
            sqlx::query("DELETE FROM kept_client_answer WHERE tenant = $1 AND client = $2 AND at < $3")
                .bind(tenant.as_str())
                .bind(client)
                .bind(since)
                .execute(&mut *connection)
                .await?;
            sqlx::query(
                "INSERT INTO kept_client_answer (tenant, client, idempotency_key, request_hash, answer, at) \
                 SELECT t.id, $2, $3, $4, $5, $6 FROM tenant t WHERE t.id = $1 AND ($7 IS NULL OR t.id = $7)",
            )
            .bind(tenant.as_str())
            .bind(client)
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
