//! Which servers there are, and who of them has to confirm what was stopped.

use crate::engines::on_both_engines;
use crate::fixture::{LedgerFixture, day};
use std::time::Duration;
use tegata_core::entropy::Seeded;
use tegata_core::{ServerId, Timestamp};
use tegata_storage::{
    FORGOTTEN, ReceiptWait, SILENCE_REFUSES, ServerSurface, SurfaceConfirmation, SurfaceReceipt,
};

const PATIENCE: Duration = Duration::from_secs(5);

fn id(seed: u64) -> ServerId {
    ServerId::random(&Seeded::new(seed))
}

async fn register(fixture: &LedgerFixture, seed: u64, at: Timestamp) {
    fixture.ledger.register_server(&id(seed), "a-host", at).await.unwrap();
}

async fn acknowledge(fixture: &LedgerFixture, seed: u64, seq: u64) {
    for surface in ServerSurface::ALL {
        fixture.ledger.acknowledge(surface.of(&id(seed)), seq, day(1)).await.unwrap();
    }
}

fn servers_of(receipts: &[SurfaceReceipt], confirmation: SurfaceConfirmation) -> usize {
    receipts.iter().filter(|one| one.confirmation == confirmation).count() / ServerSurface::ALL.len()
}

on_both_engines! {
    async fn a_server_is_known_from_its_start_to_its_end(fixture: LedgerFixture) {
        let known = async |at: Timestamp| {
            let servers = fixture.ledger.servers(at).await.unwrap();
            servers.into_iter().map(|server| (server.id, server.started_at, server.seen_at)).collect::<Vec<_>>()
        };
        let later = day(1).plus(PATIENCE);
        register(fixture, 1, day(1)).await;
        register(fixture, 2, later).await;
        register(fixture, 1, later).await;
        assert_eq!(known(later).await, [(id(1), day(1), later), (id(2), later, later)]);
        acknowledge(fixture, 1, 3).await;
        acknowledge(fixture, 2, 3).await;
        fixture.ledger.remove_server(&id(1), "a-host", later).await.unwrap();
        fixture.ledger.remove_server(&id(2), "another-host", later).await.unwrap();
        assert_eq!(known(later).await, [(id(2), later, later)]);
        assert_eq!(fixture.ledger.receipts().await.unwrap().len(), ServerSurface::ALL.len(), "of the other");
    }

    async fn a_server_that_was_killed_is_forgotten_with_its_receipts(fixture: LedgerFixture) {
        register(fixture, 1, day(1)).await;
        register(fixture, 2, day(400)).await;
        acknowledge(fixture, 1, 3).await;
        assert_eq!(fixture.ledger.servers(day(1).plus(FORGOTTEN)).await.unwrap().len(), 1, "the one of the future");
        register(fixture, 3, day(1).plus(FORGOTTEN)).await;
        let left = fixture.ledger.servers(day(1)).await.unwrap();
        assert_eq!(left.into_iter().map(|server| server.id).collect::<Vec<_>>(), [id(3)]);
        assert!(fixture.ledger.receipts().await.unwrap().is_empty());
    }

    async fn a_frozen_server_is_missed_until_it_must_refuse_by_itself(fixture: LedgerFixture) {
        register(fixture, 1, day(1)).await;
        register(fixture, 2, day(1)).await;
        let wait = ReceiptWait::begin(&fixture.ledger, day(1)).await.unwrap();
        register(fixture, 3, day(1)).await;
        let begun = tokio::time::Instant::now();
        let pending = wait.committed(4, day(1)).await.unwrap();
        acknowledge(fixture, 1, 4).await;
        acknowledge(fixture, 2, 3).await;
        acknowledge(fixture, 3, 5).await;
        let mut named = 0;
        let seen = pending.wait(PATIENCE, |_, seen| named = named.max(servers_of(seen, SurfaceConfirmation::Missing)));
        let seen = seen.await.unwrap();
        assert!(begun.elapsed() >= SILENCE_REFUSES, "{:?}", begun.elapsed());
        assert_eq!(named, 1, "the one that is silent, and whoever came during the change was asked too");
        assert_eq!(servers_of(&seen, SurfaceConfirmation::Receipt(day(1))), 2);
        assert_eq!(servers_of(&seen, SurfaceConfirmation::Silence), 1);
    }

    async fn a_server_that_only_one_surface_is_missing_of_is_not_called_silent(fixture: LedgerFixture) {
        register(fixture, 1, day(1)).await;
        let wait = ReceiptWait::begin(&fixture.ledger, day(1)).await.unwrap();
        let pending = wait.committed(4, day(1)).await.unwrap();
        fixture.ledger.acknowledge(ServerSurface::Token.of(&id(1)), 4, day(1)).await.unwrap();
        let limit = SILENCE_REFUSES + Duration::from_millis(50);
        let seen = pending.wait(limit, |_, _| {}).await.unwrap();
        let missing = seen.iter().filter(|one| !one.is_confirmed()).count();
        assert_eq!(missing, ServerSurface::ALL.len() - 1);
    }
}
