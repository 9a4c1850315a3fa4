use super::*;
use crate::FeedPosition;
use proptest::prelude::*;
use tegata_core::entropy::Seeded;

const NOW: Timestamp = Timestamp::from_seconds(1_782_864_000);
const EVENT: u64 = 7;

fn id(seed: u64) -> ServerId {
    ServerId::random(&Seeded::new(seed))
}

fn server(seed: u64) -> RegisteredServer {
    RegisteredServer { id: id(seed), name: format!("host-{seed}"), started_at: NOW, seen_at: NOW }
}

fn receipt(surface: impl Into<String>, seq: u64, age: u64) -> ReceiptRow {
    let at = NOW.minus(Duration::from_secs(age));
    ReceiptRow { surface: surface.into(), seq: FeedPosition(seq), applied_at: at, seen_at: at }
}

/// What each server's surfaces, by a bit each, have acknowledged; and how old the receipts are.
fn servers() -> impl Strategy<Value = Vec<(u8, u64)>> {
    proptest::collection::vec((0u8..16, 0u64..60), 0..5)
}

fn rows(acknowledged: &[(u8, u64)]) -> Vec<ReceiptRow> {
    let of = |(seed, (bits, age)): (usize, &(u8, u64))| {
        let (bits, age) = (*bits, *age);
        ServerSurface::ALL.into_iter().enumerate().map(move |(bit, surface)| {
            receipt(surface.of(&id(seed as u64)), EVENT - u64::from(bits >> bit & 1 == 0), age)
        })
    };
    acknowledged.iter().enumerate().flat_map(of).collect()
}

proptest! {
    #[test]
    fn every_server_that_is_there_has_to_answer_with_all_it_has(acknowledged in servers()) {
        let servers: Vec<_> = (0..acknowledged.len()).map(|seed| server(seed as u64)).collect();
        let expected = expected(&servers, &rows(&acknowledged), NOW);
        let mut keys: Vec<_> = expected.iter().map(|one| one.key.clone()).collect();
        let mut all: Vec<_> = rows(&acknowledged).into_iter().map(|row| row.surface).collect();
        keys.sort();
        all.sort();
        prop_assert_eq!(keys, all, "however old its receipts are, and none of them twice");
    }

    #[test]
    fn nothing_but_a_receipt_or_long_silence_of_the_whole_server_confirms(
        acknowledged in servers(),
        waited in 0u64..4000,
    ) {
        let servers: Vec<_> = (0..acknowledged.len()).map(|seed| server(seed as u64)).collect();
        let rows = rows(&acknowledged);
        let waited = Duration::from_millis(waited);
        let seen = confirmations(&expected(&servers, &rows, NOW), &rows, EVENT, waited);
        prop_assert_eq!(seen.len(), acknowledged.len() * ServerSurface::ALL.len());
        for one in seen {
            let has_said = |key: &str| rows.iter().any(|row| row.surface == key && row.seq.0 >= EVENT);
            let server = one.of.server.clone().and_then(|server| server.id).expect("a server's");
            let is_silent = ServerSurface::ALL.iter().all(|surface| !has_said(&surface.of(&server)));
            match one.confirmation {
                SurfaceConfirmation::Receipt(_) => prop_assert!(has_said(&one.of.key)),
                SurfaceConfirmation::Silence => prop_assert!(is_silent && waited >= SILENCE_REFUSES),
                SurfaceConfirmation::Missing => {
                    prop_assert!(!has_said(&one.of.key));
                    prop_assert!(!is_silent || waited < SILENCE_REFUSES);
                }
            }
        }
    }
}

#[test]
fn servers_of_the_previous_version_answer_as_one_that_is_nobody_else() {
    let old: Vec<_> = ServerSurface::ALL.iter().map(|surface| receipt(surface.as_str(), EVENT, 1)).collect();
    let mut all = old.clone();
    all.extend(ServerSurface::ALL.iter().map(|surface| receipt(surface.of(&id(1)), 0, 1)));
    let expected = expected(&[server(1)], &all, NOW);
    assert_eq!(expected.len(), 8);
    let seen = confirmations(&expected, &all, EVENT, Duration::ZERO);
    for one in seen {
        let is_old = one.of.server.as_ref().unwrap().id.is_none();
        assert_eq!(one.is_confirmed(), is_old, "{one:?}");
    }
    assert!(super::expected(&[], &old, NOW.plus(ALIVE)).is_empty(), "one that is gone is not waited for");
}

#[test]
fn a_gate_or_a_list_confirms_by_its_own_receipt_alone() {
    let rows = [receipt("gate:a", 0, 14), receipt("gate:b", EVENT, 1), receipt("gate:gone", 0, 15)];
    let mut rows = rows.to_vec();
    rows.push(receipt("crl:c", EVENT - 1, 0));
    let expected = expected(&[], &rows, NOW);
    let seen = confirmations(&expected, &rows, EVENT, Duration::from_mins(1));
    let confirmed: Vec<_> = seen.iter().map(|one| (&*one.of.surface, one.is_confirmed())).collect();
    assert_eq!(confirmed, [("gate:a", false), ("gate:b", true), ("crl:c", false)]);
}

#[test]
fn a_server_that_gives_receipts_is_waited_for_though_unregistered() {
    let expected = expected(&[], &[receipt(ServerSurface::Ocsp.of(&id(3)), 1, 1)], NOW);
    assert_eq!(expected[0].surface, "ocsp");
    assert_eq!(expected[0].server.as_ref().unwrap().id, Some(id(3)));
}
