//! A restore does not un-revoke: what was acknowledged after the backup holds, though the restored ledger has never
//! heard of it.

use crate::engines::{EnginePlace, on_both_engines_with};
use crate::fixture::{DAY, Everything, LedgerFixture, day, installation, operator};
use std::path::PathBuf;
use std::sync::Arc;
use tegata_core::RevocationReason::{KeyCompromise, Superseded};
use tegata_core::entropy::bytes;
use tegata_core::feed::TokenHolder;
use tegata_core::{
    DeviceId, DeviceState, IssuerId, RevocationReason, Serial, Standing, TenantState, Thumbprint, Timestamp,
};
use tegata_storage::{
    DeviceAction, IssuerKind, IssuerState, Ledger, LedgerError, Lineage, LogError, LogPlace, Outdated,
    Result, Rotation, StatusCache, StoredCrl, StoredIssuer, TenantAction,
};
use tempfile::TempDir;

/// A ledger with a revocation log on what stands for another disk.
pub(crate) struct KeptAnswer {
    pub(crate) fixture: LedgerFixture,
    disk: TempDir,
}

impl KeptAnswer {
    pub(crate) async fn open(place: EnginePlace) -> Self {
        let mut kept =
            Self { fixture: LedgerFixture::open(place).await, disk: tempfile::tempdir().expect("a disk") };
        kept.reopen(day(0)).await.expect("a ledger that begins a log");
        kept
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.disk.path().join("revocations.log")
    }

    /// Opens the ledger again, as a server that starts.
    pub(crate) async fn reopen(&mut self, now: Timestamp) -> Result<()> {
        self.fixture.ledger.close().await;
        self.fixture.ledger = self.open_another(now).await?;
        Ok(())
    }

    /// Another process.
    pub(crate) async fn open_another(&self, now: Timestamp) -> Result<Ledger> {
        self.fixture.open_with_log(&self.log(), now).await
    }

    /// Stops, restores the backup, and starts.
    pub(crate) async fn restore(&mut self, now: Timestamp) -> Result<()> {
        self.fixture.ledger.close().await;
        self.fixture.place.restore().await;
        self.reopen(now).await
    }

    pub(crate) async fn clear(self) {
        self.fixture.ledger.close().await;
        self.fixture.place.clear().await;
    }

    async fn stop(&self, device: &DeviceId, action: DeviceAction, now: Timestamp) {
        self.fixture.act(device, action, now).await.expect("a stopped device");
    }

    async fn state(&self, device: &DeviceId) -> Option<DeviceState> {
        self.fixture.ledger.everything().device(device).await.unwrap().map(|device| device.state)
    }

    async fn serial(&self, device: &DeviceId) -> Serial {
        self.fixture.certificates(device).await.last().expect("a certificate").serial
    }

    /// Why the list names it, and the responder says the same.
    async fn listed(&self, serial: &Serial, now: Timestamp) -> Option<Option<RevocationReason>> {
        let listed = self.fixture.ended(now).await.into_iter().find(|ended| ended.serial == *serial);
        let said = self.fixture.said(serial).await.flatten();
        assert_eq!(
            listed.as_ref().map(|ended| ended.reason),
            said.map(|ended| ended.reason),
            "list and responder"
        );
        listed.map(|ended| ended.reason)
    }
}

on_both_engines_with! {
    KeptAnswer::open;

    async fn refresh_tokens_of_before_the_backup_are_not_believed(kept: KeptAnswer) {
        let session = kept.fixture.session().await;
        let (stopped, _) = kept.fixture.enroll(day(0)).await;
        kept.fixture.place.backup().await;
        kept.fixture.refresh(&session, &session.first, day(1)).await;
        kept.stop(&stopped, DeviceAction::Suspend, day(1)).await;
        kept.restore(day(1)).await.unwrap();
        let (rotation, _) = kept.fixture.refresh(&session, &session.first, day(1)).await;
        assert_eq!(rotation, Rotation::Refused, "it had been replaced, of which the restored ledger knows nothing");
    }

    async fn a_restore_without_its_log_is_accepted_only_on_an_operators_word(kept: KeptAnswer) {
        let session = kept.fixture.session().await;
        let secret = bytes(&kept.fixture.entropy);
        kept.fixture.ledger.begin_status_lists(&secret, day(0)).await.unwrap();
        kept.fixture.place.backup().await;
        let next = kept.fixture.ledger.status_head().await.unwrap().next;
        kept.fixture.enroll(day(1)).await;
        kept.fixture.refresh(&session, &session.first, day(1)).await;
        kept.restore(day(1)).await.unwrap();
        let head = kept.fixture.ledger.status_head().await.unwrap();
        assert!(head.next == next && head.secret == Some(secret), "nothing tells that a place is given once more");
        kept.fixture.ledger.note_restored(&operator(), day(1)).await.unwrap();
        assert_eq!(kept.fixture.ledger.status_head().await.unwrap().secret, None, "another list has the same places");
        let (rotation, _) = kept.fixture.refresh(&session, &session.first, day(1)).await;
        assert_eq!(rotation, Rotation::Refused, "it had been replaced");
    }

    async fn status_lists_of_before_the_backup_are_not_gone_on_with(kept: KeptAnswer) {
        let (device, _) = kept.fixture.enroll(day(0)).await;
        let secret = bytes(&kept.fixture.entropy);
        kept.fixture.ledger.begin_status_lists(&secret, day(0)).await.unwrap();
        kept.reopen(day(1)).await.unwrap();
        assert_eq!(kept.fixture.ledger.status_head().await.unwrap().secret, Some(secret), "nothing was lost");
        kept.fixture.place.backup().await;
        kept.fixture.enroll(day(1)).await;
        kept.stop(&device, DeviceAction::Suspend, day(1)).await;
        kept.restore(day(2)).await.unwrap();
        assert_eq!(kept.fixture.ledger.status_head().await.unwrap().secret, None, "another list has the same places");
    }

    async fn what_was_stopped_after_the_backup_stays_stopped(kept: KeptAnswer) {
        let mut known = Vec::new();
        for _ in 0..5 {
            known.push(kept.fixture.enroll(day(0)).await);
        }
        let resting = another_issuer(&kept).await;
        kept.stop(&known[3].0, DeviceAction::Suspend, day(0)).await;
        publish(&kept, 7).await;
        kept.fixture.place.backup().await;

        kept.stop(&known[0].0, DeviceAction::Revoke(KeyCompromise), day(1)).await;
        revoke(&kept, &known[1].1, day(1)).await;
        kept.stop(&known[2].0, DeviceAction::Suspend, day(1)).await;
        kept.stop(&known[2].0, DeviceAction::Resume, day(1)).await;
        kept.stop(&known[3].0, DeviceAction::Resume, day(1)).await;
        kept.stop(&known[4].0, DeviceAction::Suspend, day(1)).await;
        let lost = kept.fixture.enroll(day(1)).await;
        let lost_serial = kept.serial(&lost.0).await;
        kept.stop(&lost.0, DeviceAction::Revoke(KeyCompromise), day(1)).await;
        let held = kept.fixture.enroll(day(1)).await;
        let held_serial = kept.serial(&held.0).await;
        kept.stop(&held.0, DeviceAction::Suspend, day(1)).await;
        let blocked: [u8; 32] = bytes(&kept.fixture.entropy);
        let now = day(1);
        kept.fixture.write(now, async |writing| writing.block_key(&blocked, "found", &operator()).await).await.unwrap();
        kept.fixture.write(now, async |writing| writing.deny_token("jti", day(9), &known[2].0, &operator()).await).await.unwrap();
        kept.fixture.write(now, async |writing| {
            writing.move_issuer(&resting, IssuerState::Resting, Superseded, "", &operator()).await?;
            writing.move_issuer(&resting, IssuerState::Revoked, KeyCompromise, "", &operator()).await
        }).await.unwrap();
        let (before, head) = (kept.fixture.folded().await, kept.fixture.ledger.feed_head().await.unwrap());

        kept.restore(day(2)).await.unwrap();
        assert_eq!(kept.fixture.ledger.feed_head().await.unwrap(), head, "gates go on where they were");
        assert_eq!(kept.fixture.ledger.crl(&kept.fixture.issuer, 0).await.unwrap(), None, "no list from before is shown");
        assert_eq!(kept.fixture.folded().await, before);
        let states = [DeviceState::Revoked, DeviceState::Active, DeviceState::Active, DeviceState::Active, DeviceState::Suspended];
        for ((device, _), state) in known.iter().zip(states) {
            assert_eq!(kept.state(device).await, Some(state));
        }
        assert_eq!(kept.state(&lost.0).await, None);
        let serials = [kept.serial(&known[0].0).await, kept.serial(&known[1].0).await, kept.serial(&known[4].0).await];
        for serial in serials.iter().take(2).chain([&lost_serial]) {
            assert_eq!(kept.listed(serial, day(2)).await, Some(Some(KeyCompromise)));
        }
        for serial in [&serials[2], &held_serial] {
            assert_eq!(kept.listed(serial, day(2)).await, Some(None), "on hold");
        }
        assert_eq!(kept.fixture.ended(day(2)).await.len(), 5, "and nothing else");
        is_refused_by_the_memory(&kept, &[&known[0], &known[1], &known[4]], &[&known[2], &known[3]]).await;
        let denials = kept.fixture.ledger.denials(day(2)).await.unwrap();
        for (device, thumbprint) in [&lost, &held] {
            assert!(denials.denial(device, thumbprint).is_some(), "who takes a snapshot now hears of it");
        }
        assert!(denials.token_denied("jti"));
        let keys = kept.fixture.ledger.blocked_keys().await.unwrap();
        assert!(keys.iter().any(|key| key.key_hash == blocked && key.note == "found"));
        let issuers = kept.fixture.ledger.issuers().await.unwrap();
        assert!(issuers.iter().any(|issuer| issuer.id == resting && issuer.state == IssuerState::Revoked));
        kept.fixture.audited().await;
        let actions = kept.fixture.actions_after(0).await;
        assert_eq!(actions.last().map(String::as_str), Some("ledger.replayed"));
        assert_eq!(actions.iter().filter(|action| *action == "certificate.lost").count(), 2);
        let report = kept.fixture.ledger.verify_log().await.unwrap().unwrap();
        assert!(report.agrees && report.torn == 0 && report.last_event == head, "{report:?}");
    }

    async fn a_tenant_stopped_after_the_backup_stays_stopped_with_all_its_devices(kept: KeptAnswer) {
        let fixture = &kept.fixture;
        let known = fixture.enroll(day(0)).await;
        let resting = fixture.enroll(day(0)).await;
        kept.stop(&resting.0, DeviceAction::Suspend, day(0)).await;
        kept.fixture.place.backup().await;
        let (lost, stolen) = (kept.fixture.enroll(day(1)).await, kept.fixture.enroll(day(1)).await);
        let (lost_serial, stolen_serial) = (kept.serial(&lost.0).await, kept.serial(&stolen.0).await);
        kept.fixture.act_on_tenant(TenantAction::Suspend, day(1)).await.unwrap();
        // On hold by both hands: letting go with one does not free it.
        kept.stop(&resting.0, DeviceAction::Resume, day(1)).await;
        kept.stop(&lost.0, DeviceAction::Suspend, day(1)).await;
        kept.stop(&lost.0, DeviceAction::Resume, day(1)).await;
        kept.stop(&stolen.0, DeviceAction::Revoke(KeyCompromise), day(1)).await;
        kept.fixture.sign_out(&TokenHolder::Device(lost.0.clone()), day(1)).await.unwrap();
        let before = kept.fixture.folded().await;

        kept.restore(day(2)).await.unwrap();
        assert_eq!(kept.fixture.folded().await, before);
        assert_eq!(kept.fixture.ledger.everything().tenants().await.unwrap()[0].state, TenantState::Suspended);
        is_refused_by_the_memory(&kept, &[&known, &resting], &[]).await;
        for serial in [&kept.serial(&known.0).await, &kept.serial(&resting.0).await, &lost_serial] {
            assert_eq!(kept.listed(serial, day(2)).await, Some(None), "on hold");
        }
        assert_eq!(kept.listed(&stolen_serial, day(2)).await, Some(Some(KeyCompromise)));
        let denials = kept.fixture.ledger.denials(day(1)).await.unwrap();
        assert!(denials.denial(&lost.0, &lost.1).is_some(), "who takes a snapshot now hears of it");
        assert!(denials.tokens_before(&kept.fixture.tenant, &lost.0) > Some(day(1)), "of a device nobody knows, too");
        kept.fixture.audited().await;

        kept.fixture.place.backup().await;
        kept.fixture.act_on_tenant(TenantAction::Resume, day(3)).await.unwrap();
        kept.restore(day(4)).await.unwrap();
        assert_eq!(kept.fixture.ledger.everything().tenants().await.unwrap()[0].state, TenantState::Active, "stopped and let in again");
        is_refused_by_the_memory(&kept, &[], &[&known, &resting]).await;
    }

    async fn a_ledger_may_be_restored_again_and_again_and_from_any_backup(kept: KeptAnswer) {
        let (device, _) = kept.fixture.enroll(day(0)).await;
        kept.fixture.place.backup().await;
        kept.stop(&device, DeviceAction::Suspend, day(1)).await;
        kept.restore(day(2)).await.unwrap();
        assert_eq!(kept.state(&device).await, Some(DeviceState::Suspended));
        kept.stop(&device, DeviceAction::Resume, day(3)).await;
        kept.restore(day(4)).await.unwrap();
        assert_eq!(kept.state(&device).await, Some(DeviceState::Active), "stopped and let in again");
        kept.fixture.place.backup().await;
        kept.stop(&device, DeviceAction::Revoke(KeyCompromise), day(5)).await;
        kept.restore(day(6)).await.unwrap();
        assert_eq!(kept.state(&device).await, Some(DeviceState::Revoked));
        assert_eq!(kept.fixture.ledger.feed_head().await.unwrap(), 3);
        kept.fixture.folded().await;
        kept.fixture.audited().await;
    }

    async fn opening_a_ledger_that_lacks_nothing_writes_nothing(kept: KeptAnswer) {
        let (device, _) = kept.fixture.enroll(day(0)).await;
        kept.stop(&device, DeviceAction::Suspend, day(1)).await;
        let (audited, log) = (kept.fixture.audited().await, std::fs::read(kept.log()).unwrap());
        kept.reopen(day(2)).await.unwrap();
        assert_eq!(kept.fixture.audited().await, audited);
        assert_eq!(std::fs::read(kept.log()).unwrap(), log);
    }

    async fn a_log_that_lost_its_end_is_written_again(kept: KeptAnswer) {
        let (device, thumbprint) = kept.fixture.enroll(day(0)).await;
        kept.fixture.place.backup().await;
        revoke(&kept, &thumbprint, day(1)).await;
        let short = std::fs::read(kept.log()).unwrap();
        kept.stop(&device, DeviceAction::Suspend, day(1)).await;
        let blocked: [u8; 32] = bytes(&kept.fixture.entropy);
        kept.fixture.write(day(1), async |writing| writing.block_key(&blocked, "", &operator()).await).await.unwrap();
        std::fs::write(kept.log(), &short).unwrap();
        kept.reopen(day(2)).await.unwrap();
        kept.restore(day(3)).await.unwrap();
        assert_eq!(kept.state(&device).await, Some(DeviceState::Suspended));
        assert_eq!(kept.fixture.ledger.blocked_keys().await.unwrap().len(), 1);
        assert_eq!(kept.fixture.ledger.feed_head().await.unwrap(), 2);
        assert!(kept.fixture.ledger.verify_log().await.unwrap().unwrap().agrees);
    }

    async fn a_ledger_from_before_it_had_a_log_takes_the_log_up(kept: KeptAnswer) {
        let (device, _) = kept.fixture.enroll(day(0)).await;
        kept.stop(&device, DeviceAction::Revoke(KeyCompromise), day(1)).await;
        kept.fixture.place.tamper("UPDATE head SET revocation_log = NULL, log_hash = NULL").await;
        kept.reopen(day(2)).await.unwrap();
        assert!(kept.fixture.ledger.verify_log().await.unwrap().unwrap().agrees);
        let (other, _) = kept.fixture.enroll(day(2)).await;
        kept.stop(&other, DeviceAction::Suspend, day(2)).await;
    }

    async fn a_log_that_cannot_be_this_ledgers_is_refused(kept: KeptAnswer) {
        let (device, _) = kept.fixture.enroll(day(0)).await;
        kept.stop(&device, DeviceAction::Suspend, day(1)).await;
        kept.stop(&device, DeviceAction::Resume, day(1)).await;
        let whole = std::fs::read_to_string(kept.log()).unwrap();
        std::fs::rename(kept.log(), kept.log().with_extension("aside")).unwrap();
        is_log_fault(kept.reopen(day(2)).await, |fault| matches!(fault, LogError::Missing(_)));
        std::fs::write(kept.log(), "").unwrap();
        is_log_fault(kept.reopen(day(2)).await, |fault| matches!(fault, LogError::Unreadable(_)));
        std::fs::write(kept.log(), others_log().await).unwrap();
        is_log_fault(kept.reopen(day(2)).await, |fault| matches!(fault, LogError::Foreign(_)));
        // The ledger sees the end only; who looks at the whole sees what is in the middle.
        std::fs::write(kept.log(), whole.replacen("\"suspended\"", "\"retired\"", 1)).unwrap();
        kept.reopen(day(2)).await.unwrap();
        let looked = kept.fixture.ledger.verify_log().await.map(|_| ());
        is_log_fault(looked, |fault| matches!(fault, LogError::Broken { line: 2, .. }));
        std::fs::write(kept.log(), &whole).unwrap();
        kept.reopen(day(2)).await.unwrap();
        assert!(kept.fixture.ledger.verify_log().await.unwrap().unwrap().agrees);
    }

    async fn two_stories_of_one_ledger_are_not_mixed(kept: KeptAnswer) {
        let (device, _) = kept.fixture.enroll(day(0)).await;
        kept.fixture.place.backup().await;
        kept.stop(&device, DeviceAction::Suspend, day(1)).await;
        let told = std::fs::read(kept.log()).unwrap();
        // The log is restored with the ledger, and both go on from there: what a clone of an installation does.
        let first_line = told.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        std::fs::write(kept.log(), &told[..first_line]).unwrap();
        kept.restore(day(2)).await.unwrap();
        kept.stop(&device, DeviceAction::Revoke(KeyCompromise), day(2)).await;
        std::fs::write(kept.log(), &told).unwrap();
        is_log_fault(kept.reopen(day(3)).await, |fault| matches!(fault, LogError::Diverged { seq: 1, .. }));
        // The way out that the message names.
        kept.restore(day(3)).await.unwrap();
        assert_eq!(kept.state(&device).await, Some(DeviceState::Suspended));
    }

    async fn what_a_crash_cut_off_is_passed_over(kept: KeptAnswer) {
        use std::io::Write;
        let (device, _) = kept.fixture.enroll(day(0)).await;
        kept.fixture.place.backup().await;
        kept.stop(&device, DeviceAction::Suspend, day(1)).await;
        let mut file = std::fs::OpenOptions::new().append(true).open(kept.log()).unwrap();
        file.write_all(b"{\"record\":\"event\",\"event\":{\"se").unwrap();
        kept.stop(&device, DeviceAction::Resume, day(1)).await;
        kept.reopen(day(2)).await.unwrap();
        kept.stop(&device, DeviceAction::Revoke(KeyCompromise), day(2)).await;
        let report = kept.fixture.ledger.verify_log().await.unwrap().unwrap();
        assert_eq!((report.torn, report.agrees), (1, true));
        kept.restore(day(3)).await.unwrap();
        assert_eq!(kept.state(&device).await, Some(DeviceState::Revoked));
    }

    async fn a_lost_log_is_replaced_only_on_demand(kept: KeptAnswer) {
        let (device, _) = kept.fixture.enroll(day(0)).await;
        kept.stop(&device, DeviceAction::Suspend, day(1)).await;
        kept.fixture.place.backup().await;
        let (url, log) = (kept.fixture.place.url(), kept.log());
        let installation = installation();
        let place = LogPlace { file: &log, installation: &installation };
        let early = Ledger::open_with_new_log(&url, &place, day(2), &kept.fixture.entropy).await.map(|_| ());
        is_log_fault(early, |fault| matches!(fault, LogError::Exists(_)));
        std::fs::remove_file(&log).unwrap();
        Ledger::open_with_new_log(&url, &place, day(2), &kept.fixture.entropy).await.unwrap().close().await;
        kept.reopen(day(3)).await.unwrap();
        kept.stop(&device, DeviceAction::Revoke(KeyCompromise), day(3)).await;
        // The backup does not know the new log by its name, and knows what it begins with.
        kept.restore(day(4)).await.unwrap();
        assert_eq!(kept.state(&device).await, Some(DeviceState::Revoked));
    }

    async fn without_its_log_a_ledger_does_not_revoke_in_silence(kept: KeptAnswer) {
        let (device, _) = kept.fixture.enroll(day(0)).await;
        let without = Ledger::open(&kept.fixture.place.url()).await.unwrap();
        let mut writing = without.begin(day(1)).await.unwrap();
        writing.act_on_device(&device, DeviceAction::Suspend, "", &operator()).await.unwrap();
        is_log_fault(writing.commit().await, |fault| matches!(fault, LogError::NotOpened));
        without.close().await;
        assert_eq!(kept.state(&device).await, Some(DeviceState::Active), "the refused change is undone");

        std::fs::rename(kept.log(), kept.log().with_extension("away")).unwrap();
        let refused = kept.fixture.act(&device, DeviceAction::Suspend, day(1)).await.map(|_| ());
        is_log_fault(refused, |fault| matches!(fault, LogError::Missing(_)));
        kept.fixture.enroll(day(1)).await;
        std::fs::rename(kept.log().with_extension("away"), kept.log()).unwrap();
        kept.stop(&device, DeviceAction::Suspend, day(1)).await;
    }

    async fn several_processes_write_one_log(kept: KeptAnswer) {
        let mut devices = Vec::new();
        for _ in 0..12 {
            devices.push(kept.fixture.enroll(day(0)).await.0);
        }
        kept.fixture.place.backup().await;
        let other = kept.open_another(day(1)).await.unwrap();
        let stopping = |ledger: Ledger, devices: Vec<DeviceId>| tokio::spawn(async move {
            for device in devices {
                let mut writing = ledger.begin(day(1)).await.unwrap();
                writing.act_on_device(&device, DeviceAction::Revoke(KeyCompromise), "", &operator()).await.unwrap();
                writing.commit().await.unwrap();
            }
        });
        let (one, two) = devices.split_at(6);
        let both = [stopping(kept.fixture.ledger.clone(), one.to_vec()), stopping(other.clone(), two.to_vec())];
        for writer in both {
            writer.await.unwrap();
        }
        other.close().await;
        let report = kept.fixture.ledger.verify_log().await.unwrap().unwrap();
        assert_eq!((report.last_event, report.agrees), (12, true));
        kept.restore(day(2)).await.unwrap();
        for device in &devices {
            assert_eq!(kept.state(device).await, Some(DeviceState::Revoked));
        }
    }

    async fn what_was_in_the_log_and_not_committed_is_done_by_the_next_writer(kept: KeptAnswer) {
        let (device, _) = kept.fixture.enroll(day(0)).await;
        let (other, _) = kept.fixture.enroll(day(0)).await;
        kept.fixture.place.forbid_commits().await;
        let failed = kept.fixture.act(&device, DeviceAction::Revoke(KeyCompromise), day(1)).await;
        assert!(matches!(failed, Err(LedgerError::Accepted(_))), "it is not said that nothing was done: {failed:?}");
        assert_eq!(kept.state(&device).await, Some(DeviceState::Active));
        kept.fixture.place.allow_commits().await;
        kept.stop(&other, DeviceAction::Suspend, day(1)).await;
        assert_eq!(kept.state(&device).await, Some(DeviceState::Revoked), "it was asked for, and it is in the log");
        let report = kept.fixture.ledger.verify_log().await.unwrap().unwrap();
        assert_eq!((report.last_event, report.agrees), (2, true));
        kept.fixture.folded().await;
        kept.fixture.audited().await;
    }

    async fn a_process_notices_that_its_ledger_was_restored_beneath_it(kept: KeptAnswer) {
        let (device, _) = kept.fixture.enroll(day(0)).await;
        kept.fixture.place.backup().await;
        let (stranger, thumbprint) = kept.fixture.enroll(day(0)).await;
        let status = StatusCache::load(kept.fixture.ledger.clone(), day(0)).await.unwrap();
        assert!(status.standing(&thumbprint, day(0)).await.unwrap().is_some());
        kept.stop(&device, DeviceAction::Suspend, day(0)).await;
        status.catch_up(day(0)).await.unwrap();
        kept.fixture.place.restore_beneath().await;
        assert!(matches!(status.catch_up(day(0)).await, Err(LedgerError::WentBack)));
        assert!(matches!(kept.fixture.ledger.begin(day(0)).await.map(|_| ()), Err(LedgerError::WentBack)));
        assert!(matches!(kept.fixture.ledger.feed_head().await, Err(LedgerError::WentBack)));
        let ended = tokio::time::timeout(DAY, Arc::clone(&status).follow(Arc::new(Stopped))).await;
        assert_eq!(ended.expect("it follows no more"), Outdated::LedgerWentBack);
        assert!(status.standing(&thumbprint, day(0)).await.unwrap().is_none(), "nobody knows {stranger} now");
        kept.reopen(day(1)).await.unwrap();
        assert_eq!(kept.state(&device).await, Some(DeviceState::Suspended));
    }
}

struct Stopped;

impl tegata_core::Clock for Stopped {
    fn now(&self) -> Timestamp {
        day(0)
    }
}

async fn publish(kept: &KeptAnswer, number: u64) {
    let (this_update, next_update) = (day(0), day(1));
    let crl = StoredCrl { number, revision: 1, this_update, next_update, der: b"a list".to_vec() };
    let issuer = &kept.fixture.issuer;
    let published =
        kept.fixture.write(day(0), async |writing| writing.publish_crl(issuer, 0, &crl).await).await;
    assert!(published.unwrap());
}

async fn another_issuer(kept: &KeptAnswer) -> IssuerId {
    let id = IssuerId::random(&kept.fixture.entropy);
    let issuer = StoredIssuer::new(id.clone(), IssuerKind::Issuing, b"another CA".to_vec(), None);
    kept.fixture.write(day(0), async |writing| writing.add_issuer(&issuer, &operator()).await).await.unwrap();
    id
}

async fn revoke(kept: &KeptAnswer, thumbprint: &Thumbprint, now: Timestamp) {
    kept.fixture
        .write(now, async |writing| {
            writing.revoke_certificate(thumbprint, KeyCompromise, Lineage::Whole, "", &operator()).await
        })
        .await
        .expect("a revoked certificate");
}

async fn is_refused_by_the_memory(
    kept: &KeptAnswer,
    refused: &[&(DeviceId, Thumbprint)],
    accepted: &[&(DeviceId, Thumbprint)],
) {
    let status = StatusCache::load(kept.fixture.ledger.clone(), day(2)).await.unwrap();
    for (expected, certificates) in [(false, refused), (true, accepted)] {
        for (_, thumbprint) in certificates {
            let (_, standing) =
                status.standing(thumbprint, day(2)).await.unwrap().expect("a known certificate");
            assert_eq!(standing == Standing::Good, expected);
        }
    }
}

/// The log of another installation.
async fn others_log() -> Vec<u8> {
    let mut kept = KeptAnswer {
        fixture: LedgerFixture::open(EnginePlace::sqlite()).await,
        disk: tempfile::tempdir().expect("a disk"),
    };
    // Chance repeats in tests, and the name of a log is chance.
    bytes::<32>(&kept.fixture.entropy);
    kept.reopen(day(0)).await.unwrap();
    let log = std::fs::read(kept.log()).unwrap();
    kept.clear().await;
    log
}

fn is_log_fault(result: Result<()>, expected: impl Fn(&LogError) -> bool) {
    match result {
        Err(LedgerError::Log(fault)) if expected(&fault) => {}
        other => panic!("another fault was due than {other:?}"),
    }
}
