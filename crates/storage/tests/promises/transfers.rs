//! Transfers of business: what was approved happens at its minute, once, whatever dies meanwhile; and neither tenant sees what is
//! the other's.

use crate::changed_people::another_site;
use crate::engines::{EnginePlace, on_both_engines, run};
use crate::fixture::{Everything, LedgerFixture, day, guarded, operator};
use crate::people::{add, new, other_tenant, set_up, start};
use std::collections::BTreeMap;
use std::time::Duration;
use tegata_core::entropy::Seeded;
use tegata_core::transfer::{
    DeviceDecision, DeviceTransferOutcome, PersonDecision, PersonTransferOutcome, PlannedSite,
    TransferApproval, TransferChange, TransferPlan, TransferSide, TransferState,
};
use tegata_core::{
    DeviceId, DeviceState, EnrollmentPolicy, InvitationId, Justification, PersonId, PersonRole, ReviewId,
    RevocationReason, Role, Roles, SiteId, TenantId, Thumbprint, Timestamp, TransferId,
};
use tegata_storage::{
    Actor, DeclinedTransfer, DeviceAction, DeviceFilter, IssuanceRight, Ledger, License, Lineage, NewPerson,
    NewTransfer, NewTransferApproval, PeoplePolicy, PersonState, PersonUpdate, PolicyPlace, Principal,
    Result, ReviewAnswer, Scope, SeenForecast, TenantAction, Transfer, TransferForecast, TransferHold,
    TransferProblem, TransferRevision, TransferStep,
};

const PASS: Actor = Actor::System("transfer");
const HOUR: Duration = Duration::from_hours(1);
const PRODUCT: &str = "https://product.example";

/// Two companies, and the site of the first that goes to the second.
pub(crate) struct Business {
    pub(crate) target: TenantId,
    stays: SiteId,
    becomes: SiteId,
    moving: (DeviceId, Thumbprint),
    staying: (DeviceId, Thumbprint),
    undecided: (DeviceId, Thumbprint),
    suspended: DeviceId,
    /// Moves, is signed in, and the moving device is theirs.
    person: PersonId,
    left_out: PersonId,
    approvers: Vec<(TransferSide, PersonId)>,
}

impl Business {
    pub(crate) async fn found(fixture: &LedgerFixture) -> Self {
        let (target, _) = other_tenant(fixture).await;
        let (vendor, _) = other_tenant(fixture).await;
        let stays = another_site(fixture).await;
        let [moving, staying, undecided, suspended] = [
            fixture.enroll(day(1)).await,
            fixture.enroll(day(1)).await,
            fixture.enroll(day(1)).await,
            fixture.enroll(day(1)).await,
        ];
        for (_, certificate) in [&moving, &staying, &undecided, &suspended] {
            fixture.present(certificate, day(1)).await;
        }
        fixture.act(&suspended.0, DeviceAction::Suspend, day(1)).await.unwrap();
        let person = set_up(fixture, "tanaka").await;
        let left_out = new(fixture, "sato");
        add(fixture, &left_out).await.unwrap();
        let approver = async |tenant: &TenantId, login: &str, role| {
            let person = NewPerson {
                tenant: tenant.clone(),
                roles: Roles::new([role]),
                sites: Vec::new(),
                ..new(fixture, login)
            };
            add(fixture, &person).await.unwrap();
            person.id
        };
        let approvers = vec![
            (TransferSide::Source, approver(&fixture.tenant, "head", PersonRole::TenantAdmin).await),
            (TransferSide::Target, approver(&target, "boss", PersonRole::TenantAdmin).await),
            (TransferSide::Support, approver(&vendor, "lead", PersonRole::SupportLead).await),
        ];
        start(fixture, &person, &moving.0, 1, day(1)).await.unwrap();
        fixture
            .write(day(1), async |writing| {
                writing.assign_device(&moving.0, std::slice::from_ref(&person), &operator()).await?;
                let license = License {
                    product: PRODUCT.into(),
                    tenant: fixture.tenant.clone(),
                    site: Some(fixture.site.clone()),
                };
                writing.grant_license(&license, &operator()).await
            })
            .await
            .unwrap();
        fixture.invite("まだ使われていない", day(9)).await;
        Self {
            target,
            stays,
            becomes: SiteId::random(&fixture.entropy),
            moving,
            staying,
            undecided,
            suspended: suspended.0,
            person,
            left_out: left_out.id,
            approvers,
        }
    }

    /// The plan, for three in the morning of the tenth day.
    pub(crate) fn plan(&self, fixture: &LedgerFixture) -> TransferPlan {
        TransferPlan {
            source: fixture.tenant.clone(),
            at: minute(),
            latest: minute().plus(HOUR * 4),
            renewal_hours: 24,
            change: TransferChange::Business {
                target: self.target.clone(),
                sites: BTreeMap::from([(
                    fixture.site.clone(),
                    PlannedSite { becomes: self.becomes.clone(), name: None },
                )]),
                devices: BTreeMap::from([
                    (self.moving.0.clone(), DeviceDecision::Move),
                    (self.staying.0.clone(), DeviceDecision::Stay { at: self.stays.clone() }),
                    (self.suspended.clone(), DeviceDecision::Move),
                ]),
                people: BTreeMap::from([(self.person.clone(), PersonDecision::Move)]),
            },
        }
    }

    pub(crate) async fn plan_it(&self, fixture: &LedgerFixture, plan: TransferPlan) -> Result<TransferId> {
        let id = TransferId::random(&fixture.entropy);
        let new =
            NewTransfer { id: id.clone(), plan, requested_by: None, note: String::new(), reverses: None };
        fixture.write(day(2), async |writing| writing.add_transfer(&new, &operator()).await).await?;
        Ok(id)
    }

    pub(crate) async fn approve(&self, fixture: &LedgerFixture, id: &TransferId) -> TransferState {
        let mut state = TransferState::Draft;
        for (side, person) in &self.approvers {
            state = approve(fixture, id, *side, person).await.unwrap();
        }
        state
    }

    async fn approved(&self, fixture: &LedgerFixture) -> TransferId {
        let id = self.plan_it(fixture, self.plan(fixture)).await.unwrap();
        assert_eq!(self.approve(fixture, &id).await, TransferState::Approved);
        id
    }

    async fn successor(&self, fixture: &LedgerFixture) -> (DeviceId, InvitationId) {
        let found = fixture.ledger.handover(&self.moving.1, minute()).await.unwrap().expect("what waits");
        (found.successor, found.invitation)
    }
}

fn minute() -> Timestamp {
    day(10).plus(HOUR * 3)
}

pub(crate) async fn approve(
    fixture: &LedgerFixture,
    id: &TransferId,
    side: TransferSide,
    person: &PersonId,
) -> Result<TransferState> {
    let planned = transfer(fixture, id).await.plan;
    let (plan, now) = (planned.hash(), if planned.at > day(15) { day(15) } else { day(3) });
    let approval = TransferApproval { side, person: person.clone(), plan };
    let because = Justification::new("事業譲渡", "T-1");
    let new = NewTransferApproval { approval, because };
    fixture.write(now, async |writing| writing.approve_transfer(id, &new, &operator()).await).await
}

async fn transfer(fixture: &LedgerFixture, id: &TransferId) -> Transfer {
    let all = fixture.ledger.everything().transfers().await.unwrap();
    all.into_iter().find(|transfer| transfer.id == *id).expect("a transfer")
}

/// What will change, as the operator sees it.
async fn forecast(fixture: &LedgerFixture, id: &TransferId) -> TransferForecast {
    match fixture.ledger.everything().transfer_forecast(id, day(9)).await.unwrap() {
        Some(SeenForecast::Whole(forecast)) => forecast,
        other => panic!("{other:?}"),
    }
}

async fn step(ledger: &Ledger, entropy: &Seeded, id: &TransferId, now: Timestamp) -> Result<TransferStep> {
    let mut writing = ledger.begin(now).await?;
    let step = writing.advance_transfer(id, entropy, &PASS).await?;
    match step {
        TransferStep::Went | TransferStep::Held { is_news: true, .. } => writing.commit().await?,
        TransferStep::Held { .. } | TransferStep::Rests => drop(writing),
    }
    Ok(step)
}

/// Every step that a pass would do. Gives the last one.
async fn work_off(ledger: &Ledger, entropy: &Seeded, id: &TransferId, now: Timestamp) -> TransferStep {
    loop {
        match step(ledger, entropy, id, now).await.unwrap() {
            TransferStep::Went => {}
            last => return last,
        }
    }
}

fn scope(tenant: &TenantId) -> Scope {
    Principal::operator("test", Some(tenant)).scope()
}

/// What the two tenants have, in a form that says whether anything was done twice.
async fn tally(fixture: &LedgerFixture, business: &Business) -> Vec<String> {
    let mut lines = Vec::new();
    for tenant in [&fixture.tenant, &business.target] {
        let rows = fixture.ledger.within(scope(tenant));
        let filter = DeviceFilter::default();
        let mut devices: Vec<_> =
            rows.devices(&filter).await.unwrap().into_iter().map(|one| one.device).collect();
        devices.sort_by(|a, b| (&a.site, &a.state.as_str()).cmp(&(&b.site, &b.state.as_str())));
        lines.push(format!("{:?}", devices.iter().map(|one| (&one.site, one.state)).collect::<Vec<_>>()));
        let people = rows.people().await.unwrap();
        lines.push(format!("{:?}", people.iter().map(|one| (&one.login, &one.sites)).collect::<Vec<_>>()));
        lines.push(format!(
            "{:?}",
            rows.all_sites().await.unwrap().iter().map(|site| &site.id).collect::<Vec<_>>()
        ));
        assert!(fixture.ledger.isolation_of(tenant).await.unwrap().is_whole(), "nothing leads across");
    }
    lines
}

on_both_engines! {
    async fn at_its_minute_a_site_changes_hands_and_both_see_their_own(fixture: LedgerFixture) {
        let business = Business::found(fixture).await;
        let id = business.approved(fixture).await;
        // Whoever looks takes nobody's right to write.
        let writing = fixture.ledger.begin(day(9)).await.unwrap();
        let forecast = forecast(fixture, &id).await;
        drop(writing);
        assert_eq!(forecast.problems, [
            TransferProblem::DeviceUndecided { device: business.undecided.0.clone() },
            TransferProblem::DeviceSuspended { device: business.suspended.clone() },
            TransferProblem::PersonUndecided { person: business.left_out.clone() },
        ]);
        assert_eq!((forecast.sites[0].invitations.len(), &*forecast.sites[0].licenses), (1, &[PRODUCT.to_owned()][..]));
        assert_eq!(work_off(&fixture.ledger, &fixture.entropy, &id, minute().minus(HOUR)).await, TransferStep::Rests);
        assert_eq!(transfer(fixture, &id).await.state, TransferState::Approved, "not before its minute");
        assert_eq!(work_off(&fixture.ledger, &fixture.entropy, &id, minute()).await, TransferStep::Rests);
        assert_eq!(transfer(fixture, &id).await.state, TransferState::Done);

        // What the dry run said is what was done.
        let result = fixture.ledger.everything().transfer_result(&id).await.unwrap();
        let mut said: Vec<_> = forecast.sites[0].devices.iter().map(|one| (one.device.clone(), one.outcome)).collect();
        let mut done: Vec<_> = result.devices.iter().map(|one| (one.device.clone(), one.outcome)).collect();
        said.sort_by(|a, b| a.0.cmp(&b.0));
        done.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(said, done);
        assert_eq!(result.people.iter().map(|one| one.outcome).collect::<Vec<_>>(), [PersonTransferOutcome::Moved, PersonTransferOutcome::Undecided]);

        // The old tenant keeps what was, and sees nothing of what is.
        let (giver, receiver) = (fixture.ledger.within(scope(&fixture.tenant)), fixture.ledger.within(scope(&business.target)));
        let (successor, _) = business.successor(fixture).await;
        let old = giver.device(&business.moving.0).await.unwrap().unwrap();
        assert_eq!((old.state, old.reason.as_deref()), (DeviceState::Revoked, Some("affiliation_changed")));
        assert!(giver.device(&successor).await.unwrap().is_none() && giver.person(&business.person).await.unwrap().is_none());
        assert!(giver.audit_of(&business.moving.0, 9).await.unwrap().len() > 2, "what happened before stays");
        assert!(giver.transfer_result(&id).await.unwrap().devices.iter().all(|one| one.successor.is_none()));
        // The new one sees what came, and nothing of before.
        let new = receiver.device(&successor).await.unwrap().unwrap();
        assert_eq!((new.state, new.site.clone(), new.label.as_str(), new.generation), (DeviceState::Active, business.becomes.clone(), "受付PC", 0));
        assert!(receiver.device(&business.moving.0).await.unwrap().is_none());
        assert!(receiver.audit_of(&business.moving.0, 9).await.unwrap().is_empty());
        assert_eq!(receiver.audit_of(&successor, 9).await.unwrap().len(), 1, "its life begins here");
        assert_eq!(receiver.assigned_people(&successor).await.unwrap(), std::slice::from_ref(&business.person), "bound again");
        let person = receiver.person(&business.person).await.unwrap().unwrap();
        assert!(person.is_set_up && person.sites[0].id == business.becomes, "with password and second factor");
        assert_eq!(receiver.licenses().await.unwrap()[0].0.site, Some(business.becomes.clone()));
        let left = giver.assigned_people(&business.moving.0).await.unwrap();
        assert!(left.len() == 1 && left[0] != business.person, "what was theirs is nobody's, and not everybody's");
        tally(fixture, &business).await;

        // Tokens, sessions and certificates are over; the device that stays works on elsewhere.
        let denials = fixture.ledger.denials(minute()).await.unwrap();
        for (device, certificate) in [&business.moving, &business.undecided] {
            assert!(denials.denial(device, certificate).is_some());
        }
        assert!(denials.denial(&business.staying.0, &business.staying.1).is_none());
        assert!(denials.tokens_before(&fixture.tenant, &business.staying.0).is_some(), "its tokens name the old site");
        assert_eq!(giver.device(&business.staying.0).await.unwrap().unwrap().site, business.stays);
        assert!(fixture.ledger.everything().sessions_of(&business.person, minute()).await.unwrap().is_empty());
        assert!(giver.person(&business.left_out).await.unwrap().unwrap().sites.is_empty());
        let nothing_new = fixture.write(minute(), async |writing| {
            let code = tegata_core::id::InvitationCode::random(&fixture.entropy);
            let invitation = tegata_storage::NewInvitation {
                id: InvitationId::random(&fixture.entropy), code: &code, tenant: fixture.tenant.clone(),
                site: fixture.site.clone(), role: Role::Device, label: "x".into(), expires_at: day(20),
            };
            writing.invite(&invitation, &operator()).await
        }).await;
        assert!(guarded(&nothing_new), "nothing begins at a site that was handed over");
        fixture.audited().await;
    }

    async fn an_old_certificate_brings_one_new_one_while_its_window_is_open(fixture: LedgerFixture) {
        let business = Business::found(fixture).await;
        // Renewed after the plan was approved: either generation stands for the device.
        let id = business.approved(fixture).await;
        let younger = fixture.renew(&business.moving.0, business.moving.1, day(5)).await.unwrap();
        work_off(&fixture.ledger, &fixture.entropy, &id, minute()).await;
        let handover = async |certificate: &Thumbprint, at| fixture.ledger.handover(certificate, at).await.unwrap();
        assert!(handover(&younger, minute()).await.is_some() && handover(&business.moving.1, minute()).await.is_some());
        for none in [&business.undecided.1, &business.staying.1] {
            assert_eq!(handover(none, minute()).await, None);
        }
        assert_eq!(handover(&younger, minute().plus(HOUR * 25)).await, None, "the window is over");
        // A key that is in other hands brings nothing.
        fixture.write(minute(), async |writing| {
            writing.revoke_certificate(&younger, RevocationReason::KeyCompromise, Lineage::This, "", &operator()).await
        }).await.unwrap();
        assert_eq!(handover(&younger, minute()).await, None);
        let (successor, invitation) = business.successor(fixture).await;
        let replaceable = async || fixture.ledger.everything().is_replaceable(&invitation).await.unwrap();
        let first = fixture.issue(fixture.intent(&successor, IssuanceRight::Replacement(invitation.clone()), minute())).await.unwrap();
        assert!(replaceable().await, "its answer may have been lost");
        let second = fixture.issue(fixture.intent(&successor, IssuanceRight::Replacement(invitation.clone()), minute())).await.unwrap();
        let denials = fixture.ledger.denials(minute()).await.unwrap();
        assert!(denials.denial(&successor, &first).is_some() && denials.denial(&successor, &second).is_none());
        fixture.present(&second, minute()).await;
        assert!(!replaceable().await);
        let third = fixture.issue(fixture.intent(&successor, IssuanceRight::Replacement(invitation.clone()), minute())).await;
        assert!(third.is_err(), "the new certificate is at work: the old one is over");
        assert!(fixture.ledger.everything().transfer_result(&id).await.unwrap().devices.iter().any(|one| one.is_at_work));
        fixture.write(minute().plus(HOUR * 25), async |writing| writing.close_windows(&PASS).await).await.unwrap();
        let device = fixture.ledger.everything().device(&successor).await.unwrap().unwrap();
        assert_eq!(device.state, DeviceState::Active, "what was fetched in time goes on");
    }

    async fn a_stolen_key_takes_along_what_it_fetched_in_the_new_tenant(fixture: LedgerFixture) {
        let business = Business::found(fixture).await;
        let id = business.approved(fixture).await;
        work_off(&fixture.ledger, &fixture.entropy, &id, minute()).await;
        let (successor, invitation) = business.successor(fixture).await;
        let fetched = fixture.issue(fixture.intent(&successor, IssuanceRight::Replacement(invitation), minute())).await.unwrap();
        // By somebody of the tenant that gave, who sees nothing of the new one.
        let mut writing = fixture.ledger.within(scope(&fixture.tenant)).begin(minute()).await.unwrap();
        let (stolen, reason) = (&business.moving.1, RevocationReason::KeyCompromise);
        let effect = writing.revoke_certificate(stolen, reason, Lineage::Whole, "", &operator()).await.unwrap();
        writing.commit().await.unwrap();
        assert_eq!(effect.certificates, 2);
        assert!(fixture.ledger.denials(minute()).await.unwrap().denial(&successor, &fetched).is_some());
        assert_eq!(fixture.ledger.handover(stolen, minute()).await.unwrap(), None);
        fixture.audited().await;
    }

    async fn who_was_changed_after_the_approval_stays_and_no_room_holds_it(fixture: LedgerFixture) {
        let business = Business::found(fixture).await;
        let id = business.approved(fixture).await;
        let place = PolicyPlace { tenant: business.target.clone(), site: None };
        let places = async |devices| {
            let policy = EnrollmentPolicy { devices: Some(devices), ..EnrollmentPolicy::default() };
            fixture.write(day(5), async |writing| writing.set_policy(&place, &policy, &operator()).await).await.unwrap();
        };
        let manager = PersonUpdate { roles: Some(Roles::new([PersonRole::SiteManager])), ..PersonUpdate::default() };
        fixture.write(day(5), async |writing| writing.change_person(&business.person, &manager, &operator()).await).await.unwrap();
        places(0).await;
        let held = TransferStep::Held { hold: TransferHold::NoRoom, is_news: true };
        assert_eq!(work_off(&fixture.ledger, &fixture.entropy, &id, minute()).await, held);
        places(1).await;
        work_off(&fixture.ledger, &fixture.entropy, &id, minute()).await;
        let result = fixture.ledger.everything().transfer_result(&id).await.unwrap();
        let of_person = result.people.iter().find(|one| one.person == business.person).unwrap();
        assert_eq!(of_person.outcome, PersonTransferOutcome::ChangedSince);
        let moving = result.devices.iter().find(|one| one.device == business.moving.0).unwrap();
        assert_eq!(moving.outcome, DeviceTransferOutcome::Undecided, "it was for that person alone");
    }

    async fn whoever_chose_a_new_password_after_the_approval_stays(fixture: LedgerFixture) {
        let business = Business::found(fixture).await;
        let id = business.approved(fixture).await;
        // An administrator of the old tenant sets them up anew, and knows the password.
        let code = tegata_core::SetupCode::random(&fixture.entropy);
        fixture.write(day(4), async |writing| {
            writing.reset_person(&business.person, &code, day(9), &operator()).await
        }).await.unwrap();
        let problems = forecast(fixture, &id).await.problems;
        assert!(problems.contains(&TransferProblem::PersonCannotSignIn { person: business.person.clone() }), "{problems:?}");
        fixture.write(day(4), async |writing| writing.set_up_person(&code, &crate::people::chosen()).await).await.unwrap();
        let problems = forecast(fixture, &id).await.problems;
        assert!(problems.contains(&TransferProblem::PersonChanged { person: business.person.clone() }), "{problems:?}");
        work_off(&fixture.ledger, &fixture.entropy, &id, minute()).await;
        let result = fixture.ledger.everything().transfer_result(&id).await.unwrap();
        let of_person = result.people.iter().find(|one| one.person == business.person).unwrap();
        assert_eq!(of_person.outcome, PersonTransferOutcome::ChangedSince);
    }

    async fn what_nobody_fetched_in_its_time_keeps_no_place(fixture: LedgerFixture) {
        let business = Business::found(fixture).await;
        let id = business.approved(fixture).await;
        work_off(&fixture.ledger, &fixture.entropy, &id, minute()).await;
        let (successor, invitation) = business.successor(fixture).await;
        let close = async |at| {
            let is_over = fixture.ledger.has_ended_windows(at).await.unwrap();
            let closed = fixture.write(at, async |writing| writing.close_windows(&PASS).await).await.unwrap();
            assert_eq!(closed, usize::from(is_over));
            let of = fixture.ledger.within(scope(&business.target));
            of.device(&successor).await.unwrap().unwrap().state
        };
        assert_eq!(close(minute().plus(HOUR * 24)).await, DeviceState::Active);
        assert_eq!(close(minute().plus(HOUR * 25)).await, DeviceState::Retired);
        assert!(!fixture.ledger.has_ended_windows(day(400)).await.unwrap(), "once");
        assert!(!fixture.ledger.everything().is_replaceable(&invitation).await.unwrap());
    }

    async fn servers_of_two_versions_or_with_two_clocks_hold_it(fixture: LedgerFixture) {
        let business = Business::found(fixture).await;
        let id = business.approved(fixture).await;
        let hold = async |hold, now| {
            fixture.write(now, async |writing| writing.hold_transfer(&id, hold).await).await.unwrap()
        };
        assert!(hold(TransferHold::ClocksDiffer, minute()).await && !hold(TransferHold::ClocksDiffer, minute()).await);
        assert_eq!(transfer(fixture, &id).await.held.as_deref(), Some("clocks_differ"));
        // By a clock that is right its minute has not come, and nothing is held.
        assert_eq!(fixture.ledger.transfers_due(day(5)).await.unwrap().len(), 1);
        assert_eq!(work_off(&fixture.ledger, &fixture.entropy, &id, day(5)).await, TransferStep::Rests);
        assert_eq!(transfer(fixture, &id).await.held, None);
        let server = tegata_core::ServerId::random(&fixture.entropy);
        fixture.ledger.register_server(&server, "a-host", minute()).await.unwrap();
        assert_eq!(fixture.ledger.signs_of_life().await.unwrap(), [(server.to_string(), minute())]);
        fixture.place.execute("UPDATE server SET version = NULL").await;
        let held = TransferStep::Held { hold: TransferHold::VersionsMixed, is_news: true };
        assert_eq!(work_off(&fixture.ledger, &fixture.entropy, &id, minute()).await, held);
        fixture.ledger.register_server(&server, "a-host", minute()).await.unwrap();
        assert_eq!(work_off(&fixture.ledger, &fixture.entropy, &id, minute()).await, TransferStep::Rests);
        assert_eq!(transfer(fixture, &id).await.state, TransferState::Done);
    }

    async fn each_side_sees_and_changes_its_own_transfers_alone(fixture: LedgerFixture) {
        let business = Business::found(fixture).await;
        let stranger = other_tenant(fixture).await.0;
        let plan = business.plan(fixture);
        let id = business.plan_it(fixture, plan.clone()).await.unwrap();
        let seen = async |tenant| fixture.ledger.within(scope(tenant)).transfer_forecast(&id, day(3)).await.unwrap();
        assert!(matches!(seen(&fixture.tenant).await, Some(SeenForecast::Whole(_))));
        assert_eq!(seen(&stranger).await, None);
        let Some(SeenForecast::Received(comes)) = seen(&business.target).await else { panic!("what comes") };
        assert_eq!((comes.sites[0].site.clone(), comes.sites[0].devices.len(), comes.people.len()), (business.becomes.clone(), 1, 1));
        let text = serde_json::to_string(&comes).unwrap();
        for theirs in [fixture.site.as_str(), business.moving.0.as_str(), business.left_out.as_str(), business.person.as_str()] {
            assert!(!text.contains(theirs), "{theirs} is the other tenant's: {text}");
        }
        let known = fixture.ledger.within(scope(&business.target)).transfer(&id).await.unwrap().unwrap();
        assert!(!known.source_name.is_empty() && known.target_name.is_some(), "each knows what the other is called");

        // As people of one tenant do it, whose rows are walled off.
        let within = async |tenant| fixture.ledger.within(scope(tenant)).begin(day(3)).await.unwrap();
        let [(source, head), (target, boss), (support, lead)] = &business.approvers[..] else { unreachable!("three sides") };
        let approval = |side: &TransferSide, person: &PersonId| NewTransferApproval {
            approval: TransferApproval { side: *side, person: person.clone(), plan: plan.hash() },
            because: Justification::new("事業譲渡", "T-1"),
        };
        let mut theirs = within(&stranger).await;
        assert!(guarded(&theirs.approve_transfer(&id, &approval(source, head), &operator()).await));
        assert!(guarded(&theirs.abort_transfer(&id, "", &operator()).await));
        assert!(guarded(&theirs.decline_transfer(&id, &DeclinedTransfer { side: *source, reason: "" }, &operator()).await));
        assert!(guarded(&theirs.transfer_in_hand(&id).await));
        let revision = TransferRevision { before: &plan, plan: &plan, by: None };
        assert!(guarded(&theirs.change_transfer(&id, &revision, &operator()).await));
        drop(theirs);
        let mut receiving = within(&business.target).await;
        receiving.approve_transfer(&id, &approval(target, boss), &operator()).await.unwrap();
        assert!(receiving.device_in_hand(&business.moving.0).await.unwrap().is_none(), "the wall stands again");
        receiving.commit().await.unwrap();
        approve(fixture, &id, *support, lead).await.unwrap();
        let mut giving = within(&fixture.tenant).await;
        let state = giving.approve_transfer(&id, &approval(source, head), &operator()).await.unwrap();
        giving.commit().await.unwrap();
        assert_eq!(state, TransferState::Approved, "the approvals of the other side count");

        // Whoever changes the plan does not approve of it.
        let mut giving = within(&fixture.tenant).await;
        let changed = TransferPlan { renewal_hours: 25, ..plan.clone() };
        let revision = TransferRevision { before: &plan, plan: &changed, by: Some(head) };
        giving.change_transfer(&id, &revision, &operator()).await.unwrap();
        giving.commit().await.unwrap();
        assert!(guarded(&approve(fixture, &id, *source, head).await));
        let mut receiving = within(&business.target).await;
        let declined = DeclinedTransfer { side: *target, reason: "延期" };
        receiving.decline_transfer(&id, &declined, &operator()).await.unwrap();
        receiving.commit().await.unwrap();
        assert_eq!(transfer(fixture, &id).await.state, TransferState::Aborted);
        fixture.audited().await;
    }

    async fn whoever_stops_a_device_in_its_new_tenant_closes_the_window(fixture: LedgerFixture) {
        let business = Business::found(fixture).await;
        let id = business.approved(fixture).await;
        work_off(&fixture.ledger, &fixture.entropy, &id, minute()).await;
        let (successor, invitation) = business.successor(fixture).await;
        fixture.act(&successor, DeviceAction::Suspend, minute()).await.unwrap();
        assert!(!fixture.ledger.everything().is_replaceable(&invitation).await.unwrap());
        let claimed = fixture.issue(fixture.intent(&successor, IssuanceRight::Replacement(invitation), minute())).await;
        assert!(claimed.is_err());
    }

    async fn three_servers_at_one_minute_do_the_work_of_one(fixture: LedgerFixture) {
        let business = Business::found(fixture).await;
        let id = business.approved(fixture).await;
        let url = fixture.place.url();
        let servers = [Ledger::open(&url).await.unwrap(), Ledger::open(&url).await.unwrap(), Ledger::open(&url).await.unwrap()];
        let seeds = [Seeded::new(71), Seeded::new(72), Seeded::new(73)];
        // Their clocks are minutes apart.
        let [first, second, third] = [minute(), minute().plus(HOUR), minute().minus(Duration::from_mins(2))];
        tokio::join!(
            work_off(&servers[0], &seeds[0], &id, first),
            work_off(&servers[1], &seeds[1], &id, second),
            work_off(&servers[2], &seeds[2], &id, third),
        );
        let lines = tally(fixture, &business).await;
        assert_eq!(lines[3].matches("Active").count(), 1, "{lines:?}");
        assert_eq!(transfer(fixture, &id).await.state, TransferState::Done);
        for server in servers {
            server.close().await;
        }
        fixture.audited().await;
    }

    async fn it_begins_by_every_approval_of_this_very_plan_alone(fixture: LedgerFixture) {
        let business = Business::found(fixture).await;
        let plan = business.plan(fixture);
        let id = business.plan_it(fixture, plan.clone()).await.unwrap();
        let held = |hold| TransferStep::Held { hold, is_news: true };
        assert_eq!(work_off(&fixture.ledger, &fixture.entropy, &id, minute()).await, held(TransferHold::NotApproved));
        let [(source, head), (target, boss), (support, lead)] = &business.approvers[..] else { unreachable!("three sides") };
        assert!(guarded(&approve(fixture, &id, *target, head).await), "not for the other tenant");
        assert!(guarded(&approve(fixture, &id, *source, &business.left_out).await), "not without the role");
        assert_eq!(approve(fixture, &id, *source, head).await.unwrap(), TransferState::Draft);
        assert!(guarded(&approve(fixture, &id, *source, head).await), "once is enough");
        approve(fixture, &id, *target, boss).await.unwrap();
        let mut changed = plan.clone();
        changed.renewal_hours += 1;
        let change = async |before: &TransferPlan, after: &TransferPlan| {
            fixture.write(day(3), async |writing| writing.change_transfer(&id, &TransferRevision { before, plan: after, by: None }, &operator()).await).await
        };
        change(&plan, &changed).await.unwrap();
        assert!(guarded(&change(&plan, &changed).await), "somebody else has changed it");
        assert_eq!(approve(fixture, &id, *support, lead).await.unwrap(), TransferState::Draft, "the others approved of another plan");
        approve(fixture, &id, *source, head).await.unwrap();
        assert_eq!(approve(fixture, &id, *target, boss).await.unwrap(), TransferState::Approved);
        // An approver who is gone at the minute has approved of nothing.
        fixture.write(day(4), async |writing| writing.disable_person(lead, "", &operator()).await).await.unwrap();
        assert_eq!(work_off(&fixture.ledger, &fixture.entropy, &id, minute()).await, held(TransferHold::NotApproved));
        fixture.write(day(4), async |writing| writing.enable_person(lead, "", &operator()).await).await.unwrap();
        assert_eq!(work_off(&fixture.ledger, &fixture.entropy, &id, minute()).await, TransferStep::Rests);
        assert_eq!(transfer(fixture, &id).await.state, TransferState::Done);
    }

    async fn whoever_asked_for_it_does_not_approve_and_no_site_is_in_two_plans(fixture: LedgerFixture) {
        let business = Business::found(fixture).await;
        let id = TransferId::random(&fixture.entropy);
        let (side, head) = &business.approvers[0];
        let new = NewTransfer {
            id: id.clone(), plan: business.plan(fixture), requested_by: Some(head.clone()), note: String::new(), reverses: None,
        };
        fixture.write(day(2), async |writing| writing.add_transfer(&new, &operator()).await).await.unwrap();
        assert!(guarded(&approve(fixture, &id, *side, head).await));
        let again = business.plan_it(fixture, business.plan(fixture)).await;
        assert!(guarded(&again), "the site is part of another plan");
        let abort = async |at| fixture.write(at, async |writing| writing.abort_transfer(&id, "", &operator()).await).await;
        abort(day(3)).await.unwrap();
        assert!(guarded(&abort(day(3)).await), "once");
        assert_eq!(work_off(&fixture.ledger, &fixture.entropy, &id, minute()).await, TransferStep::Rests);
        let next = business.approved(fixture).await;
        work_off(&fixture.ledger, &fixture.entropy, &next, minute()).await;
        let late = fixture.write(minute(), async |writing| writing.abort_transfer(&next, "", &operator()).await).await;
        assert!(guarded(&late), "what has begun is not aborted");
        assert!(guarded(&business.plan_it(fixture, business.plan(fixture)).await), "the site was handed over");
    }

    async fn a_tenant_suspended_at_the_minute_holds_it_and_a_late_one_lapses(fixture: LedgerFixture) {
        let business = Business::found(fixture).await;
        let id = business.approved(fixture).await;
        fixture.act_on_tenant(TenantAction::Suspend, day(9)).await.unwrap();
        let before = tally(fixture, &business).await;
        let hold = TransferHold::TenantSuspended;
        assert_eq!(work_off(&fixture.ledger, &fixture.entropy, &id, minute()).await, TransferStep::Held { hold, is_news: true });
        assert_eq!(work_off(&fixture.ledger, &fixture.entropy, &id, minute().plus(HOUR)).await, TransferStep::Held { hold, is_news: false });
        let late = minute().plus(HOUR * 4 + Duration::from_secs(1));
        assert_eq!(work_off(&fixture.ledger, &fixture.entropy, &id, late).await, TransferStep::Rests);
        assert_eq!(transfer(fixture, &id).await.state, TransferState::Lapsed);
        fixture.act_on_tenant(TenantAction::Resume, late).await.unwrap();
        // A clock that is set back does not bring it back.
        assert_eq!(work_off(&fixture.ledger, &fixture.entropy, &id, minute()).await, TransferStep::Rests);
        assert_eq!(tally(fixture, &business).await, before, "nothing was changed");
    }

    async fn what_ended_before_the_minute_does_not_move(fixture: LedgerFixture) {
        let business = Business::found(fixture).await;
        let id = business.approved(fixture).await;
        fixture.act(&business.moving.0, DeviceAction::Revoke(RevocationReason::KeyCompromise), day(9)).await.unwrap();
        work_off(&fixture.ledger, &fixture.entropy, &id, minute()).await;
        let result = fixture.ledger.everything().transfer_result(&id).await.unwrap();
        let moving = result.devices.iter().find(|one| one.device == business.moving.0).unwrap();
        assert_eq!((moving.outcome, &moving.successor), (DeviceTransferOutcome::Ended, &None));
        assert_eq!(fixture.ledger.handover(&business.moving.1, minute()).await.unwrap(), None);
        let reason = fixture.ledger.everything().device(&business.moving.0).await.unwrap().unwrap().reason;
        assert_eq!(reason.as_deref(), Some("key_compromise"), "the reason stays what it was");
    }

    async fn reviews_stay_with_the_tenant_that_made_them(fixture: LedgerFixture) {
        let business = Business::found(fixture).await;
        let head = &business.approvers[0].1;
        let policy = PeoplePolicy { review_days: Some(90), ..PeoplePolicy::default() };
        fixture.write(day(2), async |writing| {
            writing.set_people_policy(&fixture.tenant, &policy, &operator()).await?;
            let fresh = || ReviewId::random(&fixture.entropy);
            writing.round_of_reviews(&fixture.tenant, &policy, &fresh, &operator()).await
        }).await.unwrap();
        let open = fixture.ledger.everything().open_reviews().await.unwrap();
        let of_person = open.iter().find(|one| one.left.iter().any(|left| left.id == business.person)).unwrap().id.clone();
        fixture.write(day(2), async |writing| {
            writing.answer_review(&of_person, &business.person, ReviewAnswer::Confirmed, head, &operator()).await
        }).await.unwrap();
        let id = business.approved(fixture).await;
        work_off(&fixture.ledger, &fixture.entropy, &id, minute()).await;
        tally(fixture, &business).await;
        let people = fixture.ledger.within(scope(&fixture.tenant)).people().await.unwrap();
        let stand_in = people.iter().find(|one| one.login.starts_with("tanaka")).expect("who was answered for");
        assert!(stand_in.state == PersonState::Disabled && !stand_in.is_set_up && stand_in.id != business.person);
    }

    async fn what_was_handed_over_goes_back_by_a_plan_of_its_own(fixture: LedgerFixture) {
        let business = Business::found(fixture).await;
        let id = business.approved(fixture).await;
        work_off(&fixture.ledger, &fixture.entropy, &id, minute()).await;
        let (successor, _) = business.successor(fixture).await;
        let home = SiteId::random(&fixture.entropy);
        let back = TransferPlan {
            source: business.target.clone(),
            at: day(20),
            latest: day(20).plus(HOUR),
            renewal_hours: 24,
            change: TransferChange::Business {
                target: fixture.tenant.clone(),
                sites: BTreeMap::from([(business.becomes.clone(), PlannedSite { becomes: home.clone(), name: None })]),
                devices: BTreeMap::from([(successor, DeviceDecision::Move)]),
                people: BTreeMap::from([(business.person.clone(), PersonDecision::Move)]),
            },
        };
        let back = business.plan_it(fixture, back).await.unwrap();
        let [(_, head), (_, boss), (support, lead)] = &business.approvers[..] else { unreachable!("three sides") };
        approve(fixture, &back, TransferSide::Source, boss).await.unwrap();
        approve(fixture, &back, TransferSide::Target, head).await.unwrap();
        approve(fixture, &back, *support, lead).await.unwrap();
        work_off(&fixture.ledger, &fixture.entropy, &back, day(20)).await;
        assert_eq!(transfer(fixture, &back).await.state, TransferState::Done);
        let sites = fixture.ledger.within(scope(&fixture.tenant)).all_sites().await.unwrap();
        assert!(sites.iter().any(|site| site.id == home && site.name == "本店"), "{sites:?}");
        let person = fixture.ledger.within(scope(&fixture.tenant)).person(&business.person).await.unwrap().unwrap();
        assert_eq!(person.sites[0].id, home);
        tally(fixture, &business).await;
    }

    async fn a_company_whose_shares_were_sold_is_called_otherwise_and_nothing_else(fixture: LedgerFixture) {
        let business = Business::found(fixture).await;
        let mut before = tally(fixture, &business).await;
        let plan = TransferPlan { change: TransferChange::Shares { name: "さくら薬局".into() }, ..business.plan(fixture) };
        let id = business.plan_it(fixture, plan).await.unwrap();
        let [(source, head), _, (support, lead)] = &business.approvers[..] else { unreachable!("three sides") };
        approve(fixture, &id, *source, head).await.unwrap();
        assert_eq!(approve(fixture, &id, *support, lead).await.unwrap(), TransferState::Approved);
        work_off(&fixture.ledger, &fixture.entropy, &id, minute()).await;
        let tenants = fixture.ledger.within(scope(&fixture.tenant)).tenants().await.unwrap();
        assert_eq!(tenants[0].name, "さくら薬局");
        let mut after = tally(fixture, &business).await;
        before.sort();
        after.sort();
        assert_eq!(after, before);
    }
}

#[test]
fn a_server_that_dies_at_any_write_leaves_a_transfer_whole_on_sqlite() {
    run(fail_everywhere(EnginePlace::sqlite()));
}

#[test]
fn a_server_that_dies_at_any_write_leaves_a_transfer_whole_on_postgresql() {
    run(fail_everywhere(EnginePlace::postgres()));
}

/// Writes of every step are made to fail, the first and then one after another. Nothing is half done, and whoever goes on comes to the same end.
async fn fail_everywhere(place: EnginePlace) {
    let fixture = LedgerFixture::open(place).await;
    let business = Business::found(&fixture).await;
    let id = business.approved(&fixture).await;
    // A trial costs a tenth of a second: every other write, and fewer where the statements are the same.
    let stride = if matches!(fixture.place, EnginePlace::Sqlite(_)) { 2 } else { 9 };
    let (mut writes, mut failures) = (0, 0);
    loop {
        let before = tally(&fixture, &business).await;
        fixture.place.fail_after(writes).await;
        let went = step(&fixture.ledger, &fixture.entropy, &id, minute()).await;
        fixture.place.fail_no_more().await;
        match went {
            Ok(TransferStep::Went) => writes = 0,
            Ok(_) => break,
            Err(_) => {
                assert_eq!(tally(&fixture, &business).await, before, "half done after {writes} writes");
                (writes, failures) = (writes + stride, failures + stride);
                assert!(writes < 300, "the step never succeeds");
            }
        }
    }
    assert!(failures > 60, "a transfer writes more than {failures} times");
    assert_eq!(transfer(&fixture, &id).await.state, TransferState::Done);
    let lines = tally(&fixture, &business).await;
    assert_eq!(lines[3].matches("Active").count(), 1, "{lines:?}");
    fixture.audited().await;
    fixture.ledger.close().await;
    fixture.place.clear().await;
}
