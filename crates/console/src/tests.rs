//! A request on its way while something happens to whoever sent it.

use crate::acting::Acting;
use crate::acts::{DeviceCommand, DeviceOutcome, DeviceRequest, RepeatableRequest};
use crate::deciding::Decision;
use crate::invitation_lists::{InvitationList, ListLines};
use crate::inviting::InvitationTerms;
use crate::kitting::WantedKitting;
use crate::moving::DeviceMove;
use crate::people::{
    ActsFor, CallerRequest, ConsoleCaller, FormSeal, PersonLookup, ProgramItself, SignedInPeople,
    SignedInPerson,
};

use crate::service::ConsoleService;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::access::ConsoleScope;
use tegata_core::entropy::bytes;
use tegata_core::{
    ApprovalId, DeviceId, InvitationBatchId, InvitationId, Justification, KittingId, LoginId, Name, PersonId,
    PersonRole, Refusal, Role, Roles, SessionId, SetupCode, TenantId, Timestamp,
};
use tegata_storage::{
    LedgerDevice, NewCredential, NewPerson, PersonUpdate, SecondFactorUse, StartSession, TenantAction,
    Transaction,
};
use tegata_testkit::{CertificateHolderFixture, OPERATOR, START, TestInstallation};

const WEEK: InvitationTerms = InvitationTerms { days: 7, has_code: false };

/// Nobody is asked who it is here: each test says it.
struct NobodyAsked;

impl SignedInPeople for NobodyAsked {
    fn current<'a>(&'a self, _: CallerRequest<'a>, _: Timestamp) -> PersonLookup<'a> {
        Box::pin(async { Ok(None) })
    }
}

struct NoSeal;

impl FormSeal for NoSeal {
    fn token(&self) -> String {
        String::new()
    }

    fn made(&self, _: &str) -> bool {
        true
    }
}

struct Desk {
    installation: TestInstallation,
    service: ConsoleService,
    /// Where the person sits.
    seat: CertificateHolderFixture,
    lost: DeviceId,
    person: PersonId,
}

impl Desk {
    async fn of(role: PersonRole) -> Self {
        let installation = TestInstallation::new().await;
        let service = ConsoleService::new(installation.context.for_services(), Arc::new(NobodyAsked));
        let [seat, lost] = [installation.enroll(Role::Device).await, installation.enroll(Role::Device).await];
        let person = set_up(&installation, role).await;
        Self { installation, service, seat, lost: lost.id, person }
    }

    async fn write<T>(&self, write: impl AsyncFnOnce(&mut Transaction) -> tegata_storage::Result<T>) {
        let mut transaction = self.installation.context.ledger.begin(START).await.unwrap();
        write(&mut transaction).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// The person as their request has found them.
    async fn request(&self, step: i64) -> Acting {
        let context = &self.installation.context;
        let hash = bytes::<32>(&*context.entropy).to_vec();
        let new = StartSession {
            id: SessionId::random(&*context.entropy),
            token_hash: hash.clone(),
            replaces: None,
            tenant: self.installation.tenant.clone(),
            person: self.person.clone(),
            device: self.seat.id.clone(),
            factor: SecondFactorUse::Totp(step),
            idle_until: START.plus(Duration::from_mins(15)),
            expires_at: START.plus(Duration::from_hours(12)),
        };
        self.write(async |transaction| transaction.start_session(&new).await).await;
        let session = context.ledger.session_named(&new.id, &self.seat.id, START).await.unwrap().unwrap();
        let person =
            SignedInPerson { session, device: self.seat.id.clone(), form: Arc::new(NoSeal), program: None };
        self.service.acting(ConsoleCaller::Person(Box::new(person)), START).await.unwrap()
    }

    /// What comes of each act.
    async fn acts(&self, by: &Acting) -> Vec<(&'static str, Option<Refusal>)> {
        let (service, device) = (&self.service, &self.lost);
        let entropy = &*self.installation.context.entropy;
        let mut outcomes = Vec::new();
        for (name, command) in [
            ("suspend", DeviceCommand::Suspend),
            ("resume", DeviceCommand::Resume),
            ("revoke", DeviceCommand::Revoke(None)),
        ] {
            let asked = DeviceRequest { device, command, note: "", own: false, seen: None, repeat: None };
            outcomes.push((name, service.act_on_device(by, &asked).await.err()));
        }
        outcomes.push(("rename", service.rename_device(by, (device, "侵入"), None).await.err()));
        let approval = ApprovalId::random(entropy);
        outcomes.push(("approve", service.decide(by, &approval, Decision::Approve).await.err()));
        let decline = Decision::Decline { reason: "" };
        outcomes.push(("decline", service.decide(by, &approval, decline).await.err()));
        let site = &self.installation.site;
        outcomes.push(("invite", service.invite(by, (site, "侵入"), WEEK).await.err()));
        let nobodys = InvitationId::random(entropy);
        outcomes.push(("withdraw", service.withdraw(by, &nobodys).await.err()));
        outcomes.push(("send again", service.send_again(by, &nobodys, WEEK).await.err()));
        let batch = InvitationBatchId::random(entropy);
        let lines = ListLines::Table("本店\t侵入");
        let list = InvitationList { tenant: None, batch: batch.clone(), name: "侵入", lines, terms: WEEK };
        outcomes.push(("list", service.invite_list(by, &list).await.err()));
        outcomes.push(("withdraw list", service.withdraw_batch(by, &batch).await.err()));
        outcomes.push(("send list again", service.send_batch_again(by, &batch, WEEK).await.err()));
        let (label, networks) = ("侵入", "");
        let kitting = WantedKitting { site, label, devices: 1, hours: 1, per_minute: 1, networks };
        outcomes.push(("kitting", service.add_kitting(by, &kitting).await.err()));
        outcomes.push(("end kitting", service.end_kitting(by, &KittingId::random(entropy)).await.err()));
        let to = DeviceMove { device, site, note: "", own: false, seen: None };
        outcomes.push(("move", service.move_device(by, &to).await.err()));
        outcomes.push(("dismiss", service.dismiss_copy_alarm(by, device, "x").await.err()));
        outcomes
    }

    async fn device(&self) -> LedgerDevice {
        let by = self.installation.context.ledger.within(tegata_storage::Principal::system("test").scope());
        by.ledger_device(&self.lost).await.unwrap().unwrap()
    }

    async fn audited(&self) -> Vec<String> {
        let entries = self.installation.context.ledger.audit_entries(0, 1000).await.unwrap();
        entries.into_iter().map(|entry| entry.entry).collect()
    }
}

async fn set_up(installation: &TestInstallation, role: PersonRole) -> PersonId {
    let entropy = &*installation.context.entropy;
    let new = NewPerson {
        id: PersonId::random(entropy),
        tenant: installation.tenant.clone(),
        login: LoginId::parse("honbu").unwrap(),
        name: Name::of_place("本部 一郎").unwrap(),
        roles: Roles::new([role]),
        sites: vec![installation.site.clone()],
        external_key: None,
        awaits_sites: false,
    };
    let chosen = NewCredential {
        password: Some("a PHC string".into()),
        totp: b"sealed".to_vec(),
        totp_step: 0,
        recovery: vec![],
    };
    let until = START.plus(Duration::from_hours(1));
    let mut transaction = installation.context.ledger.begin(START).await.unwrap();
    // Nobody stops or demotes the last who can administrate.
    let second = NewPerson {
        id: PersonId::random(entropy),
        login: LoginId::parse("honbu2").unwrap(),
        roles: Roles::new([PersonRole::TenantAdmin]),
        ..new.clone()
    };
    for person in [&new, &second] {
        let code = SetupCode::random(entropy);
        transaction.add_person(person, &OPERATOR).await.unwrap();
        transaction.make_setup_link(&person.id, &code, until, &OPERATOR).await.unwrap();
        transaction.set_up_person(&code, &chosen).await.unwrap();
    }
    transaction.commit().await.unwrap();
    new.id
}

#[tokio::test]
async fn who_was_demoted_while_a_request_came_does_nothing_by_it() {
    let desk = Desk::of(PersonRole::TenantAdmin).await;
    let by = desk.request(1).await;
    let demoted = PersonUpdate { roles: Some(Roles::new([PersonRole::Staff])), ..PersonUpdate::default() };
    desk.write(async |transaction| transaction.change_person(&desk.person, &demoted, &OPERATOR).await).await;
    let before = desk.device().await;
    for (act, outcome) in desk.acts(&by).await {
        assert_eq!(outcome, Some(Refusal::RoleMayNot), "{act}");
    }
    assert_eq!(desk.device().await, before);
    let noted = desk.audited().await;
    assert!(noted.last().unwrap().contains("console.refused"), "it is in the log: {noted:?}");
}

#[tokio::test]
async fn who_was_disabled_while_a_request_came_does_nothing_by_it() {
    let desk = Desk::of(PersonRole::TenantAdmin).await;
    let by = desk.request(1).await;
    desk.write(async |transaction| transaction.disable_person(&desk.person, "", &OPERATOR).await).await;
    let before = (desk.device().await, desk.audited().await);
    for (act, outcome) in desk.acts(&by).await {
        assert_eq!(outcome, Some(Refusal::SignInNeeded), "{act}");
    }
    let because = Justification::new("電話", "T-1").unwrap();
    let kept = desk.service.keep_justification(&by, Some(&because)).await;
    assert_eq!(kept, Err(Refusal::SignInNeeded));
    assert_eq!((desk.device().await, desk.audited().await), before);
    let sees = desk.service.sees_still(&by, tegata_core::Act::SeeDevices).await;
    assert_eq!(sees, Err(Refusal::SignInNeeded), "a long list ends, too");
}

#[tokio::test]
async fn what_support_says_of_its_call_is_in_the_entry_of_every_act() {
    let desk = Desk::of(PersonRole::Support).await;
    let because = Justification::new("紛失の電話", "T-7").unwrap();
    let begun = desk.request(1).await;
    assert!(desk.acts(&begun).await.iter().all(|(_, outcome)| outcome.is_some()), "nothing without it");
    desk.service.keep_justification(&begun, Some(&because)).await.unwrap();
    let before = desk.audited().await.len();
    let by = desk.service.acting(signed_in(&begun, &desk).await, START).await.unwrap();
    let asked = DeviceRequest {
        device: &desk.lost,
        command: DeviceCommand::Suspend,
        note: "車の中",
        own: false,
        seen: None,
        repeat: None,
    };
    desk.service.act_on_device(&by, &asked).await.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    desk.service.rename_device(&by, (&desk.lost, "受付PC2"), None).await.unwrap();
    let made = desk.service.invite(&by, (&desk.installation.site, "代わりのPC"), WEEK).await;
    desk.service.withdraw(&by, &made.unwrap_or_else(|refusal| panic!("{refusal:?}")).id).await.unwrap();
    let entries = desk.audited().await.split_off(before);
    assert!(entries.len() >= 4, "{entries:?}");
    for entry in entries {
        assert!(entry.contains("\"because\":{\"reason\":\"紛失の電話\",\"ticket\":\"T-7\"}"), "{entry}");
    }
}

#[tokio::test]
async fn a_program_by_itself_does_what_its_scopes_name_once_and_in_its_own_name() {
    let desk = Desk::of(PersonRole::TenantAdmin).await;
    let of = |scopes: &[ConsoleScope]| {
        let acts_for = ActsFor::Tenant(desk.installation.tenant.clone());
        ConsoleCaller::Program(ProgramItself { client_id: "crm".into(), scopes: scopes.to_vec(), acts_for })
    };
    let by = desk.service.acting(of(&[ConsoleScope::SuspendDevices]), START).await.unwrap();
    let suspend = |text| DeviceRequest {
        device: &desk.lost,
        command: DeviceCommand::Suspend,
        note: "CRM-7",
        own: false,
        seen: None,
        repeat: Some(RepeatableRequest { key: "1", text }),
    };
    let done = desk.service.act_on_device(&by, &suspend("stop")).await;
    assert!(matches!(done, Ok(DeviceOutcome::Changed(_))), "by this scope alone");
    let entry = desk.audited().await.pop().unwrap();
    assert!(entry.contains("\"actor\":\"client:crm\"") && entry.contains("device.suspended"), "{entry}");
    let again = desk.service.act_on_device(&by, &suspend("stop")).await;
    assert!(matches!(again, Ok(DeviceOutcome::Before(_))), "its key is kept");
    let other = desk.service.act_on_device(&by, &suspend("another")).await;
    assert_eq!(other.err(), Some(Refusal::IdempotencyKeyReused));
    for (act, outcome) in desk.acts(&by).await.into_iter().filter(|(act, _)| *act != "suspend") {
        assert_eq!(outcome, Some(Refusal::ScopeInsufficient), "{act}");
    }
    let by = desk.service.acting(of(ConsoleScope::ALL), START).await.unwrap();
    let decided = desk.acts(&by).await.into_iter().find(|(act, _)| *act == "approve");
    assert_eq!(decided.unwrap().1, Some(Refusal::PersonNeeded), "nobody's second person");
    assert_eq!(desk.service.views_of(&by).await, Err(Refusal::PersonNeeded));
    desk.installation.act_on_tenant(TenantAction::Suspend).await;
    for (act, outcome) in desk.acts(&by).await {
        let is_refused = [Some(Refusal::TenantSuspended), Some(Refusal::PersonNeeded)].contains(&outcome);
        assert!(is_refused, "{act} for a company that was stopped meanwhile: {outcome:?}");
    }
    let late = desk.service.acting(of(ConsoleScope::ALL), START).await;
    assert_eq!(late.err(), Some(Refusal::TenantSuspended));
}

#[tokio::test]
async fn names_of_another_company_s_people_are_masked_by_their_type() {
    let desk = Desk::of(PersonRole::Support).await;
    let by = desk.request(1).await;
    let stranger = TenantId::random(&*desk.installation.context.entropy);
    assert_eq!(by.name_of(&stranger, "田中 花子").to_string(), "田***");
    assert_eq!(by.name_of(&desk.installation.tenant, "田中 花子").to_string(), "田中 花子");
    assert_eq!(by.login_of(&stranger, "hanako@example.jp").to_string(), "h***@e***.jp");
}

/// Who is signed in, as the ledger has their session by now.
async fn signed_in(by: &Acting, desk: &Desk) -> ConsoleCaller {
    let session = by.who.person().unwrap().session.id.clone();
    let ledger = &desk.installation.context.ledger;
    let session = ledger.session_named(&session, &desk.seat.id, START).await.unwrap().unwrap();
    let device = desk.seat.id.clone();
    ConsoleCaller::Person(Box::new(SignedInPerson { session, device, form: Arc::new(NoSeal), program: None }))
}
