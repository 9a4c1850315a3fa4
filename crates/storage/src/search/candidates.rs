//! Which names may be meant, from the index alone: no device is looked at yet.
//!
//! A search makes demands ([`tegata_core::search::grams`]), and each is met by names of a tenant, a site, a device or a
//! person. What is looked for are combinations of names of one tenant that together meet all demands: its own name, one of
//! a site, one of a device; or one of a person. Demands that very many names meet say little and are left out: the rule
//! itself, applied to whatever is found, asks for them again.

use crate::rows::{BatchStatement, MOST, bind_rows};
use crate::scope::on_scoped_read;
use crate::{Result, ScopedLedger};
use std::collections::HashMap;
use tegata_core::search::Search;
use tegata_core::search::grams::{Demand, Gram, MOST_DEMANDS};

/// A demand that more names meet is left out.
const MOST_NAMES: i64 = 20_000;

/// What all demands together may have of names, so that the time for it is bounded.
const MOST_NAMES_TOGETHER: i64 = 40_000;

/// Combinations that are looked at; where there are more, the search is too broad for this way.
pub(super) const MOST_COMBINATIONS: usize = 4_000;

/// Grams of one statement: both of each demand, as a power of two (`rows`).
const _: () = assert!(2 * MOST_DEMANDS <= MOST);

/// Names of one tenant that together meet all demands; by their numbers in the index.
#[derive(Clone, Copy, PartialEq, Eq, Debug, sqlx::FromRow)]
pub(super) struct NameCombination {
    pub(super) tenant: i64,
    pub(super) site: Option<i64>,
    pub(super) label: Option<i64>,
    pub(super) person: Option<i64>,
}

/// The smallest and the largest number of the tenants that are searched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Tenants(i64, i64);

impl Tenants {
    /// All of the installation.
    pub(super) const ALL: Self = Self(0, i64::MAX);

    /// The one with this number.
    pub(super) const fn one(number: i64) -> Self {
        Self(number, number)
    }
}

/// What the index says of a search.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Candidates {
    /// Whatever the search finds by names has one of these combinations.
    Names(Vec<NameCombination>),
    /// There are more; these are some.
    TooMany(Vec<NameCombination>),
}

static FREQUENCIES: BatchStatement = BatchStatement::with(
    3,
    "WITH q (gram) AS (VALUES ",
    1,
    ") SELECT q.gram, (SELECT COUNT(*) FROM (SELECT 1 FROM search_gram g WHERE g.gram = q.gram \
     AND g.kind IN (0, 1, 2, 3) AND g.tenant BETWEEN $1 AND $2 LIMIT $3) n) AS names FROM q WHERE q.gram IS NOT NULL",
);

/// `$3` is all demands, as bits.
static COMBINATIONS: BatchStatement = BatchStatement::with(
    4,
    "WITH q (gram, demand) AS (VALUES ",
    2,
    ") , met AS MATERIALIZED (SELECT g.tenant, g.kind, g.name, q.demand FROM q CROSS JOIN search_gram g \
         WHERE g.gram = q.gram AND g.kind IN (0, 1, 2, 3) AND g.tenant BETWEEN $1 AND $2), \
     able AS MATERIALIZED (SELECT tenant FROM met GROUP BY tenant HAVING SUM(DISTINCT demand) = $3), \
     hit AS MATERIALIZED (SELECT m.tenant, m.kind, m.name, CAST(SUM(DISTINCT m.demand) AS BIGINT) AS bits \
         FROM able a JOIN met m ON m.tenant = a.tenant GROUP BY m.tenant, m.kind, m.name), \
     t AS MATERIALIZED (SELECT a.tenant, COALESCE(h.bits, 0) AS bits FROM able a \
         LEFT JOIN (SELECT tenant, bits FROM hit WHERE kind = 0) h ON h.tenant = a.tenant), \
     s AS MATERIALIZED (SELECT h.tenant, h.name, h.bits | t.bits AS bits FROM t JOIN hit h ON h.tenant = t.tenant \
         WHERE h.kind = 1 AND t.bits <> $3 AND (h.bits | t.bits) <> t.bits), \
     l AS MATERIALIZED (SELECT h.tenant, h.name, h.bits | t.bits AS bits FROM t JOIN hit h ON h.tenant = t.tenant \
         WHERE h.kind = 2 AND t.bits <> $3 AND (h.bits | t.bits) <> t.bits) \
     SELECT tenant, CAST(NULL AS BIGINT) AS site, CAST(NULL AS BIGINT) AS label, CAST(NULL AS BIGINT) AS person \
         FROM t WHERE bits = $3 \
     UNION ALL SELECT tenant, name, CAST(NULL AS BIGINT), CAST(NULL AS BIGINT) FROM s WHERE bits = $3 \
     UNION ALL SELECT tenant, CAST(NULL AS BIGINT), name, CAST(NULL AS BIGINT) FROM l WHERE bits = $3 \
     UNION ALL SELECT h.tenant, CAST(NULL AS BIGINT), CAST(NULL AS BIGINT), h.name \
         FROM t JOIN hit h ON h.tenant = t.tenant WHERE h.kind = 3 AND (h.bits | t.bits) <> t.bits \
     UNION ALL SELECT s.tenant, s.name, l.name, CAST(NULL AS BIGINT) FROM s JOIN l ON l.tenant = s.tenant \
         WHERE s.bits <> $3 AND l.bits <> $3 AND (s.bits | l.bits) = $3 \
     LIMIT $4",
);

/// Of people's names alone.
static OF_PEOPLE: BatchStatement = BatchStatement::with(
    2,
    "WITH q (gram) AS (VALUES ",
    1,
    ") SELECT q.gram FROM q CROSS JOIN search_gram g WHERE g.gram = q.gram AND g.kind = 3 \
     AND g.tenant BETWEEN $1 AND $2 LIMIT 1",
);

impl ScopedLedger {
    /// The combinations of names that meet what a search demands.
    pub(super) async fn candidates(&self, search: &Search, tenants: Tenants) -> Result<Candidates> {
        let demands = search.demands();
        let Some(demands) = self.telling_demands(demands, tenants).await? else {
            return Ok(Candidates::Names(Vec::new()));
        };
        if demands.is_empty() {
            return Ok(Candidates::TooMany(Vec::new()));
        }
        let mut combinations = self.combinations(&demands, tenants).await?;
        if combinations.len() > MOST_COMBINATIONS {
            combinations.truncate(MOST_COMBINATIONS);
            return Ok(Candidates::TooMany(combinations));
        }
        Ok(Candidates::Names(combinations))
    }

    /// Those demands that few names meet; nothing where no name meets one of them.
    async fn telling_demands(&self, demands: Vec<Demand>, tenants: Tenants) -> Result<Option<Vec<Demand>>> {
        let mut grams: Vec<Gram> = demands.iter().flat_map(|Demand(grams)| *grams).collect();
        grams.sort_unstable();
        grams.dedup();
        if grams.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let batch = FREQUENCIES.of(grams.len());
        let rows: Vec<(i64, i64)> = on_scoped_read!(self, connection => {
            let query = sqlx::query_as(batch.text(&*connection)).bind(tenants.0).bind(tenants.1).bind(MOST_NAMES + 1);
            bind_rows!(query, grams, batch.size, gram => [*gram]).fetch_all(connection).await?
        });
        let names: HashMap<Gram, i64> = rows.into_iter().collect();
        let count = |Demand([one, other]): &Demand| {
            let of = |gram| names.get(gram).copied().unwrap_or_default();
            if one == other { of(one) } else { of(one) + of(other) }
        };
        let mut counted: Vec<_> = demands.iter().map(|demand| (count(demand), *demand)).collect();
        if counted.iter().any(|(count, _)| *count == 0) {
            return Ok(None);
        }
        counted.sort_unstable();
        let mut together = 0;
        let telling = counted.into_iter().take_while(|(count, _)| {
            together += count;
            *count <= MOST_NAMES && together <= MOST_NAMES_TOGETHER
        });
        Ok(Some(telling.map(|(_, demand)| demand).collect()))
    }

    async fn combinations(&self, demands: &[Demand], tenants: Tenants) -> Result<Vec<NameCombination>> {
        let bits = demands.iter().enumerate().map(|(position, demand)| (1i64 << position, demand));
        let rows = bits.flat_map(|(bit, Demand([one, other]))| {
            let second = (one != other).then_some((*other, bit));
            [Some((*one, bit)), second].into_iter().flatten()
        });
        let rows: Vec<(Gram, i64)> = rows.collect();
        let all = (1i64 << demands.len()) - 1;
        let most = i64::try_from(MOST_COMBINATIONS).unwrap_or(i64::MAX).saturating_add(1);
        let batch = COMBINATIONS.of(rows.len());
        Ok(on_scoped_read!(self, connection => {
            let query = sqlx::query_as(batch.text(&*connection)).bind(tenants.0).bind(tenants.1).bind(all).bind(most);
            bind_rows!(query, rows, batch.size, row => [row.0, row.1]).fetch_all(connection).await?
        }))
    }

    /// Whether any part of a word is in somebody's name.
    pub(super) async fn may_name_people(&self, search: &Search, tenants: Tenants) -> Result<bool> {
        let grams: Vec<Gram> = search.grams().into_iter().collect();
        for some in grams.chunks(MOST) {
            let batch = OF_PEOPLE.of(some.len());
            let found: Option<(i64,)> = on_scoped_read!(self, connection => {
                let query = sqlx::query_as(batch.text(&*connection)).bind(tenants.0).bind(tenants.1);
                bind_rows!(query, some, batch.size, gram => [*gram]).fetch_optional(connection).await?
            });
            if found.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
