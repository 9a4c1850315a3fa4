//! Requests to authorize and codes: each works once, on its device, in its time; and whatever came of a session ends with it.

use crate::engines::on_both_engines;
use crate::fixture::{Everything, LedgerFixture, day, operator};
use crate::people::{set_up, sign_out, start};
use futures_util::future::join_all;
use std::time::Duration;
use tegata_core::entropy::bytes;
use tegata_core::{DeviceId, FamilyId, JwkThumbprint, Thumbprint, Timestamp};
use tegata_storage::{
    Actor, CodeGrant, CodeRedemption, DeviceAction, GrantCode, GrantedPerson, GrantedToken, LiveSession,
    PendingRequest, REQUESTS_OF_A_CLIENT, RedeemCode, SpendCode, StartFamily, StoredRequest, TenantAction,
};

pub(crate) const CLIENT: &str = "stock";
const MINUTE: Duration = Duration::from_mins(1);

pub(crate) fn soon(seconds: u64) -> Timestamp {
    day(1).plus(Duration::from_secs(seconds))
}

/// A person who is signed in on a device.
pub(crate) struct SignedInPerson {
    pub(crate) device: DeviceId,
    pub(crate) session: LiveSession,
}

pub(crate) async fn signed_in(fixture: &LedgerFixture) -> SignedInPerson {
    signed_in_as(fixture, "tanaka").await
}

pub(crate) async fn signed_in_as(fixture: &LedgerFixture, login: &str) -> SignedInPerson {
    let person = set_up(fixture, login).await;
    let device = fixture.enroll(day(0)).await.0;
    let token = start(fixture, &person, &device, 1, day(1)).await.unwrap();
    let session =
        fixture.ledger.everything().session(&token, &device, day(1)).await.unwrap().expect("a session");
    SignedInPerson { device, session }
}

impl SignedInPerson {
    /// Gives the hash of a code.
    pub(crate) async fn grant(&self, fixture: &LedgerFixture, person: bool) -> Vec<u8> {
        self.grant_to(fixture, CLIENT, person).await
    }

    pub(crate) async fn grant_to(&self, fixture: &LedgerFixture, client: &str, person: bool) -> Vec<u8> {
        let hash = bytes::<32>(&fixture.entropy).to_vec();
        let granted = GrantedPerson {
            session: self.session.id.clone(),
            subject: "person:hash".into(),
            auth_time: self.session.is_dated.then_some(day(1)),
        };
        let grant = CodeGrant {
            client: client.into(),
            redirect_uri: "https://stock.example/callback".into(),
            challenge: "challenge".into(),
            device: self.device.clone(),
            thumbprint: Thumbprint::of(b"certificate"),
            person: person.then_some(granted),
            amr: "pwd otp mfa".into(),
            audience: "https://product.example".into(),
            scope: None,
            nonce: None,
            dpop_jkt: Some(JwkThumbprint::of("the key of the client")),
            expires_at: day(1).plus(MINUTE),
        };
        let granting =
            GrantCode { hash: hash.clone(), grant, person: None, of_stored_client: false, at: day(1) };
        fixture.ledger.group(granting).await.unwrap();
        hash
    }

    pub(crate) fn redeeming(&self, fixture: &LedgerFixture, hash: &[u8], at: Timestamp) -> RedeemCode {
        let jti = tegata_core::encoding::hex(&bytes::<16>(&fixture.entropy));
        let family = StartFamily {
            id: FamilyId::random(&fixture.entropy),
            device: self.device.clone(),
            audience: "https://product.example".into(),
            subject: Some("person:hash".into()),
            scope: None,
            client: Some(CLIENT.into()),
            session: Some(self.session.id.clone()),
            dpop_jkt: Some(JwkThumbprint::of("the key of the client")),
            current: bytes::<32>(&fixture.entropy).to_vec(),
            idle: Duration::from_hours(3),
            expires_at: at.plus(Duration::from_hours(16)),
            token: GrantedToken { jti, generation: 1, until: at.plus(5 * MINUTE) },
            at,
        };
        RedeemCode { hash: hash.to_vec(), client: CLIENT.into(), family }
    }
}

on_both_engines! {
    async fn a_code_is_redeemed_once_however_many_come_and_a_replay_ends_the_family(fixture: LedgerFixture) {
        let own = signed_in(fixture).await;
        let hash = own.grant(fixture, true).await;
        let all: Vec<_> = (0..6).map(|_| own.redeeming(fixture, &hash, soon(1))).collect();
        let families: Vec<_> = all.iter().map(|wanted| wanted.family.id.clone()).collect();
        let outcomes = join_all(all.into_iter().map(|wanted| fixture.ledger.group(wanted))).await;
        let outcomes: Vec<_> = outcomes.into_iter().map(Result::unwrap).collect();
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == CodeRedemption::Redeemed).count(), 1);
        assert!(outcomes.iter().any(|outcome| matches!(outcome, CodeRedemption::Replayed(Some(_)))), "{outcomes:?}");
        for family in families {
            let family = fixture.ledger.family(&family).await.unwrap();
            assert!(family.is_none_or(|family| family.is_ended));
        }
    }

    async fn codes_that_are_redeemed_together_are_refused_alone(fixture: LedgerFixture) {
        let own = signed_in(fixture).await;
        let mut all = Vec::new();
        for _ in 0..5 {
            let hash = own.grant(fixture, true).await;
            all.push(own.redeeming(fixture, &hash, soon(1)));
        }
        let wrong = own.grant(fixture, true).await;
        all.insert(2, RedeemCode { client: "other".into(), ..own.redeeming(fixture, &wrong, soon(1)) });
        let families: Vec<_> = all.iter().map(|wanted| wanted.family.id.clone()).collect();
        let outcomes = join_all(all.into_iter().map(|wanted| fixture.ledger.group(wanted))).await;
        for (place, (outcome, family)) in outcomes.into_iter().zip(families).enumerate() {
            let expected = if place == 2 { CodeRedemption::Refused } else { CodeRedemption::Redeemed };
            assert_eq!(outcome.unwrap(), expected, "{place}");
            let family = fixture.ledger.family(&family).await.unwrap();
            assert_eq!(family.is_some_and(|family| family.lives(soon(2))), place != 2, "{place}");
        }
        let open = fixture.ledger.authorization_code(&wrong).await.unwrap().expect("it is the other client's that was refused");
        assert!(!open.is_used);
        assert_eq!(open.grant.person.and_then(|person| person.auth_time), Some(day(1)));
    }

    async fn a_code_keeps_that_nobody_knows_when_its_person_signed_in(fixture: LedgerFixture) {
        let mut own = signed_in(fixture).await;
        own.session.is_dated = false;
        let hash = own.grant(fixture, true).await;
        let known = fixture.ledger.authorization_code(&hash).await.unwrap().expect("a code");
        let person = known.grant.person.expect("a person");
        assert_eq!((person.session, person.auth_time), (own.session.id, None));
    }

    async fn a_code_ends_by_the_clock_with_its_session_and_with_its_device(fixture: LedgerFixture) {
        let own = signed_in(fixture).await;
        let redeem = async |hash: &[u8], at| fixture.ledger.group(own.redeeming(fixture, hash, at)).await.unwrap();
        let late = own.grant(fixture, true).await;
        assert_eq!(redeem(&late, soon(60)).await, CodeRedemption::Refused);
        let wrong = own.grant(fixture, true).await;
        let spend = SpendCode { hash: wrong.clone(), actor: Actor::Client(CLIENT.into()), reason: "test", at: soon(1) };
        assert_eq!(fixture.ledger.group(spend).await.unwrap(), None);
        assert_eq!(redeem(&wrong, soon(2)).await, CodeRedemption::Replayed(None));
        let other = RedeemCode { client: "other".into(), ..own.redeeming(fixture, &own.grant(fixture, true).await, soon(2)) };
        assert_eq!(fixture.ledger.group(other).await.unwrap(), CodeRedemption::Refused);
        let signed_out = own.grant(fixture, true).await;
        sign_out(fixture, &own.session, day(1)).await;
        assert_eq!(redeem(&signed_out, soon(2)).await, CodeRedemption::Refused);
        let stopped = own.grant(fixture, false).await;
        fixture.act(&own.device, DeviceAction::Suspend, day(1)).await.unwrap();
        assert_eq!(redeem(&stopped, soon(2)).await, CodeRedemption::Refused);
    }

    async fn the_end_of_a_session_denies_its_name_and_ends_its_families(fixture: LedgerFixture) {
        let own = signed_in(fixture).await;
        let hash = own.grant(fixture, true).await;
        let redeem = own.redeeming(fixture, &hash, soon(1));
        let (family, jti) = (redeem.family.id.clone(), redeem.family.token.jti.clone());
        assert_eq!(fixture.ledger.group(redeem).await.unwrap(), CodeRedemption::Redeemed);
        sign_out(fixture, &own.session, soon(2)).await;
        assert!(fixture.ledger.family(&family).await.unwrap().unwrap().is_ended);
        let denials = fixture.ledger.denials(soon(3)).await.unwrap();
        assert!(denials.token_denied(own.session.id.as_str()) && denials.token_denied(&jti));
        let kept = fixture.ledger.denials(own.session.expires_at).await.unwrap();
        assert!(kept.token_denied(own.session.id.as_str()), "until it would have ended in any case");
    }

    async fn a_session_at_a_product_does_not_come_back_with_its_device_or_tenant(fixture: LedgerFixture) {
        let own = signed_in(fixture).await;
        own.grant(fixture, true).await;
        let denied = async |session: &LiveSession| {
            let (denials, folded) = (fixture.ledger.denials(soon(9)).await.unwrap(), fixture.folded().await);
            assert_eq!(denials, folded, "gates that were there and gates that come");
            denials.token_denied(session.id.as_str())
        };
        let event = fixture.act(&own.device, DeviceAction::Suspend, soon(1)).await.unwrap();
        assert_eq!(fixture.ledger.feed_after(event - 1).await.unwrap().len(), 2, "the device first, then its session");
        fixture.act(&own.device, DeviceAction::Resume, soon(2)).await.unwrap();
        assert!(denied(&own.session).await);
        let token = start(fixture, &own.session.person, &own.device, 2, soon(3)).await.unwrap();
        let session = fixture.ledger.everything().session(&token, &own.device, soon(3)).await.unwrap().unwrap();
        let again = SignedInPerson { session, ..own };
        again.grant(fixture, true).await;
        assert!(!denied(&again.session).await, "a new sign-in is another session");
        fixture.act_on_tenant(TenantAction::Suspend, soon(4)).await.unwrap();
        fixture.act_on_tenant(TenantAction::Resume, soon(5)).await.unwrap();
        assert!(denied(&again.session).await);
    }

    async fn whoever_is_stopped_is_out_at_gates_though_the_session_idled_out(fixture: LedgerFixture) {
        let own = signed_in(fixture).await;
        own.grant(fixture, true).await;
        let name = own.session.id.as_str();
        let later = soon(60 * 60);
        fixture.write(later, async |transaction| transaction.forget_ended_sign_ins().await).await.unwrap();
        let elsewhere = fixture.enroll(day(0)).await.0;
        start(fixture, &own.session.person, &elsewhere, 2, later).await.unwrap();
        assert!(!fixture.ledger.denials(later).await.unwrap().token_denied(name), "a product goes on meanwhile");
        fixture.write(later, async |transaction| {
            transaction.disable_person(&own.session.person, "", &operator()).await
        }).await.unwrap();
        assert!(fixture.ledger.denials(later).await.unwrap().token_denied(name));
    }

    async fn a_session_that_idled_out_is_ended_on_its_own_device_alone(fixture: LedgerFixture) {
        let own = signed_in(fixture).await;
        own.grant(fixture, true).await;
        let (name, elsewhere) = (own.session.id.as_str(), fixture.enroll(day(0)).await.0);
        let later = soon(60 * 60);
        let end = async |device: &DeviceId| {
            fixture.write(later, async |transaction| transaction.end_session_on(device, name).await).await.unwrap()
        };
        assert!(!end(&elsewhere).await && !fixture.ledger.denials(later).await.unwrap().token_denied(name));
        assert!(end(&own.device).await && fixture.ledger.denials(later).await.unwrap().token_denied(name));
        assert!(!end(&own.device).await);
    }

    async fn whoever_may_use_the_device_no_longer_is_out_at_gates_too(fixture: LedgerFixture) {
        let own = signed_in(fixture).await;
        own.grant(fixture, true).await;
        let other = set_up(fixture, "sato").await;
        fixture.write(soon(2), async |transaction| {
            transaction.assign_device(&own.device, std::slice::from_ref(&other), &operator()).await
        }).await.unwrap();
        assert!(fixture.ledger.denials(soon(3)).await.unwrap().token_denied(own.session.id.as_str()));
    }

    async fn a_session_that_no_client_was_given_anything_of_ends_quietly(fixture: LedgerFixture) {
        let own = signed_in(fixture).await;
        sign_out(fixture, &own.session, soon(2)).await;
        assert!(!fixture.ledger.denials(soon(3)).await.unwrap().token_denied(own.session.id.as_str()));
    }

    async fn a_request_is_taken_once_on_the_device_where_it_waits(fixture: LedgerFixture) {
        let (device, other) = (fixture.enroll(day(0)).await.0, fixture.enroll(day(0)).await.0);
        let keep = async |name: &[u8], device: Option<&DeviceId>| {
            let request = StoredRequest {
                client: CLIENT.into(),
                device: device.cloned(),
                parameters: "{}".into(),
                begun_at: day(1),
            };
            let pending = PendingRequest { name_hash: name.to_vec(), request, expires_at: day(1).plus(MINUTE) };
            fixture.write(day(1), async |transaction| transaction.keep_request(&pending).await).await
        };
        let take = async |name: &[u8], device: &DeviceId, at| {
            fixture.write(at, async |transaction| transaction.take_request(name, device).await).await.unwrap()
        };
        keep(b"waits", Some(&device)).await.unwrap();
        assert_eq!(take(b"waits", &other, day(1)).await, None);
        assert!(take(b"waits", &device, day(1)).await.is_some());
        assert_eq!(take(b"waits", &device, day(1)).await, None);
        let take_pushed = async |client: &str, at| {
            fixture.write(at, async |transaction| transaction.take_pushed_request(b"pushed", client).await).await.unwrap()
        };
        keep(b"pushed", None).await.unwrap();
        assert_eq!(take(b"pushed", &device, day(1)).await, None, "it waits on no device");
        assert_eq!(take_pushed("another", day(1)).await, None, "and whoever names another client leaves it there");
        assert!(take_pushed(CLIENT, day(1)).await.is_some());
        keep(b"pushed", None).await.unwrap();
        assert_eq!(take_pushed(CLIENT, soon(60)).await, None, "too late");
        for number in 0..25u8 {
            keep(&[number], Some(&device)).await.unwrap();
        }
        let mut kept = 0;
        for number in 0..25u8 {
            kept += usize::from(take(&[number], &device, day(1)).await.is_some());
        }
        assert_eq!(kept, 20, "the oldest made room");
    }

    async fn of_what_a_client_pushes_the_oldest_makes_room(fixture: LedgerFixture) {
        let kept = fixture.write(day(1), async |transaction| {
            for number in 0..=REQUESTS_OF_A_CLIENT {
                let request = StoredRequest {
                    client: CLIENT.into(),
                    device: None,
                    parameters: "{}".into(),
                    begun_at: day(1),
                };
                let name_hash = number.to_be_bytes().to_vec();
                let expires_at = day(2).plus(Duration::from_millis(number.unsigned_abs()));
                transaction.keep_request(&PendingRequest { name_hash, request, expires_at }).await?;
            }
            Ok(())
        });
        kept.await.unwrap();
        let take = async |number: i64| {
            let name = number.to_be_bytes();
            fixture.write(day(1), async |transaction| transaction.take_pushed_request(&name, CLIENT).await).await.unwrap()
        };
        assert_eq!(take(0).await, None);
        assert!(take(1).await.is_some() && take(REQUESTS_OF_A_CLIENT).await.is_some());
    }
}
