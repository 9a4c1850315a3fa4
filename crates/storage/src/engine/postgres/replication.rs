//! Whether PostgreSQL lets a commit wait for stand-bys, so that losing the primary loses nothing that was acknowledged.
//!
//! Where it is demanded and PostgreSQL would not wait, nothing is written: an acknowledgment that a promotion takes back is
//! worse than a refusal that says why, and a revocation that must not wait is in the revocation log in either case.

use crate::{LedgerError, Result};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{FromRow, Row};

/// How commits are replicated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replication {
    /// Hosts in the URL.
    pub hosts: usize,
    /// Stand-bys that the configuration demands a commit to wait for.
    pub demanded: u32,
    /// Stand-bys that a commit waits for by PostgreSQL's settings.
    pub waits_for: u32,
    /// Stand-bys that stream and are waited for now; nothing where this role may not see it (`pg_monitor`).
    pub streaming: Option<u32>,
}

impl Replication {
    /// What is wrong with it, in words for people.
    pub fn fault(&self) -> Option<String> {
        let Self { hosts, demanded, waits_for, streaming } = *self;
        if waits_for < demanded {
            return Some(unprotected(demanded, waits_for).to_string());
        }
        if let Some(streaming) = streaming.filter(|streaming| *streaming < waits_for) {
            return Some(format!(
                "commits wait for {waits_for} synchronous stand-bys and {streaming} are connected: nothing can be written \
                 until they are"
            ));
        }
        (hosts > 1 && waits_for == 0).then(|| {
            "the URL names several hosts and commits wait for no stand-by: a promotion may lose what was acknowledged. Set \
             synchronous_standby_names in PostgreSQL and require_synchronous_standbys under [storage]"
                .to_owned()
        })
    }

    /// Whether nothing can be written as it is.
    pub fn refuses_writes(&self) -> bool {
        self.waits_for < self.demanded || self.streaming.is_some_and(|streaming| streaming < self.waits_for)
    }
}

/// The settings as they are read with the head of the ledger.
#[derive(FromRow)]
pub(crate) struct CommitSettings {
    synchronous_commit: String,
    synchronous_standby_names: String,
}

impl CommitSettings {
    /// Refuses to write where a commit would not wait for as many as it must.
    pub(crate) fn must_wait_for(row: &PgRow, demanded: u32) -> Result<()> {
        if demanded == 0 {
            return Ok(());
        }
        let waits_for = Self::from_row(row)?.waits_for();
        if waits_for < demanded { Err(unprotected(demanded, waits_for)) } else { Ok(()) }
    }

    /// `synchronous_standby_names` is `FIRST n (…)`, `ANY n (…)`, `n (…)`, or a list of which one is waited for.
    fn waits_for(&self) -> u32 {
        if ["off", "local"].contains(&self.synchronous_commit.as_str()) {
            return 0;
        }
        let names = self.synchronous_standby_names.trim();
        if names.is_empty() {
            return 0;
        }
        let Some((before, _)) = names.split_once('(') else { return 1 };
        before.split_whitespace().last().and_then(|number| number.parse().ok()).unwrap_or(1)
    }
}

const SETTINGS: &str = "SELECT current_setting('synchronous_commit') AS synchronous_commit, \
     current_setting('synchronous_standby_names') AS synchronous_standby_names";

/// Rows of others are there for every role, and their columns for some.
const STREAMING: &str = "SELECT COUNT(*) FILTER (WHERE sync_state IN ('sync', 'quorum') AND state = 'streaming'), \
     COUNT(*) FILTER (WHERE state IS NULL) FROM pg_stat_replication";

pub(crate) async fn read(connection: &mut PgConnection, hosts: usize, demanded: u32) -> Result<Replication> {
    let settings: CommitSettings = sqlx::query_as(SETTINGS).fetch_one(&mut *connection).await?;
    let row = sqlx::query(STREAMING).fetch_one(connection).await?;
    let (streaming, hidden): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    let streaming = (hidden == 0).then(|| u32::try_from(streaming).unwrap_or(u32::MAX));
    Ok(Replication { hosts, demanded, waits_for: settings.waits_for(), streaming })
}

const fn unprotected(demanded: u32, waits_for: u32) -> LedgerError {
    LedgerError::Unprotected { demanded, waits_for }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_known_how_many_stand_bys_a_commit_waits_for() {
        for (commit, names, expected) in [
            ("on", "", 0),
            ("on", "*", 1),
            ("remote_apply", "a, b", 1),
            ("on", "FIRST 2 (a, b, c)", 2),
            ("on", "ANY 2(a, b, c)", 2),
            ("on", "3 (a, b, c)", 3),
            ("on", "any 1 (*)", 1),
            ("local", "FIRST 2 (a, b, c)", 0),
            ("off", "*", 0),
        ] {
            let settings =
                CommitSettings { synchronous_commit: commit.into(), synchronous_standby_names: names.into() };
            assert_eq!(settings.waits_for(), expected, "{commit} {names}");
        }
    }
}
