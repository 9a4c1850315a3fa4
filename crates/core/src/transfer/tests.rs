use super::*;
use crate::access::{PersonRole, Roles};
use crate::device::DeviceState;
use crate::entropy::Seeded;
use crate::id::{DeviceId, PersonId, SiteId, TenantId};
use crate::timestamp::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const HOUR: Duration = Duration::from_hours(1);

fn plan() -> TransferPlan {
    let entropy = Seeded::new(3);
    let site = (SiteId::random(&entropy), PlannedSite { becomes: SiteId::random(&entropy), name: None });
    TransferPlan {
        source: TenantId::random(&entropy),
        at: NOW.plus(HOUR),
        latest: NOW.plus(HOUR * 5),
        renewal_hours: 72,
        change: TransferChange::Business {
            target: TenantId::random(&entropy),
            sites: BTreeMap::from([site]),
            devices: BTreeMap::from([(DeviceId::random(&entropy), DeviceDecision::Move)]),
            people: BTreeMap::from([(PersonId::random(&entropy), PersonDecision::Stay)]),
        },
    }
}

fn approvals(plan: &TransferPlan, people: &[u64]) -> Vec<TransferApproval> {
    let of = |(side, seed): (&TransferSide, &u64)| TransferApproval {
        side: *side,
        person: PersonId::random(&Seeded::new(*seed)),
        plan: plan.hash(),
    };
    plan.sides().iter().zip(people).map(of).collect()
}

fn events() -> impl Strategy<Value = TransferEvent> {
    prop_oneof![
        any::<bool>().prop_map(|is_last| TransferEvent::Approve { is_last }),
        Just(TransferEvent::Change),
        Just(TransferEvent::Abort),
        Just(TransferEvent::Begin),
        Just(TransferEvent::Finish),
        Just(TransferEvent::Lapse),
    ]
}

proptest! {
    #[test]
    fn a_transfer_begins_by_the_last_approval_alone_and_never_stops_half_way(
        history in prop::collection::vec(events(), 0..40)
    ) {
        let mut state = TransferState::Draft;
        let mut approved = false;
        for event in history {
            let Some(next) = state.after(event) else { continue };
            match event {
                TransferEvent::Approve { is_last } => approved = is_last,
                TransferEvent::Change => approved = false,
                _ => {}
            }
            if next == TransferState::Running {
                prop_assert!(approved && state == TransferState::Approved);
            }
            if state == TransferState::Running {
                prop_assert_eq!(next, TransferState::Done);
            }
            prop_assert!(state.is_alive(), "nothing comes after {}", state);
            state = next;
        }
    }

    #[test]
    fn every_device_has_one_outcome_and_only_active_ones_move(
        decided in prop::option::of(any::<bool>()), state in 0usize..4, may_stay in any::<bool>()
    ) {
        let at = SiteId::random(&Seeded::new(1));
        let decided = decided.map(|moves| if moves { DeviceDecision::Move } else { DeviceDecision::Stay { at } });
        let state = DeviceState::ALL[state];
        let outcome = device_outcome(decided.as_ref(), state, may_stay);
        let moved = decided == Some(DeviceDecision::Move) && state == DeviceState::Active;
        prop_assert_eq!(outcome == DeviceTransferOutcome::Moved, moved);
        let over = matches!(state, DeviceState::Revoked | DeviceState::Retired);
        prop_assert_eq!(outcome == DeviceTransferOutcome::Ended, over);
        prop_assert!(outcome != DeviceTransferOutcome::Stayed || may_stay);
    }

    #[test]
    fn any_change_of_a_plan_voids_what_was_approved(seconds in 60u64..86_400, hours in 1u32..700, which in 0usize..5) {
        let before = plan();
        let given = approvals(&before, &[1, 2, 3]);
        prop_assert!(is_approved(&before, &given));
        let mut after = before.clone();
        match (which, &mut after.change) {
            (0, _) => after.at = after.at.plus(Duration::from_secs(seconds)),
            (1, _) => after.latest = after.latest.plus(Duration::from_secs(seconds)),
            (2, _) => after.renewal_hours += hours,
            (3, TransferChange::Business { devices, .. }) => devices.clear(),
            (_, TransferChange::Business { people, .. }) => {
                for decided in people.values_mut() {
                    *decided = PersonDecision::Move;
                }
            }
            _ => unreachable!("a plan of sites"),
        }
        prop_assert!(!is_approved(&after, &given));
    }
}

#[test]
fn an_approval_of_each_side_counts_and_nobody_stands_for_two() {
    let plan = plan();
    assert!(is_approved(&plan, &approvals(&plan, &[1, 2, 3])));
    assert!(!is_approved(&plan, &approvals(&plan, &[1, 2])), "support is missing");
    assert!(!is_approved(&plan, &approvals(&plan, &[1, 2, 1])), "one person stands for two");
}

#[test]
fn whoever_approves_has_the_role_in_the_tenant_that_they_stand_for() {
    let plan = plan();
    let admin = Roles::new([PersonRole::TenantAdmin]);
    let lead = Roles::new([PersonRole::SupportLead]);
    let vendor = TenantId::random(&Seeded::new(9));
    assert_eq!(plan.sides_of(&plan.source, &admin), [TransferSide::Source]);
    assert_eq!(plan.sides_of(plan.target().unwrap(), &admin), [TransferSide::Target]);
    assert_eq!(plan.sides_of(&vendor, &lead), [TransferSide::Support]);
    assert!(plan.sides_of(&vendor, &admin).is_empty());
    let others = Roles::new([PersonRole::Operator, PersonRole::Support, PersonRole::SiteManager]);
    assert!(plan.sides_of(&plan.source, &others).is_empty());
}

#[test]
fn a_plan_that_makes_no_sense_is_not_kept() {
    let good = plan();
    assert_eq!(good.check(NOW), Ok(()));
    assert_eq!(good.check(good.at), Err(UnfitPlan::MinuteOver));
    let mut bad = good.clone();
    bad.latest = bad.at;
    assert_eq!(bad.check(NOW), Err(UnfitPlan::LatestUnfit));
    let bad = TransferPlan { renewal_hours: 0, ..good.clone() };
    assert_eq!(bad.check(NOW), Err(UnfitPlan::WindowUnfit));
    let bad = TransferPlan { source: good.target().unwrap().clone(), ..good.clone() };
    assert_eq!(bad.check(NOW), Err(UnfitPlan::SameTenant));
    let bad = TransferPlan { source: TenantId::system(), ..good.clone() };
    assert_eq!(bad.check(NOW), Err(UnfitPlan::SystemTenant));
    let moving = good.sites().next().unwrap().0.clone();
    let mut bad = good.clone();
    if let TransferChange::Business { devices, .. } = &mut bad.change {
        for decided in devices.values_mut() {
            *decided = DeviceDecision::Stay { at: moving.clone() };
        }
    }
    assert_eq!(bad.check(NOW), Err(UnfitPlan::StaysAtMovingSite));
    let mut bad = good;
    if let TransferChange::Business { sites, .. } = &mut bad.change {
        sites.clear();
    }
    assert_eq!(bad.check(NOW), Err(UnfitPlan::NoSites));
}

#[test]
fn nobody_becomes_an_administrator_by_a_transfer() {
    let roles = |roles: &[PersonRole]| roles_in_new_tenant(&Roles::new(roles.iter().copied()));
    assert_eq!(roles(&[PersonRole::TenantAdmin]), Roles::new([PersonRole::Staff]));
    let manager = Roles::new([PersonRole::SiteManager]);
    assert_eq!(roles(&[PersonRole::SiteManager, PersonRole::TenantAdmin, PersonRole::Support]), manager);
}

#[test]
fn a_plan_reads_itself_again_and_keeps_its_hash() {
    let plan = plan();
    let text = serde_json::to_string(&plan).unwrap();
    let again: TransferPlan = serde_json::from_str(&text).unwrap();
    assert_eq!((again.hash(), again), (plan.hash(), plan));
}
