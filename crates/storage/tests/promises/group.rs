//! Group commit: many share a commit, and each succeeds or fails alone.

use crate::engines::{EnginePlace, on_both_engines};
use crate::fixture::Everything;
use crate::fixture::{LedgerFixture, day, guarded, operator};
use futures_util::future::join_all;
use std::time::Duration;
use tegata_core::{DeviceId, TenantId, Timestamp};
use tegata_storage::{IssuedToken, LedgerError, Operation, Result, Tenant, Transaction};
use tokio::task::JoinHandle;

/// Adds a tenant, and then keeps it or not.
struct Add {
    tenant: Tenant,
    end: End,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum End {
    Well,
    Guard,
    /// The statement itself fails: on PostgreSQL nothing works afterwards until the savepoint.
    Statement,
    Panic,
}

impl Operation for Add {
    type Output = u64;

    fn now(&self) -> Timestamp {
        day(1)
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<u64> {
        transaction.add_tenant(&self.tenant, &operator()).await?;
        match self.end {
            End::Well => Ok(transaction.feed_seq()),
            End::Guard => Err(LedgerError::Guard("the test wants it so")),
            End::Statement => transaction.add_tenant(&self.tenant, &operator()).await.map(|()| 0),
            End::Panic => panic!("the test wants it so"),
        }
    }
}

on_both_engines! {
    async fn a_failing_operation_undoes_only_its_own_writes(fixture: LedgerFixture) {
        let before = fixture.audited().await;
        let ends = [End::Well, End::Guard, End::Well, End::Statement, End::Statement, End::Well, End::Guard, End::Well];
        let outcomes = join_all(together(fixture, ends.map(|end| add(fixture, end)).into()).await).await;
        for (end, outcome) in ends.iter().zip(outcomes) {
            let outcome = outcome.unwrap();
            match end {
                End::Well => assert!(outcome.is_ok(), "{outcome:?}"),
                End::Guard => assert!(guarded(&outcome)),
                _ => assert!(matches!(outcome, Err(LedgerError::Engine(_))), "{outcome:?}"),
            }
        }
        assert_eq!(fixture.audited().await, before + 4, "numbers have no gaps");
        assert_eq!(fixture.ledger.everything().tenants().await.unwrap().len(), 5);
    }

    async fn a_panicking_operation_harms_nobody_after_it(fixture: LedgerFixture) {
        let outcome = fixture.ledger.group(add(fixture, End::Panic)).await;
        assert!(matches!(outcome, Err(LedgerError::Closing)));
        fixture.ledger.group(add(fixture, End::Well)).await.expect("the writer goes on");
        assert_eq!(fixture.ledger.everything().tenants().await.unwrap().len(), 2);
        fixture.audited().await;
    }

    async fn tokens_of_a_group_share_one_entry(fixture: LedgerFixture) {
        let (device, _) = fixture.enroll(day(0)).await;
        let before = fixture.audited().await;
        let held = fixture.ledger.begin(day(1)).await.unwrap();
        let tasks: Vec<_> = (0..64).map(|count| {
            let (ledger, token) = (fixture.ledger.clone(), token(&device, count));
            tokio::spawn(async move { ledger.record_token(token).await })
        }).collect();
        everybody_waits().await;
        drop(held);
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        let entries = fixture.ledger.audit_entries(before, 100).await.unwrap();
        assert!((1..=4).contains(&entries.len()), "{} entries", entries.len());
        let all: String = entries.iter().map(|entry| entry.entry.as_str()).collect();
        assert!((0..64).all(|count| all.contains(&format!("token-{count:02}"))));
        fixture.audited().await;
    }

    async fn a_caller_who_goes_away_does_no_harm(fixture: LedgerFixture) {
        let before = fixture.audited().await;
        let mut tasks = together_begin(fixture, (0..64).map(|_| add(fixture, End::Well)).collect()).await;
        for task in tasks.1.iter().step_by(2) {
            task.abort();
        }
        drop(tasks.0.take());
        let outcomes = join_all(tasks.1).await;
        assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Ok(Ok(_)))).count(), 32);
        let written = fixture.ledger.everything().tenants().await.unwrap().len() - 1;
        assert!((32..=64).contains(&written));
        assert_eq!(fixture.audited().await, before + u64::try_from(written).unwrap());
    }

    async fn a_writer_who_goes_away_in_the_middle_does_no_harm(fixture: LedgerFixture) {
        let before = fixture.audited().await;
        for micros in (0..3000).step_by(50) {
            let abandoned = fixture.write(day(1), async |transaction| {
                transaction.add_tenant(&add(fixture, End::Well).tenant, &operator()).await?;
                // Never over, however slow the machine: a commit on its way would be somebody else's promise.
                std::future::pending::<()>().await;
                Ok(())
            });
            assert!(tokio::time::timeout(Duration::from_micros(micros), abandoned).await.is_err());
        }
        assert_eq!(fixture.audited().await, before);
        fixture.ledger.group(add(fixture, End::Well)).await.expect("the next writer is served");
        assert_eq!(fixture.audited().await, before + 1);
        assert_eq!(fixture.ledger.everything().tenants().await.unwrap().len(), 2);
    }

    async fn operations_waiting_at_the_close_are_told(fixture: LedgerFixture) {
        let (held, tasks) = together_begin(fixture, vec![add(fixture, End::Well)]).await;
        let closing = fixture.ledger.clone();
        let closing = tokio::spawn(async move { closing.close().await });
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop(held);
        closing.await.unwrap();
        let outcome = tokio::time::timeout(Duration::from_secs(10), join_all(tasks)).await.expect("an answer");
        let acknowledged = outcome.into_iter().filter(|one| matches!(one, Ok(Ok(_)))).count();
        assert!(fixture.ledger.group(add(fixture, End::Well)).await.is_err(), "closed is closed");
        let again = tegata_storage::Ledger::open(&fixture.place.url()).await.unwrap();
        assert_eq!(again.everything().tenants().await.unwrap().len(), 1 + acknowledged);
        again.close().await;
    }
}

/// Every commit leaves its mark in the write-ahead log: a frame that names the size of the database.
#[test]
fn sixty_four_operations_share_few_commits() {
    crate::fixture::visit(EnginePlace::sqlite(), async |fixture: &LedgerFixture| {
        let EnginePlace::Sqlite(folder) = &fixture.place else {
            unreachable!("this test is about SQLite's log")
        };
        fixture.place.tamper("PRAGMA wal_checkpoint(TRUNCATE)").await;
        let outcomes =
            join_all(together(fixture, (0..64).map(|_| add(fixture, End::Well)).collect()).await).await;
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(Ok(_)))));
        let log = std::fs::read(folder.path().join("ledger.db-wal")).expect("the write-ahead log");
        let commits = commits_in(&log);
        assert!((1..=4).contains(&commits), "{commits} commits");
        assert_eq!(fixture.ledger.everything().tenants().await.unwrap().len(), 65);
    });
}

/// The format of the file is SQLite's promise: a header of 32 bytes, then frames of 24 bytes and a page; bytes 4 to 7 of
/// a frame are zero unless it ends a commit.
fn commits_in(log: &[u8]) -> usize {
    let page = u32::from_be_bytes(log[8..12].try_into().expect("four bytes")) as usize;
    log[32..].chunks_exact(24 + page).filter(|frame| frame[4..8] != [0; 4]).count()
}

/// Hands everything to the group while another writer holds the ledger, so that it comes as one group or two.
async fn together(fixture: &LedgerFixture, operations: Vec<Add>) -> Vec<JoinHandle<Result<u64>>> {
    together_begin(fixture, operations).await.1
}

async fn together_begin(
    fixture: &LedgerFixture,
    operations: Vec<Add>,
) -> (Option<Transaction>, Vec<JoinHandle<Result<u64>>>) {
    let held = fixture.ledger.begin(day(1)).await.expect("the right to write");
    let mut tasks = Vec::new();
    for operation in operations {
        let ledger = fixture.ledger.clone();
        tasks.push(tokio::spawn(async move { ledger.group(operation).await }));
    }
    everybody_waits().await;
    (Some(held), tasks)
}

async fn everybody_waits() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

fn add(fixture: &LedgerFixture, end: End) -> Add {
    let id = TenantId::random(&fixture.entropy);
    Add { tenant: Tenant::new(id.clone(), id.to_string()), end }
}

fn token(device: &DeviceId, count: u32) -> IssuedToken {
    IssuedToken {
        jti: format!("token-{count:02}"),
        device: device.clone(),
        generation: 1,
        audience: "https://product.example".into(),
        at: day(1),
    }
}
