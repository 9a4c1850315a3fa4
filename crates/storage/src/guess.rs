//! Counters of wrong guesses that all servers share. What the slots stand for is their business.

use crate::engine::{on_read, on_transaction};
use crate::group_commit::Operation;
use crate::{Ledger, Result, Transaction};
use tegata_core::Timestamp;

/// How many counters there are of each kind.
pub const GUESS_SLOTS: u32 = 65_538;

/// Wrong guesses of one kind in one period, to be added to what others have counted.
#[derive(Clone, Debug)]
pub struct WrongGuesses {
    /// What was guessed at.
    pub kind: &'static str,
    /// The number of the period since 1970.
    pub period: u64,
    /// What each counter grows by.
    pub slots: Vec<(u32, u32)>,
    /// When they are written.
    pub at: Timestamp,
}

impl Ledger {
    /// Adds to the counters. What was counted in an earlier period, or in one so far ahead that a wrong clock must have said
    /// so, is gone.
    pub async fn count_wrong_guesses(&self, guesses: WrongGuesses) -> Result<()> {
        self.group(guesses).await
    }

    /// What these counters say of a period, or of the next, which another server's clock may have begun.
    pub async fn wrong_guesses(&self, kind: &str, period: u64, slots: &[u32; 6]) -> Result<Vec<(u32, u32)>> {
        let rows: Vec<(i64, i64)> = on_read!(self, connection => {
            let mut query = sqlx::query_as(
                "SELECT slot, wrong FROM guess WHERE kind = $1 AND period BETWEEN $2 AND $3 \
                 AND slot IN ($4, $5, $6, $7, $8, $9)",
            )
            .bind(kind)
            .bind(signed(period))
            .bind(signed(period + 1));
            for slot in slots {
                query = query.bind(i64::from(*slot));
            }
            query.fetch_all(connection).await?
        });
        let small = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
        Ok(rows.into_iter().map(|(slot, wrong)| (small(slot), small(wrong))).collect())
    }

    /// The secret that slots are drawn with, if anybody has needed it yet.
    pub async fn guess_secret(&self) -> Result<Option<Vec<u8>>> {
        let found: Option<(Vec<u8>,)> = on_read!(self, connection => {
            sqlx::query_as("SELECT secret FROM guess_secret WHERE id = 1").fetch_optional(connection).await?
        });
        Ok(found.map(|(secret,)| secret))
    }

    /// Keeps a secret, unless there is one already. It is no state of anybody's, so it has no audit entry.
    pub async fn keep_guess_secret(&self, secret: [u8; 32], now: Timestamp) -> Result<()> {
        self.group(KeepGuessSecret { secret, at: now }).await
    }
}

struct KeepGuessSecret {
    secret: [u8; 32],
    at: Timestamp,
}

impl Operation for KeepGuessSecret {
    type Output = ();

    fn now(&self) -> Timestamp {
        self.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<()> {
        on_transaction!(transaction.engine, connection => {
            sqlx::query("INSERT INTO guess_secret (id, secret) VALUES (1, $1) ON CONFLICT (id) DO NOTHING")
                .bind(self.secret.as_slice())
                .execute(connection)
                .await?;
        });
        Ok(())
    }
}

impl Operation for WrongGuesses {
    type Output = ();

    fn now(&self) -> Timestamp {
        self.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<()> {
        for (slot, wrong) in &self.slots {
            on_transaction!(transaction.engine, connection => {
                sqlx::query(
                    "INSERT INTO guess (kind, slot, period, wrong) VALUES ($1, $2, $3, $4) \
                     ON CONFLICT (kind, slot) DO UPDATE SET \
                     wrong = CASE WHEN guess.period BETWEEN $3 AND $5 THEN guess.wrong + $4 ELSE $4 END, \
                     period = CASE WHEN guess.period BETWEEN $3 AND $5 THEN guess.period ELSE $3 END",
                )
                .bind(self.kind)
                .bind(i64::from(*slot))
                .bind(signed(self.period))
                .bind(i64::from(*wrong))
                .bind(signed(self.period + 1))
                .execute(connection)
                .await?;
            });
        }
        Ok(())
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
