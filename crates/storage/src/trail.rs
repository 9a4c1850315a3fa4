//! The audit log as one tenant reads it: what is about its devices, and what names it, without routine of devices.
//!
//! Entries have no column for the tenant. An index says whose log they stand in; it is filled shortly after they were written
//! ([`Ledger::fill_trail`]). What is newer than the index is walked, some thousands at a time.

mod filling;

use crate::audit::{AuditEntry, AuditRow};
use crate::engine::on_read;
use crate::history::{containing, member_of};
use crate::scope::on_scoped_read;
use crate::{Result, ScopedLedger};
use tegata_core::{DeviceId, PersonId, TenantId, Timestamp};

/// Entries that are looked at by one statement, and how many statements there are for one page.
const SLICE: u64 = 4000;
const SLICES: u32 = 8;

/// Clocks of servers may be so far apart: entries are looked for that much around a time, in milliseconds.
const APART: i64 = 10 * 60 * 1000;

/// Each end of the log by itself: SQLite reads the whole table for both in one SELECT.
const FIRST_AND_NEXT: &str =
    "SELECT (SELECT COALESCE(MIN(seq), 1) FROM audit), (SELECT COALESCE(MAX(seq), 0) + 1 FROM audit)";

/// What a page asks of an entry.
macro_rules! asked {
    () => {
        "a.at >= $3 AND a.at < $4 AND ($5 IS NULL OR a.device = $5) AND ($6 IS NULL OR a.entry LIKE $6 ESCAPE '!') \
         AND ($8 IS NULL OR $8 = $7) ORDER BY a.seq DESC LIMIT $9"
    };
}

/// Entries of the log itself between two numbers.
const WALKED: &str = concat!(
    "SELECT a.seq, a.at, a.entry FROM audit a WHERE a.seq >= $1 AND a.seq < $2 \
     AND a.entry NOT LIKE $10 ESCAPE '!' AND a.entry NOT LIKE $11 ESCAPE '!' \
     AND CASE WHEN a.device IS NULL THEN a.entry LIKE $12 ESCAPE '!' \
     ELSE EXISTS (SELECT 1 FROM device d WHERE d.id = a.device AND d.tenant = $7) END AND ",
    asked!()
);

/// By the index: the newest `$10` of a tenant, or of one device, and of these whatever fits. CROSS JOIN keeps the order on SQLite.
macro_rules! indexed {
    ($of:literal) => {
        concat!(
            "SELECT a.seq, a.at, a.entry FROM (SELECT t.seq FROM trail t WHERE ",
            $of,
            " AND t.seq >= $1 AND t.seq < $2 ORDER BY t.seq DESC LIMIT $10) told CROSS JOIN audit a WHERE a.seq = told.seq AND ",
            asked!()
        )
    };
}

const OF_TENANT: &str = indexed!("t.tenant = $7");
const OF_DEVICE: &str = indexed!("t.device = $5 AND t.tenant = $7");

/// The number below which another slice begins.
const SLICE_END: &str = "SELECT MIN(q.seq), COUNT(*) FROM (SELECT t.seq FROM trail t WHERE t.tenant = $1 AND ($4 IS NULL OR t.tenant = $4) \
     AND t.seq >= $2 AND t.seq < $3 ORDER BY t.seq DESC LIMIT $5) q";
const SLICE_END_OF_DEVICE: &str = "SELECT MIN(q.seq), COUNT(*) FROM (SELECT t.seq FROM trail t WHERE t.device = $6 AND t.tenant = $1 \
     AND ($4 IS NULL OR t.tenant = $4) AND t.seq >= $2 AND t.seq < $3 ORDER BY t.seq DESC LIMIT $5) q";

/// What a page asks, in the order of the statements' parameters.
macro_rules! bind_asked {
    ($rows:expr, $query:expr, $page:expr, $between:expr, $limit:expr) => {
        $query
            .bind(number($between.0))
            .bind(number($between.1))
            .bind($page.from.map_or(i64::MIN, Timestamp::millis))
            .bind($page.until.map_or(i64::MAX, Timestamp::millis))
            .bind($page.device.as_ref().map(|device| device.as_str().to_owned()))
            .bind($page.person.as_ref().map(|person| containing(person.as_str())))
            .bind($page.tenant.as_str().to_owned())
            .bind($rows.scope.bound())
            .bind(i64::try_from($limit).unwrap_or(i64::MAX))
    };
}

/// Which entries are asked for.
#[derive(Clone, Debug)]
pub struct TrailPage {
    /// Whose log it is.
    pub tenant: TenantId,
    /// About this device alone.
    pub device: Option<DeviceId>,
    /// By this person, or about them.
    pub person: Option<PersonId>,
    /// Written from then on.
    pub from: Option<Timestamp>,
    /// Written before that moment.
    pub until: Option<Timestamp>,
    /// Before this entry: the `next` of the page before.
    pub before: Option<u64>,
    /// How many at most.
    pub limit: u32,
}

/// Entries, the newest first. There may be none of them and yet others before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrailEntries {
    /// Those that were found.
    pub entries: Vec<AuditEntry>,
    /// The `before` of the next page; nothing where the log ends here.
    pub next: Option<u64>,
}

/// A piece of the log: from the first of these numbers, before the second.
type Between = (u64, u64);

impl ScopedLedger {
    /// Entries of a tenant's log. Of a tenant beyond the scope there are none.
    pub async fn trail(&self, page: &TrailPage) -> Result<TrailEntries> {
        let floor = match page.from {
            Some(from) => self.first_entry_at(from.millis() - APART).await?,
            None => 1,
        };
        // Read before the log's own end: what is indexed meanwhile is walked, and found.
        let indexed = self.trail_end().await? + 1;
        let mut upper = match page.until {
            Some(until) => self.first_entry_at(until.millis() + APART).await?,
            None => self.first_entry_at(i64::MAX).await?,
        };
        upper = page.before.map_or(upper, |before| before.min(upper));
        let mut entries = Vec::new();
        let most = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let mut slices = SLICES;
        while upper > floor && slices > 0 {
            let missing = most - entries.len();
            let (found, lower) = if upper > indexed {
                let lower = floor.max(indexed).max(upper.saturating_sub(SLICE));
                (self.walk_log(page, (lower, upper), missing).await?, lower)
            } else {
                let lower = self.slice_end(page, (floor, upper)).await?.unwrap_or(floor);
                (self.indexed_entries(page, (lower, upper), missing).await?, lower)
            };
            let is_full = found.len() == missing;
            upper = if is_full { found.last().map_or(lower, |last| last.seq) } else { lower };
            entries.extend(found);
            if is_full {
                break;
            }
            slices -= 1;
        }
        Ok(TrailEntries { entries, next: (upper > floor).then_some(upper) })
    }

    /// Where the slice before a number begins; nothing where it reaches to the floor.
    async fn slice_end(&self, page: &TrailPage, (floor, upper): Between) -> Result<Option<u64>> {
        let statement = if page.device.is_some() { SLICE_END_OF_DEVICE } else { SLICE_END };
        let (first, entries): (Option<i64>, i64) = on_scoped_read!(self, connection => {
            let query = sqlx::query_as(statement)
                .bind(page.tenant.as_str())
                .bind(number(floor))
                .bind(number(upper))
                .bind(self.scope.bound())
                .bind(number(SLICE));
            let query = match &page.device {
                Some(device) => query.bind(device.as_str()),
                None => query,
            };
            query.fetch_one(connection).await?
        });
        Ok(first.filter(|_| entries.unsigned_abs() >= SLICE).map(i64::unsigned_abs))
    }

    async fn indexed_entries(
        &self,
        page: &TrailPage,
        between: Between,
        limit: usize,
    ) -> Result<Vec<AuditEntry>> {
        let statement = if page.device.is_some() { OF_DEVICE } else { OF_TENANT };
        let rows: Vec<AuditRow> = on_scoped_read!(self, connection => {
            bind_asked!(self, sqlx::query_as(statement), page, between, limit)
                .bind(number(SLICE))
                .fetch_all(connection)
                .await?
        });
        Ok(rows.into_iter().map(AuditRow::entry).collect())
    }

    async fn walk_log(&self, page: &TrailPage, between: Between, limit: usize) -> Result<Vec<AuditEntry>> {
        let rows: Vec<AuditRow> = on_scoped_read!(self, connection => {
            bind_asked!(self, sqlx::query_as(WALKED), page, between, limit)
                .bind(containing("\"action\":\"token."))
                .bind(containing("\"action\":\"token_family."))
                .bind(containing(&member_of("tenant", page.tenant.as_str())))
                .fetch_all(connection)
                .await?
        });
        Ok(rows.into_iter().map(AuditRow::entry).collect())
    }

    /// Up to which entry the index goes.
    async fn trail_end(&self) -> Result<u64> {
        let ledger = &self.ledger;
        let (seq,): (i64,) = on_read!(ledger, connection => {
            sqlx::query_as("SELECT seq FROM trail_end WHERE id = 1").fetch_one(connection).await?
        });
        Ok(seq.unsigned_abs())
    }

    /// The first entry that was written at this time or later, or the one that will be written next. Numbers say nothing of
    /// tenants, so all entries are looked at.
    async fn first_entry_at(&self, millis: i64) -> Result<u64> {
        let ledger = &self.ledger;
        let (first, last): (i64, i64) = on_read!(ledger, connection => {
            sqlx::query_as(FIRST_AND_NEXT)
                .fetch_one(connection)
                .await?
        });
        let (mut low, mut high) = (first, last);
        // Nothing is written so late: no look is needed.
        if millis == i64::MAX {
            low = high;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            // There are gaps where entries were let go.
            let next: Option<(i64, i64)> = on_read!(ledger, connection => {
                sqlx::query_as("SELECT seq, at FROM audit WHERE seq >= $1 ORDER BY seq LIMIT 1")
                    .bind(middle)
                    .fetch_optional(connection)
                    .await?
            });
            match next {
                Some((seq, at)) if at < millis => low = seq + 1,
                _ => high = middle,
            }
        }
        Ok(low.unsigned_abs())
    }
}

fn number(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}
