//! Servers without a common disk have a revocation log each, and a restore forgets nothing that any of them acknowledged.

use crate::engines::{EnginePlace, on_both_engines_with, run};
use crate::fixture::{Everything, LedgerFixture, day, installation, operator};
use crate::people::{other_tenant, set_up};
use std::path::PathBuf;
use tegata_core::RevocationReason::KeyCompromise;
use tegata_core::{DeviceId, DeviceState, Name, Timestamp};
use tegata_storage::{
    DeviceAction, Ledger, LedgerError, LogError, LogPlace, PersonState, PersonUpdate, Principal, Result,
    StoredTokenKey, TenantAction,
};
use tempfile::TempDir;

/// One ledger, and the disks of two servers.
struct TwoDisks {
    fixture: LedgerFixture,
    disk: TempDir,
}

impl TwoDisks {
    async fn begin(place: EnginePlace) -> Self {
        let two =
            Self { fixture: LedgerFixture::open(place).await, disk: tempfile::tempdir().expect("disks") };
        two.server("a", day(0)).await.expect("the first server").close().await;
        two.add("b").await.expect("a further log");
        two
    }

    fn log(&self, server: &str) -> PathBuf {
        self.disk.path().join(format!("{server}.log"))
    }

    /// A server that starts.
    async fn server(&self, name: &str, now: Timestamp) -> Result<Ledger> {
        self.fixture.open_with_log(&self.log(name), now).await
    }

    async fn add(&self, name: &str) -> Result<()> {
        let (log, installation) = (self.log(name), installation());
        let place = LogPlace { file: &log, installation: &installation };
        Ledger::add_log(&self.fixture.place.url(), &place, day(0), &self.fixture.entropy).await
    }

    /// Stops everybody and restores the backup.
    async fn restore(&self, servers: [&Ledger; 2]) {
        for server in servers {
            server.close().await;
        }
        self.fixture.ledger.close().await;
        self.fixture.place.restore().await;
    }

    async fn clear(self) {
        self.fixture.ledger.close().await;
        self.fixture.place.clear().await;
    }
}

async fn act(ledger: &Ledger, device: &DeviceId, action: DeviceAction, now: Timestamp) {
    let mut writing = ledger.begin(now).await.unwrap();
    writing.act_on_device(device, action, "", &operator()).await.unwrap();
    writing.commit().await.unwrap();
}

async fn revoke(ledger: &Ledger, device: &DeviceId) {
    act(ledger, device, DeviceAction::Revoke(KeyCompromise), day(1)).await;
}

async fn state(ledger: &Ledger, device: &DeviceId) -> DeviceState {
    ledger.everything().device(device).await.unwrap().expect("a device").state
}

async fn last_event(ledger: &Ledger) -> u64 {
    ledger.verify_log().await.unwrap().unwrap().last_event
}

on_both_engines_with! {
    TwoDisks::begin;

    async fn each_log_alone_brings_back_what_all_servers_stopped(two: TwoDisks) {
        let mut devices = Vec::new();
        for _ in 0..4 {
            devices.push(two.fixture.enroll(day(0)).await.0);
        }
        two.fixture.place.backup().await;
        let (a, b) = (two.server("a", day(1)).await.unwrap(), two.server("b", day(1)).await.unwrap());
        for (server, device) in [&a, &b, &a, &b].into_iter().zip(&devices) {
            revoke(server, device).await;
        }
        assert_eq!(last_event(&b).await, 4, "it copied what the other had written before it wrote itself");
        assert_eq!(last_event(&a).await, 3);
        a.complete_log(day(1)).await.unwrap();
        assert_eq!(last_event(&a).await, 4, "a server that writes nothing copies too");
        assert!(a.verify_log().await.unwrap().unwrap().agrees && b.verify_log().await.unwrap().unwrap().agrees);
        two.restore([&a, &b]).await;
        let b = two.server("b", day(2)).await.unwrap();
        for device in &devices {
            assert_eq!(state(&b, device).await, DeviceState::Revoked);
        }
        assert_eq!(b.feed_head().await.unwrap(), 4, "under the numbers that gates know");
        let a = two.server("a", day(2)).await.unwrap();
        assert_eq!(a.feed_head().await.unwrap(), 4, "the other log has nothing to add");
        a.close().await;
        b.close().await;
    }

    async fn what_only_one_log_knows_is_done_when_its_server_comes_back(two: TwoDisks) {
        let (stopped, _) = two.fixture.enroll(day(0)).await;
        let (freed, _) = two.fixture.enroll(day(0)).await;
        let (later, _) = two.fixture.enroll(day(0)).await;
        let a = two.server("a", day(0)).await.unwrap();
        act(&a, &freed, DeviceAction::Suspend, day(0)).await;
        a.close().await;
        two.fixture.place.backup().await;
        let (a, b) = (two.server("a", day(1)).await.unwrap(), two.server("b", day(1)).await.unwrap());
        revoke(&a, &stopped).await;
        act(&a, &freed, DeviceAction::Resume, day(1)).await;
        two.restore([&a, &b]).await;
        // The other server goes on before the one that knows: both tell of event 2, and not the same.
        let b = two.server("b", day(2)).await.unwrap();
        revoke(&b, &later).await;
        assert_eq!(state(&b, &stopped).await, DeviceState::Active);
        let a = two.server("a", day(3)).await.unwrap();
        assert_eq!(state(&a, &stopped).await, DeviceState::Revoked, "it was acknowledged");
        assert_eq!(state(&a, &later).await, DeviceState::Revoked);
        assert_eq!(state(&a, &freed).await, DeviceState::Suspended, "nobody is let in out of turn");
        assert_eq!(a.feed_head().await.unwrap(), 3, "gates hear of it under a new number");
        a.close().await;
        let a = two.server("a", day(3)).await.unwrap();
        revoke(&a, &freed).await;
        assert_eq!((a.feed_head().await.unwrap(), last_event(&a).await), (4, 4));
        b.complete_log(day(3)).await.unwrap();
        assert_eq!(last_event(&b).await, 4);
        // Once more from the oldest backup, with either log.
        two.restore([&a, &b]).await;
        for name in ["a", "b"] {
            let server = two.server(name, day(4)).await.unwrap();
            for device in [&stopped, &freed, &later] {
                assert_eq!(state(&server, device).await, DeviceState::Revoked, "{name}");
            }
            server.close().await;
        }
    }

    async fn a_restore_is_given_the_logs_of_all_servers(two: TwoDisks) {
        let (first, _) = two.fixture.enroll(day(0)).await;
        let (second, _) = two.fixture.enroll(day(0)).await;
        two.fixture.place.backup().await;
        let (a, b) = (two.server("a", day(1)).await.unwrap(), two.server("b", day(1)).await.unwrap());
        revoke(&a, &first).await;
        revoke(&b, &second).await;
        two.restore([&a, &b]).await;
        let (log, installation) = (two.log("b"), installation());
        let place = LogPlace { file: &log, installation: &installation };
        assert_eq!(Ledger::last_event_of(&place).unwrap(), 2);
        let a = two.server("a", day(2)).await.unwrap();
        assert_eq!(state(&a, &second).await, DeviceState::Active, "this log ends before");
        a.replay_log(&place, day(2)).await.unwrap();
        assert_eq!(state(&a, &second).await, DeviceState::Revoked);
        a.complete_log(day(2)).await.unwrap();
        assert_eq!((a.feed_head().await.unwrap(), last_event(&a).await), (2, 2));
        a.close().await;
    }

    async fn a_person_whom_one_log_stops_is_not_let_in_by_an_elder_line_of_another(two: TwoDisks) {
        let person = set_up(&two.fixture, "tanaka").await;
        two.fixture.place.backup().await;
        let (a, b) = (two.server("a", day(1)).await.unwrap(), two.server("b", day(2)).await.unwrap());
        let mut writing = a.begin(day(1)).await.unwrap();
        writing.disable_person(&person, "", &operator()).await.unwrap();
        writing.commit().await.unwrap();
        let mut writing = b.begin(day(2)).await.unwrap();
        writing.enable_person(&person, "", &operator()).await.unwrap();
        writing.commit().await.unwrap();
        two.restore([&a, &b]).await;
        // The restored ledger goes on before it meets either log, and changes her later than both.
        two.add("c").await.unwrap();
        let c = two.server("c", day(3)).await.unwrap();
        let named = PersonUpdate { name: Name::of_place("佐藤 花子").ok(), ..PersonUpdate::default() };
        let mut writing = c.begin(day(3)).await.unwrap();
        writing.change_person(&person, &named, &operator()).await.unwrap();
        writing.commit().await.unwrap();
        for (server, whose) in [("a", "stopped, whatever came since"), ("b", "and not let in out of turn")] {
            let server = two.server(server, day(4)).await.unwrap();
            let found = server.everything().person(&person).await.unwrap().unwrap();
            assert_eq!((found.state, found.changed_at), (PersonState::Disabled, day(3)), "{whose}");
            server.close().await;
        }
        c.close().await;
    }

    async fn a_server_without_its_log_does_not_begin_one_by_itself(two: TwoDisks) {
        let refused = two.server("c", day(1)).await.map(|_| ());
        assert!(matches!(refused, Err(LedgerError::Log(LogError::Missing(_)))), "{refused:?}");
        assert!(matches!(two.add("b").await, Err(LedgerError::Log(LogError::Exists(_)))));
        two.add("c").await.unwrap();
        let c = two.server("c", day(1)).await.unwrap();
        assert_eq!(c.revocation_logs().await.unwrap().len(), 3);
        c.close().await;
    }

    async fn a_withdrawn_token_key_does_not_come_back_from_a_backup(two: TwoDisks) {
        let key = |kid: &str, seconds: u64| StoredTokenKey {
            kid: kid.into(),
            jwk: "{}".into(),
            sealed_key: Some("sealed".into()),
            published_at: day(0),
            signs_from: day(0).plus(std::time::Duration::from_secs(seconds)),
        };
        let a = two.server("a", day(0)).await.unwrap();
        let mut writing = a.begin(day(0)).await.unwrap();
        writing.appoint_token_key(&key("stolen", 0), None, &operator()).await.unwrap();
        let late = writing.appoint_token_key(&key("late", 1), None, &operator()).await;
        assert!(matches!(late, Err(LedgerError::Guard(_))), "another one was appointed: {late:?}");
        writing.appoint_token_key(&key("next", 2), Some("stolen"), &operator()).await.unwrap();
        writing.commit().await.unwrap();
        two.fixture.place.backup().await;
        let mut writing = a.begin(day(0)).await.unwrap();
        writing.withdraw_token_key("stolen", "found in a backup", &operator()).await.unwrap();
        let only = writing.withdraw_token_key("next", "", &operator()).await;
        assert!(matches!(only, Err(LedgerError::Guard(_))), "somebody has to sign: {only:?}");
        writing.commit().await.unwrap();
        let [next] = &a.token_keys().await.unwrap()[..] else { panic!("one key") };
        assert_eq!((next.kid.as_str(), next.signs_from), ("next", day(0)), "it signs at once");
        two.restore([&a, &a]).await;
        let a = two.server("a", day(2)).await.unwrap();
        assert_eq!(a.token_keys().await.unwrap().len(), 1);
        assert_eq!(a.withdrawn_token_keys().await.unwrap(), ["stolen"]);
        a.close().await;
    }
}

/// Policies show a tenant's transaction the events of that tenant alone, and the log tells of everybody.
#[test]
fn what_is_done_within_a_tenant_leaves_no_gap_in_the_log_on_postgresql() {
    run(async {
        let two = TwoDisks::begin(EnginePlace::postgres_of_owner()).await;
        let (own, _) = two.fixture.enroll(day(0)).await;
        let (tenant, _) = other_tenant(&two.fixture).await;
        let (a, b) = (two.server("a", day(1)).await.unwrap(), two.server("b", day(1)).await.unwrap());
        let mut writing = b.begin(day(1)).await.unwrap();
        writing.act_on_tenant(&tenant, TenantAction::Suspend, "", &operator()).await.unwrap();
        writing.commit().await.unwrap();
        let scope = Principal::operator("test", Some(&two.fixture.tenant)).scope();
        let mut writing = a.within(scope).begin(day(1)).await.unwrap();
        writing.act_on_device(&own, DeviceAction::Suspend, "", &operator()).await.unwrap();
        writing.commit().await.unwrap();
        let lines = std::fs::read_to_string(two.log("a")).unwrap();
        let events = lines.lines().filter(|line| line.contains("\"record\":\"event\"")).count();
        assert_eq!((events, last_event(&a).await), (2, 2), "{lines}");
        a.close().await;
        b.close().await;
        two.clear().await;
    });
}
