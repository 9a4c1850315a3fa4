//! Families of refresh tokens: one value works, a lost answer costs nothing, a copy ends the family.

use crate::engines::on_both_engines;
use crate::fixture::{DAY, LedgerFixture, day, guarded, operator};
use futures_util::future::join_all;
use std::time::Duration;
use tegata_core::RevocationReason::KeyCompromise;
use tegata_core::entropy::bytes;
use tegata_core::{DeviceId, FamilyId, Timestamp};
use tegata_storage::{
    DeviceAction, FamilyEnd, GrantedToken, RefreshTokenFamily, RotateFamily, Rotation, StartFamily,
    Transaction,
};

const WINDOW: Duration = Duration::from_mins(1);
const LIFETIME: Duration = Duration::from_mins(5);

/// The start of all families here.
fn start() -> Timestamp {
    day(1)
}

fn seconds(later: u64) -> Timestamp {
    start().plus(Duration::from_secs(later))
}

/// A family, and the hash of its first value.
pub(crate) struct FamilySession {
    id: FamilyId,
    pub(crate) device: DeviceId,
    pub(crate) first: Vec<u8>,
}

impl LedgerFixture {
    pub(crate) async fn session(&self) -> FamilySession {
        let (device, _) = self.enroll(day(0)).await;
        self.session_of(&device).await
    }

    async fn session_of(&self, device: &DeviceId) -> FamilySession {
        let (id, first) = (FamilyId::random(&self.entropy), self.value());
        self.ledger.group(self.starting(&id, device, &first)).await.unwrap();
        FamilySession { id, device: device.clone(), first }
    }

    fn starting(&self, id: &FamilyId, device: &DeviceId, first: &[u8]) -> StartFamily {
        StartFamily {
            id: id.clone(),
            device: device.clone(),
            audience: "https://product.example".into(),
            subject: Some("person:hash".into()),
            scope: Some("stock.read stock.write".into()),
            client: None,
            session: None,
            dpop_jkt: None,
            current: first.to_vec(),
            idle: DAY,
            expires_at: start().plus(DAY * 3),
            token: self.token(start()),
            at: start(),
        }
    }

    fn value(&self) -> Vec<u8> {
        bytes::<32>(&self.entropy).to_vec()
    }

    fn token(&self, at: Timestamp) -> GrantedToken {
        let jti = tegata_core::encoding::hex(&bytes::<16>(&self.entropy));
        GrantedToken { jti, generation: 1, until: at.plus(LIFETIME) }
    }

    /// Presents a value; gives what became of it and the next one.
    async fn present_value(
        &self,
        session: &FamilySession,
        device: &DeviceId,
        presented: &[u8],
        at: Timestamp,
    ) -> (Rotation, Vec<u8>) {
        let next = self.value();
        let rotate = RotateFamily {
            id: session.id.clone(),
            device: device.clone(),
            presented: presented.to_vec(),
            next: next.clone(),
            grace: WINDOW,
            idle: DAY,
            token: self.token(at),
            at,
        };
        (self.ledger.group(rotate).await.unwrap(), next)
    }

    /// Presents a value by the device that the family belongs to.
    pub(crate) async fn refresh(
        &self,
        session: &FamilySession,
        presented: &[u8],
        at: Timestamp,
    ) -> (Rotation, Vec<u8>) {
        self.present_value(session, &session.device, presented, at).await
    }

    async fn family(&self, session: &FamilySession) -> RefreshTokenFamily {
        self.ledger.family(&session.id).await.unwrap().expect("a family")
    }

    async fn prune(&self, at: Timestamp) -> usize {
        self.write(at, Transaction::prune_families).await.unwrap()
    }
}

on_both_engines! {
    async fn each_use_replaces_the_value_and_is_audited(fixture: LedgerFixture) {
        let session = fixture.session().await;
        let family = fixture.family(&session).await;
        assert_eq!((&family.device, family.subject.as_deref()), (&session.device, Some("person:hash")));
        let before = fixture.audited().await;
        let mut value = session.first.clone();
        for turn in 1..=3 {
            let (rotation, next) = fixture.refresh(&session, &value, seconds(turn * 600)).await;
            assert_eq!(rotation, Rotation::Rotated);
            value = next;
        }
        assert_eq!(fixture.actions_after(before).await, ["token_family.rotated"; 3]);
        assert!(fixture.family(&session).await.lives(seconds(1800)));
    }

    async fn a_lost_answer_costs_nothing_within_the_window_and_once(fixture: LedgerFixture) {
        let session = fixture.session().await;
        let (_, lost) = fixture.refresh(&session, &session.first, seconds(10)).await;
        let (rotation, second) = fixture.refresh(&session, &session.first, seconds(69)).await;
        assert_eq!(rotation, Rotation::Retried);
        // The answer was late, not lost: two tabs of one device may both have asked.
        let (rotation, third) = fixture.refresh(&session, &lost, seconds(69)).await;
        assert_eq!(rotation, Rotation::Retried);
        let (rotation, _) = fixture.refresh(&session, &third, seconds(69)).await;
        assert_eq!(rotation, Rotation::Rotated);
        assert_ne!(second, third);
        let (rotation, _) = fixture.refresh(&session, &session.first, seconds(69)).await;
        assert!(matches!(rotation, Rotation::Replayed(Some(_))), "{rotation:?}");
        assert!(fixture.family(&session).await.is_ended);
    }

    async fn a_copy_used_after_the_window_ends_the_family_and_its_access_tokens(fixture: LedgerFixture) {
        let session = fixture.session().await;
        let (_, current) = fixture.refresh(&session, &session.first, seconds(200)).await;
        let before = fixture.audited().await;
        let (rotation, _) = fixture.refresh(&session, &session.first, seconds(260)).await;
        assert_eq!(rotation, Rotation::Replayed(Some(2)), "both access tokens still lived");
        assert_eq!(
            fixture.actions_after(before).await,
            ["token_family.ended", "token.revoked", "token.revoked"]
        );
        assert_eq!(fixture.refresh(&session, &current, seconds(260)).await.0, Rotation::Refused);
        assert_eq!(fixture.refresh(&session, &session.first, seconds(261)).await.0, Rotation::Refused);
    }

    async fn a_value_nobody_ever_gave_out_ends_the_family_too(fixture: LedgerFixture) {
        let session = fixture.session().await;
        let made_up = fixture.value();
        let (rotation, _) = fixture.refresh(&session, &made_up, seconds(400)).await;
        assert_eq!(rotation, Rotation::Replayed(None), "its access token had ended by itself");
    }

    async fn another_device_gains_nothing_and_breaks_nothing(fixture: LedgerFixture) {
        let session = fixture.session().await;
        let (other, _) = fixture.enroll(day(0)).await;
        let (rotation, _) = fixture.present_value(&session, &other, &session.first, seconds(1)).await;
        assert_eq!(rotation, Rotation::Refused);
        let end = fixture.write(seconds(1), async |transaction| {
            transaction.end_family(&session.id, &other, FamilyEnd::Revoked, &operator()).await
        }).await.unwrap();
        assert_eq!(end, None);
        assert_eq!(fixture.refresh(&session, &session.first, seconds(2)).await.0, Rotation::Rotated);
    }

    async fn it_sleeps_with_a_suspended_device_and_dies_with_a_revoked_one(fixture: LedgerFixture) {
        let session = fixture.session().await;
        fixture.act(&session.device, DeviceAction::Suspend, seconds(1)).await.unwrap();
        assert_eq!(fixture.refresh(&session, &session.first, seconds(2)).await.0, Rotation::Refused);
        fixture.act(&session.device, DeviceAction::Resume, seconds(3)).await.unwrap();
        let (rotation, value) = fixture.refresh(&session, &session.first, seconds(4)).await;
        assert_eq!(rotation, Rotation::Rotated);
        fixture.act(&session.device, DeviceAction::Revoke(KeyCompromise), seconds(5)).await.unwrap();
        assert_eq!(fixture.refresh(&session, &value, seconds(6)).await.0, Rotation::Refused);
        assert_eq!(fixture.prune(seconds(7)).await, 1);
        assert_eq!(fixture.ledger.family(&session.id).await.unwrap(), None);
    }

    async fn nobody_starts_one_for_a_stopped_device(fixture: LedgerFixture) {
        let (device, _) = fixture.enroll(day(0)).await;
        fixture.act(&device, DeviceAction::Suspend, day(0)).await.unwrap();
        let id = FamilyId::random(&fixture.entropy);
        assert!(guarded(&fixture.ledger.group(fixture.starting(&id, &device, &[1])).await));
        assert_eq!(fixture.ledger.family(&id).await.unwrap(), None);
    }

    async fn it_ends_when_it_is_idle_and_in_any_case_at_its_time(fixture: LedgerFixture) {
        let [idle, busy] = [fixture.session().await, fixture.session().await];
        let mut value = busy.first.clone();
        for half_days in 1..6 {
            let at = start().plus(DAY / 2 * half_days);
            let (rotation, next) = fixture.refresh(&busy, &value, at).await;
            assert_eq!(rotation, Rotation::Rotated);
            value = next;
        }
        assert_eq!(fixture.refresh(&idle, &idle.first, start().plus(DAY)).await.0, Rotation::Refused);
        assert_eq!(fixture.prune(start().plus(DAY)).await, 1);
        assert_eq!(fixture.refresh(&busy, &value, start().plus(DAY * 3)).await.0, Rotation::Refused);
        assert_eq!(fixture.prune(start().plus(DAY * 3)).await, 1);
        assert_eq!(fixture.prune(start().plus(DAY * 3)).await, 0);
        fixture.audited().await;
    }

    async fn whoever_gives_it_back_ends_it_once_and_gates_hear_of_its_tokens(fixture: LedgerFixture) {
        let session = fixture.session().await;
        let end = async || fixture.write(seconds(1), async |transaction| {
            transaction.end_family(&session.id, &session.device, FamilyEnd::Revoked, &operator()).await
        }).await.unwrap();
        assert_eq!(end().await, Some(1));
        assert_eq!(end().await, None);
        assert_eq!(fixture.refresh(&session, &session.first, seconds(2)).await.0, Rotation::Refused);
        assert_eq!(fixture.folded().await.seq(), 1);
    }

    async fn of_many_who_bring_one_value_at_once_two_get_on_and_the_others_end_it(fixture: LedgerFixture) {
        let session = fixture.session().await;
        let all = (0..8).map(|_| fixture.refresh(&session, &session.first, seconds(1)));
        let rotations: Vec<_> = join_all(all).await.into_iter().map(|(rotation, _)| rotation).collect();
        let count = |wanted: fn(&Rotation) -> bool| rotations.iter().filter(|one| wanted(one)).count();
        assert_eq!(count(|one| *one == Rotation::Rotated), 1);
        assert_eq!(count(|one| *one == Rotation::Retried), 1);
        assert_eq!(count(|one| matches!(one, Rotation::Replayed(_))), 1);
        assert_eq!(count(|one| *one == Rotation::Refused), 5);
        fixture.audited().await;
    }

    async fn no_value_is_kept_anywhere(fixture: LedgerFixture) {
        let session = fixture.session().await;
        let entries = fixture.ledger.audit_entries(0, 1000).await.unwrap();
        assert!(entries.iter().all(|entry| !entry.entry.contains("person:hash")), "nor who the person is");
        assert!(entries.iter().any(|entry| entry.entry.contains(session.id.as_str())));
    }
}
