//! The state machine of certificates under any interleaving: what must hold after every step.

use crate::engines::{EnginePlace, runtime};
use crate::fixture::Everything;
use crate::fixture::{DAY, GRACE, LedgerFixture, day, operator};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::collections::HashMap;
use std::sync::Arc;
use tegata_core::CertificateState::{self, Delivered, InUse, Issued, Reserved, Retired, Retiring, Revoked};
use tegata_core::RevocationReason::KeyCompromise;
use tegata_core::feed::TokenHolder;
use tegata_core::{DeviceId, DeviceState, InvitationId, Standing, Thumbprint, Timestamp};
use tegata_storage::{
    Certificate, DeviceAction, HeldCertificate, IssuanceRight, Result, StatusCache, TenantAction,
};

/// One step of somebody. Numbers pick a certificate among those the device has.
#[derive(Clone, Copy, Debug)]
enum MachineStep {
    Again,
    Renew(usize),
    Complete(usize),
    Deliver(usize),
    Use(usize),
    RetireDue,
    Abandon,
    Suspend,
    Resume,
    Revoke,
    Retire,
    SuspendTenant,
    ResumeTenant,
    SignOut(bool),
    DenyToken(u8),
    Wait(u32),
}

#[test]
fn no_interleaving_breaks_the_ledger_on_sqlite() {
    interleave(48, EnginePlace::sqlite);
}

#[test]
fn no_interleaving_breaks_the_ledger_on_postgresql() {
    interleave(6, EnginePlace::postgres);
}

fn interleave(cases: u32, place: fn() -> EnginePlace) {
    let runtime = runtime();
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let steps = prop::collection::vec((0..2usize, step()), 1..80);
    TestRunner::new(config)
        .run(&steps, |steps| {
            runtime.block_on(live(place(), &steps));
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

fn step() -> impl Strategy<Value = MachineStep> {
    let pick = 0..4usize;
    prop_oneof![
        1 => Just(MachineStep::Again),
        5 => pick.clone().prop_map(MachineStep::Renew),
        6 => pick.clone().prop_map(MachineStep::Complete),
        2 => pick.clone().prop_map(MachineStep::Deliver),
        6 => pick.prop_map(MachineStep::Use),
        3 => Just(MachineStep::RetireDue),
        1 => Just(MachineStep::Abandon),
        2 => Just(MachineStep::Suspend),
        3 => Just(MachineStep::Resume),
        1 => (0..3u8).prop_map(|chance| if chance == 0 { MachineStep::Revoke } else { MachineStep::Suspend }),
        1 => (0..3u8).prop_map(|chance| if chance == 0 { MachineStep::Retire } else { MachineStep::Resume }),
        1 => Just(MachineStep::SuspendTenant),
        2 => Just(MachineStep::ResumeTenant),
        1 => any::<bool>().prop_map(MachineStep::SignOut),
        1 => (0..4u8).prop_map(MachineStep::DenyToken),
        4 => (1..60u32).prop_map(MachineStep::Wait),
    ]
}

/// Two devices of one ledger, and its clock.
struct MachineLife {
    fixture: LedgerFixture,
    status: Arc<StatusCache>,
    now: Timestamp,
    devices: [Enrolled; 2],
    entries: u64,
    issued: Vec<Thumbprint>,
    used: HashMap<Thumbprint, Timestamp>,
    /// Where everything stood after the step before.
    certificates: HashMap<(DeviceId, i64), CertificateState>,
    stood: HashMap<DeviceId, DeviceState>,
}

struct Enrolled {
    id: DeviceId,
    invitation: InvitationId,
    key_hash: [u8; 32],
}

async fn live(place: EnginePlace, steps: &[(usize, MachineStep)]) {
    let fixture = LedgerFixture::open(place).await;
    let devices = [enroll(&fixture).await, enroll(&fixture).await];
    let status = StatusCache::load(fixture.ledger.clone(), day(0)).await.unwrap();
    let entries = fixture.audited().await;
    let mut life = MachineLife {
        fixture,
        status,
        now: day(0),
        devices,
        entries,
        issued: Vec::new(),
        used: HashMap::new(),
        certificates: HashMap::new(),
        stood: HashMap::new(),
    };
    // The first device is in use already; the second has only just asked.
    for step in [MachineStep::Complete(0), MachineStep::Use(0)] {
        life.entries += life.take(0, step).await;
    }
    for &(device, step) in steps {
        life.entries += life.take(device, step).await;
        life.check(step).await;
    }
    life.fixture.ledger.close().await;
    life.fixture.place.clear().await;
}

async fn enroll(fixture: &LedgerFixture) -> Enrolled {
    let invitation = fixture.invite("受付PC", day(0)).await.id;
    let id = DeviceId::random(&fixture.entropy);
    let intent = fixture.intent(&id, fixture.by_invitation(&invitation), day(0));
    let key_hash = intent.key_hash;
    fixture.ledger.group(intent).await.unwrap();
    Enrolled { id, invitation, key_hash }
}

impl MachineLife {
    /// Takes the step and gives how many certificates, devices or tokens it moved: as many audit entries are due.
    async fn take(&mut self, device: usize, step: MachineStep) -> u64 {
        let (fixture, now) = (&self.fixture, self.now);
        let Enrolled { id, invitation, key_hash } = &self.devices[device];
        let certificates = fixture.certificates(id).await;
        let picked = |pick: usize| {
            let newest_first = certificates.len().checked_sub(1 + pick % certificates.len().max(1));
            newest_first.map(|index| &certificates[index])
        };
        let print =
            |pick| picked(pick).and_then(Certificate::thumbprint).unwrap_or(Thumbprint::of(b"unknown"));
        let reserved = certificates.iter().filter(|one| one.state == Reserved).count() as u64;
        match step {
            MachineStep::Again => {
                let mut intent = fixture.intent(id, IssuanceRight::Again(invitation.clone()), now);
                intent.key_hash = *key_hash;
                match fixture.ledger.group(intent).await {
                    Ok(_) => 1 + reserved,
                    Err(_) => 0,
                }
            }
            MachineStep::Renew(pick) => {
                let from = print(pick);
                let start = certificates.iter().position(|one| one.thumbprint() == Some(from));
                let pending = certificates.iter().skip(start.map_or(0, |start| start + 1));
                let superseded = pending.filter(|one| !is_over(one.state)).count() as u64;
                match fixture.ledger.group(fixture.intent(id, IssuanceRight::Renewal(from), now)).await {
                    Ok(_) => 1 + superseded,
                    Err(_) => 0,
                }
            }
            MachineStep::Complete(pick) => {
                let Some(certificate) = picked(pick) else { return 0 };
                let signed = fixture.signed(id, certificate.serial, now);
                let thumbprint = signed.thumbprint;
                let done = count(&fixture.ledger.group(signed).await);
                self.issued.extend((done == 1).then_some(thumbprint));
                done
            }
            MachineStep::Deliver(pick) => {
                let print = print(pick);
                let delivered = fixture
                    .write(now, async |transaction| transaction.mark_delivered(&print, &operator()).await)
                    .await;
                u64::from(delivered.unwrap())
            }
            MachineStep::Use(pick) => {
                let print = print(pick);
                // Handlers ask before they note a use.
                match fixture.ledger.holding(&print).await.unwrap() {
                    Some(held) if held.standing(now) == Standing::Good => {
                        let first = fixture.present(&print, now).await;
                        self.used.extend(first.then_some((print, now)));
                        u64::from(first)
                    }
                    _ => 0,
                }
            }
            MachineStep::RetireDue => fixture.retire_due(now).await as u64,
            MachineStep::Abandon => {
                let before = now.minus(DAY);
                let abandoned =
                    fixture.write(now, async |transaction| transaction.abandon_reserved(before).await).await;
                abandoned.unwrap() as u64
            }
            MachineStep::Suspend => count(&fixture.act(id, DeviceAction::Suspend, now).await),
            MachineStep::Resume => count(&fixture.act(id, DeviceAction::Resume, now).await),
            MachineStep::Revoke => count(&fixture.act(id, DeviceAction::Revoke(KeyCompromise), now).await),
            MachineStep::Retire => count(&fixture.act(id, DeviceAction::Retire, now).await),
            MachineStep::SuspendTenant => count(&fixture.act_on_tenant(TenantAction::Suspend, now).await),
            MachineStep::ResumeTenant => count(&fixture.act_on_tenant(TenantAction::Resume, now).await),
            MachineStep::SignOut(all) => {
                let of = if all {
                    TokenHolder::Tenant(fixture.tenant.clone())
                } else {
                    TokenHolder::Device(id.clone())
                };
                count(&fixture.sign_out(&of, now).await)
            }
            MachineStep::DenyToken(name) => {
                let jti = format!("token-{name}");
                let denied = fixture
                    .write(now, async |transaction| {
                        transaction.deny_token(&jti, now.plus(DAY), id, &operator()).await
                    })
                    .await;
                u64::from(denied.unwrap().is_some())
            }
            MachineStep::Wait(days) => {
                self.now = now.plus(DAY * days);
                0
            }
        }
    }

    async fn check(&mut self, step: MachineStep) {
        assert_eq!(self.fixture.audited().await, self.entries, "one entry a change after {step:?}");
        self.status.catch_up(self.now).await.unwrap();
        let mut folded = self.fixture.folded().await;
        folded.forget(self.now);
        assert_eq!(self.fixture.ledger.denials(self.now).await.unwrap(), folded, "after {step:?}");
        for thumbprint in &self.issued {
            let held = self.fixture.ledger.holding(thumbprint).await.unwrap();
            self.check_standing(&held.expect("a certificate has its row"), step).await;
        }
        for device in &self.devices {
            self.check_device(&device.id, step).await;
        }
        self.check_list().await;
        self.check_ways(step).await;
    }

    /// Nothing moves but forward, and nothing comes back from where there is no way back.
    async fn check_ways(&mut self, step: MachineStep) {
        for Enrolled { id, .. } in &self.devices {
            let state = self.fixture.ledger.everything().device(id).await.unwrap().unwrap().state;
            let before = self.stood.insert(id.clone(), state).unwrap_or(state);
            assert!(before == state || before.may_become(state), "{before} → {state} after {step:?}");
            for certificate in self.fixture.certificates(id).await {
                let state = certificate.state;
                let place = (id.clone(), certificate.generation);
                let before = self.certificates.insert(place, state).unwrap_or(state);
                assert!(before == state || may_become(before, state), "{before} → {state} after {step:?}");
            }
        }
    }

    /// The cache says what the ledger says, and nothing good of a stopped device.
    async fn check_standing(&self, held: &HeldCertificate, step: MachineStep) {
        let by_ledger = held.standing(self.now);
        let (_, remembered) = self.status.standing(&held.thumbprint, self.now).await.unwrap().unwrap();
        if self.now <= held.not_after {
            assert_eq!(remembered, by_ledger, "after {step:?}");
        }
        assert!(remembered != Standing::Good || by_ledger == Standing::Good, "after {step:?}");
        let stopped = [held.device_state, held.device_state.within(held.tenant_state, held.role)]
            .iter()
            .any(|state| *state != DeviceState::Active);
        assert!(!stopped || by_ledger != Standing::Good, "a stopped device after {step:?}");
    }

    async fn check_device(&self, id: &DeviceId, step: MachineStep) {
        let device = self.fixture.ledger.everything().device(id).await.unwrap().unwrap();
        let certificates = self.fixture.certificates(id).await;
        let generations: Vec<_> = certificates.iter().map(|one| one.generation).collect();
        assert_eq!(generations, (1..=device.generation).collect::<Vec<_>>(), "after {step:?}");
        let in_use: Vec<_> = certificates.iter().filter(|one| one.state == InUse).collect();
        let ever = certificates.iter().any(|one| matches!(one.state, InUse | Retiring | Retired));
        assert_eq!(in_use.len(), usize::from(ever), "one generation is in use after {step:?}");
        let elders = certificates.iter().filter(|one| matches!(one.state, Retiring | Retired));
        for elder in elders {
            assert!(elder.generation < in_use[0].generation, "no elder without a successor after {step:?}");
        }
        if matches!(step, MachineStep::RetireDue)
            && let Some(used) = in_use.first().and_then(|one| self.used.get(&one.thumbprint()?))
            && used.plus(GRACE) <= self.now
        {
            assert!(certificates.iter().all(|one| one.state != Retiring), "grace has ended");
        }
    }

    /// Whatever is over and not expired is on the list, and nothing else.
    async fn check_list(&self) {
        let mut listed: Vec<_> = self.fixture.ended(self.now).await;
        listed.sort_by_key(|one| one.serial);
        let mut expected = Vec::new();
        for device in &self.devices {
            let state =
                self.fixture.ledger.everything().device(&device.id).await.unwrap().unwrap().effective_state();
            let over = |one: &Certificate| is_over(one.state) || state != DeviceState::Active;
            let certificates = self.fixture.certificates(&device.id).await;
            let current = certificates.into_iter().filter(|one| one.not_after >= self.now && over(one));
            expected.extend(current.map(|one| one.serial));
        }
        expected.sort();
        assert_eq!(listed.into_iter().map(|one| one.serial).collect::<Vec<_>>(), expected);
    }
}

fn may_become(from: CertificateState, to: CertificateState) -> bool {
    match from {
        Reserved => matches!(to, Issued | Revoked),
        Issued => matches!(to, Delivered | InUse | Retiring | Revoked),
        Delivered => matches!(to, InUse | Retiring | Revoked),
        InUse => to == Retiring,
        Retiring => to == Retired,
        Retired | Revoked => false,
    }
}

fn is_over(state: CertificateState) -> bool {
    matches!(state, Retired | Revoked)
}

fn count<T>(result: &Result<T>) -> u64 {
    u64::from(result.is_ok())
}
