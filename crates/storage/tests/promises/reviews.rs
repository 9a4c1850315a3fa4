//! Whether everybody still works here: reviews come by the policy alone, are answered by who may, and accounts that nobody uses
//! are suspended.

use crate::changed_people::another_site;
use crate::engines::on_both_engines;
use crate::fixture::{Everything, LedgerFixture, day, operator};
use crate::people::{add, is_guard, new, refused, set_up, start};
use tegata_core::{PersonId, PersonRole, Refusal, ReviewId, Roles, Timestamp};
use tegata_storage::{
    NewPerson, PeoplePolicy, PersonReview, PersonState, Result, ReviewAnswer, ReviewEffect, ReviewRound,
    SuspendedUnused,
};

const POLICY: PeoplePolicy = PeoplePolicy { review_days: Some(90), answer_days: 10, unused_days: Some(60) };

on_both_engines! {
    async fn a_review_opens_for_each_place_once_until_it_is_time_again(fixture: LedgerFixture) {
        assert_eq!(fixture.ledger.people_policies().await.unwrap(), [], "nothing happens unless somebody says so");
        set(fixture, &POLICY).await;
        let other = another_site(fixture).await;
        add(fixture, &new(fixture, "staff")).await.unwrap();
        add(fixture, &NewPerson { sites: vec![other], ..new(fixture, "other") }).await.unwrap();
        add(fixture, &admin(fixture, "admin")).await.unwrap();
        add(fixture, &vendor(fixture)).await.unwrap();
        assert_eq!(round(fixture, day(1)).await, ReviewRound { opened: 3, closed: 0 });
        assert_eq!(round(fixture, day(2)).await, ReviewRound::default(), "two servers come to the same");
        let reviews = open(fixture).await;
        let left: Vec<_> = reviews.iter().map(|review| review.left.iter().map(|person| person.login.as_str()).collect::<Vec<_>>()).collect();
        assert_eq!(reviews.iter().filter(|review| review.site.is_none()).count(), 1);
        assert!(left.contains(&vec!["staff"]) && left.contains(&vec!["other"]) && left.contains(&vec!["admin"]), "{left:?}");
        assert_eq!(fixture.ledger.overdue_reviews(day(10)).await.unwrap(), 0);
        assert_eq!(fixture.ledger.overdue_reviews(day(11)).await.unwrap(), 3);
        add(fixture, &new(fixture, "newcomer")).await.unwrap();
        assert_eq!(round(fixture, day(200)).await, ReviewRound::default(), "one that is open is not opened again");
    }

    async fn who_may_answers_and_nobody_for_themselves(fixture: LedgerFixture) {
        set(fixture, &POLICY).await;
        let (staff, colleague) = (new(fixture, "staff"), new(fixture, "colleague"));
        let manager = NewPerson { roles: Roles::new([PersonRole::SiteManager]), ..new(fixture, "manager") };
        let (boss, second) = (admin(fixture, "boss"), admin(fixture, "second"));
        for person in [&staff, &colleague, &manager, &boss, &second] {
            add(fixture, person).await.unwrap();
        }
        round(fixture, day(1)).await;
        let by = async |person: &NewPerson, by: &NewPerson| {
            let waiting = review_of(fixture, &person.id).await;
            answer(fixture, &waiting, &person.id, ReviewAnswer::Confirmed, &by.id).await
        };
        for (person, who, why) in [
            (&staff, &colleague, Refusal::RoleMayNot),
            (&manager, &manager, Refusal::OwnRequest),
            (&boss, &boss, Refusal::OwnRequest),
            (&boss, &manager, Refusal::RoleMayNot),
            (&manager, &staff, Refusal::RoleMayNot),
        ] {
            assert_eq!(refused(&by(person, who).await), Some(why));
        }
        for (person, who) in [(&staff, &manager), (&colleague, &boss), (&manager, &boss), (&boss, &second), (&second, &boss)] {
            let waiting = review_of(fixture, &person.id).await;
            assert_eq!(by(person, who).await.unwrap(), ReviewEffect::Confirmed);
            let again = answer(fixture, &waiting, &person.id, ReviewAnswer::Confirmed, &who.id).await;
            assert_eq!(refused(&again), Some(Refusal::ReviewUnknown), "an answer is one");
        }
        assert_eq!(open(fixture).await, [], "nobody is left");
        assert_eq!(round(fixture, day(90)).await, ReviewRound::default());
        assert_eq!(round(fixture, day(91)).await, ReviewRound { opened: 2, closed: 0 });
    }

    async fn whoever_is_removed_leaves_the_site_and_is_out_without_one(fixture: LedgerFixture) {
        set(fixture, &POLICY).await;
        let other = another_site(fixture).await;
        let (here, everywhere) = (set_up(fixture, "here").await, new(fixture, "everywhere"));
        let everywhere = NewPerson { sites: vec![fixture.site.clone(), other.clone()], ..everywhere };
        let (boss, second) = (admin(fixture, "boss"), admin(fixture, "second"));
        for person in [&everywhere, &boss, &second] {
            add(fixture, person).await.unwrap();
        }
        round(fixture, day(1)).await;
        let reviews = open(fixture).await;
        let at = |site| reviews.iter().find(|review| review.site.as_ref() == site).unwrap().id.clone();
        let remove = async |review: &ReviewId, person: &PersonId, by: &NewPerson| {
            answer(fixture, review, person, ReviewAnswer::Removed, &by.id).await.unwrap()
        };
        assert_eq!(remove(&at(Some(&other)), &everywhere.id, &boss).await, ReviewEffect::LeftSite);
        assert_eq!(remove(&at(Some(&fixture.site)), &here, &boss).await, ReviewEffect::Disabled);
        assert_eq!(remove(&at(None), &second.id, &boss).await, ReviewEffect::Disabled);
        let person = async |id| fixture.ledger.everything().person(id).await.unwrap().unwrap();
        assert_eq!(person(&everywhere.id).await.sites.len(), 1);
        assert_eq!(person(&here).await.state, PersonState::Disabled);
        let last = answer(fixture, &at(None), &boss.id, ReviewAnswer::Removed, &second.id).await;
        assert_eq!(refused(&last), Some(Refusal::PersonUnknown), "who is disabled answers for nobody");
    }

    async fn accounts_that_nobody_uses_are_shown_and_then_suspended(fixture: LedgerFixture) {
        let (used, unused) = (set_up(fixture, "used").await, set_up(fixture, "unused").await);
        let (boss, second) = (admin(fixture, "boss"), admin(fixture, "second"));
        let emergency = admin(fixture, "emergency");
        for person in [&boss, &second, &emergency] {
            add(fixture, person).await.unwrap();
        }
        fixture.write(day(0), async |transaction| transaction.set_break_glass(&emergency.id, &operator()).await).await.unwrap();
        let device = fixture.enroll(day(0)).await.0;
        start(fixture, &used, &device, 1, day(50)).await.unwrap();
        let suspend = async |policy: &PeoplePolicy, at| fixture.write(at, async |transaction| {
            transaction.suspend_unused(&fixture.tenant, policy, &operator()).await
        }).await.unwrap();
        let off = PeoplePolicy { unused_days: None, ..POLICY };
        assert_eq!(suspend(&off, day(300)).await, SuspendedUnused::default());
        let soon = async |at| fixture.ledger.unused_soon(&fixture.tenant, &POLICY, at).await.unwrap();
        assert_eq!((soon(day(45)).await, soon(day(46)).await), (0, 3));
        assert_eq!(suspend(&POLICY, day(59)).await, SuspendedUnused::default());
        let done = suspend(&POLICY, day(60)).await;
        assert_eq!(done, SuspendedUnused { suspended: 2, kept: 1, is_more: false }, "somebody is left to administrate");
        assert_eq!(suspend(&POLICY, day(60)).await, SuspendedUnused { suspended: 0, kept: 1, is_more: false });
        let state = async |id| fixture.ledger.everything().person(id).await.unwrap().unwrap().state;
        assert_eq!((state(&used).await, state(&unused).await, state(&emergency.id).await), (PersonState::Active, PersonState::Disabled, PersonState::Active));
        fixture.write(day(61), async |transaction| transaction.enable_person(&unused, "", &operator()).await).await.unwrap();
        assert_eq!(suspend(&POLICY, day(109)).await.suspended, 0, "whoever is let in again has the whole time");
        assert_eq!(suspend(&POLICY, day(110)).await.suspended, 1, "who last signed in on day 50");
        assert_eq!(suspend(&POLICY, day(121)).await.suspended, 1);
    }

    async fn rules_are_a_tenants_own(fixture: LedgerFixture) {
        let rows = fixture.ledger.everything();
        assert_eq!(rows.people_policy(&fixture.tenant).await.unwrap(), PeoplePolicy::default());
        set(fixture, &POLICY).await;
        set(fixture, &PeoplePolicy { review_days: None, ..POLICY }).await;
        assert_eq!(rows.people_policy(&fixture.tenant).await.unwrap(), PeoplePolicy { review_days: None, ..POLICY });
        let nobody = tegata_core::TenantId::random(&fixture.entropy);
        let set = fixture.write(day(0), async |transaction| {
            transaction.set_people_policy(&nobody, &POLICY, &operator()).await
        }).await;
        assert!(is_guard(&set));
    }
}

fn admin(fixture: &LedgerFixture, login: &str) -> NewPerson {
    NewPerson { roles: Roles::new([PersonRole::TenantAdmin]), sites: vec![], ..new(fixture, login) }
}

fn vendor(fixture: &LedgerFixture) -> NewPerson {
    NewPerson { roles: Roles::new([PersonRole::Operator]), sites: vec![], ..new(fixture, "operator") }
}

async fn set(fixture: &LedgerFixture, policy: &PeoplePolicy) {
    fixture
        .write(day(0), async |transaction| {
            transaction.set_people_policy(&fixture.tenant, policy, &operator()).await
        })
        .await
        .unwrap();
}

async fn round(fixture: &LedgerFixture, at: Timestamp) -> ReviewRound {
    let fresh = || ReviewId::random(&fixture.entropy);
    let work = async |transaction: &mut tegata_storage::Transaction| {
        transaction.round_of_reviews(&fixture.tenant, &POLICY, &fresh, &operator()).await
    };
    fixture.write(at, work).await.unwrap()
}

async fn open(fixture: &LedgerFixture) -> Vec<PersonReview> {
    fixture.ledger.everything().open_reviews().await.unwrap()
}

async fn review_of(fixture: &LedgerFixture, person: &PersonId) -> ReviewId {
    let reviews = open(fixture).await;
    let waiting = reviews.iter().find(|review| review.left.iter().any(|left| left.id == *person));
    waiting.expect("a review").id.clone()
}

async fn answer(
    fixture: &LedgerFixture,
    review: &ReviewId,
    person: &PersonId,
    answer: ReviewAnswer,
    by: &PersonId,
) -> Result<ReviewEffect> {
    fixture
        .write(day(1), async |transaction| {
            transaction.answer_review(review, person, answer, by, &operator()).await
        })
        .await
}
