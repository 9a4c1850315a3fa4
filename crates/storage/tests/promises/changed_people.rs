//! People who change: by an operator, by themselves, by an emergency, and by a restore.

use crate::authorizations::SignedInPerson;
use crate::engines::{EnginePlace, on_both_engines, run};
use crate::fixture::{Everything, LedgerFixture, day, operator};
use crate::passkeys::new_passkey;
use crate::people::{add, is_guard, lasts, new, other_tenant, refused, set_up, sign_out, start};
use crate::restoring::KeptAnswer;
use std::time::Duration;
use tegata_core::{Justification, LoginId, Name, PersonId, PersonRole, Refusal, Roles, SessionId, SiteId};
use tegata_storage::{
    Actor, BreakGlass, DeviceAction, PersonState, PersonUpdate, Principal, Result, ScopedLedger,
};

on_both_engines! {
    async fn a_person_who_moves_is_signed_out_where_they_work_no_longer(fixture: LedgerFixture) {
        let person = set_up(fixture, "tanaka").await;
        let device = fixture.enroll(day(0)).await.0;
        let token = start(fixture, &person, &device, 1, day(1)).await.unwrap();
        let named = PersonUpdate { name: Some(Name::of_place("佐藤 花子").unwrap()), ..PersonUpdate::default() };
        assert_eq!(change(fixture, &person, &named).await.unwrap(), 0);
        assert!(lasts(fixture, &token, &device, day(1)).await);
        let moved = PersonUpdate { sites: Some(vec![another_site(fixture).await]), ..PersonUpdate::default() };
        assert_eq!(change(fixture, &person, &moved).await.unwrap(), 1);
        assert!(!lasts(fixture, &token, &device, day(1)).await);
        let everywhere = PersonUpdate {
            roles: Some(Roles::new([PersonRole::TenantAdmin])), sites: Some(vec![]), ..PersonUpdate::default()
        };
        change(fixture, &person, &everywhere).await.unwrap();
        let token = start(fixture, &person, &device, 2, day(1)).await.unwrap();
        assert!(lasts(fixture, &token, &device, day(1)).await, "a role of the whole tenant");
        let shown = rows(fixture).person(&person).await.unwrap().unwrap();
        assert_eq!((shown.name.as_str(), shown.sites.len(), shown.roles), ("佐藤 花子", 0, Roles::new([PersonRole::TenantAdmin])));
        for entry in fixture.ledger.audit_entries(0, 1000).await.unwrap() {
            assert!(!entry.entry.contains("花子"), "{}", entry.entry);
        }
    }

    async fn nobody_is_changed_into_what_could_not_have_been_added(fixture: LedgerFixture) {
        let person = set_up(fixture, "tanaka").await;
        let (_, strange) = other_tenant(fixture).await;
        let before = fixture.audited().await;
        for sites in [vec![], vec![strange], vec![fixture.site.clone(), fixture.site.clone()]] {
            let wrong = PersonUpdate { sites: Some(sites), ..PersonUpdate::default() };
            assert!(is_guard(&change(fixture, &person, &wrong).await));
        }
        let nobody = PersonId::random(&fixture.entropy);
        assert!(is_guard(&change(fixture, &nobody, &PersonUpdate::default()).await));
        assert_eq!(fixture.audited().await, before);
    }

    async fn an_account_for_emergencies_lets_somebody_in_once(fixture: LedgerFixture) {
        let person = set_up(fixture, "kinkyu").await;
        let device = fixture.enroll(day(0)).await.0;
        let set = async || {
            let mut transaction = rows(fixture).begin(day(0)).await?;
            transaction.set_break_glass(&person, &operator()).await?;
            transaction.commit().await
        };
        set().await.unwrap();
        assert!(is_guard(&set().await), "it is so already");
        let before = fixture.audited().await;
        let token = start(fixture, &person, &device, 1, day(1)).await.unwrap();
        assert_eq!(fixture.actions_after(before).await, ["person.break_glass_used", "session.started"]);
        assert!(lasts(fixture, &token, &device, day(1)).await, "for as long as the emergency takes");
        assert_eq!(refused(&start(fixture, &person, &device, 2, day(1)).await), Some(Refusal::SignInWrong));
        let key = LoginId::parse("kinkyu").unwrap().key();
        let candidate = rows(fixture).sign_in_candidate(&key, &device).await.unwrap().unwrap();
        assert_eq!((candidate.who.state, candidate.who.break_glass), (PersonState::Active, Some(BreakGlass::Used)));
        enable(fixture, &person).await.unwrap();
        assert!(start(fixture, &person, &device, 2, day(1)).await.is_ok(), "once more");
        assert_eq!(refused(&start(fixture, &person, &device, 3, day(1)).await), Some(Refusal::SignInWrong));
    }

    async fn whoever_changes_what_proves_them_keeps_this_session_alone(fixture: LedgerFixture) {
        let person = set_up(fixture, "tanaka").await;
        let device = fixture.enroll(day(0)).await.0;
        let own = start(fixture, &person, &device, 1, day(1)).await.unwrap();
        let session = rows(fixture).session(&own, &device, day(1)).await.unwrap().unwrap();
        let mut step = 1;
        for changed in ["password", "totp", "recovery"] {
            step += 1;
            let other = start(fixture, &person, &device, step, day(1)).await.unwrap();
            let mut transaction = rows(fixture).begin(day(1)).await.unwrap();
            let ended = match changed {
                "password" => transaction.change_password(&person, &session.id, "a PHC string", "another").await,
                "totp" => transaction.change_totp(&person, &session.id, b"sealed anew", 1).await,
                _ => transaction.replace_recovery_codes(&person, &session.id, &[b"recovery 9".to_vec()]).await,
            };
            assert_eq!(ended.unwrap(), 1, "{changed}");
            transaction.commit().await.unwrap();
            assert!(lasts(fixture, &own, &device, day(1)).await && !lasts(fixture, &other, &device, day(1)).await);
        }
        let mut late = rows(fixture).begin(day(1)).await.unwrap();
        let again = late.change_password(&person, &session.id, "a PHC string", "a third").await;
        assert_eq!(refused(&again), Some(Refusal::FormOutdated), "somebody was faster");
        drop(late);
        let has = async |code: &[u8]| rows(fixture).has_person_code(&person, code, day(1)).await.unwrap();
        assert!(has(b"recovery 9").await && !has(b"recovery 1").await);
    }

    async fn whoever_acts_stands_as_the_ledger_has_them_now_and_says_why(fixture: LedgerFixture) {
        let person = set_up(fixture, "tanaka").await;
        let device = fixture.enroll(day(0)).await.0;
        let token = start(fixture, &person, &device, 1, day(1)).await.unwrap();
        let session = rows(fixture).session(&token, &device, day(1)).await.unwrap().unwrap();
        let because = Justification::new("紛失の電話", "T-7").unwrap();
        let mut transaction = rows(fixture).begin(day(1)).await.unwrap();
        transaction.justify_session(&session.id, Some(&because), &operator()).await.unwrap();
        transaction.commit().await.unwrap();
        let roles = Roles::new([PersonRole::SiteManager]);
        let demoted = PersonUpdate { roles: Some(roles.clone()), ..PersonUpdate::default() };
        change(fixture, &person, &demoted).await.unwrap();
        let before = fixture.audited().await;
        let mut transaction = rows(fixture).begin(day(1)).await.unwrap();
        let acting = transaction.act_as(&session.id, &device, None).await.unwrap();
        assert_eq!((&acting.session.roles, acting.sites.as_slice()), (&roles, std::slice::from_ref(&fixture.site)));
        transaction.act_on_device(&device, DeviceAction::Suspend, "見当たらない", &Actor::Person(person)).await.unwrap();
        transaction.commit().await.unwrap();
        let entry = fixture.ledger.audit_entries(before, 9).await.unwrap().pop().unwrap().entry;
        for said in ["device.suspended", "\"note\":\"見当たらない\"", "\"because\":{\"reason\":\"紛失の電話\",\"ticket\":\"T-7\"}"] {
            assert!(entry.contains(said), "{said}: {entry}");
        }
        let mut late = rows(fixture).begin(day(1)).await.unwrap();
        let outcome = late.act_as(&session.id, &device, None).await;
        assert_eq!(refused(&outcome), Some(Refusal::SignInNeeded), "the device in hand was stopped");
    }

    async fn whoever_was_thrown_out_changes_nothing_by_a_request_under_way(fixture: LedgerFixture) {
        let person = set_up(fixture, "tanaka").await;
        let device = fixture.enroll(day(0)).await.0;
        let [thrown_out, other] = [
            start(fixture, &person, &device, 1, day(1)).await.unwrap(),
            start(fixture, &person, &device, 2, day(1)).await.unwrap(),
        ];
        let [session, other] = [
            rows(fixture).session(&thrown_out, &device, day(1)).await.unwrap().unwrap(),
            rows(fixture).session(&other, &device, day(1)).await.unwrap().unwrap(),
        ];
        sign_out(fixture, &session, day(1)).await;
        let before = fixture.audited().await;
        let id = &session.id;
        let passkey = new_passkey(fixture, &person, b"one");
        for act in 0..6 {
            let mut late = rows(fixture).begin(day(1)).await.unwrap();
            let outcome = match act {
                0 => late.change_password(&person, id, "a PHC string", "another").await.map(drop),
                1 => late.change_totp(&person, id, b"sealed anew", 9).await.map(drop),
                2 => late.replace_recovery_codes(&person, id, &[]).await.map(drop),
                3 => late.add_passkey(&passkey, id).await,
                4 => late.remove_passkey(&person, id, &passkey.id).await.map(drop),
                _ => late.end_other_sessions(&person, id, &operator()).await.map(drop),
            };
            assert_eq!(refused(&outcome), Some(Refusal::SignInNeeded), "{act}");
        }
        assert_eq!(fixture.audited().await, before);
        for (id, at) in [(&other.id, day(1).plus(Duration::from_mins(15))), (&SessionId::random(&fixture.entropy), day(1))] {
            let mut late = rows(fixture).begin(at).await.unwrap();
            assert_eq!(refused(&late.require_session(&person, id).await), Some(Refusal::SignInNeeded), "nor one that is over");
        }
        let mut own = rows(fixture).begin(day(1)).await.unwrap();
        own.require_session(&person, &other.id).await.unwrap();
        drop(own);
        let stranger = set_up(fixture, "sato").await;
        let mut theirs = rows(fixture).begin(day(1)).await.unwrap();
        assert_eq!(refused(&theirs.require_session(&stranger, &other.id).await), Some(Refusal::SignInNeeded));
    }
}

#[test]
fn a_person_who_was_disabled_stays_so_after_a_restore_on_sqlite() {
    run(restored(EnginePlace::sqlite()));
}

#[test]
fn a_person_who_was_disabled_stays_so_after_a_restore_on_postgresql() {
    run(restored(EnginePlace::postgres()));
}

async fn restored(place: EnginePlace) {
    let mut kept = KeptAnswer::open(place).await;
    let fixture = &kept.fixture;
    let [gone, back, former] =
        [set_up(fixture, "tanaka").await, set_up(fixture, "sato").await, set_up(fixture, "suzuki").await];
    let emergency = set_up(fixture, "kinkyu").await;
    let mut transaction = rows(fixture).begin(day(0)).await.unwrap();
    transaction.set_break_glass(&emergency, &operator()).await.unwrap();
    transaction.commit().await.unwrap();
    let device = fixture.enroll(day(0)).await.0;
    // At a product too: the log then has a line for the person, and one for what the product was given.
    let token = start(fixture, &gone, &device, 1, day(2)).await.unwrap();
    let session = fixture.ledger.everything().session(&token, &device, day(2)).await.unwrap().unwrap();
    let at_product = SignedInPerson { device: device.clone(), session };
    at_product.grant(fixture, true).await;
    disable(fixture, &former, day(1)).await;
    fixture.place.backup().await;
    let later = new(fixture, "later");
    add(fixture, &later).await.unwrap();
    for person in [&gone, &back, &later.id] {
        disable(fixture, person, day(2)).await;
    }
    enable(fixture, &back).await.unwrap();
    enable(fixture, &former).await.unwrap();
    start(fixture, &emergency, &device, 1, day(2)).await.unwrap();
    kept.restore(day(3)).await.unwrap();
    let fixture = &kept.fixture;
    assert!(!lasts(fixture, &token, &device, day(2)).await);
    let denials = fixture.ledger.denials(day(2)).await.unwrap();
    assert!(denials.token_denied(at_product.session.id.as_str()));
    let state = async |person| {
        let person = rows(fixture).person(person).await.unwrap().unwrap();
        (person.state, person.break_glass)
    };
    assert_eq!(state(&gone).await, (PersonState::Disabled, None));
    assert_eq!(state(&back).await, (PersonState::Active, None));
    assert_eq!(state(&former).await, (PersonState::Active, None));
    assert_eq!(state(&emergency).await, (PersonState::Active, Some(BreakGlass::Used)));
    assert!(rows(fixture).person(&later.id).await.unwrap().is_none());
    let actions = fixture.actions_after(0).await;
    assert!(actions.iter().any(|action| action == "ledger.replayed"), "{actions:?}");
    kept.clear().await;
}

pub(crate) fn rows(fixture: &LedgerFixture) -> ScopedLedger {
    fixture.ledger.within(Principal::operator("test", Some(&fixture.tenant)).scope())
}

pub(crate) async fn change(fixture: &LedgerFixture, person: &PersonId, change: &PersonUpdate) -> Result<u64> {
    let mut transaction = rows(fixture).begin(day(1)).await?;
    let ended = transaction.change_person(person, change, &operator()).await?;
    transaction.commit().await?;
    Ok(ended)
}

async fn disable(fixture: &LedgerFixture, person: &PersonId, at: tegata_core::Timestamp) {
    let disabled = async |transaction: &mut tegata_storage::Transaction| {
        transaction.disable_person(person, "", &operator()).await
    };
    fixture.write(at, disabled).await.unwrap();
}

async fn enable(fixture: &LedgerFixture, person: &PersonId) -> Result<()> {
    let at = day(2).plus(Duration::from_mins(1));
    fixture.write(at, async |transaction| transaction.enable_person(person, "", &operator()).await).await
}

pub(crate) async fn another_site(fixture: &LedgerFixture) -> SiteId {
    let site = tegata_storage::Site {
        id: SiteId::random(&fixture.entropy),
        tenant: fixture.tenant.clone(),
        name: "二号店".into(),
    };
    fixture.write(day(0), async |transaction| transaction.add_site(&site, &operator()).await).await.unwrap();
    site.id
}
