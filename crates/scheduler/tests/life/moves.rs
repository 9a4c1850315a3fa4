//! Shops that change hands, every few months by chance: what was approved happens at night, devices fetch their new certificate by the
//! old one when they are switched on, and nobody gets in who should not.

use crate::decade::{Habit, Life, Years};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use tegata_ca::IssuedCertificate;
use tegata_core::id::InvitationCode;
use tegata_core::renewal::RenewalPolicy;
use tegata_core::transfer::{
    DeviceDecision, DeviceTransferOutcome, PlannedSite, TransferApproval, TransferChange, TransferSide,
};
use tegata_core::{
    DeviceState, InvitationId, Justification, LoginId, Name, PersonId, PersonRole, Role, Roles, SiteId,
    Standing, TenantId, Timestamp, TransferId,
};
use tegata_storage::{
    Actor, Invitation, IssuanceRight, NewInvitation, NewPerson, NewTransfer, NewTransferApproval, Principal,
    Site, TransferStep, TransferTiming,
};
use tegata_testkit::Everything;
use tegata_testkit::ca::{DAY, NOW, request};

const OPERATOR: Actor = Actor::System("test");
const PASS: Actor = Actor::System("transfer");

/// For how long devices fetch their new certificate by the old one.
const WINDOW_HOURS: u32 = 72;

/// About so often a shop changes hands.
const DAYS_BETWEEN: u32 = 90;

/// A site of a company.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Shop {
    pub(crate) tenant: TenantId,
    pub(crate) site: SiteId,
}

/// Who has which shop, and what became of devices that moved.
#[derive(Default)]
pub(crate) struct Companies {
    shops: Vec<Shop>,
    admins: HashMap<TenantId, PersonId>,
    lead: Option<PersonId>,
    /// Devices that have moved and wait for their new certificate.
    waiting: Vec<WaitingDevice>,
    transfers: usize,
    pub(crate) fetched: usize,
    /// Nobody switched them on in their window.
    pub(crate) not_fetched: usize,
    undecided: usize,
}

/// A device that has moved: what it had, and until when that brings something.
struct WaitingDevice {
    life: Life,
    shop: Shop,
    until: Timestamp,
}

impl std::fmt::Debug for Companies {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { transfers, fetched, not_fetched, undecided, .. } = self;
        write!(
            formatter,
            "{transfers} transfers: {fetched} devices fetched their certificate, {not_fetched} were never on in their window, \
             {undecided} were undecided"
        )
    }
}

impl Companies {
    /// Devices are spread over the shops.
    pub(crate) fn shop(&self, number: u32) -> Shop {
        let count = u32::try_from(self.shops.len()).unwrap();
        self.shops[(number % count) as usize].clone()
    }
}

impl Years {
    /// The shops of a company: the one that it begins with, and more.
    pub(crate) async fn found_shops(&mut self, tenant: &TenantId, count: u32) {
        for number in 1..count {
            let site = Site {
                id: SiteId::random(&*self.fixture.entropy),
                tenant: tenant.clone(),
                name: format!("{number}号店"),
            };
            let mut transaction = self.fixture.ledger.begin(NOW).await.unwrap();
            transaction.add_site(&site, &OPERATOR).await.unwrap();
            transaction.commit().await.unwrap();
        }
        let sites = self.fixture.ledger.everything().sites(tenant).await.unwrap();
        let shops = sites.into_iter().map(|site| Shop { tenant: tenant.clone(), site: site.id });
        self.companies.shops.extend(shops);
    }

    pub(crate) async fn find_approvers(&mut self) {
        let tenants: Vec<_> = self.companies.shops.iter().map(|shop| shop.tenant.clone()).collect();
        for tenant in tenants {
            if !self.companies.admins.contains_key(&tenant) {
                let admin = self.person_of(&tenant, "head", PersonRole::TenantAdmin).await;
                self.companies.admins.insert(tenant, admin);
            }
        }
        let vendor = self.fixture.add_tenant("サポート", NOW).await;
        self.companies.lead = Some(self.person_of(&vendor, "lead", PersonRole::SupportLead).await);
    }

    async fn person_of(&self, tenant: &TenantId, login: &str, role: PersonRole) -> PersonId {
        let id = PersonId::random(&*self.fixture.entropy);
        let new = NewPerson {
            id: id.clone(),
            tenant: tenant.clone(),
            login: LoginId::parse(login).unwrap(),
            external_key: None,
            name: Name::of_place(login).unwrap(),
            roles: Roles::new([role]),
            sites: Vec::new(),
            awaits_sites: false,
        };
        let mut transaction = self.fixture.ledger.begin(NOW).await.unwrap();
        transaction.add_person(&new, &OPERATOR).await.unwrap();
        transaction.commit().await.unwrap();
        id
    }

    pub(crate) async fn invite_at(&self, shop: &Shop, now: Timestamp) -> Invitation {
        let code = InvitationCode::random(&*self.fixture.entropy);
        let new = NewInvitation {
            id: InvitationId::random(&*self.fixture.entropy),
            code: &code,
            tenant: shop.tenant.clone(),
            site: shop.site.clone(),
            role: Role::Device,
            label: "受付PC".into(),
            expires_at: now.plus(DAY),
        };
        let mut transaction = self.fixture.ledger.begin(now).await.unwrap();
        transaction.invite(&new, &OPERATOR).await.unwrap();
        transaction.commit().await.unwrap();
        self.fixture.invitation(&code).await
    }

    /// Some night a shop goes to another company, with all of its devices but perhaps one that nobody decided about.
    pub(crate) async fn hand_over(&mut self, now: Timestamp) {
        if self.one_of(DAYS_BETWEEN) > 0 {
            return;
        }
        let count = u32::try_from(self.companies.shops.len()).unwrap();
        let place = self.one_of(count) as usize;
        let from = self.companies.shops[place].clone();
        if self.companies.waiting.iter().any(|one| one.shop == from) {
            // It has changed hands these days; its devices are still on their way.
            return;
        }
        let others = self.companies.admins.keys().filter(|one| **one != from.tenant);
        let mut others: Vec<_> = others.cloned().collect();
        others.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        let target = others[self.one_of(u32::try_from(others.len()).unwrap()) as usize].clone();
        let to = Shop { tenant: target, site: SiteId::random(&*self.fixture.entropy) };
        let id = self.plan_and_approve(&from, &to, now).await;
        self.carry_out(&id, now).await;
        self.companies.transfers += 1;
        self.companies.shops[place] = to.clone();
        self.look_after(&id, (&from, &to), now).await;
    }

    async fn plan_and_approve(&self, from: &Shop, to: &Shop, now: Timestamp) -> TransferId {
        let before = now.minus(Duration::from_hours(12));
        let change = TransferChange::Business {
            target: to.tenant.clone(),
            sites: BTreeMap::from([(
                from.site.clone(),
                PlannedSite { becomes: to.site.clone(), name: None },
            )]),
            devices: BTreeMap::new(),
            people: BTreeMap::new(),
        };
        let timing = TransferTiming {
            at: now.whole_second(),
            latest: now.whole_second().plus(Duration::from_hours(4)),
            renewal_hours: WINDOW_HOURS,
        };
        let mut plan = timing.plan(from.tenant.clone(), change);
        let present = self.fixture.ledger.everything().present_at_sites(&plan).await.unwrap();
        present.move_all(&mut plan, true, false);
        if let Some(forgotten) = present.devices.first().filter(|_| self.one_of(3) == 0) {
            plan.decide_device(forgotten.device.id.clone(), None::<DeviceDecision>);
        }
        let id = TransferId::random(&*self.fixture.entropy);
        let hash = plan.hash();
        let new =
            NewTransfer { id: id.clone(), plan, requested_by: None, note: String::new(), reverses: None };
        let approvers = [
            (TransferSide::Source, self.companies.admins[&from.tenant].clone()),
            (TransferSide::Target, self.companies.admins[&to.tenant].clone()),
            (TransferSide::Support, self.companies.lead.clone().unwrap()),
        ];
        let mut transaction = self.fixture.ledger.begin(before).await.unwrap();
        transaction.add_transfer(&new, &OPERATOR).await.unwrap();
        for (side, person) in approvers {
            let approval = TransferApproval { side, person, plan: hash };
            let because = Justification::new("事業譲渡", "T-1");
            let new = NewTransferApproval { approval, because };
            transaction.approve_transfer(&id, &new, &OPERATOR).await.unwrap();
        }
        transaction.commit().await.unwrap();
        id
    }

    async fn carry_out(&self, id: &TransferId, now: Timestamp) {
        loop {
            let mut transaction = self.fixture.ledger.begin(now).await.unwrap();
            match transaction.advance_transfer(id, &*self.fixture.entropy, &PASS).await.unwrap() {
                TransferStep::Went => transaction.commit().await.unwrap(),
                TransferStep::Rests => return,
                TransferStep::Held { hold, .. } => panic!("held: {hold:?}"),
            }
        }
    }

    /// What the old company had is out, at once and for ever; what moved waits for its new certificate.
    async fn look_after(&mut self, id: &TransferId, (from, to): (&Shop, &Shop), now: Timestamp) {
        let result = self.fixture.ledger.everything().transfer_result(id).await.unwrap();
        for one in result.devices {
            let Some(life) = self.lives.remove(&one.device) else { continue };
            assert_ne!(
                self.standing_of(&life.certificate, now).await,
                Standing::Good,
                "{} is still in",
                one.device
            );
            match one.outcome {
                DeviceTransferOutcome::Moved => {
                    let until = now.plus(Duration::from_hours(u64::from(WINDOW_HOURS)));
                    self.companies.waiting.push(WaitingDevice { life, shop: to.clone(), until });
                }
                DeviceTransferOutcome::Undecided => {
                    self.companies.undecided += 1;
                    assert!(
                        self.handover_of(&life, now).await.is_none(),
                        "nobody decided about {}",
                        one.device
                    );
                    self.begin_anew(to, now).await;
                }
                // A lost one is found or not; at the new shop there is another.
                _ => self.begin_anew(to, now).await,
            }
        }
        for tenant in [&from.tenant, &to.tenant] {
            assert!(
                self.fixture.ledger.isolation_of(tenant).await.unwrap().is_whole(),
                "something leads across"
            );
        }
        let sees = async |tenant: &TenantId, site: &SiteId| {
            let scope = Principal::operator("test", Some(tenant)).scope();
            let devices =
                self.fixture.ledger.within(scope).devices(&tegata_storage::DeviceFilter::default()).await;
            devices
                .unwrap()
                .iter()
                .filter(|one| one.device.site == *site && one.device.state == DeviceState::Active)
                .count()
        };
        assert_eq!(sees(&from.tenant, &from.site).await, 0, "nothing is left at a shop that was handed over");
        assert_eq!(sees(&from.tenant, &to.site).await, 0, "the old company sees nothing of the new shop");
    }

    async fn standing_of(&self, certificate: &IssuedCertificate, now: Timestamp) -> Standing {
        crate::three_years::standing(&self.fixture, certificate, now).await
    }

    async fn handover_of(&self, life: &Life, now: Timestamp) -> Option<tegata_storage::Handover> {
        self.fixture.ledger.handover(&life.certificate.certificate.thumbprint, now).await.unwrap()
    }

    /// Whoever is switched on in the window gets in; whoever is not is invited anew, and its place is free.
    pub(crate) async fn fetch(&mut self, now: Timestamp) {
        let mut left = Vec::new();
        for one in std::mem::take(&mut self.companies.waiting) {
            let chance = self.one_of(7);
            let is_on = match one.life.habit {
                Habit::Daily => true,
                Habit::Weekly => chance == 0,
                Habit::Forgotten | Habit::Lost => false,
            };
            if now > one.until {
                self.close(one, now).await;
            } else if is_on {
                self.fetch_one(one, now).await;
            } else {
                left.push(one);
            }
        }
        self.companies.waiting.extend(left);
    }

    async fn fetch_one(&mut self, one: WaitingDevice, now: Timestamp) {
        let found = self.handover_of(&one.life, now).await.expect("whoever is on in the window gets in");
        let right = IssuanceRight::Replacement(found.invitation);
        let issued = self.fixture.issue(&found.successor, right, &request(), now).await.unwrap();
        self.fixture.present(&issued, RenewalPolicy::default().retire_at(now), now).await;
        assert_eq!(self.standing_of(&issued, now).await, Standing::Good);
        self.companies.fetched += 1;
        let life = Life { certificate: issued, was_on_in_time: false, ..one.life };
        self.lives.insert(found.successor, life);
    }

    async fn close(&mut self, one: WaitingDevice, now: Timestamp) {
        assert!(one.life.habit != Habit::Daily, "a device that was on in its window is locked out");
        assert!(self.handover_of(&one.life, now).await.is_none(), "the window is over");
        if self.fixture.ledger.has_ended_windows(now).await.unwrap() {
            let mut transaction = self.fixture.ledger.begin(now).await.unwrap();
            transaction.close_windows(&PASS).await.unwrap();
            transaction.commit().await.unwrap();
        }
        self.companies.not_fetched += 1;
        self.begin_anew(&one.shop, now).await;
    }
}
