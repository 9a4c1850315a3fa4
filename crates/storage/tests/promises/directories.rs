//! What a tenant's directory may rely on: a key names one person, a token works as long as it was made for, whoever it deletes
//! is out, and a password of another product leads to setting up an account and no further.

use crate::changed_people::{change, rows};
use crate::engines::on_both_engines;
use crate::fixture::{Everything, LedgerFixture, day, operator};
use crate::people::{add, chosen, is_guard, lasts, new, other_tenant, refused, set_up, start};
use std::time::Duration;
use tegata_core::{
    DeviceId, ExternalKey, LoginId, Name, PersonId, PersonRole, Refusal, Roles, ScimSecret, ScimTokenId,
    SetupCode,
};
use tegata_storage::{
    ExternalKeyUpdate, NewCredential, NewPerson, NewPersonLink, NewScimToken, PeopleFilter, PersonState,
    PersonUpdate, ProvedPassword, Result, SignInAccounts, SignInPolicy, TenantAction,
};

on_both_engines! {
    async fn a_key_of_the_directory_names_one_person_of_a_tenant(fixture: LedgerFixture) {
        let keyed = |login| NewPerson { external_key: Some(key("100")), ..new(fixture, login) };
        let tanaka = keyed("tanaka");
        add(fixture, &tanaka).await.unwrap();
        assert!(is_guard(&add(fixture, &keyed("sato")).await));
        let (tenant, site) = other_tenant(fixture).await;
        add(fixture, &NewPerson { tenant, sites: vec![site], ..keyed("sato") }).await.unwrap();
        let sato = new(fixture, "sato");
        add(fixture, &sato).await.unwrap();
        let taken = PersonUpdate { external_key: ExternalKeyUpdate::Set(key("100")), ..PersonUpdate::default() };
        assert!(is_guard(&change(fixture, &sato.id, &taken).await));
        change(fixture, &tanaka.id, &taken).await.expect("one's own key again");
        let cleared = PersonUpdate { external_key: ExternalKeyUpdate::Clear, ..PersonUpdate::default() };
        change(fixture, &tanaka.id, &cleared).await.unwrap();
        change(fixture, &sato.id, &taken).await.unwrap();
        let filter = PeopleFilter { external_key: Some(key("100")), login_key: Some("sato".into()), ..PeopleFilter::default() };
        let found = fixture.ledger.everything().find_people(&filter, 0, 10).await.unwrap();
        assert_eq!((found.total, found.people.len()), (2, 2), "one of each tenant");
        let page = fixture.ledger.everything().find_people(&PeopleFilter::default(), 1, 1).await.unwrap();
        assert_eq!((page.total, page.people.len()), (3, 1));
    }

    async fn a_directory_adds_people_before_it_says_where_they_work(fixture: LedgerFixture) {
        let homeless = NewPerson { sites: vec![], ..new(fixture, "tanaka") };
        assert!(is_guard(&add(fixture, &homeless).await));
        let awaiting = NewPerson { awaits_sites: true, ..homeless };
        add(fixture, &awaiting).await.unwrap();
        let placed = PersonUpdate { sites: Some(vec![fixture.site.clone()]), ..PersonUpdate::default() };
        change(fixture, &awaiting.id, &placed).await.unwrap();
        let members = fixture.ledger.everything().site_members(Some(&fixture.site)).await.unwrap();
        assert_eq!(members.iter().map(|member| &member.person).collect::<Vec<_>>(), [&awaiting.id]);
        let left = PersonUpdate { sites: Some(vec![]), ..PersonUpdate::default() };
        assert!(is_guard(&change(fixture, &awaiting.id, &left).await));
        change(fixture, &awaiting.id, &PersonUpdate { awaits_sites: true, ..left }).await.unwrap();
    }

    async fn whoever_a_directory_deletes_is_out_and_comes_back_as_who_they_were(fixture: LedgerFixture) {
        let person = crate::people::set_up(fixture, "tanaka").await;
        let device = fixture.enroll(day(0)).await.0;
        let session = start(fixture, &person, &device, 1, day(1)).await.unwrap();
        let show = async |is_shown| fixture.write(day(1), async |transaction| {
            transaction.show_in_directory(&person, is_shown, &operator()).await
        }).await;
        disable(fixture, &person).await.unwrap();
        show(false).await.unwrap();
        assert!(is_guard(&show(false).await));
        assert!(!lasts(fixture, &session, &device, day(1)).await);
        let seen = async || {
            let filter = PeopleFilter { is_in_directory: true, ..PeopleFilter::default() };
            fixture.ledger.everything().find_people(&filter, 0, 10).await.unwrap().total
        };
        assert_eq!(seen().await, 0);
        fixture.write(day(1), async |transaction| transaction.enable_person(&person, "", &operator()).await).await.unwrap();
        assert_eq!(seen().await, 1, "whoever an operator lets in is there again");
        start(fixture, &person, &device, 2, day(1)).await.unwrap();
    }

    async fn the_last_who_can_administrate_is_neither_stopped_nor_demoted(fixture: LedgerFixture) {
        let admin = |login| NewPerson { roles: Roles::new([PersonRole::TenantAdmin]), ..new(fixture, login) };
        let (one, other, third) = (admin("one"), admin("other"), admin("third"));
        add(fixture, &one).await.unwrap();
        let demoted = PersonUpdate { roles: Some(Roles::new([PersonRole::Staff])), ..PersonUpdate::default() };
        let before = fixture.audited().await;
        let refused = async || {
            assert_eq!(refused(&disable(fixture, &one.id).await), Some(Refusal::LastAdministrator));
            assert_eq!(refused(&change(fixture, &one.id, &demoted).await), Some(Refusal::LastAdministrator));
        };
        refused().await;
        assert_eq!(fixture.audited().await, before);
        add(fixture, &other).await.unwrap();
        fixture.write(day(0), async |transaction| transaction.set_break_glass(&other.id, &operator()).await).await.unwrap();
        refused().await;
        add(fixture, &third).await.unwrap();
        disable(fixture, &third.id).await.unwrap();
        refused().await;
        change(fixture, &third.id, &demoted).await.unwrap();
        let both = PersonUpdate { roles: Some(Roles::new([PersonRole::Staff, PersonRole::TenantAdmin])), ..PersonUpdate::default() };
        change(fixture, &one.id, &both).await.unwrap();
        let fourth = admin("fourth");
        add(fixture, &fourth).await.unwrap();
        change(fixture, &one.id, &demoted).await.unwrap();
        let stop = async |transaction: &mut tegata_storage::Transaction| {
            transaction.disable_even_last(&fourth.id, "stolen", &operator()).await
        };
        fixture.write(day(1), stop).await.unwrap();
    }

    async fn whoever_has_nothing_to_sign_in_with_is_no_other_administrator(fixture: LedgerFixture) {
        let one = set_up(fixture, "one").await;
        let administrates = PersonUpdate { roles: Some(Roles::new([PersonRole::TenantAdmin])), ..PersonUpdate::default() };
        change(fixture, &one, &administrates).await.unwrap();
        let invited = NewPerson { roles: Roles::new([PersonRole::TenantAdmin]), ..new(fixture, "two") };
        add(fixture, &invited).await.unwrap();
        assert_eq!(refused(&disable(fixture, &one).await), Some(Refusal::LastAdministrator));
        disable(fixture, &invited.id).await.unwrap();
        let third = NewPerson { roles: Roles::new([PersonRole::TenantAdmin]), ..new(fixture, "three") };
        add(fixture, &third).await.unwrap();
        let link = NewPersonLink {
            tenant: fixture.tenant.clone(),
            person: third.id.clone(),
            issuer: "https://login.example".into(),
            subject: "staff-3".into(),
        };
        fixture.write(day(0), async |transaction| transaction.link_person(&link, &operator()).await).await.unwrap();
        let accounts = async |accounts| {
            let policy = SignInPolicy { accounts, ..SignInPolicy::default() };
            let tenant = &fixture.tenant;
            fixture.write(day(0), async |write| write.set_sign_in_policy(tenant, policy, &operator()).await).await.unwrap();
        };
        accounts(SignInAccounts::Local).await;
        assert_eq!(refused(&disable(fixture, &one).await), Some(Refusal::LastAdministrator), "the provider leads nobody in");
        accounts(SignInAccounts::Both).await;
        disable(fixture, &one).await.unwrap();
    }

    async fn operators_of_all_tenants_that_are_not_stopped_stand_in_for_each_other(fixture: LedgerFixture) {
        let one = set_up(fixture, "one").await;
        let operates = PersonUpdate { roles: Some(Roles::new([PersonRole::Operator])), ..PersonUpdate::default() };
        change(fixture, &one, &operates).await.unwrap();
        let (tenant, _) = other_tenant(fixture).await;
        let other = NewPerson {
            tenant: tenant.clone(),
            roles: Roles::new([PersonRole::Operator]),
            sites: Vec::new(),
            ..new(fixture, "two")
        };
        add(fixture, &other).await.unwrap();
        let within_own_tenant = async || {
            let mut transaction = rows(fixture).begin(day(1)).await.unwrap();
            let stopped = transaction.disable_person(&one, "", &operator()).await;
            (refused(&stopped), stopped.is_ok())
        };
        let is_last = (Some(Refusal::LastAdministrator), false);
        assert_eq!(within_own_tenant().await, is_last, "the other was only invited");
        let brings = async |transaction: &mut tegata_storage::Transaction| {
            transaction.import_password(&other.id, "hash", &operator()).await
        };
        fixture.write(day(0), brings).await.unwrap();
        assert_eq!(within_own_tenant().await, (None, true));
        let act = TenantAction::Suspend;
        fixture.write(day(0), async |write| write.act_on_tenant(&tenant, act, "", &operator()).await).await.unwrap();
        assert_eq!(within_own_tenant().await, is_last);
        disable(fixture, &other.id).await.expect("nobody operates anything from there");
    }

    async fn somebody_comes_to_a_site_and_goes_and_keeps_the_others(fixture: LedgerFixture) {
        let person = crate::people::set_up(fixture, "tanaka").await;
        let (device, other) = (fixture.enroll(day(0)).await.0, crate::changed_people::another_site(fixture).await);
        let session = start(fixture, &person, &device, 1, day(1)).await.unwrap();
        let set = async |site, works_there| fixture.write(day(1), async |transaction| {
            transaction.set_works_at(&person, site, works_there, &operator()).await
        }).await;
        let sites = async || {
            let found = fixture.ledger.everything().person(&person).await.unwrap().unwrap();
            found.sites.into_iter().map(|site| site.id).collect::<Vec<_>>()
        };
        assert_eq!(set(&other, true).await.unwrap(), 0);
        assert!(is_guard(&set(&other, true).await), "it is so already");
        assert_eq!(sites().await.len(), 2);
        assert_eq!(set(&fixture.site, false).await.unwrap(), 1, "the session there ends");
        assert!(is_guard(&set(&fixture.site, false).await));
        assert!(!lasts(fixture, &session, &device, day(1)).await);
        assert_eq!(sites().await, [other]);
    }

    async fn a_token_of_a_directory_works_for_its_time_until_it_is_revoked(fixture: LedgerFixture) {
        let (secret, other) = (ScimSecret::random(&fixture.entropy), ScimSecret::random(&fixture.entropy));
        let token = make_token(fixture, &secret, [PersonRole::Staff]).await.unwrap();
        let second = make_token(fixture, &other, [PersonRole::TenantAdmin]).await.unwrap();
        assert!(is_guard(&make_token(fixture, &ScimSecret::random(&fixture.entropy), [PersonRole::Operator]).await));
        let known = async |secret| fixture.ledger.scim_token(secret).await.unwrap();
        let found = known(&secret).await.unwrap();
        assert_eq!((&found.id, &found.tenant), (&token, &fixture.tenant));
        assert!(found.works_at(day(8)) && !found.works_at(day(9)) && found.used_at.is_none());
        let nobodys = ScimSecret::random(&fixture.entropy);
        assert_eq!(known(&nobodys).await, None);
        let used = async |at| fixture.write(at, async |transaction| transaction.use_scim_token(&token).await).await.unwrap();
        assert!(used(day(1)).await && !used(day(1).plus(Duration::from_secs(59))).await);
        assert_eq!(known(&secret).await.unwrap().used_at, Some(day(1)));
        let required = async |at| fixture.write(at, async |transaction| transaction.require_scim_token(&token).await).await;
        required(day(2)).await.unwrap();
        assert_eq!(refused(&required(day(9)).await), Some(Refusal::ScimTokenWrong));
        let revoke = async || fixture.write(day(2), async |transaction| {
            transaction.revoke_scim_token(&token, &operator()).await
        }).await;
        revoke().await.unwrap();
        assert!(is_guard(&revoke().await));
        assert!(!known(&secret).await.unwrap().works_at(day(2)));
        assert_eq!(refused(&required(day(2)).await), Some(Refusal::ScimTokenWrong));
        assert_eq!(known(&other).await.map(|other| (other.works_at(day(2)), other.id)), Some((true, second)));
        for entry in fixture.ledger.audit_entries(0, 1000).await.unwrap() {
            assert!(!entry.entry.contains(secret.reveal()));
        }
    }

    async fn a_password_of_another_product_leads_to_setting_up_an_account(fixture: LedgerFixture) {
        let person = new(fixture, "tanaka");
        add(fixture, &person).await.unwrap();
        let import = async |hash: &str| fixture.write(day(0), async |transaction| {
            transaction.import_password(&person.id, hash, &operator()).await
        }).await.unwrap();
        let device = fixture.enroll(day(0)).await.0;
        assert!(!is_candidate(fixture, &device).await);
        assert!(import("one").await && !import("one").await && import("two").await);
        assert!(is_candidate(fixture, &device).await);
        let [code, later] = [SetupCode::random(&fixture.entropy), SetupCode::random(&fixture.entropy)];
        let prove = async |before, kept, code| prove(fixture, (&person.id, &device), (before, kept), code).await;
        assert_eq!(refused(&prove("one", Some("own"), &code).await), Some(Refusal::SignInWrong));
        prove("two", None, &code).await.unwrap();
        assert!(!fixture.ledger.open_setup(&code, day(1)).await.unwrap().may_keep_password);
        prove("two", Some("own"), &later).await.unwrap();
        assert!(!import("three").await, "whoever has signed in with one keeps it");
        assert!(fixture.ledger.open_setup(&code, day(1)).await.is_err(), "the newest link alone works");
        assert!(fixture.ledger.open_setup(&later, day(1)).await.unwrap().may_keep_password);
        let kept = NewCredential { password: None, ..chosen() };
        fixture.write(day(1), async |transaction| transaction.set_up_person(&later, &kept).await).await.unwrap();
        let candidate = candidate(fixture, &device).await.unwrap();
        assert_eq!((candidate.password.as_str(), candidate.is_imported), ("own", false));
        assert!(!import("three").await, "whoever has an account keeps it");
        start(fixture, &person.id, &device, 1, day(1)).await.unwrap();
    }

    async fn nobody_keeps_a_password_that_was_never_shown_or_was_reset(fixture: LedgerFixture) {
        let person = new(fixture, "tanaka");
        add(fixture, &person).await.unwrap();
        let device = fixture.enroll(day(0)).await.0;
        let kept = NewCredential { password: None, ..chosen() };
        let [code, reset] = [SetupCode::random(&fixture.entropy), SetupCode::random(&fixture.entropy)];
        fixture.write(day(0), async |transaction| {
            transaction.import_password(&person.id, "one", &operator()).await?;
            transaction.make_setup_link(&person.id, &code, day(2), &operator()).await
        }).await.unwrap();
        let set_up = async |code| fixture.write(day(1), async |transaction| transaction.set_up_person(code, &kept).await).await;
        assert_eq!(refused(&set_up(&code).await), Some(Refusal::FormOutdated));
        prove(fixture, (&person.id, &device), ("one", Some("own")), &code).await.unwrap();
        fixture.write(day(1), async |transaction| {
            transaction.reset_person(&person.id, &reset, day(2), &operator()).await
        }).await.unwrap();
        assert!(!fixture.ledger.open_setup(&reset, day(1)).await.unwrap().may_keep_password);
        assert_eq!(refused(&set_up(&reset).await), Some(Refusal::FormOutdated));
        assert!(!is_candidate(fixture, &device).await);
    }
}

fn key(text: &str) -> ExternalKey {
    ExternalKey::parse(text).unwrap()
}

async fn disable(fixture: &LedgerFixture, person: &PersonId) -> Result<u64> {
    fixture.write(day(1), async |transaction| transaction.disable_person(person, "", &operator()).await).await
}

async fn make_token(
    fixture: &LedgerFixture,
    secret: &ScimSecret,
    roles: [PersonRole; 1],
) -> Result<ScimTokenId> {
    let new = NewScimToken {
        id: ScimTokenId::random(&fixture.entropy),
        tenant: fixture.tenant.clone(),
        name: Name::of_place("Entra ID").unwrap(),
        roles: Roles::new(roles),
        expires_at: day(9),
    };
    fixture
        .write(day(0), async |transaction| transaction.add_scim_token(&new, secret, &operator()).await)
        .await?;
    Ok(new.id)
}

async fn prove(
    fixture: &LedgerFixture,
    (person, device): (&PersonId, &DeviceId),
    (before, kept): (&str, Option<&str>),
    code: &SetupCode,
) -> Result<()> {
    let proved = ProvedPassword { person, device, before, kept, code, until: day(2) };
    fixture.write(day(1), async |transaction| transaction.prove_imported_password(&proved).await).await
}

async fn candidate(fixture: &LedgerFixture, device: &DeviceId) -> Option<tegata_storage::SignInCandidate> {
    let login = LoginId::parse("tanaka").unwrap().key();
    fixture.ledger.everything().sign_in_candidate(&login, device).await.unwrap()
}

/// Whether somebody may sign in with a password of another product.
async fn is_candidate(fixture: &LedgerFixture, device: &DeviceId) -> bool {
    let candidate = candidate(fixture, device).await;
    candidate.is_some_and(|candidate| candidate.is_imported && candidate.who.state == PersonState::Active)
}
