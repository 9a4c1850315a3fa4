//! The audit log as one tenant reads it: what is about its devices, and what names it, without routine of devices.
//!
//! Entries have no column for the tenant. They are walked from the newest to the oldest, some thousands at a time, and whoever asks
//! goes on where that ended, so that a page costs the same however long the log is. Whose device is named reads its own entries alone.

use crate::audit::{AuditEntry, AuditRow};
use crate::engine::on_read;
use crate::history::{containing, member_of};
use crate::scope::on_scoped_read;
use crate::{Result, ScopedLedger};
use tegata_core::{DeviceId, PersonId, TenantId, Timestamp};

/// Entries that are walked at a time, and how often for one page.
const SLICE: u64 = 4000;
const SLICES: u32 = 4;

/// Clocks of servers may be so far apart: entries are looked for that much around a time, in milliseconds.
const APART: i64 = 10 * 60 * 1000;

/// Each end of the log by itself: SQLite reads the whole table for both in one SELECT.
const FIRST_AND_NEXT: &str =
    "SELECT (SELECT COALESCE(MIN(seq), 1) FROM audit), (SELECT COALESCE(MAX(seq), 0) + 1 FROM audit)";

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

impl ScopedLedger {
    /// Entries of a tenant's log. Of a tenant beyond the scope there are none.
    pub async fn trail(&self, page: &TrailPage) -> Result<TrailEntries> {
        let floor = match page.from {
            Some(from) => self.first_entry_at(from.millis() - APART).await?,
            None => 1,
        };
        let mut upper = match page.until {
            Some(until) => self.first_entry_at(until.millis() + APART).await?,
            None => self.first_entry_at(i64::MAX).await?,
        };
        upper = page.before.map_or(upper, |before| before.min(upper));
        let mut entries = Vec::new();
        let most = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let mut slices = SLICES;
        while upper > floor && slices > 0 {
            let lower = if page.device.is_some() { floor } else { floor.max(upper.saturating_sub(SLICE)) };
            let missing = most - entries.len();
            let found = self.trail_slice(page, (lower, upper), missing).await?;
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

    async fn trail_slice(
        &self,
        page: &TrailPage,
        (lower, upper): (u64, u64),
        limit: usize,
    ) -> Result<Vec<AuditEntry>> {
        let number = |seq: u64| i64::try_from(seq).unwrap_or(i64::MAX);
        let rows: Vec<AuditRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT seq, at, entry FROM audit WHERE seq >= $1 AND seq < $2 AND at >= $3 AND at < $4 \
                 AND ($5 IS NULL OR device = $5) AND ($6 IS NULL OR entry LIKE $6 ESCAPE '!') \
                 AND entry NOT LIKE $7 ESCAPE '!' AND entry NOT LIKE $8 ESCAPE '!' \
                 AND CASE WHEN device IS NULL THEN entry LIKE $9 ESCAPE '!' \
                 ELSE EXISTS (SELECT 1 FROM device d WHERE d.id = audit.device AND d.tenant = $10) END \
                 AND ($11 IS NULL OR $10 = $11) ORDER BY seq DESC LIMIT $12",
            )
            .bind(number(lower))
            .bind(number(upper))
            .bind(page.from.map_or(i64::MIN, Timestamp::millis))
            .bind(page.until.map_or(i64::MAX, Timestamp::millis))
            .bind(page.device.as_ref().map(|device| device.as_str().to_owned()))
            .bind(page.person.as_ref().map(|person| containing(person.as_str())))
            .bind(containing("\"action\":\"token."))
            .bind(containing("\"action\":\"token_family."))
            .bind(containing(&member_of("tenant", page.tenant.as_str())))
            .bind(page.tenant.as_str().to_owned())
            .bind(self.scope.bound())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(connection)
            .await?
        });
        Ok(rows.into_iter().map(AuditRow::entry).collect())
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
