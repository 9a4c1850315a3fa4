//! Wrong guesses, counted for all servers together.

use crate::engines::on_both_engines;
use crate::fixture::{LedgerFixture, day};
use tegata_storage::{GUESS_SLOTS, LedgerError, WrongGuesses};

const KIND: &str = "short-code";
const SLOTS: [u32; 6] = [1, 2, 3, 4, 5, GUESS_SLOTS - 1];

async fn count(fixture: &LedgerFixture, period: u64, slots: &[(u32, u32)]) -> Result<(), LedgerError> {
    let slots = slots.to_vec();
    fixture.ledger.count_wrong_guesses(WrongGuesses { kind: KIND, period, slots, at: day(1) }).await
}

async fn counted(fixture: &LedgerFixture, kind: &str, period: u64) -> Vec<(u32, u32)> {
    let mut counted = fixture.ledger.wrong_guesses(kind, period, &SLOTS).await.unwrap();
    counted.sort_unstable();
    counted
}

on_both_engines! {
    async fn guesses_at_all_servers_add_up_and_end_with_their_period(fixture: LedgerFixture) {
        count(fixture, 7, &[(1, 2), (5, 1)]).await.unwrap();
        count(fixture, 7, &[(1, 3), (9, 1)]).await.unwrap();
        assert_eq!(counted(fixture, KIND, 7).await, [(1, 5), (5, 1)]);
        assert_eq!(counted(fixture, KIND, 6).await, [(1, 5), (5, 1)], "a clock that is a little behind");
        assert!(counted(fixture, KIND, 8).await.is_empty() && counted(fixture, "another", 7).await.is_empty());
        count(fixture, 8, &[(1, 1)]).await.unwrap();
        assert_eq!(counted(fixture, KIND, 8).await, [(1, 1)]);
        count(fixture, 7, &[(1, 1)]).await.unwrap();
        assert_eq!(counted(fixture, KIND, 8).await, [(1, 2)], "it takes nothing away from those ahead");
    }

    async fn what_a_clock_far_ahead_counted_stands_in_nobodys_way(fixture: LedgerFixture) {
        count(fixture, 50_000, &[(1, 1000)]).await.unwrap();
        assert!(counted(fixture, KIND, 7).await.is_empty());
        count(fixture, 7, &[(1, 1)]).await.unwrap();
        assert_eq!(counted(fixture, KIND, 7).await, [(1, 1)]);
    }

    async fn there_are_so_many_counters_and_no_more(fixture: LedgerFixture) {
        count(fixture, 7, &[(GUESS_SLOTS - 1, 1)]).await.unwrap();
        assert!(count(fixture, 7, &[(GUESS_SLOTS, 1)]).await.is_err());
    }

    async fn whoever_needs_the_secret_first_has_made_it_for_all(fixture: LedgerFixture) {
        assert_eq!(fixture.ledger.guess_secret().await.unwrap(), None);
        for secret in [[1; 32], [2; 32]] {
            fixture.ledger.keep_guess_secret(secret, day(1)).await.unwrap();
        }
        assert_eq!(fixture.ledger.guess_secret().await.unwrap(), Some(vec![1; 32]));
    }
}
