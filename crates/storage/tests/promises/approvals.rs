//! Approvals: a key waits, somebody decides, and the decision is for that key alone.

use crate::engines::on_both_engines;
use crate::fixture::Everything;
use crate::fixture::{DAY, InvitedDevice, LedgerFixture, day, guarded, operator, refusal};
use std::time::Duration;
use tegata_core::entropy::bytes;
use tegata_core::{ApprovalId, Platform, Refusal, Timestamp};
use tegata_storage::ApprovalState::{Declined, Granted, Waiting};
use tegata_storage::{Actor, ApprovalState, NewApproval, Result};

impl LedgerFixture {
    fn wish(&self, invited: &InvitedDevice) -> NewApproval {
        NewApproval {
            id: ApprovalId::random(&self.entropy),
            invitation: invited.id.clone(),
            key_hash: bytes(&self.entropy),
            request: b"a request".to_vec(),
            platform: Platform::Windows,
            address: Some("::ffff:192.0.2.7".parse().unwrap()),
        }
    }

    async fn ask(&self, wish: &NewApproval, now: Timestamp) -> Result<ApprovalState> {
        let actor = Actor::Invitation(wish.invitation.clone());
        self.write(now, async |transaction| transaction.ask_approval(wish, &actor).await).await
    }

    async fn approve(&self, wish: &NewApproval, now: Timestamp) -> Result<()> {
        self.write(now, async |transaction| transaction.approve(&wish.id, &operator()).await).await
    }

    async fn pass_on(&self, wish: &NewApproval, key: &[u8; 32], now: Timestamp) -> Result<()> {
        self.write(now, async |transaction| {
            transaction.pass_approval_on(&wish.id, key, b"its request", &operator()).await
        })
        .await
    }

    async fn decline(&self, wish: &NewApproval, now: Timestamp) -> Result<()> {
        self.write(now, async |transaction| transaction.decline(&wish.id, "not ours", &operator()).await)
            .await
    }

    async fn waiting_now(&self, now: Timestamp) -> Vec<ApprovalId> {
        self.ledger.everything().waiting(now).await.unwrap().into_iter().map(|approval| approval.id).collect()
    }
}

on_both_engines! {
    async fn an_approval_before_the_key_goes_to_the_last_key_while_the_code_is_open(fixture: LedgerFixture) {
        let invited = fixture.invite("iPad", day(0)).await;
        let [wish, other] = [fixture.wish(&invited), fixture.wish(&invited)];
        for asked in [&wish, &other] {
            fixture.ask(asked, day(0)).await.unwrap();
        }
        let [first, second] = [bytes(&fixture.entropy), bytes(&fixture.entropy)];
        assert!(guarded(&fixture.pass_on(&wish, &first, day(0)).await), "nobody has approved");
        fixture.approve(&wish, day(0)).await.unwrap();
        assert!(guarded(&fixture.pass_on(&wish, &other.key_hash, day(0)).await), "that key waits by itself");
        fixture.pass_on(&wish, &first, day(0)).await.unwrap();
        fixture.pass_on(&wish, &second, day(0)).await.unwrap();
        assert!(fixture.ledger.approval_for(&invited.id, &first).await.unwrap().is_none(), "it came to nothing");
        let known = fixture.ledger.approval_for(&invited.id, &second).await.unwrap().unwrap();
        assert_eq!((known.id, known.state, &*known.request), (wish.id.clone(), Granted, &b"its request"[..]));
        fixture.write(day(0), async |transaction| transaction.withdraw_invitation(&invited.id, &operator()).await)
            .await
            .unwrap();
        assert!(guarded(&fixture.pass_on(&wish, &first, day(0)).await), "it is over");
    }

    async fn a_key_waits_once_and_the_decision_is_its_own(fixture: LedgerFixture) {
        let before = fixture.audited().await;
        let invited = fixture.invite("受付PC", day(0)).await;
        let [first, second] = [fixture.wish(&invited), fixture.wish(&invited)];
        assert_eq!(fixture.ask(&first, day(0)).await.unwrap(), Waiting);
        let again = NewApproval { id: ApprovalId::random(&fixture.entropy), ..first.clone() };
        assert_eq!(fixture.ask(&again, day(0)).await.unwrap(), Waiting, "asked twice it is one");
        assert_eq!(fixture.ask(&second, day(0).plus(Duration::from_secs(1))).await.unwrap(), Waiting);
        assert_eq!(fixture.waiting_now(day(0).plus(Duration::from_secs(1))).await, [first.id.clone(), second.id.clone()]);
        let known = fixture.ledger.approval_for(&invited.id, &first.key_hash).await.unwrap().unwrap();
        assert_eq!((known.id, known.state, &*known.label), (first.id.clone(), Waiting, "受付PC"));
        assert_eq!((known.platform, known.address.as_deref()), (Platform::Windows, Some("192.0.2.7")));
        assert_eq!((&*known.request, &*known.site_name), (&b"a request"[..], "本店"));

        fixture.approve(&first, day(0)).await.unwrap();
        assert_eq!(fixture.ask(&first, day(0)).await.unwrap(), Granted);
        assert_eq!(fixture.ask(&second, day(0)).await.unwrap(), Waiting, "nobody else with the link slips in");
        assert!(guarded(&fixture.approve(&first, day(0)).await), "decided is decided");
        assert!(guarded(&fixture.approve(&second, day(0)).await), "an invitation is for one device");
        assert!(guarded(&fixture.decline(&first, day(0)).await));
        fixture.decline(&second, day(0)).await.unwrap();
        assert_eq!(fixture.ask(&second, day(0)).await.unwrap(), Declined);
        assert!(guarded(&fixture.approve(&second, day(0)).await));
        let known = fixture.ledger.approval_for(&invited.id, &second.key_hash).await.unwrap().unwrap();
        assert_eq!((known.state, &*known.reason), (Declined, "not ours"));
        assert_eq!(
            fixture.actions_after(before).await[1..],
            ["approval.asked", "approval.asked", "approval.granted", "approval.declined"]
        );
    }

    async fn nobody_waits_for_ever(fixture: LedgerFixture) {
        let invited = fixture.invite("受付PC", day(0)).await;
        let wish = fixture.wish(&invited);
        fixture.ask(&wish, day(0)).await.unwrap();
        let last = day(0).plus(DAY);
        assert_eq!(fixture.waiting_now(last).await.len(), 1, "as long as the invitation lives");
        let late = last.plus(Duration::from_millis(1));
        assert!(fixture.waiting_now(late).await.is_empty());
        assert!(guarded(&fixture.approve(&wish, late).await));
        assert_eq!(refusal(fixture.ask(&wish, late).await), Refusal::InvitationExpired);
        let forgotten = async |before| fixture.write(late, async |transaction| transaction.forget_approvals(before).await).await;
        assert_eq!(forgotten(last).await.unwrap(), 0);
        assert_eq!(forgotten(late).await.unwrap(), 1);
        assert!(fixture.ledger.approval_for(&invited.id, &wish.key_hash).await.unwrap().is_none());
    }

    async fn a_link_in_many_hands_fills_no_list(fixture: LedgerFixture) {
        let invited = fixture.invite("受付PC", day(0)).await;
        let mut wishes = Vec::new();
        for _ in 0..5 {
            let wish = fixture.wish(&invited);
            assert_eq!(fixture.ask(&wish, day(0)).await.unwrap(), Waiting);
            wishes.push(wish);
        }
        let one_more = fixture.wish(&invited);
        assert_eq!(refusal(fixture.ask(&one_more, day(0)).await), Refusal::TooManyWaiting);
        let elsewhere = fixture.invite("受付PC", day(0)).await;
        fixture.ask(&fixture.wish(&elsewhere), day(0)).await.expect("others are not held up");
        fixture.decline(&wishes[0], day(0)).await.unwrap();
        fixture.ask(&one_more, day(0)).await.expect("a decision makes room");
    }

    async fn who_has_no_open_invitation_waits_for_nothing(fixture: LedgerFixture) {
        let [withdrawn, used] = [fixture.invite("受付PC", day(0)).await, fixture.invite("受付PC", day(0)).await];
        let waiting = [fixture.wish(&withdrawn), fixture.wish(&used)];
        for wish in &waiting {
            fixture.ask(wish, day(0)).await.unwrap();
        }
        fixture.write(day(0), async |transaction| transaction.withdraw_invitation(&withdrawn.id, &operator()).await)
            .await
            .unwrap();
        let device = tegata_core::DeviceId::random(&fixture.entropy);
        fixture.ledger.group(fixture.intent(&device, fixture.by_invitation(&used.id), day(0))).await.unwrap();
        for (wish, why) in waiting.iter().zip([Refusal::InvitationWithdrawn, Refusal::InvitationUsed]) {
            assert!(guarded(&fixture.approve(wish, day(0)).await));
            let other = NewApproval { key_hash: bytes(&fixture.entropy), ..wish.clone() };
            assert_eq!(refusal(fixture.ask(&other, day(0)).await), why);
        }
    }
}
