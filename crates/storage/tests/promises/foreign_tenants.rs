//! Tenants are walls: whatever a scope offers is tried with another tenant's identifiers, and answers as for what does not
//! exist.

use crate::engines::on_both_engines;
use crate::fixture::{DAY, InvitedDevice, LedgerFixture, day, operator};
use crate::scope_classes::scoped_methods;
use std::collections::BTreeMap;
use std::fmt::Debug;
use tegata_core::entropy::bytes;
use tegata_core::feed::TokenHolder;
use tegata_core::id::InvitationCode;
use tegata_core::{
    ApprovalId, Contact, DeviceId, EnrollmentPolicy, Guidance, InvitationId, KittingId, Platform,
    RevocationReason, Role, SiteId, StopCause, TenantId, Thumbprint,
};
use tegata_storage::{
    Actor, DeviceAction, DeviceFilter, License, Lineage, LossReports, NewApproval, NewInvitation, NewKitting,
    PolicyPlace, Principal, Scope, ScopedLedger, Site, Tenant, TenantAction,
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
}

/// What each method answered.
type Answers = BTreeMap<&'static str, String>;

on_both_engines! {
    async fn whatever_a_scope_offers_answers_a_stranger_as_if_it_were_not_there(fixture: LedgerFixture) {
        let (own, nobodys) = (Possessions::of(fixture).await, Possessions::of_nobody(fixture));
        let stranger = scope_of(&add_tenant(fixture).await);
        let mut found = answers(fixture, &stranger, &own).await;
        let expected = answers(fixture, &stranger, &nobodys).await;
        let holder = answers(fixture, &scope_of(&fixture.tenant), &own).await;
        for (name, answer) in &found {
            assert_eq!(*answer, expected[name], "{name} told a stranger something");
            assert_ne!(*answer, holder[name], "{name} tells its own tenant nothing either: the trial proves nothing");
        }
        for name in scoped_methods() {
            assert!(found.remove(name.as_str()).is_some(), "{name} was not tried with another tenant's identifiers");
        }
        assert!(found.is_empty(), "there are no such methods: {found:?}");
    }
}

fn scope_of(tenant: &TenantId) -> Scope {
    Principal::operator("test", Some(tenant)).scope()
}

async fn answers(fixture: &LedgerFixture, scope: &Scope, of: &Possessions) -> Answers {
    let rows = fixture.ledger.within(scope.clone());
    let mut answers = reads(&rows, of).await;
    write_each(fixture, &rows, of, &mut answers).await;
    answers
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
    note("devices_numbered", &rows.devices_numbered(&of.device.as_str()[..8]).await);
    note("find_certificates", &rows.find_certificates(of.certificate.as_bytes()).await);
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
    note("all_sites", &rows.all_sites().await.map(|all| all.iter().any(|site| site.id == of.site)));
    answers
}

/// Each write in a transaction of its own, which is given up.
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
    write!(set_loss_reports(&tenant, LossReports::Off, actor));
    write!(set_guidance(place, &guidance, actor));
    write!(policy(place));
    write!(set_policy(place, &policy, actor));
    write!(grant_license(&license("https://other.example"), actor));
    write!(withdraw_license(&license("https://product.example"), actor));
    write!(act_on_tenant(&tenant, TenantAction::Suspend, "", actor));
    write!(deny_tokens(&TokenHolder::Device(of.device.clone()), None, "", actor));
    write!(act_on_device(&of.device, DeviceAction::Suspend, "", actor));
    write!(act_on_device_because(&of.device, DeviceAction::Revoke(reason), None, "", actor));
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
        };
        of.furnish(fixture, &approval).await;
        let claimed = fixture.ledger.within(scope_of(&of.tenant)).invitation_of(&of.device).await.unwrap();
        Self { claimed: claimed.unwrap(), ..of }
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
                transaction.grant_license(&license, actor).await?;
                transaction.report_lost(&self.device, &self.lost).await?;
                transaction.deny_tokens(&TokenHolder::Device(self.device.clone()), None, "", actor).await
            })
            .await
            .unwrap();
        let day = "INSERT INTO token_day (holder, day, tokens, refreshed, first_at, last_at) VALUES ('{}', 1, 1, 0, 1, 1)";
        fixture.place.script(&day.replace("{}", self.device.as_str())).await;
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
