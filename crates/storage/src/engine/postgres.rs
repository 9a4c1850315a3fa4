//! The connections to PostgreSQL, and how long anybody waits for it.
//!
//! A database that is away shows in one of two ways: it refuses, or it says nothing at all. So everything that is asked of
//! it has an end. A server asks it a few times a second whether it is there ([`Postgres::watch`]); while it is not, whoever
//! wants something hears so at once, and what is under way is given up.
//!
//! A pool that knows nothing of this would keep connections that never answer, and wait for them when they come back.

mod hosts;
mod replication;
mod row_security;

pub use replication::Replication;
pub use row_security::RowSecurity;

use crate::{LedgerError, Patience, Result, Scope};
use hosts::{PostgresHosts, must_be_writable};
use replication::CommitSettings;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Row};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep, timeout};

/// Connections at one time.
const CONNECTIONS: u32 = 16;

/// How often a server asks whether the database is there, and how long that may take.
const ASK: Duration = Duration::from_millis(200);
const ANSWER: Duration = Duration::from_millis(1200);

/// A connection that has lain here for longer is asked whether it still is one.
const RESTED: Duration = Duration::from_secs(5);

/// How long a rollback may take before its connection is given up.
const UNDOING: Duration = Duration::from_secs(1);

/// No single statement honestly takes longer: one that does has lost whoever asked. In milliseconds.
const STATEMENT_MILLIS: u64 = 60_000;

/// From the last statement of a transaction to its commit, by PostgreSQL's own clock: a commit that arrives later is
/// refused. So what was given up here is not done there when the way between is open again.
const COMMIT_WITHIN: Duration = Duration::from_secs(1);

/// How much longer the answer to a commit may take.
const COMMIT_ANSWER: Duration = Duration::from_millis(500);

/// The database. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Postgres(Arc<PostgresShared>);

struct PostgresShared {
    hosts: PostgresHosts,
    /// Synchronous stand-bys that every commit has to wait for.
    standbys: u32,
    patience: Patience,
    room: Arc<Semaphore>,
    home: Mutex<Vec<(PgConnection, Instant)>>,
    /// Whether it answers, as far as is known.
    answers: watch::Sender<bool>,
}

/// A connection in the hands of one task. Dropped without [`TakenConnection::end`] it is not used again, but for a transaction that
/// can be undone.
pub(crate) struct TakenConnection {
    connection: Option<PgConnection>,
    of: Postgres,
    permit: Option<OwnedSemaphorePermit>,
    is_in_transaction: bool,
}

impl Postgres {
    pub(crate) async fn open(url: &str, standbys: u32, patience: Patience) -> Result<Self> {
        let settings = [
            ("lock_timeout", patience.lock().as_millis().to_string()),
            ("statement_timeout", STATEMENT_MILLIS.to_string()),
        ];
        let opened = Self(Arc::new(PostgresShared {
            hosts: PostgresHosts::parse(url, &settings)?,
            standbys,
            patience,
            room: Arc::new(Semaphore::new(CONNECTIONS as usize)),
            home: Mutex::default(),
            answers: watch::Sender::new(true),
        }));
        // A first connection, to see that there can be one.
        opened.take().await?.end();
        if patience == Patience::Server {
            tokio::spawn(watch(Arc::downgrade(&opened.0)));
        }
        Ok(opened)
    }

    /// Waits for its turn and takes a connection.
    pub(crate) async fn take(&self) -> Result<TakenConnection> {
        let patience = self.0.patience.connect();
        self.within(async {
            timeout(patience, self.take_in_turn()).await.map_err(|_| LedgerError::OutOfReach)?
        })
        .await
    }

    /// A connection for reading that shows the rows of a scope alone. A tenant's is in a transaction, which says so for as
    /// long as it lasts: nothing of it stays on the connection.
    pub(crate) async fn take_within(&self, scope: &Scope) -> Result<TakenConnection> {
        let mut taken = self.take().await?;
        if let Some(tenant) = scope.bound() {
            taken.is_in_transaction = true;
            // An identifier is letters and digits.
            let begin = format!("BEGIN READ ONLY; SET LOCAL tegata.tenant = '{tenant}'");
            let begin = sqlx::raw_sql(AssertSqlSafe(begin));
            self.within(async { Ok(begin.execute(&mut *taken).await.map(drop)?) }).await?;
        }
        Ok(taken)
    }

    async fn take_in_turn(&self) -> Result<TakenConnection> {
        let permit = self.0.room.clone().acquire_owned().await.map_err(|_| sqlx::Error::PoolClosed)?;
        loop {
            let Some((mut connection, since)) = self.home().pop() else { break };
            if since.elapsed() < RESTED || connection.ping().await.is_ok() {
                return Ok(TakenConnection::new(connection, self, permit));
            }
            // One that has gone is not the only one.
            self.home().clear();
        }
        let connection = self.0.hosts.connect().await?;
        Ok(TakenConnection::new(connection, self, permit))
    }

    /// Does something with a connection, unless the database ceases to answer meanwhile.
    pub(crate) async fn within<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut answers = self.0.answers.subscribe();
        let lost = async move { drop(answers.wait_for(|answers| !answers).await) };
        tokio::select! {
            biased;
            () = lost => Err(LedgerError::OutOfReach),
            done = work => done,
        }
    }

    /// A connection on which nothing has to be done soon: for changing the schema.
    pub(crate) async fn patient(&self) -> Result<PgConnection> {
        let none = "0".to_owned();
        let options = [("lock_timeout", none.clone()), ("statement_timeout", none)];
        Ok(self.0.hosts.connect_with(|host| host.options(options.clone())).await?)
    }

    /// How commits are replicated now.
    pub(crate) async fn replication(&self) -> Result<Replication> {
        let mut taken = self.take().await?;
        let read = replication::read(&mut taken, self.0.hosts.count(), self.0.standbys);
        let read = self.within(read).await?;
        taken.end();
        Ok(read)
    }

    /// How rows of tenants are kept apart now.
    pub(crate) async fn row_security(&self) -> Result<RowSecurity> {
        let mut taken = self.take().await?;
        let read = self.within(row_security::read(&mut taken)).await?;
        taken.end();
        Ok(read)
    }

    /// Waits until all connections have come home.
    pub(crate) async fn close(&self) {
        let everybody = timeout(UNDOING, self.0.room.acquire_many(CONNECTIONS)).await;
        self.0.room.close();
        drop(everybody);
        let connections = std::mem::take(&mut *self.home());
        for (connection, _) in connections {
            // It has nothing open, so an error loses nothing.
            let _ = timeout(UNDOING, connection.close()).await;
        }
    }

    fn home(&self) -> MutexGuard<'_, Vec<(PgConnection, Instant)>> {
        // A poisoned lock means a panic between two whole steps: the connections behind it are still whole.
        self.0.home.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The migrations of both engines and those that PostgreSQL alone has, in the order of their numbers.
pub(crate) fn migrator() -> Migrator {
    let (both, own) = (sqlx::migrate!(), sqlx::migrate!("migrations/postgres"));
    Migrator::with_migrations(both.iter().chain(own.iter()).cloned().collect())
}

/// Asks the database whether it is there, on a connection of its own, for as long as somebody has it open.
async fn watch(shared: std::sync::Weak<PostgresShared>) {
    let mut connection = None;
    while let Some(shared) = shared.upgrade() {
        if shared.room.is_closed() {
            return;
        }
        let answers =
            timeout(ANSWER, ask(&shared.hosts, &mut connection)).await.is_ok_and(|asked| asked.is_ok());
        if !answers {
            connection = None;
            shared.home.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        let changed = shared.answers.send_if_modified(|known| std::mem::replace(known, answers) != answers);
        match (changed, answers) {
            (true, true) => tracing::info!("the database answers again"),
            (true, false) => {
                tracing::error!("the database does not answer: requests are refused until it does");
            }
            (false, _) => {}
        }
        drop(shared);
        sleep(ASK).await;
    }
}

async fn ask(hosts: &PostgresHosts, connection: &mut Option<PgConnection>) -> Result<(), sqlx::Error> {
    let mut asked = match connection.take() {
        Some(connected) => connected,
        None => hosts.connect().await?,
    };
    must_be_writable(&mut asked).await?;
    *connection = Some(asked);
    Ok(())
}

impl TakenConnection {
    fn new(connection: PgConnection, of: &Postgres, permit: OwnedSemaphorePermit) -> Self {
        Self { connection: Some(connection), of: of.clone(), permit: Some(permit), is_in_transaction: false }
    }

    /// What watches over it.
    pub(crate) fn of(&self) -> Postgres {
        self.of.clone()
    }

    /// Begins a transaction that writes, and asks for its first row, in one trip.
    ///
    /// # Errors
    /// [`LedgerError::Unprotected`] when its commit would not wait for as many stand-bys as it must.
    pub(crate) async fn begin<T>(&mut self, first: &'static str) -> Result<T>
    where
        T: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin,
    {
        self.is_in_transaction = true;
        let of = self.of();
        let row = of.within(async { Ok(sqlx::raw_sql(first).fetch_one(&mut **self).await?) }).await?;
        CommitSettings::must_wait_for(&row, of.0.standbys)?;
        Ok(T::from_row(&row)?)
    }

    /// Begins a transaction with the statement `begin`.
    pub(crate) async fn begin_reading(&mut self, begin: &'static str) -> Result<()> {
        self.is_in_transaction = true;
        let of = self.of();
        of.within(async { Ok(sqlx::raw_sql(begin).execute(&mut **self).await.map(drop)?) }).await
    }

    /// Commits. `written` is PostgreSQL's time of the last statement, and `mark` the number and hash of the last audit entry,
    /// by which it can be told whether a commit was done whose answer was lost.
    pub(crate) async fn commit(mut self, written: Option<i64>, mark: (i64, Vec<u8>)) -> Result<()> {
        let limit = COMMIT_WITHIN * self.of.0.patience.factor();
        let text = match written {
            None => "COMMIT".to_owned(),
            Some(millis) => {
                let last = millis.saturating_add(i64::try_from(limit.as_millis()).unwrap_or(i64::MAX));
                // Too late is a division by zero: an error, behind which nothing of the text is executed.
                format!(
                    "SELECT 1 / CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 <= {last} AS INTEGER); COMMIT"
                )
            }
        };
        let committing = sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut *self);
        match timeout(limit + COMMIT_ANSWER, committing).await {
            Ok(Ok(_)) => {
                self.end();
                Ok(())
            }
            Ok(Err(error)) if is_refusal(&error) => Err(error.into()),
            lost => {
                let why = lost.map_or_else(
                    |_| "no answer".to_owned(),
                    |error| error.err().map_or_else(String::new, |error| error.to_string()),
                );
                let of = self.of();
                self.give_up();
                of.resolve(mark, why).await
            }
        }
    }

    /// Gives the connection back after all was read, or the transaction has ended by a statement.
    pub(crate) fn end(mut self) {
        self.go_home();
    }

    /// Gives the connection back after all was read. Nobody waits for the end of a transaction that only read.
    pub(crate) fn end_reading(self) {
        if self.is_in_transaction { drop(self) } else { self.end() }
    }

    fn go_home(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.of.home().push((connection, Instant::now()));
        }
        self.permit = None;
    }

    /// Nobody knows what becomes of it.
    fn give_up(mut self) {
        self.connection = None;
    }

    async fn undo(mut self) {
        let undone = timeout(UNDOING, sqlx::raw_sql("ROLLBACK").execute(&mut *self)).await;
        if undone.is_ok_and(|undone| undone.is_ok()) {
            self.go_home();
        }
    }
}

impl Postgres {
    /// Whether a commit was done whose answer was lost. It is not done later: its time is over.
    async fn resolve(&self, (seq, hash): (i64, Vec<u8>), why: String) -> Result<()> {
        let looked = async {
            let mut taken = self.take_in_turn().await?;
            let found = sqlx::query("SELECT hash FROM audit WHERE seq = $1").bind(seq);
            let found = found.fetch_optional(&mut *taken).await?;
            let found: Option<Vec<u8>> = found.map(|row| row.try_get(0)).transpose()?;
            let (waiting,): (bool,) = sqlx::query_as(WAITING).fetch_one(&mut *taken).await?;
            taken.end();
            Ok::<_, LedgerError>((found == Some(hash), waiting))
        };
        match timeout(COMMIT_ANSWER, looked).await {
            Ok(Ok((true, _))) => Ok(()),
            Ok(Ok((false, false))) => Err(LedgerError::OutOfReach),
            _ => Err(LedgerError::InDoubt(why)),
        }
    }
}

/// Whether a commit of ours is on the primary's disk and waits for a stand-by: nobody sees it until then.
const WAITING: &str = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity \
     WHERE datname = current_database() AND usename = current_user AND wait_event = 'SyncRep')";

/// The database itself has said no, and not in ending.
fn is_refusal(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.code().is_none_or(|code| !code.starts_with("57P")))
}

impl Drop for TakenConnection {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take().filter(|_| self.is_in_transaction) else { return };
        let Ok(runtime) = Handle::try_current() else { return };
        let taken = Self {
            connection: Some(connection),
            of: self.of.clone(),
            permit: self.permit.take(),
            // A runtime that is shutting down drops the task unpolled: then the connection closes, which undoes too.
            is_in_transaction: false,
        };
        runtime.spawn(taken.undo());
    }
}

impl Deref for TakenConnection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect(HELD)
    }
}

impl DerefMut for TakenConnection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect(HELD)
    }
}

const HELD: &str = "the connection is held until it is given back";
