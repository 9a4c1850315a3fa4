//! What token status lists are made of: a place for each certificate, and what is to be said of it.

use crate::engines::on_both_engines;
use crate::fixture::{DAY, LedgerFixture, day, operator};
use std::collections::{BTreeMap, HashSet};
use tegata_core::RevocationReason::{CessationOfOperation, KeyCompromise};
use tegata_core::entropy::bytes;
use tegata_core::feed::{Denials, TokenHolder};
use tegata_core::status_list::TokenStatus::{self, Invalid, Suspended, Valid};
use tegata_core::{DeviceId, Standing, Thumbprint, Timestamp};
use tegata_storage::{DeviceAction, Lineage, StatusCache, StatusPlace, TenantAction};

on_both_engines! {
    async fn every_certificate_has_a_place_of_its_own_whatever_way_it_came(fixture: LedgerFixture) {
        let mut certificates = Vec::new();
        let invitations = [fixture.invite("a", day(0)).await, fixture.invite("a", day(0)).await, fixture.invite("a", day(0)).await];
        let together = invitations.iter().map(|invited| {
            let device = DeviceId::random(&fixture.entropy);
            let mut origin = fixture.by_invitation(&invited.id);
            if let tegata_storage::IssuanceRight::Invitation { label, .. } = &mut origin {
                *label = "a".into();
            }
            fixture.issue(fixture.intent(&device, origin, day(0)))
        });
        for issued in futures_util::future::join_all(together).await {
            certificates.push(issued.unwrap());
        }
        let (device, first) = fixture.enroll(day(1)).await;
        fixture.present(&first, day(1)).await;
        let second = fixture.renew(&device, first, day(2)).await.unwrap();
        fixture.present(&second, day(2)).await;
        certificates.extend([first, second]);
        let mut places = HashSet::new();
        for certificate in &certificates {
            assert!(places.insert(place(fixture, certificate).await), "a place is given once");
        }
        let next = fixture.ledger.status_head().await.unwrap().next;
        assert!(places.iter().all(|place| *place < next));
    }

    async fn what_is_denied_is_said_and_what_is_allowed_again_is_not(fixture: LedgerFixture) {
        let (device, certificate) = fixture.enroll(day(0)).await;
        let (other, _) = fixture.enroll(day(0)).await;
        let at = place(fixture, &certificate).await;
        for (action, status) in [
            (DeviceAction::Suspend, Suspended),
            (DeviceAction::Resume, Valid),
            (DeviceAction::Revoke(KeyCompromise), Invalid),
        ] {
            fixture.act(&device, action, day(1)).await.unwrap();
            assert_eq!(said(fixture).await.get(&at).copied().unwrap_or_default(), status);
            assert_eq!(followed(fixture).await, said(fixture).await);
        }
        fixture.act_on_tenant(TenantAction::Suspend, day(2)).await.unwrap();
        assert_eq!(said(fixture).await.values().copied().collect::<Vec<_>>(), [Invalid, Suspended]);
        assert_eq!(fixture.ledger.suspended_tenants().await.unwrap(), std::slice::from_ref(&fixture.tenant));
        fixture.act_on_tenant(TenantAction::Resume, day(3)).await.unwrap();
        assert_eq!(said(fixture).await.len(), 1);
        fixture.act(&other, DeviceAction::Retire, day(3)).await.unwrap();
        assert_eq!(said(fixture).await.values().copied().collect::<Vec<_>>(), [Invalid, Invalid]);
        assert_eq!(followed(fixture).await, said(fixture).await);
    }

    async fn whoever_follows_the_feed_says_what_whoever_reads_everything_says(fixture: LedgerFixture) {
        let mut devices = Vec::new();
        for _ in 0..4 {
            devices.push(fixture.enroll(day(0)).await);
        }
        for turn in 1..60 {
            step(fixture, &mut devices, day(turn)).await;
            if turn % 6 == 0 {
                assert_eq!(followed(fixture).await, said(fixture).await, "turn {turn}");
            }
        }
        assert_eq!(followed(fixture).await, said(fixture).await);
        let mut living = HashSet::new();
        for (_, certificate) in &devices {
            let held = fixture.ledger.holding(certificate).await.unwrap().unwrap();
            let place = held.status_place.unwrap().unsigned_abs();
            assert!(living.insert(place));
            let status = said(fixture).await.get(&place).copied().unwrap_or_default();
            match held.standing(day(60)) {
                Standing::Good => assert_eq!(status, Valid),
                Standing::Suspended => assert_eq!(status, Suspended),
                _ => assert_eq!(status, Invalid),
            }
        }
    }

    async fn a_signed_out_holder_gets_another_entry_and_the_old_one_is_burned(fixture: LedgerFixture) {
        let (device, certificate) = fixture.enroll(day(0)).await;
        let (_, other) = fixture.enroll(day(0)).await;
        let status = StatusCache::load(fixture.ledger.clone(), day(1)).await.unwrap();
        let known = async |certificate: &Thumbprint| {
            status.catch_up(day(1)).await.unwrap();
            status.standing(certificate, day(1)).await.unwrap().unwrap().0.status_place.unwrap()
        };
        let [first, untouched] = [known(&certificate).await, known(&other).await];
        fixture.sign_out(&TokenHolder::Device(device.clone()), day(1)).await.unwrap();
        let second = known(&certificate).await;
        assert_ne!(first, second);
        assert_eq!(known(&other).await, untouched);
        assert_eq!(said(fixture).await, BTreeMap::from([(first, Invalid)]));

        fixture.sign_out(&TokenHolder::Tenant(fixture.tenant.clone()), day(2)).await.unwrap();
        let places: HashSet<u64> = [first, second, untouched, known(&certificate).await, known(&other).await].into();
        assert_eq!(places.len(), 5);
        assert_eq!(said(fixture).await.into_keys().collect::<HashSet<_>>(), [first, second, untouched].into());
        assert_eq!(followed(fixture).await, said(fixture).await);
    }

    async fn a_moment_that_was_passed_already_moves_nobody(fixture: LedgerFixture) {
        let (device, certificate) = fixture.enroll(day(0)).await;
        fixture.sign_out(&TokenHolder::Device(device.clone()), day(2)).await.unwrap();
        let settled = place(fixture, &certificate).await;
        let tenant = TokenHolder::Tenant(fixture.tenant.clone());
        fixture.write(day(3), async |transaction| {
            transaction.deny_tokens(&tenant, Some(day(1)), "", &operator()).await
        }).await.unwrap();
        assert_eq!(place(fixture, &certificate).await, settled);
        fixture.sign_out(&tenant, day(4)).await.unwrap();
        let moved = place(fixture, &certificate).await;
        assert_ne!(moved, settled);
        fixture.write(day(5), async |transaction| {
            transaction.deny_tokens(&TokenHolder::Device(device.clone()), Some(day(3)), "", &operator()).await
        }).await.unwrap();
        assert_eq!(place(fixture, &certificate).await, moved);
    }

    async fn whoever_is_stopped_and_signed_out_stays_stopped_at_the_new_place(fixture: LedgerFixture) {
        let (device, certificate) = fixture.enroll(day(0)).await;
        fixture.act(&device, DeviceAction::Suspend, day(1)).await.unwrap();
        let old = place(fixture, &certificate).await;
        fixture.sign_out(&TokenHolder::Device(device), day(1)).await.unwrap();
        let new = place(fixture, &certificate).await;
        assert_eq!(said(fixture).await, BTreeMap::from([(old, Invalid), (new, Suspended)]));
        assert_eq!(followed(fixture).await, said(fixture).await);
    }

    async fn of_two_who_begin_the_lists_the_first_counts(fixture: LedgerFixture) {
        assert_eq!(fixture.ledger.status_head().await.unwrap().secret, None);
        let secrets: [[u8; 32]; 2] = [bytes(&fixture.entropy), bytes(&fixture.entropy)];
        for secret in &secrets {
            fixture.ledger.begin_status_lists(secret, day(0)).await.unwrap();
            assert_eq!(fixture.ledger.status_head().await.unwrap().secret, Some(secrets[0]));
        }
    }

    async fn a_list_can_go_when_its_last_certificate_has_ended(fixture: LedgerFixture) {
        let (_, first) = fixture.enroll(day(0)).await;
        let (_, second) = fixture.enroll(day(9)).await;
        let [first, second] = [place(fixture, &first).await, place(fixture, &second).await];
        let last = async |places| fixture.ledger.last_of_places(places).await.unwrap();
        let year = crate::fixture::YEAR;
        assert_eq!(last(first..second).await, Some(day(0).plus(year)));
        assert_eq!(last(first..second + 1).await, Some(day(9).plus(year)));
        assert_eq!(last(second + 1..second + 9).await, None);
    }
}

async fn place(fixture: &LedgerFixture, certificate: &Thumbprint) -> u64 {
    let held = fixture.ledger.holding(certificate).await.unwrap().expect("a certificate");
    held.status_place.expect("a place").unsigned_abs()
}

/// All that the ledger says at once.
async fn said(fixture: &LedgerFixture) -> BTreeMap<u64, TokenStatus> {
    let mut said = BTreeMap::new();
    fixture
        .ledger
        .statuses(&mut |one| assert_eq!(said.insert(one.place, one.status), None, "a place is named once"))
        .await
        .unwrap();
    said
}

/// What comes out when each event's places are read in turn, as they are by now.
async fn followed(fixture: &LedgerFixture) -> BTreeMap<u64, TokenStatus> {
    let mut said = BTreeMap::new();
    let mut denials = Denials::default();
    loop {
        let events = fixture.ledger.feed_after(denials.seq()).await.unwrap();
        if events.is_empty() {
            said.retain(|_, status| *status != Valid);
            return said;
        }
        for event in events {
            let mut visit = |one: StatusPlace| {
                said.insert(one.place, one.status);
            };
            fixture.ledger.statuses_of(&event, &mut visit).await.unwrap();
            denials.apply(&event).unwrap();
        }
    }
}

/// Something that staff, devices or the clock do. What is not allowed at the moment changes nothing.
async fn step(fixture: &LedgerFixture, devices: &mut [(DeviceId, Thumbprint)], now: Timestamp) {
    let [what, who] = bytes::<2>(&fixture.entropy);
    let who = usize::from(who) % devices.len();
    let (device, certificate) = devices[who].clone();
    match what % 12 {
        0 => drop(fixture.act(&device, DeviceAction::Suspend, now).await),
        1 | 2 => drop(fixture.act(&device, DeviceAction::Resume, now).await),
        3 if devices.len() > 4 => {
            drop(fixture.act(&device, DeviceAction::Revoke(CessationOfOperation), now).await);
        }
        4 => drop(fixture.act_on_tenant(TenantAction::Suspend, now).await),
        5 | 6 => drop(fixture.act_on_tenant(TenantAction::Resume, now).await),
        7 => drop(fixture.sign_out(&TokenHolder::Device(device), now).await),
        8 if what % 3 == 0 => drop(fixture.sign_out(&TokenHolder::Tenant(fixture.tenant.clone()), now).await),
        9 => {
            let revoked = fixture.write(now, async |transaction| {
                transaction
                    .revoke_certificate(&certificate, KeyCompromise, Lineage::Whole, "", &operator())
                    .await
            });
            drop(revoked.await);
        }
        10 => {
            fixture.present(&certificate, now).await;
            if let Ok(next) = fixture.renew(&device, certificate, now).await {
                fixture.present(&next, now).await;
                devices[who].1 = next;
            }
        }
        _ => drop(fixture.retire_due(now.plus(DAY)).await),
    }
}
