//! What the audit log lets go: entries about routine tokens after a while, of which the numbers stay, and what is older than it
//! has to be kept. A part of the log at a time, so that writers wait for none of it.
//!
//! What says why a certificate, a device or a tenant is as its row says stays as long as that row does, however old it is:
//! `tegata check` compares the two.

use super::AuditEntry;
use super::chain::{AuditGap, AuditLink, FOLDED, LinkRow, PRUNED, digest_of, links};
use crate::actor::Actor;
use crate::engine::{on_read, on_transaction};
use crate::rows::{BatchStatement, MOST, bind_rows};
use crate::scope::on_scoped_read;
use crate::sighting::day_of;
use crate::{Ledger, Result, ScopedLedger, Transaction};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tegata_core::{DeviceId, Timestamp};

/// How long entries are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AuditRetention {
    /// Those about routine tokens.
    pub tokens: Duration,
    /// How long all other entries are kept.
    pub others: Duration,
}

/// How many tokens one device or client got on one day.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct TokenDay {
    /// Of Japan, counted from 1970.
    pub day: i64,
    /// How many access tokens were issued.
    pub tokens: i64,
    /// How many of them by a refresh token.
    pub refreshed: i64,
    /// When the first was issued.
    #[sqlx(try_from = "i64")]
    pub first_at: Timestamp,
    /// When the last was.
    #[sqlx(try_from = "i64")]
    pub last_at: Timestamp,
}

/// Entries looked at by one transaction.
const SLICE: i64 = 1000;

/// Responders are forgotten so long after their end.
const RESPONDERS: Duration = Duration::from_hours(7 * 24);

/// Whatever `tegata check` compares with rows, and what proves that others were let go.
const KEPT: [&str; 16] = [
    "certificate.reserved",
    "certificate.issued",
    "certificate.taken_over",
    "certificate.revoked",
    "certificate.superseded",
    "certificate.retired",
    "certificate.abandoned",
    "device.suspended",
    "device.resumed",
    "device.revoked",
    "device.retired",
    "device.signed_out",
    "tenant.suspended",
    "tenant.resumed",
    "tenant.signed_out",
    "installation.made",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum RetentionStep {
    Fold,
    Prune,
}

/// What an entry says, as far as it is needed here.
#[derive(Deserialize)]
struct EntrySummary {
    at: Timestamp,
    actor: String,
    action: String,
    device: Option<String>,
    detail: Value,
}

/// What is let go of one slice.
struct RetentionSlice {
    pass: RetentionStep,
    after: u64,
    through: u64,
    gaps: Vec<AuditGap>,
    entries: u64,
    counts: BTreeMap<(String, i64), TokenCount>,
}

#[derive(Clone, Copy)]
struct TokenCount {
    tokens: i64,
    refreshed: i64,
    first_at: Timestamp,
    last_at: Timestamp,
}

/// A row of `token_day`.
struct TokenDayRow {
    holder: String,
    day: i64,
    count: TokenCount,
}

static COUNTS: BatchStatement = BatchStatement::new(
    "WITH new (holder, day, tokens, refreshed, first_at, last_at) AS (VALUES ",
    6,
    ") INSERT INTO token_day (holder, day, tokens, refreshed, first_at, last_at) \
     SELECT holder, day, tokens, refreshed, first_at, last_at FROM new WHERE holder IS NOT NULL \
     ON CONFLICT (holder, day) DO UPDATE SET tokens = token_day.tokens + excluded.tokens, \
     refreshed = token_day.refreshed + excluded.refreshed, \
     first_at = CASE WHEN excluded.first_at < token_day.first_at THEN excluded.first_at ELSE token_day.first_at END, \
     last_at = CASE WHEN excluded.last_at > token_day.last_at THEN excluded.last_at ELSE token_day.last_at END",
);

/// The entries of a gap, and where tenants' logs have them.
const LET_GO: [&str; 2] =
    ["DELETE FROM trail WHERE seq >= $1 AND seq <= $2", "DELETE FROM audit WHERE seq >= $1 AND seq <= $2"];

static GAPS: BatchStatement = BatchStatement::new(
    "WITH new (first, last, hash, entry) AS (VALUES ",
    4,
    ") INSERT INTO audit_gap (first, last, hash, entry) SELECT first, last, hash, entry FROM new WHERE first IS NOT NULL",
);

impl Ledger {
    /// Lets go of a part of what need not be kept any longer. Gives whether there may be more.
    pub async fn retain_audit(&self, retention: &AuditRetention, now: Timestamp) -> Result<bool> {
        let (folded, pruned): (i64, i64) = on_read!(self, connection => {
            sqlx::query_as("SELECT folded, pruned FROM audit_retention WHERE id = 1").fetch_one(connection).await?
        });
        let fold = self.slice(RetentionStep::Fold, folded, now.minus(retention.tokens)).await?;
        let prune = self.slice(RetentionStep::Prune, pruned, now.minus(retention.others)).await?;
        let has_more = fold.is_some() || prune.is_some();
        for slice in [fold, prune].into_iter().flatten() {
            let mut transaction = self.begin(now).await?;
            if transaction.let_go(&slice, now.minus(retention.others)).await? {
                transaction.commit().await?;
            }
        }
        Ok(has_more)
    }

    /// Forgets responders that ended a while ago. Gives how many.
    pub async fn forget_responders(&self, now: Timestamp) -> Result<u64> {
        let mut transaction = self.begin(now).await?;
        let before = now.minus(RESPONDERS);
        let forgotten = on_transaction!(transaction.engine, connection => {
            sqlx::query("DELETE FROM responder WHERE not_after < $1")
                .bind(before.millis())
                .execute(connection)
                .await?
                .rows_affected()
        });
        if forgotten > 0 {
            let detail = json!({"responders": forgotten, "ended_before": before});
            transaction.audit(&Actor::System("audit"), "responder.forgotten", None, detail).await?;
            transaction.commit().await?;
        }
        Ok(forgotten)
    }

    /// The log after an entry, gaps included, at most `limit` steps.
    pub async fn audit_links(&self, after: u64, limit: u32) -> Result<Vec<AuditLink>> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        Ok(self.link_rows(after, i64::from(limit)).await?.into_iter().map(LinkRow::link).collect())
    }

    /// The hash of an entry, if it is there or the last of a gap.
    pub async fn audit_hash_at(&self, seq: u64) -> Result<Option<Vec<u8>>> {
        let row: Option<(Vec<u8>,)> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT hash FROM audit WHERE seq = $1 UNION ALL SELECT hash FROM audit_gap WHERE last = $1",
            )
            .bind(i64::try_from(seq).unwrap_or(i64::MAX))
            .fetch_optional(connection)
            .await?
        });
        Ok(row.map(|(hash,)| hash))
    }

    pub(super) async fn link_rows(&self, after: i64, limit: i64) -> Result<Vec<LinkRow>> {
        Ok(on_read!(self, connection => {
            sqlx::query_as(links!()).bind(after).bind(limit).fetch_all(connection).await?
        }))
    }

    /// Entries never change, so that they are read before the right to write is taken.
    async fn slice(
        &self,
        pass: RetentionStep,
        after: i64,
        before: Timestamp,
    ) -> Result<Option<RetentionSlice>> {
        let mut slice = RetentionSlice::after(pass, after.unsigned_abs());
        for row in self.link_rows(after, SLICE).await? {
            match row.link() {
                AuditLink::Gap(gap) => slice.through = gap.last,
                AuditLink::Entry(entry, _) if entry.at >= before => break,
                AuditLink::Entry(entry, hash) => slice.take(&entry, hash),
            }
        }
        Ok((slice.through > slice.after).then_some(slice))
    }
}

impl ScopedLedger {
    /// How many tokens a device got on each day whose entries were let go, the newest first.
    pub async fn token_days_of(&self, device: &DeviceId, limit: u32) -> Result<Vec<TokenDay>> {
        Ok(on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT day, tokens, refreshed, first_at, last_at FROM token_day WHERE holder = $1 \
                 AND ($3 IS NULL OR EXISTS (SELECT 1 FROM device d WHERE d.id = token_day.holder AND d.tenant = $3)) \
                 ORDER BY day DESC LIMIT $2",
            )
            .bind(device.as_str())
            .bind(i64::from(limit))
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        }))
    }
}

impl RetentionSlice {
    fn after(pass: RetentionStep, after: u64) -> Self {
        Self { pass, after, through: after, gaps: Vec::new(), entries: 0, counts: BTreeMap::new() }
    }

    fn take(&mut self, entry: &AuditEntry, hash: Vec<u8>) {
        self.through = entry.seq;
        // What cannot be read is evidence of something.
        let Ok(said) = serde_json::from_str::<EntrySummary>(&entry.entry) else { return };
        let goes = match self.pass {
            RetentionStep::Fold => self.count(&said),
            RetentionStep::Prune => {
                !KEPT.contains(&&*said.action) && ![FOLDED, PRUNED].contains(&&*said.action)
            }
        };
        if !goes {
            return;
        }
        self.entries += 1;
        match self.gaps.last_mut().filter(|gap| gap.last + 1 == entry.seq) {
            Some(gap) => (gap.last, gap.hash) = (entry.seq, hash),
            None => self.gaps.push(AuditGap { first: entry.seq, last: entry.seq, hash, entry: 0 }),
        }
    }

    /// Whether it is about routine tokens; if so, they are counted.
    fn count(&mut self, said: &EntrySummary) -> bool {
        match (&*said.action, said.detail["tokens"].as_array(), &said.device) {
            ("token.issued", Some(tokens), _) => {
                for token in tokens {
                    let at = token[0].as_i64().map_or(said.at, Timestamp::from_millis);
                    self.add(token[1].as_str().unwrap_or(&said.actor), at, (1, 0));
                }
            }
            ("token.issued", None, _) => self.add(&said.actor, said.at, (1, 0)),
            ("token_family.rotated", _, Some(device)) => self.add(device, said.at, (0, 1)),
            _ => return false,
        }
        true
    }

    fn add(&mut self, holder: &str, at: Timestamp, (tokens, refreshed): (i64, i64)) {
        let new = TokenCount { tokens: 0, refreshed: 0, first_at: at, last_at: at };
        let count = self.counts.entry((holder.to_owned(), day_of(at))).or_insert(new);
        count.tokens += tokens;
        count.refreshed += refreshed;
        (count.first_at, count.last_at) = (count.first_at.min(at), count.last_at.max(at));
    }
}

impl Transaction {
    /// Gives whether it was not done by somebody else meanwhile.
    async fn let_go(&mut self, slice: &RetentionSlice, oldest: Timestamp) -> Result<bool> {
        let statement = match slice.pass {
            RetentionStep::Fold => "UPDATE audit_retention SET folded = $2 WHERE id = 1 AND folded = $1",
            RetentionStep::Prune => "UPDATE audit_retention SET pruned = $2 WHERE id = 1 AND pruned = $1",
        };
        let [after, through] = [slice.after, slice.through].map(|seq| i64::try_from(seq).unwrap_or(i64::MAX));
        let moved = on_transaction!(self.engine, connection => {
            sqlx::query(statement).bind(after).bind(through).execute(connection).await?.rows_affected()
        });
        if moved != 1 {
            return Ok(false);
        }
        if slice.pass == RetentionStep::Prune {
            self.forget_token_days(oldest).await?;
        }
        if slice.gaps.is_empty() {
            return Ok(true);
        }
        self.make_gaps(&slice.gaps).await?;
        self.count_tokens(slice).await?;
        let action = if slice.pass == RetentionStep::Fold { FOLDED } else { PRUNED };
        let tokens: i64 = slice.counts.values().map(|count| count.tokens).sum();
        let detail = json!({
            "after": slice.after, "through": slice.through, "entries": slice.entries, "tokens": tokens,
            "gaps": slice.gaps.len(), "digest": digest_of(&slice.gaps),
        });
        self.audit(&Actor::System("audit"), action, None, detail).await?;
        Ok(true)
    }

    /// In place of the entries, with the number of the entry that will say so.
    async fn make_gaps(&mut self, gaps: &[AuditGap]) -> Result<()> {
        let signed = |seq: u64| i64::try_from(seq).unwrap_or(i64::MAX);
        let entry = self.head.audit_seq.unsigned_abs() + 1;
        let gaps: Vec<_> = gaps.iter().map(|gap| AuditGap { entry, ..gap.clone() }).collect();
        for gap in &gaps {
            on_transaction!(self.engine, connection => {
                for statement in LET_GO {
                    sqlx::query(statement)
                        .bind(signed(gap.first))
                        .bind(signed(gap.last))
                        .execute(&mut *connection)
                        .await?;
                }
            });
        }
        for some in gaps.chunks(MOST) {
            let batch = GAPS.of(some.len());
            on_transaction!(self.engine, connection => {
                bind_rows!(sqlx::query(batch.text(&*connection)), some, batch.size, gap => [
                    signed(gap.first), signed(gap.last), gap.hash.as_slice(), signed(gap.entry),
                ])
                .execute(connection)
                .await?;
            });
        }
        Ok(())
    }

    async fn count_tokens(&mut self, slice: &RetentionSlice) -> Result<()> {
        let counted: Vec<_> = slice.counts.iter().collect();
        let counted: Vec<_> = counted
            .into_iter()
            .map(|((holder, day), count)| TokenDayRow { holder: holder.clone(), day: *day, count: *count })
            .collect();
        for some in counted.chunks(MOST) {
            let batch = COUNTS.of(some.len());
            on_transaction!(self.engine, connection => {
                bind_rows!(sqlx::query(batch.text(&*connection)), some, batch.size, one => [
                    one.holder.as_str(), one.day, one.count.tokens, one.count.refreshed,
                    one.count.first_at.millis(), one.count.last_at.millis(),
                ])
                .execute(connection)
                .await?;
            });
        }
        Ok(())
    }

    async fn forget_token_days(&mut self, oldest: Timestamp) -> Result<()> {
        on_transaction!(self.engine, connection => {
            sqlx::query("DELETE FROM token_day WHERE day < $1").bind(day_of(oldest)).execute(connection).await?;
        });
        Ok(())
    }
}
