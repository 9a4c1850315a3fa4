//! Lists of invitations: sent twice they invite once, and a list that was interrupted goes on where it was.

use crate::engines::on_both_engines;
use crate::fixture::{DAY, LedgerFixture, day, refusal};
use std::time::Duration;
use tegata_core::id::InvitationCode;
use tegata_core::{InvitationId, InvitationListId, Refusal, TenantId, Timestamp};
use tegata_storage::{
    InvitationState, InvitedHolder, LineOutcome, NewInvitationLine, NewInvitationList, Result, Transaction,
};

const CLIENT: &str = "head-office";

on_both_engines! {
    async fn a_list_that_is_sent_again_invites_nobody_twice(fixture: LedgerFixture) {
        let first = receive(fixture, CLIENT, "monday", 3, day(0)).await.unwrap();
        let again = receive(fixture, CLIENT, "monday", 3, day(0)).await.unwrap();
        assert_eq!(first, again);
        assert_eq!(refusal(receive(fixture, CLIENT, "monday", 4, day(0)).await), Refusal::IdempotencyKeyReused);
        let elsewhere = receive(fixture, "another", "monday", 3, day(0)).await.unwrap();
        assert_ne!(first, elsewhere, "a key is the client's own");
        assert!(work_off(fixture, &first, 10).await);
        assert!(work_off(fixture, &first, 10).await, "nothing is left to do");
        assert_eq!(invited(fixture, &first).await.len(), 3);
    }

    async fn a_list_goes_on_where_it_was_interrupted(fixture: LedgerFixture) {
        let list = receive(fixture, CLIENT, "monday", 5, day(0)).await.unwrap();
        assert!(!work_off(fixture, &list, 2).await);
        let unfinished = fixture.ledger.unfinished_lists().await.unwrap();
        assert_eq!(unfinished, [(list.clone(), CLIENT.to_owned())]);
        // A server that dies within a step leaves nothing of it.
        let mut transaction = fixture.ledger.begin(day(0)).await.unwrap();
        step(&mut transaction, fixture, &list, 2).await.unwrap();
        drop(transaction);
        assert_eq!(invited(fixture, &list).await.len(), 2);
        let before = fixture.audited().await;
        assert!(work_off(fixture, &list, 10).await);
        assert_eq!(fixture.actions_after(before).await, ["invitation.added", "invitation.added", "invitation.added", "invitations.done"]);
        assert_eq!(invited(fixture, &list).await.len(), 5);
        assert!(fixture.ledger.unfinished_lists().await.unwrap().is_empty());
    }

    async fn a_wrong_line_stops_no_other_and_says_why(fixture: LedgerFixture) {
        let elsewhere = InvitedHolder {
            tenant: TenantId::random(&fixture.entropy),
            site: fixture.site.clone(),
            label: "受付PC".into(),
        };
        let lines = vec![
            NewInvitationLine { number: 2, judged: Ok(holder(fixture, "受付PC")) },
            NewInvitationLine { number: 3, judged: Err(Refusal::LineMalformed.into()) },
            NewInvitationLine { number: 4, judged: Ok(elsewhere) },
            NewInvitationLine { number: 5, judged: Ok(holder(fixture, "レジ")) },
        ];
        let list = send(fixture, CLIENT, "monday", lines, day(0)).await.unwrap();
        assert!(work_off(fixture, &list, 10).await);
        let outcomes: Vec<_> = fixture
            .ledger
            .invitation_lines(CLIENT, &list)
            .await
            .unwrap()
            .into_iter()
            .map(|line| (line.number, matches!(line.outcome, LineOutcome::Invited { .. }), line.outcome))
            .collect();
        assert!(outcomes[0].1 && outcomes[3].1, "{outcomes:?}");
        assert_eq!(outcomes[1].2, LineOutcome::Refused(Refusal::LineMalformed.into()));
        assert_eq!(outcomes[2].2, LineOutcome::Refused(Refusal::LineSiteUnknown.into()));
    }

    async fn codes_are_handed_over_once_and_to_their_client_alone(fixture: LedgerFixture) {
        let list = receive(fixture, CLIENT, "monday", 2, day(0)).await.unwrap();
        let hand_over = async |client: &str| {
            fixture.write(day(0), async |transaction| transaction.hand_list_over(&list, client).await).await
        };
        assert_eq!(refusal(hand_over(CLIENT).await), Refusal::ListUnfinished);
        work_off(fixture, &list, 10).await;
        assert_eq!(refusal(hand_over("another").await), Refusal::ListUnknown);
        assert_eq!(fixture.ledger.invitation_list("another", &list).await.unwrap(), None);
        hand_over(CLIENT).await.unwrap();
        assert_eq!(refusal(hand_over(CLIENT).await), Refusal::CodesHandedOver);
    }

    async fn a_withdrawn_list_leaves_no_open_invitation(fixture: LedgerFixture) {
        let list = receive(fixture, CLIENT, "monday", 5, day(0)).await.unwrap();
        work_off(fixture, &list, 2).await;
        let withdraw = async |client: &str| {
            fixture.write(day(0), async |transaction| transaction.withdraw_list(&list, client).await).await
        };
        assert_eq!(refusal(withdraw("another").await), Refusal::ListUnknown);
        assert!(fixture.ledger.invitation_lines("another", &list).await.unwrap().is_empty());
        assert_eq!(withdraw(CLIENT).await.unwrap(), 5);
        assert!(work_off(fixture, &list, 10).await);
        let lines = fixture.ledger.invitation_lines(CLIENT, &list).await.unwrap();
        for line in &lines {
            match &line.outcome {
                LineOutcome::Invited { state, .. } => assert_eq!(*state, InvitationState::Withdrawn),
                outcome => assert_eq!(*outcome, LineOutcome::Refused(Refusal::InvitationWithdrawn.into())),
            }
        }
        assert_eq!(lines.len(), 5);
    }

    async fn a_client_that_floods_is_held_up_and_old_lists_are_forgotten(fixture: LedgerFixture) {
        for place in 0..60 {
            receive(fixture, CLIENT, &format!("list-{place}"), 1, day(0)).await.unwrap();
        }
        assert_eq!(refusal(receive(fixture, CLIENT, "one-more", 1, day(0)).await), Refusal::TooManyRequests);
        receive(fixture, CLIENT, "list-7", 1, day(0)).await.expect("sending again is no flood");
        receive(fixture, "another", "list", 1, day(0)).await.expect("others are not held up");
        let known = receive(fixture, CLIENT, "list-7", 1, day(0)).await.unwrap();
        work_off(fixture, &known, 10).await;
        let fresh = receive(fixture, CLIENT, "much-later", 1, day(31)).await.unwrap();
        assert!(fixture.ledger.invitation_list(CLIENT, &known).await.unwrap().is_none());
        assert!(fixture.ledger.invitation_list(CLIENT, &fresh).await.unwrap().is_some());
        let waiting = receive(fixture, CLIENT, "list-8", 1, day(31)).await.unwrap();
        assert!(fixture.ledger.unfinished_lists().await.unwrap().iter().any(|(list, _)| *list == waiting));
    }
}

fn holder(fixture: &LedgerFixture, label: &str) -> InvitedHolder {
    InvitedHolder { tenant: fixture.tenant.clone(), site: fixture.site.clone(), label: label.into() }
}

async fn receive(
    fixture: &LedgerFixture,
    client: &str,
    key: &str,
    lines: u32,
    now: Timestamp,
) -> Result<InvitationListId> {
    let lines = (1..=lines)
        .map(|number| NewInvitationLine { number, judged: Ok(holder(fixture, "受付PC")) })
        .collect();
    send(fixture, client, key, lines, now).await
}

async fn send(
    fixture: &LedgerFixture,
    client: &str,
    key: &str,
    lines: Vec<NewInvitationLine>,
    now: Timestamp,
) -> Result<InvitationListId> {
    let mut request_hash = [0; 32];
    request_hash[0] = u8::try_from(lines.len()).unwrap();
    let new = NewInvitationList {
        id: InvitationListId::random(&fixture.entropy),
        client,
        idempotency_key: key,
        request_hash,
        life: DAY,
        lines,
    };
    fixture.write(now, async |transaction| transaction.receive_list(&new).await).await
}

async fn step(
    transaction: &mut Transaction,
    fixture: &LedgerFixture,
    list: &InvitationListId,
    most: u32,
) -> Result<bool> {
    let fresh = || (InvitationId::random(&fixture.entropy), InvitationCode::random(&fixture.entropy));
    transaction.work_off_list(list, CLIENT, most, &fresh).await
}

async fn work_off(fixture: &LedgerFixture, list: &InvitationListId, most: u32) -> bool {
    fixture.write(day(0), async |transaction| step(transaction, fixture, list, most).await).await.unwrap()
}

async fn invited(fixture: &LedgerFixture, list: &InvitationListId) -> Vec<InvitationId> {
    let lines = fixture.ledger.invitation_lines(CLIENT, list).await.unwrap();
    let mut invited: Vec<_> = lines
        .into_iter()
        .filter_map(|line| match line.outcome {
            LineOutcome::Invited { invitation, expires_at, .. } => {
                assert_eq!(expires_at, day(0).plus(Duration::from_hours(24)));
                Some(invitation)
            }
            LineOutcome::Waiting | LineOutcome::Refused(_) => None,
        })
        .collect();
    invited.sort();
    invited.dedup();
    invited
}
