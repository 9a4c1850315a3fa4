//! Years of a few shops, day by day: whoever is switched on in time is never locked out, nobody is locked out in silence, and nobody
//! gets in after a transfer who should not.
//!
//! `TEGATA_DECADE=YEARS,DEVICES,SHOPS,SEED` makes it a decade of as many devices as one has time for; the seed that is printed plays
//! the same lives again.

use crate::moves::{Companies, Shop};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tegata_ca::IssuedCertificate;
use tegata_core::entropy::{Seeded, bytes};
use tegata_core::renewal::{RenewalPolicy, RenewalRules};
use tegata_core::{DeviceId, Language, MailAddress, NoticeLevel, RecipientId, TenantId, Timestamp};
use tegata_mail::MailTemplates;
use tegata_scheduler::{MailWriter, NoticePass, due, plan, retire};
use tegata_storage::{Actor, DeviceAction, NoticeRecipient, PolicyPlace};
use tegata_testkit::ca::{CaFixture, DAY, NOW, first_time, request};
use tegata_testkit::{Everything, TestPlace};

const OPERATOR: Actor = Actor::System("test");
/// Companies, each with its part of the shops.
const COMPANIES: u32 = 4;

/// How a device's people are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Habit {
    /// It is on every day.
    Daily,
    /// Somebody switches it on about once a week.
    Weekly,
    /// Nobody has switched it on for months, and nobody will by themselves.
    Forgotten,
    /// It was lost some day, and suspended.
    Lost,
}

pub(crate) struct Life {
    pub(crate) certificate: IssuedCertificate,
    pub(crate) habit: Habit,
    /// Whether it was on while it could have been renewed.
    pub(crate) was_on_in_time: bool,
}

pub(crate) struct Years {
    pub(crate) fixture: CaFixture,
    chance: Seeded,
    pub(crate) lives: HashMap<DeviceId, Life>,
    support: RecipientId,
    notices: NoticePass,
    lock_outs: usize,
    renewals: usize,
    pub(crate) companies: Companies,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_on_in_time_is_never_locked_out_and_nobody_in_silence() {
    let wanted = std::env::var("TEGATA_DECADE").unwrap_or_else(|_| "2,12,4,16".to_owned());
    let numbers: Vec<u32> = wanted.split(',').map(|number| number.parse().unwrap()).collect();
    let [years, devices, shops, seed] = numbers[..] else { panic!("TEGATA_DECADE=YEARS,DEVICES,SHOPS,SEED") };
    println!("TEGATA_DECADE={years},{devices},{shops},{seed}");
    let mut world = Years::begin(devices, shops, u64::from(seed)).await;
    for day in 1..=years * 365 {
        world.live(NOW.plus(DAY * day)).await;
        if day % 365 == 0 {
            println!("{} years: {} renewals, {:?}", day / 365, world.renewals, world.companies);
        }
    }
    let Years { lock_outs, renewals, companies, .. } = &world;
    println!("{renewals} renewals, {lock_outs} forgotten until their end; {companies:?}");
    assert!(*lock_outs > 0, "nobody was forgotten: the trial proves nothing");
    assert!(companies.fetched > 0 && companies.not_fetched > 0, "nothing moved: the trial proves nothing");
}

impl Years {
    async fn begin(devices: u32, shops: u32, seed: u64) -> Self {
        let mut fixture = CaFixture::found(TestPlace::sqlite()).await;
        // One that does not end before the trial does.
        fixture.authority = Arc::new(fixture.another_authority(1, NOW).await);
        let (chance, entropy) = (Seeded::new(seed), Arc::new(Seeded::new(seed + 1)));
        let writer = MailWriter {
            templates: MailTemplates::default(),
            sender_name: "Tegata".into(),
            device_page: "https://device.example.jp/".into(),
            console: "https://device.example.jp/console".into(),
            contact: None,
        };
        let policy = RenewalPolicy::default();
        let notices = NoticePass::new(fixture.ledger.clone(), policy, entropy, Arc::new(writer));
        let support = RecipientId::random(&chance);
        let lives = HashMap::new();
        let companies = Companies::default();
        let mut world = Self {
            fixture,
            chance,
            lives,
            support: support.clone(),
            notices,
            lock_outs: 0,
            renewals: 0,
            companies,
        };
        world.tell(support, None, NoticeLevel::Support).await;
        for company in 0..COMPANIES {
            let tenant = world.fixture.add_tenant(&format!("薬局{company}"), NOW).await;
            let id = RecipientId::random(&world.chance);
            world.tell(id, Some(&tenant), NoticeLevel::HeadOffice).await;
            world.plan_for(&tenant, company).await;
            world.found_shops(&tenant, shops / COMPANIES).await;
        }
        for number in 0..devices {
            let shop = world.companies.shop(number);
            world.enroll(&shop).await;
        }
        world.find_approvers().await;
        world
    }

    /// One company has hours, one is closed for weeks, one is busy half of the month, one says nothing.
    async fn plan_for(&self, tenant: &TenantId, company: u32) {
        let days = |text: &str| vec![text.parse().unwrap()];
        let rules = match company {
            0 => RenewalRules { spread_days: Some(20), ..RenewalRules::default() },
            1 => RenewalRules { closed: days("2027-05-20..2027-07-20"), ..RenewalRules::default() },
            2 => RenewalRules { busy: days("1-15"), ..RenewalRules::default() },
            _ => return,
        };
        let place = PolicyPlace { tenant: tenant.clone(), site: None };
        let mut transaction = self.fixture.ledger.begin(NOW).await.unwrap();
        transaction.set_renewal_rules(&place, &rules, "", &OPERATOR).await.unwrap();
        transaction.commit().await.unwrap();
    }

    async fn tell(&self, id: RecipientId, tenant: Option<&TenantId>, level: NoticeLevel) {
        let address = format!("{id}@example.jp");
        let new = NoticeRecipient {
            id,
            tenant: tenant.cloned(),
            site: None,
            person: None,
            level,
            address: MailAddress::parse(&address).unwrap(),
            language: Language::Ja,
            notice_hour: 0,
            digest_hour: None,
            noticed_day: None,
            digest_day: None,
            paused_until: None,
            bounced_at: None,
            bounce: None,
        };
        let mut transaction = self.fixture.ledger.begin(NOW).await.unwrap();
        transaction.add_notice_recipient(&new, &OPERATOR).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// The first days of devices are spread over two months.
    async fn enroll(&mut self, shop: &Shop) {
        let at = NOW.plus(Duration::from_hours(u64::from(self.one_of(20))));
        let (device, issued) = self.enroll_at(shop, at).await;
        let habit = match self.one_of(8) {
            0 | 1 => Habit::Forgotten,
            2 => Habit::Lost,
            3 | 4 => Habit::Weekly,
            _ => Habit::Daily,
        };
        self.lives.insert(device, Life { certificate: issued, habit, was_on_in_time: false });
    }

    /// A device that is new at a shop.
    pub(crate) async fn enroll_at(&self, shop: &Shop, at: Timestamp) -> (DeviceId, IssuedCertificate) {
        let invitation = self.invite_at(shop, at).await;
        let device = DeviceId::random(&*self.fixture.entropy);
        let issued = self.fixture.issue(&device, first_time(&invitation), &request(), at).await.unwrap();
        self.fixture.present(&issued, RenewalPolicy::default().retire_at(at), at).await;
        (device, issued)
    }

    pub(crate) fn one_of(&self, number: u32) -> u32 {
        u32::from_be_bytes(bytes::<4>(&self.chance)) % number
    }

    async fn live(&mut self, now: Timestamp) {
        self.hand_over(now).await;
        self.fetch(now).await;
        retire(&self.fixture.ledger, now).await.unwrap();
        self.notices.round(now).await.unwrap();
        let policy = RenewalPolicy::default();
        let (planned, _) = plan(&self.fixture.ledger.everything(), &policy, now, now).await.unwrap();
        for one in planned {
            self.day_of(&one.certificate.device, now).await;
        }
        let (_, overdue) = due(&self.fixture.ledger, &policy, now).await.unwrap();
        for one in overdue {
            self.locked_out(&one.device, &one.tenant, one.generation, now).await;
        }
    }

    /// The day of a device that should be renewed: if it is on, it renews by itself.
    async fn day_of(&mut self, device: &DeviceId, now: Timestamp) {
        let (chance, life) = (self.one_of(7), self.lives.get_mut(device).unwrap());
        match life.habit {
            Habit::Lost => {
                let mut transaction = self.fixture.ledger.begin(now).await.unwrap();
                transaction.act_on_device(device, DeviceAction::Suspend, "lost", &OPERATOR).await.unwrap();
                transaction.commit().await.unwrap();
                return;
            }
            Habit::Weekly if chance > 0 => return,
            Habit::Forgotten => return,
            Habit::Daily | Habit::Weekly => life.was_on_in_time = true,
        }
        let next = self.fixture.renew(&life.certificate, now).await.unwrap();
        self.fixture.present(&next, RenewalPolicy::default().retire_at(now), now).await;
        life.certificate = next;
        life.was_on_in_time = false;
        self.renewals += 1;
    }

    /// A device whose certificate has ended: it was never on in its time, and support has heard of it. Then somebody comes and
    /// enrolls it anew.
    async fn locked_out(&mut self, device: &DeviceId, tenant: &TenantId, generation: i64, now: Timestamp) {
        let life = self.lives.get(device).unwrap();
        assert!(!life.was_on_in_time, "{device} was on and is locked out");
        let noted = self.fixture.ledger.noted_steps(tenant, now).await.unwrap();
        let told = noted.get(&(device.clone(), generation, self.support.clone()));
        assert!(told.is_some_and(|step| step.days() <= 1), "{device} is locked out and support was not told");
        if !told.is_some_and(|step| step.is_over()) {
            // Of the end itself it hears on the next day.
            return;
        }
        self.lock_outs += 1;
        let mut transaction = self.fixture.ledger.begin(now).await.unwrap();
        transaction.act_on_device(device, DeviceAction::Retire, "enrolled anew", &OPERATOR).await.unwrap();
        transaction.commit().await.unwrap();
        let known = self.fixture.ledger.everything().device(device).await.unwrap().unwrap();
        self.lives.remove(device);
        self.begin_anew(&Shop { tenant: known.tenant, site: known.site }, now).await;
    }

    /// Somebody comes, and a device begins again, used every day from then on.
    pub(crate) async fn begin_anew(&mut self, shop: &Shop, now: Timestamp) {
        let (device, issued) = self.enroll_at(shop, now).await;
        self.lives.insert(device, Life { certificate: issued, habit: Habit::Daily, was_on_in_time: false });
    }
}
