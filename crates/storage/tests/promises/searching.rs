//! Finding devices by what callers say: the index finds what the rule finds, and nobody's devices but the caller's.

use crate::engines::on_both_engines;
use crate::fixture::{Everything, LedgerFixture, day, operator};
use std::collections::HashSet;
use std::time::Duration;
use tegata_core::encoding::hex;
use tegata_core::entropy::bytes;
use tegata_core::refusal::SpokenCode;
use tegata_core::search::{Search, SearchQuery};
use tegata_core::{
    DeviceId, DeviceState, LoginId, Name, PersonId, PersonRole, Refusal, Roles, SiteId, TenantId,
};
use tegata_storage::{
    DeviceAction, DeviceFilter, DeviceSearch, FoundDevices, LedgerError, MatchedBy, NewPerson, OnFile,
    Principal, ScopedLedger, Site, Tenant,
};

/// What names are made of: few letters, so that words are in many of them by chance.
const PARTS: [&str; 9] = ["あお", "ば", "薬局", "本", "店", "ウケ", "Ａ", "の", "レジ"];

on_both_engines! {
    async fn the_index_finds_what_the_rule_finds_whatever_changes(fixture: LedgerFixture) {
        let crowd = Crowd::furnish(fixture).await;
        // As a ledger is that has just got the index, or has devices that came a moment ago.
        crowd.compare(fixture, "before devices are in the index").await;
        fill(fixture).await;
        crowd.compare(fixture, "by the index").await;
        crowd.rename(fixture).await;
        crowd.compare(fixture, "after everything was called otherwise").await;
        fixture.place.execute("UPDATE site SET search_name = NULL").await;
        assert_eq!(all_found(fixture, "あお").await, None, "a place that is missing: everything is looked through");
        let hits = search(fixture, "あお").await.hits.len();
        assert!(hits > 0);
        fill(fixture).await;
        crowd.compare(fixture, "after it was filled once more").await;
    }

    async fn three_who_write_at_once_leave_an_index_that_finds_everything(fixture: LedgerFixture) {
        let crowd = Crowd::furnish(fixture).await;
        let (one, other) = (crowd.rename(fixture), crowd.rename(fixture));
        let filling = async { for _ in 0..4 { fill(fixture).await } };
        Box::pin(futures_util::future::join3(one, other, filling)).await;
        fill(fixture).await;
        crowd.compare(fixture, "after three who wrote at once").await;
    }

    async fn a_caller_is_shown_own_sites_or_own_tenant_and_nothing_else(fixture: LedgerFixture) {
        let crowd = Crowd::furnish(fixture).await;
        fill(fixture).await;
        for (tenant, sites) in &crowd.tenants {
            let rows = fixture.ledger.within(Principal::operator("test", Some(tenant)).scope());
            let own = named(&rows, "の", None).await;
            assert!(own.iter().all(|(of, _)| of == tenant));
            let at_site = named(&rows, "薬", Some(vec![sites[0].clone()])).await;
            assert!(at_site.iter().all(|(of, site)| of == tenant && *site == sites[0]));
            let elsewhere = crowd.tenants.iter().find(|(other, _)| other != tenant).unwrap();
            assert_eq!(named(&rows, "", Some(vec![elsewhere.1[0].clone()])).await, []);
            let other = DeviceSearch { tenant: Some(elsewhere.0.clone()), ..DeviceSearch::default() };
            assert_eq!(rows.search_devices(&other).await.unwrap().hits, []);
        }
    }

    async fn what_is_exact_comes_first_then_who_came_last(fixture: LedgerFixture) {
        let mut devices = Vec::new();
        for seen in 1..=3u32 {
            let (device, thumbprint) = fixture.enroll(day(0)).await;
            let seen = day(seen).millis();
            fixture.place.script(&format!("UPDATE device SET seen_at = {seen} WHERE id = '{device}'")).await;
            devices.push((device, thumbprint));
        }
        fill(fixture).await;
        let found = search(fixture, "本店のうけつけ").await;
        assert_eq!(found.hits, [], "kanji and kana are not one");
        let found = search(fixture, "本店の受付").await;
        let order: Vec<_> = found.hits.iter().map(|hit| &hit.device.id).collect();
        assert_eq!(order, [&devices[2].0, &devices[1].0, &devices[0].0]);
        let (device, thumbprint) = &devices[0];
        for (text, by) in [
            (device.as_str()[..8].to_owned(), MatchedBy::Number),
            (format!("{}-{}", &device.as_str()[..4], &device.as_str()[4..8]).to_uppercase(), MatchedBy::Number),
            (device.as_str()[4..8].to_owned(), MatchedBy::Number),
            (hex(thumbprint.as_bytes()), MatchedBy::Serial),
        ] {
            let hits = search(fixture, &text).await.hits;
            assert_eq!((&hits[0].device.id, hits[0].by), (device, by), "{text}");
        }
        // Whoever came on the day that is said, or later, comes before the others, whatever else is said.
        let now = day(4);
        let query = SearchQuery::parse("受付 一昨日の3時ごろ使った", now);
        let hits = within(fixture).search_devices(&DeviceSearch { query, ..DeviceSearch::default() }).await.unwrap().hits;
        assert_eq!(hits.len(), 3, "when it was is a hint");
        // A stopped one is found as stopped.
        fixture.act(device, DeviceAction::Suspend, day(4)).await.unwrap();
        let stopped = DeviceSearch { states: vec![DeviceState::Suspended], ..DeviceSearch::default() };
        assert_eq!(within(fixture).search_devices(&stopped).await.unwrap().hits.len(), 1);
    }

    async fn support_hears_a_code_and_knows_which_rule_and_since_when(fixture: LedgerFixture) {
        let (device, _) = fixture.enroll(day(0)).await;
        let said = format!("C-07 {}", device.as_str()[..8].to_uppercase());
        let why = async |text: &str, now| within(fixture).why(&SpokenCode::parse(text), now).await.unwrap();
        let answer = why(&said, day(1)).await;
        assert_eq!((answer.devices.len(), answer.refusal), (1, Some(Refusal::DeviceSuspended)));
        assert_eq!(answer.since, None, "it would be let in now: the code alone says so");
        fixture.act(&device, DeviceAction::Suspend, day(2)).await.unwrap();
        let answer = why(&device.as_str()[..8], day(3)).await;
        assert_eq!((answer.refusal, answer.since), (Some(Refusal::DeviceSuspended), Some(day(2))));
        let answer = why("zzzz zzzz", day(3)).await;
        assert_eq!((answer.devices.len(), answer.refusal), (0, None));
        assert!(why("zzzzzzzz", day(3)).await.in_the_log, "perhaps it is the number of a request");
    }

    async fn a_caller_is_known_by_what_is_on_file_and_nobody_finds_out_by_asking(fixture: LedgerFixture) {
        let person = add_person(fixture, &fixture.tenant, &fixture.site, "田中 花子", "hanako@example.jp").await;
        let before = fixture.audited().await;
        let check = async |said: OnFile<'_>, now| {
            fixture.write(now, async |writing| writing.check_on_file(&person, &said, "T-1", &operator()).await).await
        };
        assert!(check(OnFile::Login("Ｈanako@example.jp"), day(1)).await.unwrap());
        assert!(check(OnFile::Name("田中花子"), day(1)).await.unwrap());
        for said in ["a@example.jp", "b@example.jp", "c@example.jp"] {
            assert!(!check(OnFile::Login(said), day(1)).await.unwrap());
        }
        let refused = check(OnFile::Login("d@example.jp"), day(1)).await.unwrap_err();
        assert!(matches!(refused, LedgerError::Refused(Refusal::TooManyChecks)), "{refused}");
        assert_eq!(fixture.actions_after(before).await, ["person.checked"; 5]);
        for entry in fixture.ledger.audit_entries(before, 9).await.unwrap() {
            assert!(!entry.entry.contains("example") && !entry.entry.contains("花子"), "{}", entry.entry);
        }
        let later = day(1).plus(Duration::from_mins(61));
        assert!(check(OnFile::Name("田中 花子"), later).await.unwrap(), "an hour later it is asked again");
    }
}

/// Three tenants with sites, devices and people whose names are chance.
struct Crowd {
    tenants: Vec<(TenantId, Vec<SiteId>)>,
    people: Vec<PersonId>,
}

impl Crowd {
    async fn furnish(fixture: &LedgerFixture) -> Self {
        let mut crowd = Self { tenants: Vec::new(), people: Vec::new() };
        for _ in 0..3 {
            crowd.add_tenant(fixture).await;
        }
        crowd
    }

    async fn add_tenant(&mut self, fixture: &LedgerFixture) {
        let tenant = Tenant::new(TenantId::random(&fixture.entropy), any_name(fixture));
        let sites: Vec<_> = (0..4)
            .map(|number| {
                let name = format!("{}{number}", any_name(fixture));
                Site { id: SiteId::random(&fixture.entropy), tenant: tenant.id.clone(), name }
            })
            .collect();
        fixture
            .write(day(0), async |transaction| {
                transaction.add_tenant(&tenant, &operator()).await?;
                for site in &sites {
                    transaction.add_site(site, &operator()).await?;
                }
                Ok(())
            })
            .await
            .unwrap();
        let devices = sites.iter().flat_map(|site| [site; 5]).map(|site| {
            let (id, label) = (DeviceId::random(&fixture.entropy), any_name(fixture));
            format!(
                "INSERT INTO device (id, tenant, site, role, label, state, generation, created_at, changed_at) \
                 VALUES ('{id}', '{}', '{}', 'device', '{label}', 'active', 0, 0, 0);",
                tenant.id, site.id
            )
        });
        fixture.place.script(&devices.collect::<String>()).await;
        for number in 0..3 {
            let login = format!("person-{number}");
            let person = add_person(fixture, &tenant.id, &sites[0].id, &any_name(fixture), &login).await;
            self.people.push(person.clone());
            let of_site = DeviceFilter { site: Some(sites[number].id.clone()), ..DeviceFilter::default() };
            let device = fixture.ledger.everything().devices(&of_site).await.unwrap().remove(0).device.id;
            fixture
                .write(day(0), async |writing| writing.assign_device(&device, &[person], &operator()).await)
                .await
                .unwrap();
        }
        self.tenants.push((tenant.id, sites.into_iter().map(|site| site.id).collect()));
    }

    /// One transaction a name: others write between them.
    async fn rename(&self, fixture: &LedgerFixture) {
        let name =
            || Name::of_place(&format!("{}{}", any_name(fixture), bytes::<1>(&fixture.entropy)[0])).unwrap();
        for (tenant, sites) in &self.tenants {
            let own = fixture.ledger.within(Principal::operator("test", Some(tenant)).scope());
            let mut writing = own.begin(day(1)).await.unwrap();
            writing.rename_tenant(tenant, &name(), &operator()).await.unwrap();
            writing.rename_site(&sites[0], &name(), &operator()).await.unwrap();
            writing.commit().await.unwrap();
            let filter = DeviceFilter { site: Some(sites[1].clone()), ..DeviceFilter::default() };
            let device = own.devices(&filter).await.unwrap().remove(0).device.id;
            fixture
                .write(day(1), async |writing| writing.rename_device(&device, &name(), &operator()).await)
                .await
                .unwrap();
        }
        let change = tegata_storage::PersonUpdate { name: Some(name()), ..Default::default() };
        fixture
            .write(day(1), async |writing| writing.change_person(&self.people[0], &change, &operator()).await)
            .await
            .unwrap();
    }

    /// A hundred searches, each by the index and by the rule alone.
    async fn compare(&self, fixture: &LedgerFixture, when: &str) {
        for _ in 0..60 {
            let words =
                (0..=bytes::<1>(&fixture.entropy)[0] % 2).map(|_| any_name(fixture)).collect::<Vec<_>>();
            let text = words.join(" ");
            let expected = by_rule(fixture, &text).await;
            let found = all_found(fixture, &text).await.expect("an index");
            assert_eq!(found, expected, "{when}: {text}");
        }
    }
}

async fn by_rule(fixture: &LedgerFixture, text: &str) -> HashSet<DeviceId> {
    let search = Search::new(&[text]);
    let everything = fixture.ledger.everything();
    let people = everything.people().await.unwrap();
    let mut found = HashSet::new();
    for listed in everything.devices(&DeviceFilter::default()).await.unwrap() {
        let device = &listed.device;
        let users = everything.assigned_people(&device.id).await.unwrap();
        let names: Vec<_> =
            people.iter().filter(|person| users.contains(&person.id)).map(|person| &person.name).collect();
        let place = search.at(&device.tenant_name, &device.site_name);
        if search.finds(&place, &device.label, &names, &device.id) {
            found.insert(device.id.clone());
        }
    }
    found
}

fn any_name(fixture: &LedgerFixture) -> String {
    let [length, parts @ ..] = bytes::<5>(&fixture.entropy);
    let parts = parts.iter().take(1 + usize::from(length) % 4);
    let name: String = parts.map(|part| PARTS[usize::from(*part) % PARTS.len()]).collect();
    // No name begins with what marks a letter before it.
    name.trim_start_matches('の').chars().chain((name.chars().all(|c| c == 'の')).then_some('店')).collect()
}

fn within(fixture: &LedgerFixture) -> ScopedLedger {
    fixture.ledger.everything()
}

async fn fill(fixture: &LedgerFixture) {
    while fixture.ledger.fill_search_index(day(1)).await.unwrap() > 0 {}
}

async fn search(fixture: &LedgerFixture, text: &str) -> FoundDevices {
    let search = DeviceSearch { query: SearchQuery::parse(text, day(4)), ..DeviceSearch::default() };
    within(fixture).search_devices(&search).await.unwrap()
}

async fn all_found(fixture: &LedgerFixture, text: &str) -> Option<HashSet<DeviceId>> {
    let search = DeviceSearch { query: SearchQuery::parse(text, day(4)), ..DeviceSearch::default() };
    let found = within(fixture).all_found(&search).await.unwrap();
    found.map(|found| found.into_iter().map(|listed| listed.device.id).collect())
}

async fn named(rows: &ScopedLedger, text: &str, sites: Option<Vec<SiteId>>) -> Vec<(TenantId, SiteId)> {
    let search = DeviceSearch { query: SearchQuery::parse(text, day(4)), sites, ..DeviceSearch::default() };
    let found = rows.search_devices(&search).await.unwrap();
    found.hits.into_iter().map(|hit| (hit.device.tenant, hit.device.site)).collect()
}

async fn add_person(
    fixture: &LedgerFixture,
    tenant: &TenantId,
    site: &SiteId,
    name: &str,
    login: &str,
) -> PersonId {
    let new = NewPerson {
        id: PersonId::random(&fixture.entropy),
        tenant: tenant.clone(),
        login: LoginId::parse(login).unwrap(),
        name: Name::of_place(name).unwrap(),
        roles: Roles::new([PersonRole::Staff]),
        sites: vec![site.clone()],
        external_key: None,
        awaits_sites: false,
    };
    fixture.write(day(0), async |writing| writing.add_person(&new, &operator()).await).await.unwrap();
    new.id
}
