//! People: an account belongs to one tenant, what proves a person works once, and a session ends with whatever it hangs on.

use crate::engines::on_both_engines;
use crate::fixture::{Everything, LedgerFixture, day, operator};
use futures_util::future::join_all;
use std::time::Duration;
use tegata_core::entropy::bytes;
use tegata_core::feed::TokenHolder;
use tegata_core::{
    DeviceId, Justification, LoginId, Name, PersonId, PersonRole, Refusal, Roles, SessionId, SetupCode,
    SiteId, TenantId, Timestamp,
};
use tegata_storage::DeviceAction::{Resume, Suspend};
use tegata_storage::{
    EmergencyCode, LedgerError, NewCredential, NewPerson, Principal, Result, SecondFactorUse, Site,
    StartSession, StartedSession, Tenant, TenantAction,
};

const IDLE: Duration = Duration::from_mins(15);
const HOUR: Duration = Duration::from_hours(1);

on_both_engines! {
    async fn a_login_is_one_person_of_its_tenant_whatever_its_width_and_case(fixture: LedgerFixture) {
        let first = add(fixture, &new(fixture, "tanaka")).await;
        first.unwrap();
        assert!(is_guard(&add(fixture, &new(fixture, "ＴＡＮＡＫＡ")).await));
        let (tenant, site) = other_tenant(fixture).await;
        let namesake = NewPerson { tenant: tenant.clone(), sites: vec![site], ..new(fixture, "Tanaka") };
        add(fixture, &namesake).await.unwrap();
        let shown = fixture.ledger.within(Principal::operator("test", Some(&tenant)).scope()).people().await.unwrap();
        assert_eq!((shown.len(), shown[0].login.as_str()), (1, "Tanaka"));
        assert!(!shown[0].is_set_up && shown[0].setup_until.is_none());
    }

    async fn staff_work_at_a_site_of_their_own_tenant_or_are_not_added(fixture: LedgerFixture) {
        let (_, strange) = other_tenant(fixture).await;
        let before = fixture.audited().await;
        for sites in [vec![], vec![strange.clone()], vec![fixture.site.clone(), fixture.site.clone()]] {
            assert!(is_guard(&add(fixture, &NewPerson { sites, ..new(fixture, "sato") }).await));
        }
        assert_eq!(fixture.ledger.everything().people().await.unwrap(), []);
        assert_eq!(fixture.audited().await, before);
        let roles = Roles::new([PersonRole::TenantAdmin]);
        add(fixture, &NewPerson { sites: vec![], roles, ..new(fixture, "sato") }).await.unwrap();
    }

    async fn a_change_is_one_entry_that_names_nobody(fixture: LedgerFixture) {
        let before = fixture.audited().await;
        let person = set_up(fixture, "yamada-hanako").await;
        assert_eq!(fixture.actions_after(before).await, ["person.added", "person.setup_link", "person.set_up"]);
        let device = fixture.enroll(day(0)).await.0;
        let before_session = fixture.audited().await;
        start(fixture, &person, &device, 100, day(1)).await.unwrap();
        assert_eq!(fixture.actions_after(before_session).await, ["session.started"]);
        for entry in fixture.ledger.audit_entries(before, 100).await.unwrap() {
            assert!(!entry.entry.contains("yamada") && !entry.entry.contains("花子"), "{}", entry.entry);
        }
    }

    async fn a_setup_link_works_once_in_its_time_and_only_the_newest(fixture: LedgerFixture) {
        let person = new(fixture, "tanaka");
        add(fixture, &person).await.unwrap();
        let [old, code] = [SetupCode::random(&fixture.entropy), SetupCode::random(&fixture.entropy)];
        link(fixture, &person.id, &old).await.unwrap();
        link(fixture, &person.id, &code).await.unwrap();
        let open = async |code, at| fixture.ledger.open_setup(code, at).await;
        assert_eq!(refused(&open(&old, day(1)).await), Some(Refusal::SetupLinkUnknown));
        assert_eq!(refused(&open(&code, day(2)).await), Some(Refusal::SetupLinkExpired));
        assert_eq!(open(&code, day(1)).await.unwrap().person, person.id);
        let late = fixture.write(day(2), async |transaction| transaction.set_up_person(&code, &chosen()).await).await;
        assert_eq!(refused(&late), Some(Refusal::SetupLinkUnknown));
        let all = join_all((0..6).map(|_| {
            fixture.write(day(1), async |transaction| transaction.set_up_person(&code, &chosen()).await)
        })).await;
        assert_eq!(all.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        assert_eq!(refused(&open(&code, day(1)).await), Some(Refusal::SetupLinkUnknown));
    }

    async fn whoever_is_stopped_has_no_session_no_link_and_no_way_in(fixture: LedgerFixture) {
        let person = set_up(fixture, "tanaka").await;
        let device = fixture.enroll(day(0)).await.0;
        let session = start(fixture, &person, &device, 1, day(1)).await.unwrap();
        let code = SetupCode::random(&fixture.entropy);
        link(fixture, &person, &code).await.unwrap();
        let disable = async || {
            fixture.write(day(1), async |transaction| {
                transaction.disable_person(&person, "", &operator()).await
            }).await
        };
        assert_eq!(disable().await.unwrap(), 1);
        assert!(is_guard(&disable().await), "it is so already");
        assert!(!lasts(fixture, &session, &device, day(1)).await);
        assert_eq!(refused(&fixture.ledger.open_setup(&code, day(1)).await), Some(Refusal::SetupLinkUnknown));
        assert!(is_guard(&link(fixture, &person, &code).await));
        assert_eq!(refused(&start(fixture, &person, &device, 2, day(1)).await), Some(Refusal::SignInWrong));
        fixture.write(day(1), async |transaction| {
            transaction.enable_person(&person, "", &operator()).await
        }).await.unwrap();
        assert!(start(fixture, &person, &device, 2, day(1)).await.is_ok(), "with what she had");
    }

    async fn a_code_of_totp_is_taken_once_however_many_come_with_it(fixture: LedgerFixture) {
        let person = set_up(fixture, "tanaka").await;
        let device = fixture.enroll(day(0)).await.0;
        let all = join_all((0..6).map(|_| start(fixture, &person, &device, 7, day(1)))).await;
        assert_eq!(all.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        for replayed in [7, 6] {
            let again = start(fixture, &person, &device, replayed, day(1)).await;
            assert_eq!(refused(&again), Some(Refusal::SignInWrong));
        }
        assert!(start(fixture, &person, &device, 8, day(1)).await.is_ok());
    }

    async fn a_recovery_code_works_once_and_an_emergency_code_in_its_time(fixture: LedgerFixture) {
        let person = set_up(fixture, "tanaka").await;
        let device = fixture.enroll(day(0)).await.0;
        let by = async |code: &[u8], at| {
            let session = session(fixture, &person, &device, SecondFactorUse::Code(code.to_vec()), at);
            fixture.write(at, async |transaction| transaction.start_session(&session).await).await
        };
        assert_eq!(by(b"recovery 1", day(1)).await.unwrap(), StartedSession::Recovery);
        assert_eq!(refused(&by(b"recovery 1", day(1)).await), Some(Refusal::SignInWrong));
        let because = Justification::new("電話機の故障", "T-7").unwrap();
        let emergency = EmergencyCode { hash: b"emergency".to_vec(), expires_at: day(1).plus(HOUR), because: &because };
        let give = async || fixture.write(day(1), async |transaction| {
            transaction.give_emergency_code(&person, &emergency, &operator()).await
        }).await;
        give().await.unwrap();
        assert_eq!(refused(&by(b"emergency", day(1).plus(HOUR)).await), Some(Refusal::SignInWrong));
        assert_eq!(by(b"emergency", day(1)).await.unwrap(), StartedSession::Emergency);
        assert_eq!(refused(&by(b"emergency", day(1)).await), Some(Refusal::SignInWrong));
        give().await.unwrap();
        let reset = SetupCode::random(&fixture.entropy);
        fixture.write(day(1), async |transaction| {
            transaction.reset_person(&person, &reset, day(2), &operator()).await
        }).await.unwrap();
        for code in [&b"emergency"[..], b"recovery 2"] {
            assert_eq!(refused(&by(code, day(1)).await), Some(Refusal::SignInWrong), "a reset takes all of them");
        }
    }

    async fn a_session_ends_with_its_device_its_tenant_and_every_sign_out(fixture: LedgerFixture) {
        let person = set_up(fixture, "tanaka").await;
        let device = fixture.enroll(day(0)).await.0;
        let mut step = 0;
        let mut began = async || {
            step += 1;
            let session = start(fixture, &person, &device, step, day(1)).await.unwrap();
            assert!(lasts(fixture, &session, &device, day(1)).await);
            session
        };
        let session = began().await;
        fixture.act(&device, Suspend, day(1)).await.unwrap();
        fixture.act(&device, Resume, day(1)).await.unwrap();
        assert!(!lasts(fixture, &session, &device, day(1)).await, "and does not come back with it");
        let session = began().await;
        fixture.act_on_tenant(TenantAction::Suspend, day(1)).await.unwrap();
        fixture.act_on_tenant(TenantAction::Resume, day(1)).await.unwrap();
        assert!(!lasts(fixture, &session, &device, day(1)).await);
        for (hours, of) in [(1, TokenHolder::Device(device.clone())), (2, TokenHolder::Tenant(fixture.tenant.clone()))] {
            let session = began().await;
            fixture.sign_out(&of, day(1).plus(HOUR * hours)).await.unwrap();
            assert!(!lasts(fixture, &session, &device, day(1)).await, "{of:?}");
        }
        let session = began().await;
        let ended = fixture.write(day(1), async |transaction| {
            transaction.sign_out_person(&person, "", &operator()).await
        }).await.unwrap();
        assert!(ended == 1 && !lasts(fixture, &session, &device, day(1)).await);
    }

    async fn a_session_is_of_one_device_idles_out_and_has_an_end(fixture: LedgerFixture) {
        let person = set_up(fixture, "tanaka").await;
        let [device, other] = [fixture.enroll(day(0)).await.0, fixture.enroll(day(0)).await.0];
        let token = start(fixture, &person, &device, 1, day(1)).await.unwrap();
        assert!(!lasts(fixture, &token, &other, day(1)).await, "its token is worth nothing on another device");
        let idle = day(1).plus(IDLE);
        assert!(lasts(fixture, &token, &device, idle.minus(Duration::from_millis(1))).await);
        assert!(!lasts(fixture, &token, &device, idle).await);
        let live = fixture.ledger.everything().session(&token, &device, day(1)).await.unwrap().unwrap();
        for hour in 1..8 {
            fixture.ledger.everything().use_session(&live.id, HOUR * 2, day(1).plus(HOUR * hour)).await.unwrap();
        }
        assert!(lasts(fixture, &token, &device, day(1).plus(HOUR * 8).minus(IDLE)).await);
        assert!(!lasts(fixture, &token, &device, day(1).plus(HOUR * 8)).await, "used or not");
        assert!(!lasts(fixture, &token, &device, day(0)).await, "a clock that was ahead has begun it");
        let forgotten = fixture.write(day(3), async |transaction| transaction.forget_ended_sign_ins().await).await;
        assert_eq!(forgotten.unwrap(), 1);
    }

    async fn a_device_for_named_people_ends_the_sessions_of_others(fixture: LedgerFixture) {
        let [own, other] = [set_up(fixture, "tanaka").await, set_up(fixture, "sato").await];
        let device = fixture.enroll(day(0)).await.0;
        let [mine, theirs] = [
            start(fixture, &own, &device, 1, day(1)).await.unwrap(),
            start(fixture, &other, &device, 1, day(1)).await.unwrap(),
        ];
        let assign = async |people: &[PersonId]| fixture.write(day(1), async |transaction| {
            transaction.assign_device(&device, people, &operator()).await
        }).await;
        assign(std::slice::from_ref(&own)).await.unwrap();
        assert!(lasts(fixture, &mine, &device, day(1)).await && !lasts(fixture, &theirs, &device, day(1)).await);
        let key = LoginId::parse("sato").unwrap().key();
        let candidate = fixture.ledger.everything().sign_in_candidate(&key, &device).await.unwrap().unwrap();
        assert_eq!(candidate.who.assigned, tegata_core::DeviceAssignment::OthersOnly);
        assert!(is_guard(&assign(&[PersonId::random(&fixture.entropy)]).await));
        assert_eq!(fixture.ledger.everything().assigned_people(&device).await.unwrap(), [own]);
        assign(&[]).await.unwrap();
        assert!(!lasts(fixture, &theirs, &device, day(1)).await, "it is over, and not only hidden");
    }

    async fn one_person_has_twenty_sessions_and_one_at_a_browser(fixture: LedgerFixture) {
        let person = set_up(fixture, "tanaka").await;
        let device = fixture.enroll(day(0)).await.0;
        let mut tokens = Vec::new();
        for step in 1..=22 {
            let at = day(1).plus(Duration::from_secs(step));
            tokens.push(start(fixture, &person, &device, step.cast_signed(), at).await.unwrap());
        }
        let at = day(1).plus(Duration::from_mins(1));
        let listed = fixture.ledger.everything().sessions_of(&person, at).await.unwrap();
        assert_eq!(listed.len(), 20);
        assert!(!lasts(fixture, &tokens[1], &device, at).await && lasts(fixture, &tokens[2], &device, at).await);
        let another = set_up(fixture, "sato").await;
        let mut taking = session(fixture, &another, &device, SecondFactorUse::Totp(1), at);
        taking.replaces = Some(tokens[21].clone());
        fixture.write(at, async |transaction| transaction.start_session(&taking).await).await.unwrap();
        assert!(!lasts(fixture, &tokens[21], &device, at).await, "whoever signs in at the same browser takes it over");
    }
}

pub(crate) fn new(fixture: &LedgerFixture, login: &str) -> NewPerson {
    NewPerson {
        id: PersonId::random(&fixture.entropy),
        tenant: fixture.tenant.clone(),
        login: LoginId::parse(login).unwrap(),
        name: Name::of_place("山田 花子").unwrap(),
        roles: Roles::new([PersonRole::Staff]),
        sites: vec![fixture.site.clone()],
        external_key: None,
        awaits_sites: false,
    }
}

pub(crate) async fn add(fixture: &LedgerFixture, new: &NewPerson) -> Result<()> {
    fixture.write(day(0), async |transaction| transaction.add_person(new, &operator()).await).await
}

async fn link(fixture: &LedgerFixture, person: &PersonId, code: &SetupCode) -> Result<()> {
    let until = day(1).plus(HOUR);
    fixture
        .write(day(0), async |transaction| {
            transaction.make_setup_link(person, code, until, &operator()).await
        })
        .await
}

pub(crate) fn chosen() -> NewCredential {
    NewCredential {
        password: Some("a PHC string".into()),
        totp: b"sealed".to_vec(),
        totp_step: 0,
        recovery: vec![b"recovery 1".to_vec(), b"recovery 2".to_vec()],
    }
}

pub(crate) async fn set_up(fixture: &LedgerFixture, login: &str) -> PersonId {
    let person = new(fixture, login);
    add(fixture, &person).await.unwrap();
    let code = SetupCode::random(&fixture.entropy);
    link(fixture, &person.id, &code).await.unwrap();
    let used = async |transaction: &mut tegata_storage::Transaction| {
        transaction.set_up_person(&code, &chosen()).await
    };
    assert_eq!(fixture.write(day(0), used).await.unwrap(), person.id);
    person.id
}

pub(crate) fn session(
    fixture: &LedgerFixture,
    person: &PersonId,
    device: &DeviceId,
    factor: SecondFactorUse,
    at: Timestamp,
) -> StartSession {
    StartSession {
        id: SessionId::random(&fixture.entropy),
        token_hash: bytes::<32>(&fixture.entropy).to_vec(),
        replaces: None,
        tenant: fixture.tenant.clone(),
        person: person.clone(),
        device: device.clone(),
        factor,
        idle_until: at.plus(IDLE),
        expires_at: at.plus(HOUR * 8),
    }
}

pub(crate) async fn sign_out(fixture: &LedgerFixture, session: &tegata_storage::LiveSession, at: Timestamp) {
    let ended = async |transaction: &mut tegata_storage::Transaction| {
        transaction.end_session(&session.person, &session.id, &operator()).await
    };
    fixture.write(at, ended).await.unwrap();
}

/// Gives the hash of the token.
pub(crate) async fn start(
    fixture: &LedgerFixture,
    person: &PersonId,
    device: &DeviceId,
    step: i64,
    at: Timestamp,
) -> Result<Vec<u8>> {
    let session = session(fixture, person, device, SecondFactorUse::Totp(step), at);
    fixture.write(at, async |transaction| transaction.start_session(&session).await).await?;
    Ok(session.token_hash)
}

pub(crate) async fn lasts(fixture: &LedgerFixture, token: &[u8], device: &DeviceId, at: Timestamp) -> bool {
    fixture.ledger.everything().session(token, device, at).await.unwrap().is_some()
}

pub(crate) async fn other_tenant(fixture: &LedgerFixture) -> (TenantId, SiteId) {
    let (tenant, site) = (TenantId::random(&fixture.entropy), SiteId::random(&fixture.entropy));
    let place = Site { id: site.clone(), tenant: tenant.clone(), name: "別店".into() };
    fixture
        .write(day(0), async |transaction| {
            transaction.add_tenant(&Tenant::new(tenant.clone(), tenant.as_str()), &operator()).await?;
            transaction.add_site(&place, &operator()).await
        })
        .await
        .unwrap();
    (tenant, site)
}

pub(crate) fn refused<T>(outcome: &Result<T>) -> Option<Refusal> {
    match outcome {
        Err(LedgerError::Refused(refusal)) => Some(*refusal),
        _ => None,
    }
}

pub(crate) fn is_guard<T>(outcome: &Result<T>) -> bool {
    matches!(outcome, Err(LedgerError::Guard(_)))
}
