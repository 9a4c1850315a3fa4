//! Any history of issuing, renewing, stopping, backups, restores and crashes: no certificate is accepted that the ledger
//! does not know, or that was ever acknowledged to be revoked; and list, responder, memory and ledger agree.

use crate::engines::{EnginePlace, runtime};
use crate::fixture::Everything;
use crate::fixture::{DAY, day, operator};
use crate::restoring::KeptAnswer;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::collections::{HashMap, HashSet};
use tegata_core::RevocationReason::{KeyCompromise, Superseded};
use tegata_core::feed::TokenHolder;
use tegata_core::{
    CertificateState, DeviceId, DeviceState, IssuerId, Serial, Standing, TenantState, Thumbprint, Timestamp,
};
use tegata_storage::{
    DeviceAction, IssuanceRight, IssuerKind, IssuerState, LedgerError, Lineage, StatusCache, StoredIssuer,
    TenantAction,
};

/// One step of somebody. Numbers pick among what there is.
#[derive(Clone, Copy, Debug)]
enum HistoryStep {
    Enroll,
    /// The process dies between intention and signature, or between signature and answer.
    EnrollHalf(bool),
    Renew(usize),
    RenewHalf(usize, bool),
    Present(usize),
    RetireDue,
    Abandon,
    RevokeCertificate(usize, bool),
    BlockKey(usize),
    Suspend(usize),
    Resume(usize),
    RevokeDevice(usize),
    RetireDevice(usize),
    DenyToken(u8),
    SuspendTenant,
    ResumeTenant,
    SignOut(usize),
    /// The CA rests, and another takes its place.
    RestIssuer,
    /// A revocation whose commit fails after it was written to the log.
    FailedRevocation(usize),
    Backup,
    Restore,
    Restart,
    Wait(u32),
}

#[test]
fn no_history_leaves_a_revoked_certificate_accepted_on_sqlite() {
    tell(32, EnginePlace::sqlite);
}

#[test]
fn no_history_leaves_a_revoked_certificate_accepted_on_postgresql() {
    tell(4, EnginePlace::postgres);
}

fn tell(cases: u32, place: fn() -> EnginePlace) {
    let runtime = runtime();
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 100, ..Config::default() };
    TestRunner::new(config)
        .run(&prop::collection::vec(step(), 1..60), |steps| {
            runtime.block_on(live(place(), &steps));
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

fn step() -> impl Strategy<Value = HistoryStep> {
    let pick = 0..6usize;
    prop_oneof![
        5 => Just(HistoryStep::Enroll),
        1 => any::<bool>().prop_map(HistoryStep::EnrollHalf),
        4 => pick.clone().prop_map(HistoryStep::Renew),
        1 => (pick.clone(), any::<bool>()).prop_map(|(pick, signed)| HistoryStep::RenewHalf(pick, signed)),
        5 => pick.clone().prop_map(HistoryStep::Present),
        2 => Just(HistoryStep::RetireDue),
        1 => Just(HistoryStep::Abandon),
        3 => (pick.clone(), any::<bool>()).prop_map(|(pick, whole)| HistoryStep::RevokeCertificate(pick, whole)),
        1 => pick.clone().prop_map(HistoryStep::BlockKey),
        2 => pick.clone().prop_map(HistoryStep::Suspend),
        2 => pick.clone().prop_map(HistoryStep::Resume),
        2 => pick.clone().prop_map(HistoryStep::RevokeDevice),
        1 => pick.clone().prop_map(HistoryStep::RetireDevice),
        1 => (0..4u8).prop_map(HistoryStep::DenyToken),
        1 => Just(HistoryStep::SuspendTenant),
        2 => Just(HistoryStep::ResumeTenant),
        1 => pick.clone().prop_map(HistoryStep::SignOut),
        1 => Just(HistoryStep::RestIssuer),
        1 => pick.prop_map(HistoryStep::FailedRevocation),
        3 => Just(HistoryStep::Backup),
        3 => Just(HistoryStep::Restore),
        1 => Just(HistoryStep::Restart),
        2 => (1..40u32).prop_map(HistoryStep::Wait),
    ]
}

/// A certificate that was handed over.
#[derive(Clone, Debug)]
struct Given {
    device: DeviceId,
    issuer: IssuerId,
    serial: Serial,
    thumbprint: Thumbprint,
    key: [u8; 32],
    not_after: Timestamp,
}

struct HistoryLife {
    kept: KeptAnswer,
    now: Timestamp,
    given: Vec<Given>,
    /// Whatever was acknowledged to have ended for ever.
    ended: HashSet<Thumbprint>,
    blocked: HashSet<[u8; 32]>,
    denied: HashMap<String, Timestamp>,
    /// Whether it was acknowledged that the tenant is suspended.
    is_tenant_stopped: bool,
    signed_out: HashMap<DeviceId, Timestamp>,
    has_backup: bool,
    head: u64,
}

async fn live(place: EnginePlace, steps: &[HistoryStep]) {
    let kept = KeptAnswer::open(place).await;
    let mut life = HistoryLife {
        kept,
        now: day(0),
        given: Vec::new(),
        ended: HashSet::new(),
        blocked: HashSet::new(),
        denied: HashMap::new(),
        is_tenant_stopped: false,
        signed_out: HashMap::new(),
        has_backup: false,
        head: 0,
    };
    for &step in [HistoryStep::Enroll, HistoryStep::Present(0), HistoryStep::Enroll].iter().chain(steps) {
        life.take(step).await;
        life.remember_the_ended().await;
        life.check(step).await;
    }
    life.kept.clear().await;
}

impl HistoryLife {
    async fn take(&mut self, step: HistoryStep) {
        let now = self.now;
        match step {
            HistoryStep::Enroll => self.enroll(2).await,
            HistoryStep::EnrollHalf(signed) => self.enroll(u8::from(signed)).await,
            HistoryStep::Renew(pick) => self.renew(pick, 2).await,
            HistoryStep::RenewHalf(pick, signed) => self.renew(pick, u8::from(signed)).await,
            HistoryStep::Present(pick) => self.present(pick).await,
            HistoryStep::RetireDue => drop(self.kept.fixture.retire_due(now).await),
            HistoryStep::Abandon => {
                let abandoned =
                    async |writing: &mut tegata_storage::Transaction| writing.abandon_reserved(now).await;
                self.kept.fixture.write(now, abandoned).await.unwrap();
            }
            HistoryStep::RevokeCertificate(pick, whole) => self.revoke(pick, whole).await,
            HistoryStep::BlockKey(pick) => self.block(pick).await,
            HistoryStep::Suspend(pick) => self.act(pick, DeviceAction::Suspend).await,
            HistoryStep::Resume(pick) => self.act(pick, DeviceAction::Resume).await,
            HistoryStep::RevokeDevice(pick) => self.act(pick, DeviceAction::Revoke(KeyCompromise)).await,
            HistoryStep::RetireDevice(pick) => self.act(pick, DeviceAction::Retire).await,
            HistoryStep::DenyToken(name) => self.deny_token(name).await,
            HistoryStep::SuspendTenant => self.act_on_tenant(TenantAction::Suspend).await,
            HistoryStep::ResumeTenant => self.act_on_tenant(TenantAction::Resume).await,
            HistoryStep::SignOut(pick) => self.sign_out(pick).await,
            HistoryStep::RestIssuer => self.rest_issuer().await,
            HistoryStep::FailedRevocation(pick) => {
                self.kept.fixture.place.forbid_commits().await;
                self.act(pick, DeviceAction::Revoke(KeyCompromise)).await;
                self.kept.fixture.place.allow_commits().await;
            }
            HistoryStep::Backup => {
                self.kept.fixture.place.backup().await;
                self.has_backup = true;
            }
            HistoryStep::Restore if self.has_backup => {
                self.kept.restore(now).await.unwrap();
                self.take_up_the_issuer().await;
            }
            HistoryStep::Restore | HistoryStep::Restart => self.kept.reopen(now).await.unwrap(),
            HistoryStep::Wait(days) => self.now = now.plus(DAY * days),
        }
    }

    /// One of the newest certificates, or one that nobody knows.
    fn picked(&self, pick: usize) -> Option<Given> {
        let newest_first = self.given.len().checked_sub(1 + pick % self.given.len().max(1));
        newest_first.map(|index| self.given[index].clone())
    }

    async fn enroll(&mut self, steps: u8) {
        let invited = self.kept.fixture.invite("受付PC", self.now).await;
        let device = DeviceId::random(&self.kept.fixture.entropy);
        let origin = self.kept.fixture.by_invitation(&invited.id);
        self.issue(&device, origin, steps).await;
    }

    async fn renew(&mut self, pick: usize, steps: u8) {
        if let Some(Given { device, thumbprint, .. }) = self.picked(pick)
            && self.is_let_in(&thumbprint).await
        {
            self.issue(&device, IssuanceRight::Renewal(thumbprint), steps).await;
        }
    }

    /// Without steps the process dies once the serial is reserved, with one before anybody has the answer.
    async fn issue(&mut self, device: &DeviceId, origin: IssuanceRight, steps: u8) {
        let fixture = &self.kept.fixture;
        let intent = fixture.intent(device, origin, self.now);
        let (issuer, serial, key, not_after) =
            (intent.issuer.clone(), intent.serial, intent.key_hash, intent.not_after);
        assert!(!self.blocked.contains(&key));
        if fixture.ledger.group(intent).await.is_err() || steps == 0 {
            return;
        }
        let signed = fixture.signed(device, serial, self.now);
        let signed = tegata_storage::StoreCertificate { issuer: issuer.clone(), ..signed };
        let thumbprint = signed.thumbprint;
        if fixture.ledger.group(signed).await.is_ok() || steps == 1 {
            self.given.push(Given { device: device.clone(), issuer, serial, thumbprint, key, not_after });
        }
    }

    /// Handlers ask before they note a use.
    async fn present(&mut self, pick: usize) {
        if let Some(Given { thumbprint, .. }) = self.picked(pick)
            && self.is_let_in(&thumbprint).await
        {
            self.kept.fixture.present(&thumbprint, self.now).await;
        }
    }

    async fn revoke(&mut self, pick: usize, whole: bool) {
        let Some(Given { thumbprint, .. }) = self.picked(pick) else { return };
        let lineage = if whole { Lineage::Whole } else { Lineage::This };
        let revoked = self
            .kept
            .fixture
            .write(self.now, async |writing| {
                writing.revoke_certificate(&thumbprint, KeyCompromise, lineage, "", &operator()).await
            })
            .await;
        if revoked.is_ok() {
            self.ended.insert(thumbprint);
        }
    }

    async fn block(&mut self, pick: usize) {
        let Some(Given { key, thumbprint, .. }) = self.picked(pick) else { return };
        let known = self.kept.fixture.ledger.holding(&thumbprint).await.unwrap().is_some();
        self.kept
            .fixture
            .write(self.now, async |writing| writing.block_key(&key, "", &operator()).await)
            .await
            .unwrap();
        self.blocked.insert(key);
        self.ended.extend(known.then_some(thumbprint));
    }

    async fn act(&mut self, pick: usize, action: DeviceAction) {
        let Some(Given { device, .. }) = self.picked(pick) else { return };
        let done = self.kept.fixture.act(&device, action, self.now).await;
        if done.is_ok() && matches!(action, DeviceAction::Revoke(_) | DeviceAction::Retire) {
            let its = self.given.iter().filter(|given| given.device == device).map(|given| given.thumbprint);
            let its: Vec<_> = its.collect();
            for thumbprint in its {
                // One from another time is known to nobody, and was not what this was about.
                if self.kept.fixture.ledger.holding(&thumbprint).await.unwrap().is_some() {
                    self.ended.insert(thumbprint);
                }
            }
        }
    }

    async fn deny_token(&mut self, name: u8) {
        let Some(Given { device, .. }) = self.picked(0) else { return };
        let (jti, until) = (format!("token-{name}"), self.now.plus(DAY * 90));
        let denied = self
            .kept
            .fixture
            .write(self.now, async |writing| writing.deny_token(&jti, until, &device, &operator()).await)
            .await;
        if denied.unwrap().is_some() {
            self.denied.insert(jti, until);
        }
    }

    async fn act_on_tenant(&mut self, action: TenantAction) {
        if self.kept.fixture.act_on_tenant(action, self.now).await.is_ok() {
            self.is_tenant_stopped = action == TenantAction::Suspend;
        }
    }

    async fn sign_out(&mut self, pick: usize) {
        let Some(Given { device, .. }) = self.picked(pick) else { return };
        if self.kept.fixture.sign_out(&TokenHolder::Device(device.clone()), self.now).await.is_ok() {
            self.signed_out.insert(device, self.now);
        }
    }

    async fn rest_issuer(&mut self) {
        let id = IssuerId::random(&self.kept.fixture.entropy);
        let issuer = StoredIssuer::new(id.clone(), IssuerKind::Issuing, b"the next CA".to_vec(), None);
        let former = self.kept.fixture.issuer.clone();
        self.kept
            .fixture
            .write(self.now, async |writing| {
                writing.add_issuer(&issuer, &operator()).await?;
                writing.move_issuer(&former, IssuerState::Resting, Superseded, "", &operator()).await
            })
            .await
            .unwrap();
        self.kept.fixture.issuer = id;
    }

    /// A CA that was made after the backup is recorded again, as the ceremony's files allow.
    async fn take_up_the_issuer(&mut self) {
        let mut issuers: HashSet<_> = self.given.iter().map(|given| given.issuer.clone()).collect();
        issuers.insert(self.kept.fixture.issuer.clone());
        let known = self.kept.fixture.ledger.issuers().await.unwrap();
        for id in issuers.iter().filter(|id| known.iter().all(|issuer| issuer.id != **id)) {
            let state =
                if *id == self.kept.fixture.issuer { IssuerState::Active } else { IssuerState::Resting };
            let mut issuer = StoredIssuer::new(id.clone(), IssuerKind::Issuing, b"again".to_vec(), None);
            issuer.state = state;
            self.kept
                .fixture
                .write(self.now, async |writing| writing.add_issuer(&issuer, &operator()).await)
                .await
                .unwrap();
        }
    }

    /// What the token endpoint would say.
    async fn is_let_in(&self, thumbprint: &Thumbprint) -> bool {
        let held = self.kept.fixture.ledger.holding(thumbprint).await.unwrap();
        held.is_some_and(|held| held.standing(self.now) == Standing::Good)
    }

    /// Ends are for ever, whoever brought them about: lineage, retirement, a superseded renewal, a device's end.
    async fn remember_the_ended(&mut self) {
        for given in &self.given {
            if let Some(held) = self.kept.fixture.ledger.holding(&given.thumbprint).await.unwrap() {
                let certificate = matches!(held.state, CertificateState::Revoked | CertificateState::Retired);
                let device = matches!(held.device_state, DeviceState::Revoked | DeviceState::Retired);
                if certificate || device {
                    self.ended.insert(given.thumbprint);
                }
            }
        }
    }

    async fn check(&mut self, step: HistoryStep) {
        let ledger = &self.kept.fixture.ledger;
        let head = ledger.feed_head().await.unwrap();
        assert!(head >= self.head, "the feed went back after {step:?}");
        self.head = head;
        assert_eq!(self.kept.fixture.folded().await.seq(), head, "after {step:?}");
        self.kept.fixture.audited().await;
        let status = StatusCache::load(ledger.clone(), self.now).await.unwrap();
        let denials = ledger.denials(self.now).await.unwrap();
        let listed = self.listed().await;
        for given in &self.given {
            let remembered = status.standing(&given.thumbprint, self.now).await.unwrap();
            let accepted = remembered.as_ref().is_some_and(|(_, standing)| *standing == Standing::Good);
            assert_eq!(accepted, self.is_let_in(&given.thumbprint).await, "memory and ledger after {step:?}");
            if given.not_after < self.now {
                assert!(!accepted);
                continue;
            }
            let said = ledger.status_of(&given.issuer, &given.serial).await.unwrap();
            let ended = said.as_ref().is_some_and(|said| said.ended().is_some());
            assert_eq!(
                ended,
                listed.contains(&given.serial),
                "responder and list of {given:?} after {step:?}"
            );
            assert!(!accepted || (said.is_some() && !ended), "{given:?} is accepted after {step:?}");
            assert!(!accepted || !self.is_tenant_stopped, "{given:?} is let in after {step:?}");
            assert!(
                said.is_none() || ended || !self.is_tenant_stopped,
                "{given:?} is called good after {step:?}"
            );
            if self.ended.contains(&given.thumbprint) {
                assert!(ended && !accepted, "{given:?} came back after {step:?}");
                let denied = denials.denial(&given.device, &given.thumbprint);
                assert!(denied.is_some(), "who takes a snapshot does not hear of {given:?} after {step:?}");
            }
        }
        for (jti, until) in &self.denied {
            assert!(*until < self.now || denials.token_denied(jti), "{jti} came back after {step:?}");
        }
        let tenants = ledger.everything().tenants().await.unwrap();
        assert_eq!(tenants[0].state == TenantState::Suspended, self.is_tenant_stopped, "after {step:?}");
        for (device, moment) in &self.signed_out {
            let known = ledger.tokens_before(&self.kept.fixture.tenant, device).await.unwrap();
            assert!(known > Some(*moment), "{device} is signed in again after {step:?}");
        }
        let blocked = ledger.blocked_keys().await.unwrap();
        assert_eq!(blocked.len(), self.blocked.len(), "blocked keys after {step:?}");
        self.is_blocked_for_ever(step).await;
    }

    async fn is_blocked_for_ever(&self, step: HistoryStep) {
        let Some(key) = self.blocked.iter().next() else { return };
        let fixture = &self.kept.fixture;
        let invited = fixture.invite("受付PC", self.now).await;
        let mut intent =
            fixture.intent(&DeviceId::random(&fixture.entropy), fixture.by_invitation(&invited.id), self.now);
        intent.key_hash = *key;
        assert!(matches!(fixture.ledger.group(intent).await, Err(LedgerError::Refused(_))), "after {step:?}");
    }

    async fn listed(&self) -> HashSet<Serial> {
        let mut listed = HashSet::new();
        let issuers: HashSet<_> = self.given.iter().map(|given| given.issuer.clone()).collect();
        for issuer in issuers {
            let mut visit = |ended: tegata_storage::EndedCertificate| {
                listed.insert(ended.serial);
            };
            self.kept.fixture.ledger.ended(&issuer, 0, self.now, &mut visit).await.unwrap();
        }
        listed
    }
}
