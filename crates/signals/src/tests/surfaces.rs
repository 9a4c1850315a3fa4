use crate::acknowledge_loop;
use crate::tests::fixture::SignalsFixture;
use std::time::Duration;
use tegata_core::Role;
use tegata_storage::{DeviceAction, ReceiptRow, ServerSurface};
use tokio::time::sleep;

async fn receipts(fixture: &SignalsFixture) -> Vec<(String, u64)> {
    let rows = fixture.context.ledger.receipts().await.unwrap();
    rows.into_iter().map(|ReceiptRow { surface, seq, .. }| (surface, seq.0)).collect()
}

async fn until_receipts_say(fixture: &SignalsFixture, seq: u64) {
    let of = |surface: ServerSurface| (surface.of(&fixture.context.server), seq);
    let wanted = vec![of(ServerSurface::Introspection), of(ServerSurface::Token)];
    for _ in 0..2000 {
        if receipts(fixture).await == wanted {
            return;
        }
        sleep(Duration::from_millis(2)).await;
    }
    panic!("never {wanted:?}: {:?}", receipts(fixture).await);
}

#[tokio::test]
async fn support_sees_that_token_endpoint_and_introspection_refuse_by_now() {
    let fixture = SignalsFixture::new().await;
    let device = fixture.enroll(Role::Device).await;
    let running = tokio::spawn(acknowledge_loop(fixture.context.clone()));
    until_receipts_say(&fixture, 0).await;
    fixture.act(&device, DeviceAction::Suspend).await;
    until_receipts_say(&fixture, 1).await;
    fixture.fill_feed(50, &device).await;
    until_receipts_say(&fixture, 51).await;
    running.abort();
}
