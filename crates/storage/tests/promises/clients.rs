//! Clients of the ledger come and go with all that came to them, and each hears of the end of sessions until it has taken it.

use crate::authorizations::{CLIENT, signed_in, signed_in_as, soon};
use crate::engines::on_both_engines;
use crate::fixture::{LedgerFixture, day, guarded, operator};
use crate::people::{set_up, sign_out};
use futures_util::future::join_all;
use serde_json::json;
use std::time::Duration;
use tegata_core::feed::TokenHolder;
use tegata_core::{DeviceId, SessionId, Timestamp};
use tegata_storage::{
    CodeRedemption, DeviceAction, LOGOUT_PATIENCE, LogoutNotice, LogoutOutcome, LogoutReceiver, NewClient,
    NewInitialToken, NoteLogout, TenantAction, Transaction,
};

impl LedgerFixture {
    async fn due(&self, at: Timestamp) -> Vec<LogoutNotice> {
        self.ledger.due_logouts(CLIENT, 100, at).await.unwrap()
    }

    async fn note(&self, session: &SessionId, outcome: LogoutOutcome, at: Timestamp) {
        let note = NoteLogout { session: session.clone(), client: CLIENT.into(), outcome, at };
        self.ledger.group(note).await.unwrap();
    }

    async fn receiver(&self) -> LogoutReceiver {
        self.ledger.logout_receivers().await.unwrap().remove(0)
    }
}

fn client(id: &str) -> NewClient {
    NewClient {
        id: id.into(),
        registration: json!({"client_id": id}),
        initial_token: None,
        access_hash: Some(b"access".to_vec()),
    }
}

on_both_engines! {
    async fn whatever_ends_a_session_its_clients_have_to_hear_of_it(fixture: LedgerFixture) {
        let ways = ["sign-out", "disabled", "device", "device-tokens", "assigned", "support", "clock", "tenant"];
        for (place, way) in ways.into_iter().enumerate() {
            let own = signed_in_as(fixture, &format!("person-{place}")).await;
            own.grant(fixture, true).await;
            own.grant_to(fixture, DeviceId::random(&fixture.entropy).as_str(), true).await;
            let (person, device, at) = (&own.session.person, &own.device, soon(2));
            match way {
                "sign-out" => sign_out(fixture, &own.session, at).await,
                "disabled" => {
                    let disable = async |write: &mut Transaction| write.disable_person(person, "", &operator()).await;
                    fixture.write(at, disable).await.map(|_| ()).unwrap();
                }
                "device" => fixture.act(device, DeviceAction::Suspend, at).await.map(|_| ()).unwrap(),
                "device-tokens" => {
                    fixture.sign_out(&TokenHolder::Device(device.clone()), at).await.map(|_| ()).unwrap();
                }
                "assigned" => {
                    let other = [set_up(fixture, "another").await];
                    let assign = async |write: &mut Transaction| write.assign_device(device, &other, &operator()).await;
                    fixture.write(at, assign).await.unwrap();
                }
                "support" => {
                    let others = async |write: &mut Transaction| write.sign_out_person(person, "", &operator()).await;
                    fixture.write(at, others).await.map(|_| ()).unwrap();
                }
                "clock" => {
                    let end = own.session.expires_at;
                    fixture.write(end, async |write| write.forget_ended_sign_ins().await).await.map(|_| ()).unwrap();
                }
                _ => fixture.act_on_tenant(TenantAction::Suspend, at).await.map(|_| ()).unwrap(),
            }
            let told = fixture.due(own.session.expires_at).await;
            let notice = told.iter().find(|notice| notice.session == own.session.id);
            assert_eq!(notice.map(|notice| (&notice.person, notice.attempts)), Some((person, 0)), "{way}");
        }
        let all = fixture.ledger.clients_to_tell(day(5)).await.unwrap();
        assert_eq!(all, [(CLIENT.to_owned(), false)], "gates hear of it by the feed");
        assert_eq!(fixture.due(day(5)).await.len(), ways.len());
    }

    async fn what_a_client_does_not_take_is_tried_again_until_nobody_tries_any_more(fixture: LedgerFixture) {
        let (own, other) = (signed_in(fixture).await, signed_in_as(fixture, "sato").await);
        for own in [&own, &other] {
            own.grant(fixture, true).await;
            sign_out(fixture, &own.session, soon(2)).await;
        }
        let later = soon(60);
        fixture.note(&own.session.id, LogoutOutcome::Refused("it answers 400".into(), later), soon(3)).await;
        assert_eq!(fixture.due(soon(4)).await.len(), 1, "the other one is tried meanwhile");
        fixture.note(&other.session.id, LogoutOutcome::Unreachable("no connection".into(), later), soon(5)).await;
        assert_eq!(fixture.due(soon(59)).await, []);
        let to_tell = fixture.ledger.clients_to_tell(later).await.unwrap();
        assert_eq!(to_tell, [(CLIENT.to_owned(), true)], "one with which it failed");
        let receiver = fixture.receiver().await;
        assert_eq!((receiver.waiting, receiver.failures, receiver.failing_since()), (2, 2, Some(soon(3))));
        fixture.note(&own.session.id, LogoutOutcome::Delivered, later).await;
        fixture.note(&own.session.id, LogoutOutcome::Delivered, later).await;
        let receiver = fixture.receiver().await;
        assert_eq!((receiver.waiting, receiver.delivered, receiver.failing_since()), (1, 1, None));
        let end = soon(2).plus(LOGOUT_PATIENCE);
        for (at, given_up) in [(end.minus(Duration::from_secs(1)), 0), (end, 1), (end, 0)] {
            let done = fixture.write(at, async |write| write.give_up_logouts(CLIENT).await).await.unwrap();
            assert_eq!(done, given_up);
        }
        assert_eq!((fixture.receiver().await.given_up, fixture.due(day(9)).await), (1, Vec::new()));
        fixture.audited().await;
    }

    async fn a_client_that_is_removed_takes_along_what_came_to_it(fixture: LedgerFixture) {
        fixture.write(day(0), async |write| write.add_client(&client(CLIENT), &operator()).await).await.unwrap();
        let own = signed_in(fixture).await;
        let redeem = own.redeeming(fixture, &own.grant(fixture, true).await, soon(1));
        let (family, jti) = (redeem.family.id.clone(), redeem.family.token.jti.clone());
        assert_eq!(fixture.ledger.group(redeem).await.unwrap(), CodeRedemption::Redeemed);
        let open = own.grant(fixture, true).await;
        let remove = async |write: &mut Transaction| write.remove_client(CLIENT, &operator()).await;
        let removed = fixture.write(soon(2), remove).await.unwrap();
        assert!(removed.families == 1 && removed.event.is_some());
        assert!(fixture.ledger.denials(soon(3)).await.unwrap().token_denied(&jti));
        assert!(fixture.ledger.family(&family).await.unwrap().unwrap().is_ended);
        assert!(fixture.ledger.authorization_code(&open).await.unwrap().is_none());
        sign_out(fixture, &own.session, soon(4)).await;
        assert_eq!(fixture.due(day(5)).await, [], "it is told nothing any more");
        assert!(guarded(&fixture.write(soon(5), remove).await), "it is gone");
        let again = fixture.write(soon(5), async |write| write.add_client(&client(CLIENT), &operator()).await).await;
        assert!(guarded(&again), "its name is nobody's");
    }

    async fn servers_notice_every_change_of_a_client(fixture: LedgerFixture) {
        let mut known = fixture.ledger.clients_version().await.unwrap();
        let mut moves = async |done: &str| {
            let version = fixture.ledger.clients_version().await.unwrap();
            assert!(version > known, "{done}");
            known = version;
        };
        fixture.write(day(1), async |write| write.add_client(&client("a"), &operator()).await).await.unwrap();
        moves("added").await;
        let changed = json!({"client_id": "a", "scope": "stock.read"});
        fixture.write(day(1), async |write| write.change_client("a", &changed, &operator()).await).await.unwrap();
        moves("changed").await;
        assert_eq!(fixture.ledger.stored_clients().await.unwrap()[0].registration, changed);
        let rotate = async |write: &mut Transaction| write.rotate_client_access("a", b"other", &operator()).await;
        fixture.write(day(2), rotate).await.unwrap();
        assert!(fixture.ledger.client_of_access("a", b"access").await.unwrap().is_none());
        assert!(fixture.ledger.client_of_access("b", b"other").await.unwrap().is_none());
        assert!(fixture.ledger.client_of_access("a", b"other").await.unwrap().is_some());
        fixture.write(day(2), async |write| write.remove_client("a", &operator()).await).await.unwrap();
        moves("removed").await;
        assert_eq!(fixture.ledger.stored_clients().await.unwrap(), []);
        assert!(fixture.ledger.client_of_access("a", b"other").await.unwrap().is_none());
    }

    async fn an_initial_token_is_good_for_as_many_clients_as_it_says(fixture: LedgerFixture) {
        let token = NewInitialToken {
            id: "token".into(),
            token_hash: b"hash".to_vec(),
            audiences: vec!["https://product.example".into()],
            scope: "openid stock.read".into(),
            uses: 3,
            expires_at: day(2),
        };
        fixture.write(day(1), async |write| write.add_initial_token(&token, &operator()).await).await.unwrap();
        let register = async |hash: &[u8], number: usize, at: Timestamp| {
            let new = client(&format!("client-{number}"));
            fixture.write(at, async |write| write.register_client(hash, &new).await).await
        };
        assert!(guarded(&register(b"another", 0, day(1)).await));
        assert!(guarded(&register(b"hash", 0, day(2)).await), "it is over");
        let all = join_all((0..6).map(|number| register(b"hash", number, day(1)))).await;
        assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 3);
        assert_eq!(fixture.ledger.stored_clients().await.unwrap().len(), 3);
        assert!(fixture.ledger.initial_token(b"hash", day(1)).await.unwrap().is_none(), "it is used up");
        let kept = fixture.ledger.initial_tokens().await.unwrap().remove(0);
        assert_eq!((kept.uses, kept.uses_left, &kept.audiences), (3, 0, &token.audiences));
        let withdraw = async |write: &mut Transaction| write.withdraw_initial_token("token", &operator()).await;
        fixture.write(day(1), withdraw).await.unwrap();
        assert!(guarded(&fixture.write(day(1), withdraw).await));
    }
}
