//! The hosts of a PostgreSQL URL, of which one at a time can be written.
//!
//! `postgres://user@a:5432,b:5432/database?target_session_attrs=read-write`, as libpq reads it. Whatever the order, only a
//! host that takes writes is ever used: after a promotion the next connection leads to the new primary by itself.

use crate::{LedgerError, Result};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::timeout;

/// How long the host that served last has, before the others are asked beside it.
const PREFERENCE: Duration = Duration::from_millis(400);

/// A stand-by answers too, and so does a primary that was told to take no writes.
const CAN_BE_WRITTEN: &str =
    "SELECT NOT pg_is_in_recovery() AND NOT CAST(current_setting('transaction_read_only') AS BOOLEAN)";

/// The hosts, and which of them served last.
pub(crate) struct PostgresHosts {
    each: Vec<PostgresHost>,
    last: AtomicUsize,
}

struct PostgresHost {
    /// The host and port as the URL has them, for people.
    name: String,
    options: PgConnectOptions,
}

impl PostgresHosts {
    /// Reads a URL. Every connection gets these settings.
    pub(crate) fn parse(url: &str, settings: &[(&str, String)]) -> Result<Self> {
        let parts = UrlParts::of(url)?;
        let mut each = Vec::new();
        for host in parts.hosts.split(',') {
            if host.is_empty() {
                return Err(refused("a host is missing beside a comma"));
            }
            let options = PgConnectOptions::from_str(&parts.url_of(host))?.options(settings.iter().cloned());
            each.push(PostgresHost { name: host.to_owned(), options });
        }
        Ok(Self { each, last: AtomicUsize::new(0) })
    }

    pub(crate) fn count(&self) -> usize {
        self.each.len()
    }

    /// A connection to the host that can be written.
    pub(crate) async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        self.connect_with(|options| options).await
    }

    /// A connection to the host that can be written, with settings of its own.
    pub(crate) async fn connect_with(
        &self,
        change: impl Fn(PgConnectOptions) -> PgConnectOptions,
    ) -> Result<PgConnection, sqlx::Error> {
        let last = self.last.load(Ordering::Relaxed);
        if let [only] = self.each.as_slice() {
            return only.connect(&change).await;
        }
        if let Ok(Ok(connection)) = timeout(PREFERENCE, self.each[last].connect(&change)).await {
            return Ok(connection);
        }
        let attempts = self.each.iter().enumerate();
        let mut attempts: FuturesUnordered<_> = attempts
            .map(|(place, host)| {
                let change = &change;
                async move { (place, host.connect(change).await) }
            })
            .collect();
        let mut reasons = Vec::new();
        while let Some((place, connected)) = attempts.next().await {
            match connected {
                Ok(connection) => {
                    if self.last.swap(place, Ordering::Relaxed) != place {
                        tracing::warn!(
                            host = self.each[place].name,
                            "the ledger is written at another host now"
                        );
                    }
                    return Ok(connection);
                }
                Err(error) => reasons.push(format!("{}: {error}", self.each[place].name)),
            }
        }
        Err(sqlx::Error::Protocol(format!("no host can be written: {}", reasons.join("; "))))
    }
}

impl PostgresHost {
    async fn connect(
        &self,
        change: impl Fn(PgConnectOptions) -> PgConnectOptions,
    ) -> Result<PgConnection, sqlx::Error> {
        let mut connection = change(self.options.clone()).connect().await?;
        match must_be_writable(&mut connection).await {
            Ok(()) => Ok(connection),
            Err(error) => {
                // Nothing is open on it, so an error loses nothing.
                let _ = connection.close().await;
                Err(error)
            }
        }
    }
}

/// Whether the connection still leads to a primary.
pub(crate) async fn must_be_writable(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let (writable,): (bool,) = sqlx::query_as(CAN_BE_WRITTEN).fetch_one(connection).await?;
    if writable {
        Ok(())
    } else {
        Err(sqlx::Error::Protocol("it takes no writes: it is a stand-by, or was made read-only".to_owned()))
    }
}

/// A URL around its hosts.
struct UrlParts<'a> {
    /// The scheme and the user, up to the hosts.
    before: &'a str,
    hosts: &'a str,
    /// Path and query, without what is said for several hosts.
    after: String,
}

impl<'a> UrlParts<'a> {
    fn of(url: &'a str) -> Result<Self> {
        let begin = url.find("://").ok_or_else(|| refused("it has no //"))? + 3;
        let end = url[begin..].find(['/', '?']).map_or(url.len(), |at| begin + at);
        let hosts = url[begin..end].rfind('@').map_or(begin, |at| begin + at + 1);
        Ok(Self { before: &url[..hosts], hosts: &url[hosts..end], after: without_attributes(&url[end..])? })
    }

    fn url_of(&self, host: &str) -> String {
        format!("{}{host}{}", self.before, self.after)
    }
}

/// Takes `target_session_attrs` out, which the driver does not know, and sees that nothing else is meant by it.
fn without_attributes(after: &str) -> Result<String> {
    let Some((path, query)) = after.split_once('?') else { return Ok(after.to_owned()) };
    let mut others = Vec::new();
    for parameter in query.split('&') {
        match parameter.split_once('=') {
            Some(("target_session_attrs", "read-write" | "primary")) => {}
            Some(("target_session_attrs", _)) => {
                return Err(refused(
                    "the ledger is written: write target_session_attrs=read-write, or nothing",
                ));
            }
            Some(("host" | "hostaddr" | "port", value)) if value.contains(',') => {
                return Err(refused(
                    "write several hosts before the database: postgres://a:5432,b:5432/database",
                ));
            }
            _ => others.push(parameter),
        }
    }
    if others.is_empty() { Ok(path.to_owned()) } else { Ok(format!("{path}?{}", others.join("&"))) }
}

fn refused(why: &'static str) -> LedgerError {
    LedgerError::BadUrl(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(url: &str) -> Vec<(String, u16, Option<String>)> {
        let hosts = PostgresHosts::parse(url, &[]).unwrap();
        let each = hosts.each.iter().map(|host| &host.options);
        each.map(|one| (one.get_host().to_owned(), one.get_port(), one.get_database().map(str::to_owned)))
            .collect()
    }

    #[test]
    fn an_operator_may_name_several_hosts_in_one_url() {
        let database = Some("ledger".to_owned());
        assert_eq!(
            hosts("postgres://tegata:p%40ss@a:5433,b/ledger?target_session_attrs=read-write&sslmode=require"),
            [("a".to_owned(), 5433, database.clone()), ("b".to_owned(), 5432, database.clone())]
        );
        assert_eq!(hosts("postgresql://tegata@[::1]:5434/ledger"), [("[::1]".to_owned(), 5434, database)]);
    }

    #[test]
    fn a_url_that_would_lead_elsewhere_is_refused_with_what_to_write() {
        for (url, reason) in [
            ("postgres://a,,b/ledger", "a host is missing"),
            ("postgres://a,/ledger", "a host is missing"),
            ("postgres://a,b/ledger?target_session_attrs=any", "target_session_attrs=read-write"),
            ("postgres://a/ledger?target_session_attrs=standby", "target_session_attrs=read-write"),
            ("postgres:///ledger?host=a,b", "postgres://a:5432,b:5432/database"),
            ("postgres:ledger", "no //"),
        ] {
            let error = PostgresHosts::parse(url, &[]).err().expect(url).to_string();
            assert!(error.contains(reason), "{url}: {error}");
        }
        assert!(PostgresHosts::parse("postgres://a:port,b/ledger", &[]).is_err());
    }
}
