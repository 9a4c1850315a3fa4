//! Passkeys: each is one person's, its counter goes forward, and what it has answered is worth nothing afterwards.

use crate::engines::on_both_engines;
use crate::fixture::{Everything, LedgerFixture, day, operator};
use crate::people::{chosen, is_guard, lasts, other_tenant, refused, session, set_up};
use futures_util::future::join_all;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tegata_core::entropy::bytes;
use tegata_core::{DeviceId, PasskeyId, PersonId, Refusal, SessionId, SetupCode};
use tegata_storage::{
    NewPersonPasskey, PasskeyUse, Principal, Result, ScopedLedger, SecondFactorUse, StartedSession,
    UsedChallenge,
};

on_both_engines! {
    async fn a_passkey_is_one_person_s_and_of_their_tenant(fixture: LedgerFixture) {
        let [own, other] = [set_up(fixture, "tanaka").await, set_up(fixture, "sato").await];
        let device = fixture.enroll(day(0)).await.0;
        let kept = new_passkey(fixture, &own, b"one");
        keep(fixture, &kept).await.unwrap();
        let again = NewPersonPasskey { person: other, ..new_passkey(fixture, &own, b"one") };
        assert_eq!(refused(&keep(fixture, &again).await), Some(Refusal::PasskeyKnown));
        let answered = NewPersonPasskey { challenge: kept.challenge.clone(), ..new_passkey(fixture, &own, b"two") };
        assert_eq!(refused(&keep(fixture, &answered).await), Some(Refusal::FormOutdated));
        let found = rows(fixture).passkey_candidate(b"one", &device).await.unwrap().unwrap();
        assert_eq!((&found.passkey, &found.person.who.person, found.counter), (&kept.id, &own, 4));
        assert!(found.person.who.works_at_site && !found.person.is_known_here);
        let (tenant, _) = other_tenant(fixture).await;
        let strangers = fixture.ledger.within(Principal::operator("test", Some(&tenant)).scope());
        assert!(strangers.passkey_candidate(b"one", &device).await.unwrap().is_none());
        let listed = rows(fixture).passkeys_of(&own).await.unwrap();
        assert_eq!((listed.len(), listed[0].name.as_str(), listed[0].used_at()), (1, "電話", None));
    }

    async fn a_passkey_begins_a_session_once_for_each_answer(fixture: LedgerFixture) {
        let person = set_up(fixture, "tanaka").await;
        let device = fixture.enroll(day(0)).await.0;
        let kept = new_passkey(fixture, &person, b"one");
        keep(fixture, &kept).await.unwrap();
        let used = passkey_use(fixture, &kept.id, 5, false);
        let all = join_all((0..6).map(|_| start_with(fixture, &person, &device, used.clone()))).await;
        let begun: Vec<_> = all.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
        assert_eq!(begun.len(), 1);
        assert_eq!(begun[0].1, StartedSession::Passkey);
        let live = rows(fixture).session(&begun[0].0, &device, day(1)).await.unwrap().unwrap();
        assert_eq!(live.amr, "pop user mfa");
        let beside = start_with(fixture, &person, &device, passkey_use(fixture, &kept.id, 6, true)).await.unwrap();
        assert_eq!(beside.1, StartedSession::PasswordAndPasskey);
        for counter in [6, 5, 0] {
            let back = start_with(fixture, &person, &device, passkey_use(fixture, &kept.id, counter, false)).await;
            assert_eq!(refused(&back), Some(Refusal::PasskeyWrong), "{counter}");
        }
        assert!(rows(fixture).passkeys_of(&person).await.unwrap()[0].used_at().is_some());
    }

    async fn a_passkey_that_does_not_count_is_taken_and_one_that_began_to_goes_on(fixture: LedgerFixture) {
        let person = set_up(fixture, "tanaka").await;
        let device = fixture.enroll(day(0)).await.0;
        let kept = NewPersonPasskey { counter: 0, ..new_passkey(fixture, &person, b"one") };
        keep(fixture, &kept).await.unwrap();
        for (counter, is_taken) in [(0, true), (0, true), (1, true), (0, false), (1, false), (u32::MAX, true)] {
            let outcome = start_with(fixture, &person, &device, passkey_use(fixture, &kept.id, counter, false)).await;
            assert_eq!(outcome.is_ok(), is_taken, "{counter}");
        }
    }

    async fn a_passkey_that_was_removed_or_reset_proves_nothing(fixture: LedgerFixture) {
        let [person, other] = [set_up(fixture, "tanaka").await, set_up(fixture, "sato").await];
        let device = fixture.enroll(day(0)).await.0;
        let [one, two] = [new_passkey(fixture, &person, b"one"), new_passkey(fixture, &person, b"two")];
        for kept in [&one, &two] {
            keep(fixture, kept).await.unwrap();
        }
        assert!(is_guard(&remove(fixture, &other, &one.id).await), "somebody else's");
        remove(fixture, &person, &one.id).await.unwrap();
        assert!(is_guard(&remove(fixture, &person, &one.id).await));
        let gone = start_with(fixture, &person, &device, passkey_use(fixture, &one.id, 9, false)).await;
        assert_eq!(refused(&gone), Some(Refusal::PasskeyWrong));
        let code = SetupCode::random(&fixture.entropy);
        fixture.write(day(1), async |transaction| {
            transaction.reset_person(&person, &code, day(2), &operator()).await
        }).await.unwrap();
        assert!(rows(fixture).passkeys_of(&person).await.unwrap().is_empty(), "a lost phone has them too");
    }

    async fn a_setup_link_that_was_used_leaves_no_passkey_of_before(fixture: LedgerFixture) {
        let person = set_up(fixture, "tanaka").await;
        keep(fixture, &new_passkey(fixture, &person, b"one")).await.unwrap();
        let code = SetupCode::random(&fixture.entropy);
        fixture.write(day(1), async |transaction| {
            transaction.make_setup_link(&person, &code, day(2), &operator()).await?;
            transaction.set_up_person(&code, &chosen()).await
        }).await.unwrap();
        assert!(rows(fixture).passkeys_of(&person).await.unwrap().is_empty());
    }

    async fn nobody_has_more_than_twenty_passkeys_whenever_they_began_to_make_them(fixture: LedgerFixture) {
        let person = set_up(fixture, "tanaka").await;
        let by = signed_in(fixture, &person).await;
        let many: Vec<_> = (0..24).map(|number| new_passkey(fixture, &person, &[number])).collect();
        let kept = join_all(many.iter().map(|new| keep_from(fixture, new, &by))).await;
        assert_eq!(kept.iter().filter(|outcome| outcome.is_ok()).count(), 20);
        assert!(kept.iter().all(|outcome| outcome.is_ok() || refused(outcome) == Some(Refusal::PasskeysFull)));
        assert_eq!(rows(fixture).passkeys_of(&person).await.unwrap().len(), 20);
    }

    async fn answered_challenges_are_forgotten_when_they_would_be_too_old(fixture: LedgerFixture) {
        let person = set_up(fixture, "tanaka").await;
        keep(fixture, &new_passkey(fixture, &person, b"one")).await.unwrap();
        let forgotten = async |at| {
            fixture.write(at, async |transaction| transaction.forget_ended_sign_ins().await).await.unwrap()
        };
        assert_eq!((forgotten(day(1)).await, forgotten(day(2)).await), (0, 2), "with the session of that day");
    }
}

fn rows(fixture: &LedgerFixture) -> ScopedLedger {
    fixture.ledger.within(Principal::operator("test", Some(&fixture.tenant)).scope())
}

pub(crate) fn new_passkey(fixture: &LedgerFixture, person: &PersonId, credential: &[u8]) -> NewPersonPasskey {
    NewPersonPasskey {
        id: PasskeyId::random(&fixture.entropy),
        person: person.clone(),
        credential: credential.to_vec(),
        public_key: b"a COSE key".to_vec(),
        counter: 4,
        name: "電話".into(),
        challenge: challenge(fixture),
    }
}

fn challenge(fixture: &LedgerFixture) -> UsedChallenge {
    let expires_at = day(1).plus(Duration::from_mins(5));
    UsedChallenge { hash: bytes::<32>(&fixture.entropy).to_vec(), expires_at }
}

fn passkey_use(
    fixture: &LedgerFixture,
    passkey: &PasskeyId,
    counter: u32,
    beside_password: bool,
) -> PasskeyUse {
    PasskeyUse { passkey: passkey.clone(), counter, challenge: challenge(fixture), beside_password }
}

async fn keep(fixture: &LedgerFixture, new: &NewPersonPasskey) -> Result<()> {
    keep_from(fixture, new, &signed_in(fixture, &new.person).await).await
}

async fn keep_from(fixture: &LedgerFixture, new: &NewPersonPasskey, by: &SessionId) -> Result<()> {
    let mut transaction = fixture.ledger.everything().begin(day(1)).await?;
    transaction.add_passkey(new, by).await?;
    transaction.commit().await
}

async fn remove(fixture: &LedgerFixture, person: &PersonId, passkey: &PasskeyId) -> Result<()> {
    let kept = signed_in(fixture, person).await;
    let mut transaction = rows(fixture).begin(day(1)).await?;
    transaction.remove_passkey(person, &kept, passkey).await?;
    transaction.commit().await
}

/// A session from which a person changes what is theirs.
async fn signed_in(fixture: &LedgerFixture, person: &PersonId) -> SessionId {
    static STEP: AtomicI64 = AtomicI64::new(1);
    let device = fixture.enroll(day(0)).await.0;
    let by = SecondFactorUse::Totp(STEP.fetch_add(1, Ordering::Relaxed));
    let session = session(fixture, person, &device, by, day(1));
    fixture.write(day(1), async |transaction| transaction.start_session(&session).await).await.unwrap();
    session.id
}

/// Gives the hash of the token, and how it was begun.
async fn start_with(
    fixture: &LedgerFixture,
    person: &PersonId,
    device: &DeviceId,
    used: PasskeyUse,
) -> Result<(Vec<u8>, StartedSession)> {
    let session = session(fixture, person, device, SecondFactorUse::Passkey(used), day(1));
    let by = fixture.write(day(1), async |transaction| transaction.start_session(&session).await).await?;
    assert!(lasts(fixture, &session.token_hash, device, day(1)).await);
    Ok((session.token_hash, by))
}
