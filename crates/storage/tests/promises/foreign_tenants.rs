//! Tenants are walls: whatever a scope offers is tried with another tenant's identifiers, and answers as for what does not
//! exist.

use crate::engines::{EnginePlace, on_both_engines, run};
use crate::fixture::{DAY, Everything, InvitedDevice, LedgerFixture, day, operator};
use crate::scope_classes::scoped_methods;
use std::collections::BTreeMap;
use std::fmt::Debug;
use tegata_core::entropy::bytes;
use tegata_core::feed::TokenHolder;
use tegata_core::id::InvitationCode;
use tegata_core::refusal::SpokenCode;
use tegata_core::renewal::{RenewalPolicy, RenewalRules};
use tegata_core::search::SearchQuery;
use tegata_core::transfer::{PlannedSite, TransferApproval, TransferChange, TransferPlan, TransferSide};
use tegata_core::{
    ApprovalId, Contact, DeviceId, EnrollmentPolicy, ExternalKey, Guidance, InvitationBatchId, InvitationId,
    Justification, KittingId, LoginId, Name, PasskeyId, PersonId, PersonRole, Platform, ReviewId,
    RevocationReason, Role, Roles, ScimSecret, ScimTokenId, SessionId, SetupCode, SiteId, StopCause,
    TenantId, Thumbprint, Timestamp, TransferId,
};
use tegata_storage::{
    Actor, AnsweredCaller, ChangeAuthor, CreatesPeople, DeviceAction, DeviceChange, DeviceFilter, DevicePage,
    DeviceSearch, EmergencyCode, EntrancePage, EntranceSpell, ExpiryWeeks, KeptAnswer, License, Lineage,
    LossReports, NewApproval, NewCredential, NewInvitation, NewKitting, NewPerson, NewPersonLink,
    NewPersonPasskey, NewScimToken, NewTransfer, NewTransferApproval, OnFile, PeopleFilter, PeoplePolicy,
    PersonUpdate, PolicyPlace, Principal, ProofTime, ProvedPassword, ProviderLogout, ProviderUse, Result,
    ReviewAnswer, Scope, ScopedLedger, SecondFactorUse, SignInAccounts, SignInPolicy, Site, StartSession,
    Tenant, TenantAction, TrailPage, Transaction, UsedChallenge,
};

/// What one tenant has, by name.
struct Possessions {
    tenant: TenantId,
    site: SiteId,
    device: DeviceId,
    /// Another device of the site, that was reported lost.
    lost: DeviceId,
    certificate: Thumbprint,
    invitation: InvitationId,
    claimed: InvitationId,
    kitting: KittingId,
    approval: ApprovalId,
    /// Signed in on the device, which is theirs alone.
    person: PersonId,
    disabled: PersonId,
    session: SessionId,
    passkey: PasskeyId,
    /// The event of a change that the person made.
    change: u64,
    /// Who answers for the others, and comes with a password of another product.
    admin: PersonId,
    scim_token: ScimTokenId,
    /// Open, with the person in it.
    review: ReviewId,
    /// To somebody who is neither of the two, with one approval.
    transfer: TransferId,
    /// Signed in at the tenant's provider.
    linked: PersonId,
    at_provider: SessionId,
    /// With an invitation in it.
    batch: InvitationBatchId,
    other_site: SiteId,
}

/// The hashes of the session's token and of a recovery code, and the login.
const SESSION: &[u8] = &[5; 32];
const RECOVERY: &[u8] = b"recovery";
const LOGIN: &str = "tanaka";

/// Who somebody is at the tenant's provider.
const ISSUER: &str = "https://login.example";
const SUBJECT: &str = "staff-1";

/// What the person's authenticator calls its passkey.
const PASSKEY: &[u8] = b"a passkey";

/// What the person calls a view of the list.
const VIEW: &str = "長く使われていない端末";

/// What another product has hashed of the administrator's password, and what the directory calls the site.
const FOREIGN_HASH: &str = "a foreign hash";
const SITE_KEY: &str = "S-1";

/// What each method answered.
type Answers = BTreeMap<&'static str, String>;

on_both_engines! {
    async fn whatever_a_scope_offers_answers_a_stranger_as_if_it_were_not_there(fixture: LedgerFixture) {
        try_everything(fixture).await;
    }
}

#[test]
fn a_tenant_does_all_it_may_behind_row_level_security() {
    run(async {
        let fixture = LedgerFixture::open(EnginePlace::postgres_of_owner()).await;
        try_everything(&fixture).await;
        fixture.ledger.close().await;
        fixture.place.clear().await;
    });
}

async fn try_everything(fixture: &LedgerFixture) {
    let (own, nobodys) = (Possessions::of(fixture).await, Possessions::of_nobody(fixture));
    let stranger = scope_of(&add_tenant(fixture).await);
    let mut found = answers(fixture, &stranger, &own).await;
    let expected = answers(fixture, &stranger, &nobodys).await;
    let holder = answers(fixture, &scope_of(&fixture.tenant), &own).await;
    for (name, answer) in &found {
        assert_eq!(*answer, expected[name], "{name} told a stranger something");
        assert_ne!(
            *answer, holder[name],
            "{name} tells its own tenant nothing either: the trial proves nothing"
        );
        assert!(!holder[name].starts_with("Err"), "{name} refuses its own tenant: {}", holder[name]);
    }
    for name in scoped_methods() {
        assert!(
            found.remove(name.as_str()).is_some(),
            "{name} was not tried with another tenant's identifiers"
        );
    }
    assert!(found.is_empty(), "there are no such methods: {found:?}");
}

fn renewal_rules() -> RenewalRules {
    RenewalRules { spread_days: Some(7), ..RenewalRules::default() }
}

fn scope_of(tenant: &TenantId) -> Scope {
    Principal::operator("test", Some(tenant)).scope()
}

async fn answers(fixture: &LedgerFixture, scope: &Scope, of: &Possessions) -> Answers {
    let rows = fixture.ledger.within(scope.clone());
    // Each is a future of many: together they are more than a stack holds.
    let mut answers = Box::pin(reads(&rows, of)).await;
    Box::pin(write_each(fixture, &rows, of, &mut answers)).await;
    answers
}

async fn about_figures(rows: &ScopedLedger, note: &mut (impl FnMut(&'static str, &dyn Debug) + Send)) {
    note("confirmed_changes", &rows.confirmed_changes(5).await);
    note("fleet_counts", &rows.fleet_counts(None).await);
    let weeks = rows.renewal_weeks(None, RenewalPolicy::default(), (day(1), 60)).await;
    note("renewal_weeks", &weeks);
    note("tenant_keys", &rows.tenant_keys().await);
    note("register_keys", &rows.register_keys().await);
}

async fn about_transfers(
    rows: &ScopedLedger,
    of: &Possessions,
    note: &mut (impl FnMut(&'static str, &dyn Debug) + Send),
) {
    note("transfers", &rows.transfers().await);
    note("transfer", &rows.transfer(&of.transfer).await);
    let plan = rows.transfer(&of.transfer).await.unwrap().map(|transfer| transfer.plan);
    if let Some(plan) = plan {
        note("present_at_sites", &rows.present_at_sites(&plan).await);
    } else {
        note("present_at_sites", &"no plan");
    }
    note("transfer_forecast", &rows.transfer_forecast(&of.transfer, day(2)).await);
    note("transfer_approvals", &rows.transfer_approvals(&of.transfer).await);
    note("transfer_result", &rows.transfer_result(&of.transfer).await);
}

async fn about_the_console(
    rows: &ScopedLedger,
    of: &Possessions,
    note: &mut (impl FnMut(&'static str, &dyn Debug) + Send),
) {
    let within = EntranceSpell { from: day(0), until: day(2) };
    let at_site = EntrancePage { site: of.site.clone(), within, after: None, limit: 5 };
    note("entrances", &rows.entrances(&at_site).await);
    note("users_of", &rows.users_of(&of.device).await);
    let weeks = ExpiryWeeks { tenant: of.tenant.clone(), within: None, from: day(0), weeks: 600 };
    note("expiries", &rows.expiries(&weeks).await);
    note("saved_views", &rows.saved_views(&of.person).await);
    let trail = TrailPage {
        tenant: of.tenant.clone(),
        device: None,
        person: None,
        from: None,
        until: None,
        before: None,
        limit: 5,
    };
    note("trail", &rows.trail(&trail).await.map(|trail| trail.entries));
}

async fn about_invitations_and_copies(
    rows: &ScopedLedger,
    of: &Possessions,
    note: &mut (impl FnMut(&'static str, &dyn Debug) + Send),
) {
    note("invitation_batches", &rows.invitation_batches(&of.tenant).await);
    note("invitation_batch", &rows.invitation_batch(&of.batch).await);
    note("invitations_of_batch", &rows.invitations_of_batch(&of.batch, day(1)).await);
    note("unused_invitations", &rows.unused_invitations(day(0), day(1)).await);
    note("sent_invitation", &rows.sent_invitation(&of.invitation, day(1)).await);
    note("copy_alarms", &rows.copy_alarms(5).await);
    note("copy_alarm_of", &rows.copy_alarm_of(&of.device).await);
}

async fn about_renewals(
    rows: &ScopedLedger,
    of: &Possessions,
    note: &mut (impl FnMut(&'static str, &dyn Debug) + Send),
) {
    let place = PolicyPlace { tenant: of.tenant.clone(), site: Some(of.site.clone()) };
    note("renewal_rules", &rows.renewal_rules().await);
    note("renewal_rules_of", &rows.renewal_rules_of(&of.site).await);
    note("ending_before", &rows.ending_before(Timestamp::END).await);
    let mut ending = Vec::new();
    rows.each_ending_before(Timestamp::END, |one| ending.push(one)).await.unwrap();
    note("each_ending_before", &ending);
    note("made_before", &rows.made_before(&place, Timestamp::END, day(1)).await);
    note("renewed_since", &rows.renewed_since(&place, day(0), day(1)).await);
}

async fn reads(rows: &ScopedLedger, of: &Possessions) -> Answers {
    let mut answers = Answers::new();
    let mut note = |name, answer: &dyn Debug| assert!(answers.insert(name, format!("{answer:?}")).is_none());
    let filter = DeviceFilter { tenant: Some(of.tenant.clone()), ..DeviceFilter::default() };
    let place = PolicyPlace { tenant: of.tenant.clone(), site: Some(of.site.clone()) };
    let mut each = Vec::new();
    rows.each_device(&filter, |device| each.push(device)).await.unwrap();
    note("each_device", &each);
    note("devices", &rows.devices(&filter).await);
    note("device", &rows.device(&of.device).await);
    note("ledger_device", &rows.ledger_device(&of.device).await);
    let page = DevicePage { tenant: Some(of.tenant.clone()), limit: 5, ..DevicePage::default() };
    note("device_page", &rows.device_page(&page).await);
    Box::pin(about_the_console(rows, of, &mut note)).await;
    Box::pin(about_figures(rows, &mut note)).await;
    Box::pin(about_invitations_and_copies(rows, of, &mut note)).await;
    Box::pin(about_renewals(rows, of, &mut note)).await;
    Box::pin(about_transfers(rows, of, &mut note)).await;
    note("last_change_of", &rows.last_change_of(&of.device).await);
    note("device_change", &rows.device_change(of.change).await);
    note("acting_person", &rows.acting_person(&of.session, &of.device, day(1)).await);
    note("devices_numbered", &rows.devices_numbered(&of.device.as_str()[..8]).await);
    note("find_certificates", &rows.find_certificates(of.certificate.as_bytes()).await);
    let said = |text: &str| SearchQuery::parse(text, day(1));
    let search = DeviceSearch { query: said(&of.device.as_str()[..8]), ..DeviceSearch::default() };
    note("search_devices", &rows.search_devices(&search).await);
    note("all_found", &rows.all_found(&search).await);
    note("why", &rows.why(&SpokenCode::parse(&of.device.as_str()[..8]), day(1)).await.map(|why| why.devices));
    note("certificates_of", &rows.certificates_of(&of.device).await);
    note("waiting", &rows.waiting(day(1)).await.map(|waiting| waiting.len()));
    note("approval", &rows.approval(&of.approval).await);
    note("open_invitations", &rows.open_invitations(day(1)).await.map(|open| open.len()));
    note("invitation_of", &rows.invitation_of(&of.device).await);
    note("invitation", &rows.invitation(&of.invitation).await);
    note("is_replaceable", &rows.is_replaceable(&of.claimed).await);
    note("kitting", &rows.kitting(&of.kitting).await);
    note("kittings", &rows.kittings().await);
    note("kitting_places", &rows.kitting_places(&of.kitting).await);
    note("guidance_of", &rows.guidance_of(&of.site).await);
    note("guidance_at", &rows.guidance_at(&place).await);
    note("licenses", &rows.licenses().await);
    note("policies", &rows.policies().await);
    note("devices_of_site", &rows.devices_of_site(&of.site).await);
    note("loss_reports", &rows.loss_reports(&of.tenant).await);
    note("loss_report_on", &rows.loss_report_on(&of.lost).await);
    note("history_of", &rows.history_of(&of.device, u64::MAX, 5).await);
    note("last_entry_of", &rows.last_entry_of(&of.device, "certificate.issued", "").await);
    note("audit_of", &rows.audit_of(&of.device, 5).await);
    note("token_days_of", &rows.token_days_of(&of.device, 5).await);
    note("tokens_before", &rows.tokens_before(&of.device).await);
    note("tenants", &rows.tenants().await.map(|all| all.iter().any(|tenant| tenant.id == of.tenant)));
    note("sites", &rows.sites(&of.tenant).await);
    note("people", &rows.people().await.map(|all| all.len()));
    note("person", &rows.person(&of.person).await);
    note("sessions_of", &rows.sessions_of(&of.person, day(1)).await);
    note("assigned_people", &rows.assigned_people(&of.device).await);
    let candidate = rows.sign_in_candidate(&LoginId::parse(LOGIN).unwrap().key(), &of.device).await;
    note("sign_in_candidate", &candidate.map(|candidate| candidate.map(|known| known.who.person)));
    note("has_person_code", &rows.has_person_code(&of.person, RECOVERY, day(1)).await);
    note("has_people", &rows.has_people().await);
    note("passkeys_of", &rows.passkeys_of(&of.person).await);
    let passkey = rows.passkey_candidate(PASSKEY, &of.device).await;
    note("passkey_candidate", &passkey.map(|found| found.map(|known| known.passkey)));
    let filter = PeopleFilter { person: Some(of.person.clone()), ..PeopleFilter::default() };
    note("find_people", &rows.find_people(&filter, 0, 10).await);
    note("site_members", &rows.site_members(Some(&of.site)).await);
    note("directory_sites", &rows.directory_sites(&of.tenant).await);
    note("scim_tokens", &rows.scim_tokens().await.map(|tokens| tokens.len()));
    note("people_policy", &rows.people_policy(&of.tenant).await);
    note("open_reviews", &rows.open_reviews().await.map(|reviews| reviews.len()));
    note("links_of", &rows.links_of(&of.linked).await.map(|links| links.len()));
    note(
        "links_with",
        &rows.links_with(ISSUER).await.map(|links| links.iter().any(|(person, _)| *person == of.linked)),
    );
    let linked = rows.linked_person(ISSUER, SUBJECT, &of.device).await;
    note("linked_person", &linked.map(|found| found.map(|known| known.person)));
    note("provider_session", &rows.provider_session(&of.at_provider).await);
    note("sign_in_policy", &rows.sign_in_policy(&of.tenant).await);
    note("session", &rows.session(SESSION, &of.device, day(1)).await);
    note("site", &rows.site(&of.site).await);
    note("some_sites", &rows.some_sites(&of.tenant, 5).await.map(|some| some.len()));
    note("all_sites", &rows.all_sites().await.map(|all| all.iter().any(|site| site.id == of.site)));
    answers
}

/// Each write in a transaction of its own, which is given up.
#[allow(clippy::too_many_lines, reason = "a line or two for each method")]
async fn write_each(fixture: &LedgerFixture, rows: &ScopedLedger, of: &Possessions, answers: &mut Answers) {
    let actor = &operator();
    let (entropy, now) = (&fixture.entropy, day(2));
    let place = &PolicyPlace { tenant: of.tenant.clone(), site: None };
    let license = |product: &str| License { product: product.into(), tenant: of.tenant.clone(), site: None };
    let site = Site { id: SiteId::random(entropy), tenant: of.tenant.clone(), name: "新店".into() };
    let code = InvitationCode::random(entropy);
    let (tenant, named) = (of.tenant.clone(), of.site.clone());
    let invitation = NewInvitation {
        id: InvitationId::random(entropy),
        code: &code,
        tenant: tenant.clone(),
        site: named.clone(),
        role: Role::Device,
        label: "侵入".into(),
        expires_at: now.plus(DAY),
    };
    let kitting = kitting(KittingId::random(entropy), &code, &tenant, &named);
    let guidance = Guidance { contact: Some(Contact::new("本部", "03-1234-5678").unwrap()), product: None };
    let policy = EnrollmentPolicy { devices: Some(3), ..EnrollmentPolicy::default() };
    let reason = RevocationReason::KeyCompromise;
    macro_rules! write {
        ($name:ident($($argument:expr),*)) => {{
            let mut transaction = rows.begin(now).await.unwrap();
            let answer = transaction.$name($($argument),*).await;
            assert!(answers.insert(stringify!($name), format!("{answer:?}")).is_none());
        }};
    }
    write!(add_site(&site, actor));
    let called = Name::of_place("侵入").unwrap();
    write!(rename_tenant(&tenant, &called, actor));
    write!(rename_site(&of.site, &called, actor));
    write!(rename_device(&of.device, &called, actor));
    write!(check_on_file(&of.person, &OnFile::Name("田中 花子"), "", actor));
    write!(set_loss_reports(&tenant, LossReports::Off, actor));
    write!(set_guidance(place, &guidance, actor));
    write!(policy(place));
    write!(renewal_rules_at(place));
    write!(set_renewal_rules(place, &renewal_rules(), "", actor));
    write!(set_policy(place, &policy, actor));
    write!(grant_license(&license("https://other.example"), actor));
    write!(withdraw_license(&license("https://product.example"), actor));
    write!(act_on_tenant(&tenant, TenantAction::Suspend, "", actor));
    write!(deny_tokens(&TokenHolder::Device(of.device.clone()), None, "", actor));
    write!(act_on_device(&of.device, DeviceAction::Suspend, "", actor));
    write!(act_on_device_because(&of.device, DeviceAction::Revoke(reason), None, "", actor));
    write!(device_in_hand(&of.device));
    write!(note_device_change(&change(of, of.change + 100)));
    write!(confirm_device_change(of.change, "{}"));
    write!(approval_in_hand(&of.approval));
    write!(answer_before(AnsweredCaller::Person(&of.person), "a key"));
    keep_answer(fixture, rows, of, answers).await;
    write!(report_lost(&of.device, &of.device));
    write!(revoke_certificate(&of.certificate, reason, Lineage::Whole, "", actor));
    write!(revoke_certificate_because(&of.certificate, StopCause::KeyCompromise, Lineage::Whole, "", actor));
    write!(invite(&invitation, actor));
    write!(set_short_code(&of.invitation, &[7; 32], now, actor));
    write!(withdraw_invitation(&of.invitation, actor));
    write!(add_kitting(&kitting, actor));
    write!(end_kitting(&of.kitting, actor));
    write!(approve(&of.approval, actor));
    write!(decline(&of.approval, "not ours", actor));
    let person = NewPerson {
        id: PersonId::random(entropy),
        tenant: tenant.clone(),
        login: LoginId::parse("intruder").unwrap(),
        name: Name::of_place("侵入").unwrap(),
        roles: Roles::new([PersonRole::Staff]),
        sites: vec![of.site.clone()],
        external_key: None,
        awaits_sites: false,
    };
    let setup = SetupCode::random(entropy);
    let because = Justification::new("x", "T-1").unwrap();
    let emergency = EmergencyCode { hash: vec![1], expires_at: day(3), because: &because };
    let session = StartSession { id: SessionId::random(entropy), token_hash: vec![2; 32], ..session(of, 2) };
    write!(justify_session(&of.session, Some(&because), actor));
    write!(add_person(&person, actor));
    write!(disable_person(&of.person, "", actor));
    write!(enable_person(&of.disabled, "", actor));
    write!(sign_out_person(&of.person, "", actor));
    write!(make_setup_link(&of.person, &setup, day(3), actor));
    write!(reset_person(&of.person, &setup, day(3), actor));
    write!(give_emergency_code(&of.person, &emergency, actor));
    write!(assign_device(&of.device, std::slice::from_ref(&of.person), actor));
    write!(start_session(&session));
    write!(end_session(&of.person, &of.session, actor));
    write!(require_session(&of.person, &of.session));
    write!(end_other_sessions(&of.person, &of.session, actor));
    let another = passkey(fixture, &of.person, b"another");
    let renamed = PersonUpdate { name: Name::of_place("侵入").ok(), ..PersonUpdate::default() };
    write!(add_passkey(&another, &of.session));
    write!(remove_passkey(&of.person, &of.session, &of.passkey));
    write!(change_person(&of.person, &renamed, actor));
    write!(set_break_glass(&of.person, actor));
    write!(change_password(&of.person, &of.session, "a PHC string", "another"));
    write!(change_totp(&of.person, &of.session, b"another", 9));
    write!(replace_recovery_codes(&of.person, &of.session, &[]));
    let secret = ScimSecret::random(entropy);
    let proved = ProvedPassword {
        person: &of.admin,
        device: &of.device,
        before: FOREIGN_HASH,
        kept: None,
        code: &setup,
        until: day(3),
    };
    let people_policy = PeoplePolicy { review_days: Some(7), ..PeoplePolicy::default() };
    write!(show_in_directory(&of.person, false, actor));
    write!(set_site_key(&of.site, ExternalKey::parse("S-2").ok().as_ref(), actor));
    write!(add_scim_token(&scim_token(ScimTokenId::random(entropy), &tenant), &secret, actor));
    write!(revoke_scim_token(&of.scim_token, actor));
    write!(use_scim_token(&of.scim_token));
    write!(import_password(&of.admin, "another", actor));
    write!(prove_imported_password(&proved));
    write!(set_people_policy(&tenant, &people_policy, actor));
    write!(answer_review(&of.review, &of.person, ReviewAnswer::Confirmed, &of.admin, actor));
    Box::pin(write_of_the_console(rows, of, answers)).await;
    Box::pin(write_about_a_directory(rows, of, answers)).await;
    Box::pin(write_about_providers(rows, of, answers)).await;
    use_session(fixture, rows, of, answers).await;
}

fn scim_token(id: ScimTokenId, tenant: &TenantId) -> NewScimToken {
    let (name, roles) = (Name::of_place("Entra ID").unwrap(), Roles::new([PersonRole::Staff]));
    NewScimToken { id, tenant: tenant.clone(), name, roles, expires_at: day(9) }
}

async fn write_of_the_console(rows: &ScopedLedger, of: &Possessions, answers: &mut Answers) {
    macro_rules! write {
        ($name:ident($($argument:expr),*)) => {{
            let mut transaction = rows.begin(day(2)).await.unwrap();
            let answer = transaction.$name($($argument),*).await;
            assert!(answers.insert(stringify!($name), format!("{answer:?}")).is_none());
        }};
    }
    write!(act_as(&of.session, &of.device, None));
    write!(save_view(&of.person, &Name::label("侵入").unwrap(), "state=active"));
    write!(forget_view(&of.person, VIEW));
    let (actor, called) = (&operator(), Name::label("侵入").unwrap());
    let another = InvitationBatchId::parse(&"0".repeat(26)).unwrap();
    write!(add_invitation_batch(&another, &of.tenant, &called, actor));
    write!(put_into_batch(&of.invitation, &of.batch));
    write!(take_place_in_batch(&of.invitation, &of.claimed));
    write!(dismiss_copy_alarm(&of.device, "", actor));
    write!(move_device_to(&of.device, &of.other_site, "", actor));
}

/// What a tenant's directory says of people, and what a request of it reads where it writes.
async fn write_about_a_directory(rows: &ScopedLedger, of: &Possessions, answers: &mut Answers) {
    let (actor, now) = (&operator(), day(2));
    macro_rules! write {
        ($name:ident($($argument:expr),*)) => {{
            let mut transaction = rows.begin(now).await.unwrap();
            let answer = transaction.$name($($argument),*).await;
            assert!(answers.insert(stringify!($name), format!("{answer:?}")).is_none());
        }};
    }
    write!(disable_even_last(&of.person, "", actor));
    write!(set_works_at(&of.person, &of.site, false, actor));
    write!(person_in_hand(&of.person));
    let wanted = PeopleFilter { person: Some(of.person.clone()), ..PeopleFilter::default() };
    write!(people_in_hand(&wanted));
    write!(directory_sites_in_hand(&of.tenant));
    write!(site_members_in_hand(&of.site));
    write!(require_scim_token(&of.scim_token));
    write!(require_active_tenant(&of.tenant));
}

async fn write_about_providers(rows: &ScopedLedger, of: &Possessions, answers: &mut Answers) {
    let (actor, now) = (&operator(), day(2));
    macro_rules! write {
        ($name:ident($($argument:expr),*)) => {{
            let mut transaction = rows.begin(now).await.unwrap();
            let answer = transaction.$name($($argument),*).await;
            assert!(answers.insert(stringify!($name), format!("{answer:?}")).is_none());
        }};
    }
    let link = NewPersonLink { person: of.person.clone(), subject: "another".into(), ..link(of) };
    let token = UsedChallenge { hash: b"logout".to_vec(), expires_at: day(3) };
    let logout = ProviderLogout {
        tenant: &of.tenant,
        issuer: ISSUER,
        subject: None,
        session: Some("s-1"),
        before: now,
        remembered_until: day(3),
        token: &token,
    };
    write!(set_sign_in_policy(&of.tenant, SignInPolicy::default(), actor));
    write!(link_person(&link, actor));
    write!(unlink_person(&of.linked, ISSUER, actor));
    write!(end_provider_sessions(&logout, actor));
}

fn link(of: &Possessions) -> NewPersonLink {
    NewPersonLink {
        tenant: of.tenant.clone(),
        person: of.linked.clone(),
        issuer: ISSUER.into(),
        subject: SUBJECT.into(),
    }
}

fn at_provider() -> ProviderUse {
    ProviderUse {
        answered: UsedChallenge { hash: b"state".to_vec(), expires_at: day(3) },
        issuer: ISSUER.into(),
        person: SUBJECT.into(),
        subject: "hashed".into(),
        session: Some("s-1".into()),
        amr: "pwd".into(),
        begun_at: day(1),
        proof: ProofTime::Now,
        id_token: Some(b"sealed".to_vec()),
    }
}

fn passkey(fixture: &LedgerFixture, person: &PersonId, credential: &[u8]) -> NewPersonPasskey {
    NewPersonPasskey {
        id: PasskeyId::random(&fixture.entropy),
        person: person.clone(),
        credential: credential.to_vec(),
        public_key: b"a COSE key".to_vec(),
        counter: 1,
        name: "電話".into(),
        challenge: UsedChallenge { hash: credential.to_vec(), expires_at: day(3) },
    }
}

/// Answers nothing: what it did shows in what is answered later.
async fn keep_answer(fixture: &LedgerFixture, rows: &ScopedLedger, of: &Possessions, answers: &mut Answers) {
    let kept = KeptAnswer { request_hash: vec![1], answer: "{}".into() };
    let key = format!("{:?}", bytes::<8>(&fixture.entropy));
    let mut transaction = rows.begin(day(2)).await.unwrap();
    let mut answered = Vec::new();
    for caller in [AnsweredCaller::Person(&of.person), AnsweredCaller::Client(&of.tenant, "crm")] {
        transaction.keep_answer(caller, &key, &kept).await.unwrap();
        answered.extend(transaction.answer_before(caller, &key).await.unwrap());
    }
    answers.insert("keep_answer", format!("{answered:?}"));
}

fn change(of: &Possessions, event: u64) -> DeviceChange {
    DeviceChange {
        event,
        device: of.device.clone(),
        action: "device.suspended".into(),
        by: ChangeAuthor::Person(of.person.clone()),
        reason: Some("紛失".into()),
        ticket: Some("T-1".into()),
        at: day(1),
        confirmed: None,
    }
}

/// Answers nothing: what it did shows in the list.
async fn use_session(fixture: &LedgerFixture, rows: &ScopedLedger, of: &Possessions, answers: &mut Answers) {
    rows.use_session(&of.session, DAY, day(2)).await.unwrap();
    let all = fixture.ledger.everything();
    let used = all.sessions_of(&of.person, day(1)).await.unwrap().first().map(|listed| listed.used_at);
    // Another's session stays as it was, and nobody's is nowhere: neither was used.
    answers.insert("use_session", format!("{:?}", used == Some(day(2))));
}

fn session(of: &Possessions, step: i64) -> StartSession {
    StartSession {
        id: of.session.clone(),
        token_hash: SESSION.to_vec(),
        replaces: None,
        tenant: of.tenant.clone(),
        person: of.person.clone(),
        device: of.device.clone(),
        factor: SecondFactorUse::Totp(step),
        idle_until: day(9),
        expires_at: day(9),
    }
}

fn kitting<'a>(id: KittingId, code: &'a InvitationCode, tenant: &TenantId, site: &SiteId) -> NewKitting<'a> {
    NewKitting {
        id,
        code,
        tenant: tenant.clone(),
        site: site.clone(),
        label: "棚卸-{n}".into(),
        places: 3,
        per_minute: 3,
        networks: vec![],
        expires_at: day(9),
    }
}

async fn add_tenant(fixture: &LedgerFixture) -> TenantId {
    let tenant = Tenant::new(TenantId::random(&fixture.entropy), "みどり薬局");
    fixture
        .write(day(0), async |transaction| transaction.add_tenant(&tenant, &operator()).await)
        .await
        .unwrap();
    tenant.id
}

impl Possessions {
    /// Something for every method to find.
    async fn of(fixture: &LedgerFixture) -> Self {
        let (device, certificate) = fixture.enroll(day(1)).await;
        let (lost, _) = fixture.enroll(day(1)).await;
        let open = fixture.invite("受付PC", day(1)).await;
        let approval = wish(fixture, &open);
        let of = Self {
            tenant: fixture.tenant.clone(),
            site: fixture.site.clone(),
            device,
            lost,
            certificate,
            invitation: open.id.clone(),
            claimed: open.id.clone(),
            kitting: KittingId::random(&fixture.entropy),
            approval: approval.id.clone(),
            person: PersonId::random(&fixture.entropy),
            disabled: PersonId::random(&fixture.entropy),
            session: SessionId::random(&fixture.entropy),
            passkey: PasskeyId::random(&fixture.entropy),
            change: 1,
            admin: PersonId::random(&fixture.entropy),
            scim_token: ScimTokenId::random(&fixture.entropy),
            review: ReviewId::random(&fixture.entropy),
            linked: PersonId::random(&fixture.entropy),
            at_provider: SessionId::random(&fixture.entropy),
            transfer: TransferId::random(&fixture.entropy),
            batch: InvitationBatchId::random(&fixture.entropy),
            other_site: SiteId::random(&fixture.entropy),
        };
        of.furnish(fixture, &approval).await;
        of.furnish_people(fixture).await;
        Box::pin(of.furnish_transfer(fixture)).await;
        let claimed = fixture.ledger.within(scope_of(&of.tenant)).invitation_of(&of.device).await.unwrap();
        let of = Self { claimed: claimed.unwrap(), ..of };
        Box::pin(of.furnish_invitations_and_copies(fixture)).await;
        of
    }

    async fn furnish(&self, fixture: &LedgerFixture, approval: &NewApproval) {
        let code = InvitationCode::random(&fixture.entropy);
        let place = PolicyPlace { tenant: self.tenant.clone(), site: Some(self.site.clone()) };
        let guidance =
            Guidance { contact: Some(Contact::new("店長", "03-0000-0000").unwrap()), product: None };
        let policy = EnrollmentPolicy { devices: Some(30), ..EnrollmentPolicy::default() };
        let license =
            License { product: "https://product.example".into(), tenant: self.tenant.clone(), site: None };
        let actor = &operator();
        fixture
            .write(day(1), async |transaction| {
                transaction.ask_approval(approval, &Actor::Invitation(approval.invitation.clone())).await?;
                transaction
                    .add_kitting(&kitting(self.kitting.clone(), &code, &self.tenant, &self.site), actor)
                    .await?;
                let taken = tegata_storage::TakePlace {
                    kitting: &self.kitting,
                    invitation: InvitationId::random(&fixture.entropy),
                    key_hash: &bytes::<32>(&fixture.entropy),
                    label: None,
                };
                transaction.take_place(&taken).await?;
                transaction.set_guidance(&place, &guidance, actor).await?;
                transaction.set_policy(&place, &policy, actor).await?;
                transaction
                    .set_renewal_rules(
                        &place,
                        &RenewalRules { spread_days: Some(3), ..RenewalRules::default() },
                        "",
                        actor,
                    )
                    .await?;
                transaction.grant_license(&license, actor).await?;
                transaction.report_lost(&self.device, &self.lost).await?;
                transaction.deny_tokens(&TokenHolder::Device(self.device.clone()), None, "", actor).await
            })
            .await
            .unwrap();
        let day = "INSERT INTO token_day (holder, day, tokens, refreshed, first_at, last_at) VALUES ('{}', 1, 1, 0, 1, 1)";
        fixture.place.script(&day.replace("{}", self.device.as_str())).await;
    }

    /// Somebody who is signed in, and somebody who may not.
    async fn furnish_people(&self, fixture: &LedgerFixture) {
        let new = |id: &PersonId, login| NewPerson {
            id: id.clone(),
            tenant: self.tenant.clone(),
            login: LoginId::parse(login).unwrap(),
            name: Name::of_place("田中 花子").unwrap(),
            roles: Roles::new([PersonRole::Staff]),
            sites: vec![self.site.clone()],
            external_key: None,
            awaits_sites: false,
        };
        let admin = NewPerson { roles: Roles::new([PersonRole::TenantAdmin]), ..new(&self.admin, "admin") };
        let (person, disabled) = (new(&self.person, LOGIN), new(&self.disabled, "sato"));
        let linked = new(&self.linked, "suzuki");
        let policy = SignInPolicy { creates_people: CreatesPeople::On, accounts: SignInAccounts::Provider };
        let begun = StartSession {
            id: self.at_provider.clone(),
            token_hash: vec![3; 32],
            person: self.linked.clone(),
            factor: SecondFactorUse::Provider(at_provider()),
            ..session(self, 1)
        };
        let passkey =
            NewPersonPasskey { id: self.passkey.clone(), ..passkey(fixture, &self.person, PASSKEY) };
        let code = SetupCode::random(&fixture.entropy);
        let chosen = NewCredential {
            password: Some("a PHC string".into()),
            totp: b"sealed".to_vec(),
            totp_step: 0,
            recovery: vec![RECOVERY.to_vec()],
        };
        let actor = &operator();
        fixture
            .write(day(1), async |transaction| {
                transaction.add_person(&person, actor).await?;
                transaction.add_person(&disabled, actor).await?;
                transaction.disable_person(&self.disabled, "", actor).await?;
                transaction.make_setup_link(&self.person, &code, day(2), actor).await?;
                transaction.set_up_person(&code, &chosen).await?;
                transaction.assign_device(&self.device, std::slice::from_ref(&self.person), actor).await?;
                self.furnish_directory(fixture, transaction, &admin).await?;
                transaction.start_session(&session(self, 1)).await?;
                transaction.add_passkey(&passkey, &self.session).await?;
                let (because, kept) = (Justification::new("紛失", "T-1"), vec![1]);
                transaction.justify_session(&self.session, because.as_ref(), actor).await?;
                transaction.note_device_change(&change(self, self.change)).await?;
                let over = DeviceChange { confirmed: Some("{}".into()), ..change(self, self.change + 1) };
                transaction.note_device_change(&over).await?;
                let kept = KeptAnswer { request_hash: kept, answer: "{}".into() };
                transaction.keep_answer(AnsweredCaller::Person(&self.person), "a key", &kept).await?;
                transaction.keep_answer(AnsweredCaller::Client(&self.tenant, "crm"), "a key", &kept).await?;
                transaction.save_view(&self.person, &Name::label(VIEW).unwrap(), "stale_days=30").await?;
                transaction.add_person(&linked, actor).await?;
                transaction.link_person(&link(self), actor).await?;
                transaction.set_sign_in_policy(&self.tenant, policy, actor).await?;
                transaction.start_session(&begun).await
            })
            .await
            .unwrap();
    }

    async fn furnish_invitations_and_copies(&self, fixture: &LedgerFixture) {
        let site =
            Site { id: self.other_site.clone(), tenant: self.tenant.clone(), name: "駅前店".into() };
        let called = Name::label("春の入れ替え").unwrap();
        let actor = &operator();
        fixture
            .write(day(1), async |transaction| {
                transaction.add_site(&site, actor).await?;
                transaction.add_invitation_batch(&self.batch, &self.tenant, &called, actor).await?;
                let sent = transaction.put_into_batch(&self.claimed, &self.batch).await;
                transaction
                    .raise_copy_alarm(&self.device, ["192.0.2.1 windows", "192.0.2.2 windows"])
                    .await?;
                sent
            })
            .await
            .unwrap();
    }

    async fn furnish_transfer(&self, fixture: &LedgerFixture) {
        let target = crate::people::other_tenant(fixture).await.0;
        let planned = PlannedSite { becomes: SiteId::random(&fixture.entropy), name: None };
        let plan = TransferPlan {
            source: self.tenant.clone(),
            at: day(300),
            latest: day(301),
            renewal_hours: 24,
            change: TransferChange::Business {
                target,
                sites: BTreeMap::from([(self.site.clone(), planned)]),
                devices: BTreeMap::new(),
                people: BTreeMap::new(),
            },
        };
        let approval =
            TransferApproval { side: TransferSide::Source, person: self.admin.clone(), plan: plan.hash() };
        let new = NewTransfer {
            id: self.transfer.clone(),
            plan,
            requested_by: None,
            note: String::new(),
            reverses: None,
        };
        fixture
            .write(day(1), async |transaction| {
                transaction.add_transfer(&new, &operator()).await?;
                let approval = NewTransferApproval { approval, because: None };
                transaction.approve_transfer(&self.transfer, &approval, &operator()).await
            })
            .await
            .unwrap();
    }

    async fn furnish_directory(
        &self,
        fixture: &LedgerFixture,
        transaction: &mut Transaction,
        admin: &NewPerson,
    ) -> Result<()> {
        let actor = &operator();
        transaction.add_person(admin, actor).await?;
        transaction.import_password(&self.admin, FOREIGN_HASH, actor).await?;
        let key = ExternalKey::parse("T-1").expect("a key");
        transaction.set_tenant_key(&self.tenant, &key, actor).await?;
        transaction.set_register_key(&self.site, &key, actor).await?;
        transaction.set_site_key(&self.site, ExternalKey::parse(SITE_KEY).ok().as_ref(), actor).await?;
        let secret = ScimSecret::random(&fixture.entropy);
        let token = scim_token(self.scim_token.clone(), &self.tenant);
        transaction.add_scim_token(&token, &secret, actor).await?;
        let policy = PeoplePolicy { review_days: Some(90), ..PeoplePolicy::default() };
        transaction.set_people_policy(&self.tenant, &policy, actor).await?;
        let fresh = || self.review.clone();
        transaction.round_of_reviews(&self.tenant, &policy, &fresh, actor).await.map(drop)
    }

    /// Names that nobody has.
    fn of_nobody(fixture: &LedgerFixture) -> Self {
        let entropy = &fixture.entropy;
        Self {
            tenant: TenantId::random(entropy),
            site: SiteId::random(entropy),
            device: DeviceId::random(entropy),
            lost: DeviceId::random(entropy),
            certificate: Thumbprint::of(b"nobody's"),
            invitation: InvitationId::random(entropy),
            claimed: InvitationId::random(entropy),
            kitting: KittingId::random(entropy),
            approval: ApprovalId::random(entropy),
            person: PersonId::random(entropy),
            disabled: PersonId::random(entropy),
            session: SessionId::random(entropy),
            passkey: PasskeyId::random(entropy),
            change: 99,
            admin: PersonId::random(entropy),
            scim_token: ScimTokenId::random(entropy),
            review: ReviewId::random(entropy),
            linked: PersonId::random(entropy),
            at_provider: SessionId::random(entropy),
            transfer: TransferId::random(entropy),
            batch: InvitationBatchId::random(entropy),
            other_site: SiteId::random(entropy),
        }
    }
}

fn wish(fixture: &LedgerFixture, invited: &InvitedDevice) -> NewApproval {
    NewApproval {
        id: ApprovalId::random(&fixture.entropy),
        invitation: invited.id.clone(),
        key_hash: bytes(&fixture.entropy),
        request: b"a request".to_vec(),
        platform: Platform::Windows,
        address: None,
    }
}
