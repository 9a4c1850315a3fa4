//! What a follower believes, and what it does not.

use super::*;
use crate::certificate::ClientCertificate;
use proptest::prelude::*;
use tegata_core::entropy::Seeded;
use tegata_core::feed::{Change, Denial, FEED};
use tegata_core::jws::{KeySet, SigningKey};
use tegata_core::{DeviceId, Thumbprint};

const ISSUER: &str = "https://ca.example";

/// The other end: signs what it is told to.
struct FeedPlatform {
    key: SigningKey,
    issuer: &'static str,
}

impl FeedPlatform {
    fn new() -> Self {
        let key = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
        Self { key, issuer: ISSUER }
    }

    fn follower(&self) -> (FeedFollowerState, Arc<GateState>) {
        let state = Arc::new(GateState::default());
        state.set_keys(KeySet::new([self.key.public().clone()]));
        (FeedFollowerState::new(ISSUER.into(), Arc::clone(&state)), state)
    }

    fn line(&self, message: FeedMessage) -> String {
        let claims = FeedClaims { iss: self.issuer.into(), message };
        self.key.sign(FEED, &serde_json::to_vec(&claims).unwrap()).unwrap()
    }

    fn snapshot(&self, denials: &Denials, second: i64) -> String {
        self.line(FeedMessage::Snapshot(denials.snapshot(Timestamp::from_seconds(second))))
    }

    fn heartbeat(&self, seq: u64, second: i64) -> String {
        self.line(FeedMessage::Heartbeat { seq, at: Timestamp::from_seconds(second) })
    }

    fn event(&self, event: &Event) -> String {
        self.line(FeedMessage::Event(event.clone()))
    }
}

fn at(second: i64) -> CheckTime {
    CheckTime {
        now: Timestamp::from_seconds(second),
        uptime: Duration::from_secs(u64::try_from(second).unwrap()),
    }
}

fn denied(seq: u64, number: u64) -> Event {
    let device = DeviceId::random(&Seeded::new(number));
    Event {
        seq,
        at: Timestamp::from_seconds(1),
        change: Change::DeviceDenied { device, reason: Denial::Revoked },
    }
}

fn age(state: &GateState, second: i64) -> u64 {
    state.age(at(second)).unwrap().as_secs()
}

#[test]
fn a_gate_believes_a_snapshot_and_what_follows_it_in_order() {
    let platform = FeedPlatform::new();
    let (mut feed, state) = platform.follower();
    assert_eq!(feed.take(&platform.heartbeat(0, 1), at(1)), Err(FeedError::NoSnapshot));
    assert_eq!(feed.take(&platform.event(&denied(1, 1)), at(1)), Err(FeedError::NoSnapshot));
    assert_eq!(feed.take(&platform.snapshot(&Denials::default(), 1), at(1)), Ok(BelievedLine::Snapshot));
    assert_eq!(feed.take(&platform.event(&denied(1, 1)), at(1)), Ok(BelievedLine::Event));
    assert_eq!(feed.take(&platform.heartbeat(1, 2), at(2)), Ok(BelievedLine::Heartbeat));
    assert_eq!(*state.applied().borrow(), Some(1));
}

#[test]
fn a_gate_older_than_the_platform_leaves_nothing_out_and_grows_stale() {
    let platform = FeedPlatform::new();
    let (mut feed, state) = platform.follower();
    feed.take(&platform.snapshot(&Denials::default(), 1), at(1)).unwrap();
    let denies_a_city = r#"{"iss":"https://ca.example","message":"event","seq":1,"at":"1970-01-01T00:00:01Z","change":"city_denied","city":"Kobe"}"#;
    let without_a_city = r#"{"iss":"https://ca.example","message":"snapshot","seq":1,"at":"1970-01-01T00:00:02Z","devices":"","certificates":"","tokens":[],"cities":["Kobe"]}"#;
    for text in [denies_a_city, without_a_city] {
        let line = platform.key.sign(FEED, text.as_bytes()).unwrap();
        assert_eq!(feed.take(&line, at(2)), Err(FeedError::NotUnderstood));
        feed.begin();
    }
    assert_eq!(*state.applied().borrow(), Some(0), "nothing was applied");
    assert_eq!(feed.take(&platform.heartbeat(1, 9), at(9)), Err(FeedError::NoSnapshot));
    assert_eq!(age(&state, 9), 8, "and nothing makes it younger");
}

#[test]
fn a_missing_event_is_noticed_by_the_next_event_and_by_the_next_heartbeat() {
    let platform = FeedPlatform::new();
    let (mut feed, state) = platform.follower();
    feed.take(&platform.snapshot(&Denials::default(), 1), at(1)).unwrap();
    let gap = FeedError::Gap(Gap { applied: 0, found: 2 });
    assert_eq!(feed.take(&platform.event(&denied(2, 1)), at(2)), Err(gap));
    assert_eq!(feed.take(&platform.heartbeat(2, 2), at(2)), Err(gap));
    assert_eq!(age(&state, 9), 8, "neither made the knowledge younger");
}

#[test]
fn an_old_heartbeat_makes_nothing_younger() {
    let platform = FeedPlatform::new();
    let (mut feed, state) = platform.follower();
    feed.take(&platform.snapshot(&Denials::default(), 1), at(1)).unwrap();
    let old = platform.heartbeat(0, 2);
    feed.take(&old, at(2)).unwrap();
    feed.take(&platform.heartbeat(0, 3), at(3)).unwrap();
    let back =
        FeedError::ClockWentBack { held: Timestamp::from_seconds(3), found: Timestamp::from_seconds(2) };
    assert_eq!(feed.take(&old, at(8)), Err(back));
    feed.take(&platform.event(&denied(1, 1)), at(8)).unwrap();
    assert_eq!(feed.take(&old, at(8)), Err(FeedError::WentBack { held: 1, found: 0 }));
    assert_eq!(age(&state, 8), 5);
    let last = platform.heartbeat(1, 9);
    feed.take(&last, at(9)).unwrap();
    feed.take(&last, at(15)).unwrap();
    assert_eq!(age(&state, 15), 6, "the same heartbeat again is as old as its signature");
}

#[test]
fn an_old_snapshot_brings_no_denied_device_back() {
    let platform = FeedPlatform::new();
    let (mut feed, state) = platform.follower();
    let empty = platform.snapshot(&Denials::default(), 1);
    feed.take(&empty, at(1)).unwrap();
    feed.take(&platform.event(&denied(1, 1)), at(1)).unwrap();
    feed.begin();
    assert_eq!(feed.take(&empty, at(2)), Err(FeedError::WentBack { held: 1, found: 0 }));
    let device = DeviceId::random(&Seeded::new(1));
    let certificate = ClientCertificate::from_der(b"x").thumbprint();
    assert_eq!(state.denials.load().denial(&device, &certificate), Some(Denial::Revoked));
}

#[test]
fn another_issuer_another_key_and_another_kind_of_text_are_not_believed() {
    let platform = FeedPlatform::new();
    let (mut feed, state) = platform.follower();
    let liar = FeedPlatform { issuer: "https://evil.example", ..FeedPlatform::new() };
    assert_eq!(
        feed.take(&liar.snapshot(&Denials::default(), 1), at(1)),
        Err(FeedError::Signature(JwsError::UnknownKey))
    );
    state.set_keys(KeySet::new([platform.key.public().clone(), liar.key.public().clone()]));
    assert_eq!(feed.take(&liar.snapshot(&Denials::default(), 1), at(1)), Err(FeedError::Issuer));
    let token = platform.key.sign("at+jwt", b"{}").unwrap();
    assert_eq!(feed.take(&token, at(1)), Err(FeedError::Signature(JwsError::Type)));
    let nonsense = platform.key.sign(FEED, b"{}").unwrap();
    assert_eq!(feed.take(&nonsense, at(1)), Err(FeedError::NotUnderstood));
    assert_eq!(state.age(at(1)), None);
}

#[test]
fn what_has_ended_is_dropped_and_a_snapshot_of_thousands_is_read() {
    let platform = FeedPlatform::new();
    let (mut feed, state) = platform.follower();
    let mut denials = Denials::default();
    for seq in 1..=2000_u32 {
        let until = Timestamp::from_seconds(if seq <= 300 { 10 } else { 100_000 });
        let change = Change::CertificateDenied {
            thumbprint: Thumbprint::of(&seq.to_be_bytes()),
            reason: Denial::Revoked,
            until,
        };
        denials.apply(&Event { seq: seq.into(), at: until, change }).unwrap();
    }
    assert_eq!(feed.take(&platform.snapshot(&denials, 1), at(1)), Ok(BelievedLine::Snapshot));
    let denied = |seq: u32| {
        let device = DeviceId::random(&Seeded::new(1));
        state.denials.load().denial(&device, &Thumbprint::of(&seq.to_be_bytes()))
    };
    assert_eq!((denied(1), denied(2000)), (Some(Denial::Revoked), Some(Denial::Revoked)));
    feed.take(&platform.heartbeat(2000, 131), at(131)).unwrap();
    assert_eq!((denied(1), denied(2000)), (None, Some(Denial::Revoked)));
}

/// What may happen to a gate between two lines.
#[derive(Clone, Debug)]
enum Fate {
    Happens(Change),
    Heartbeat,
    LosesALine,
    HearsALineTwice,
    Reconnects,
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let device = (0..4_u64).prop_map(|number| DeviceId::random(&Seeded::new(number)));
    let until = Timestamp::from_seconds(i64::from(u32::MAX));
    let reason = prop_oneof![Just(Denial::Suspended), Just(Denial::Revoked), Just(Denial::Retired)].boxed();
    let thumbprint = (0..4_u8).prop_map(|number| Thumbprint::of(&[number]));
    let change = prop_oneof![
        (device.clone(), reason.clone()).prop_map(|(device, reason)| Change::DeviceDenied { device, reason }),
        device.prop_map(|device| Change::DeviceAllowed { device }),
        (thumbprint, reason).prop_map(move |(thumbprint, reason)| {
            Change::CertificateDenied { thumbprint, reason, until }
        }),
        (0..4_u8).prop_map(move |number| Change::TokenDenied { jti: number.to_string(), until }),
    ];
    let fate = prop_oneof![
        5 => change.prop_map(Fate::Happens),
        2 => Just(Fate::Heartbeat),
        1 => Just(Fate::LosesALine),
        1 => Just(Fate::HearsALineTwice),
        1 => Just(Fate::Reconnects),
    ];
    prop::collection::vec(fate, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_gate_that_caught_up_denies_all_that_the_platform_denies(fates in fates()) {
        let platform = FeedPlatform::new();
        let (mut feed, state) = platform.follower();
        let mut truth = Denials::default();
        let mut second = 1;
        feed.take(&platform.snapshot(&truth, second), at(second)).unwrap();
        let (mut lose, mut twice, mut lost) = (false, false, false);
        for fate in fates.into_iter().chain([Fate::Heartbeat]) {
            second += 1;
            let line = match fate {
                Fate::Happens(change) => {
                    let event = Event { seq: truth.seq() + 1, at: Timestamp::from_seconds(second), change };
                    truth.apply(&event).unwrap();
                    platform.event(&event)
                }
                Fate::Heartbeat => platform.heartbeat(truth.seq(), second),
                Fate::LosesALine => { lose = true; continue }
                Fate::HearsALineTwice => { twice = true; continue }
                Fate::Reconnects => { feed.begin(); platform.snapshot(&truth, second) }
            };
            if std::mem::take(&mut lose) {
                lost = true;
                continue;
            }
            let times = 1 + usize::from(std::mem::take(&mut twice));
            for _ in 0..times {
                if let Err(error) = feed.take(&line, at(second)) {
                    prop_assert!(lost, "nothing was lost, yet: {error}");
                    feed.begin();
                    feed.take(&platform.snapshot(&truth, second), at(second)).unwrap();
                    lost = false;
                }
            }
            // Fresh knowledge is complete knowledge.
            if age(&state, second) == 0 {
                prop_assert_eq!(&**state.denials.load(), &truth);
            }
        }
        feed.begin();
        feed.take(&platform.snapshot(&truth, second), at(second)).unwrap();
        prop_assert_eq!(&**state.denials.load(), &truth);
    }
}
