//! What a gate may rely on.

use crate::tests::fixture::{CertificateHolderFixture, PORTAL, START, SignalsFixture, until};
use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use std::time::Duration;
use tegata_core::feed::{Denial, Denials, FEED, FeedClaims, FeedMessage};
use tegata_core::jws::KeySet;
use tegata_core::{RevocationReason, Role, Timestamp};
use tegata_storage::{DeviceAction, TenantAction};
use tegata_web::{PeerCertificate, TrustVerdict};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(5);

/// A follower as strict as any gate: it believes signed lines of its issuer, in order.
struct TestGate {
    keys: KeySet,
    body: Body,
    buffer: Vec<u8>,
    denials: Denials,
    heard: Timestamp,
}

impl TestGate {
    async fn connect(fixture: &SignalsFixture, holder: &CertificateHolderFixture) -> Self {
        let (status, headers, body) = fixture.open(Some(&holder.certificate), get()).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers["content-type"], "application/vnd.tegata.feed");
        let mut gate = Self {
            keys: fixture.published(),
            body,
            buffer: Vec::new(),
            denials: Denials::default(),
            heard: Timestamp::default(),
        };
        let Some(FeedMessage::Snapshot(snapshot)) = gate.message().await else {
            panic!("the first line is a snapshot")
        };
        gate.heard = snapshot.at;
        gate.denials = Denials::from(snapshot);
        gate
    }

    /// Nothing when the stream has ended.
    async fn message(&mut self) -> Option<FeedMessage> {
        let line = timeout(SOON, self.line()).await.expect("the feed is silent")?;
        let payload = self.keys.verify_up_to(&line, FEED, usize::MAX).unwrap();
        let claims: FeedClaims = serde_json::from_slice(&payload).unwrap();
        assert_eq!(claims.iss, PORTAL);
        Some(claims.message)
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') {
                let line = self.buffer.drain(..=end).take(end).collect();
                return Some(String::from_utf8(line).unwrap());
            }
            self.buffer.extend_from_slice(&self.body.frame().await?.unwrap().into_data().unwrap());
        }
    }

    /// Takes the next line as a gate does. Nothing when the stream has ended.
    async fn take(&mut self) -> Option<FeedMessage> {
        let message = self.message().await?;
        match &message {
            FeedMessage::Snapshot(_) => panic!("a second snapshot"),
            FeedMessage::Event(event) => {
                assert_eq!(event.seq, self.denials.seq() + 1);
                self.denials.apply(event).unwrap();
            }
            FeedMessage::Heartbeat { seq, at } => {
                assert_eq!(*seq, self.denials.seq());
                assert!(*at >= self.heard);
                self.heard = *at;
            }
        }
        Some(message)
    }

    async fn reach(&mut self, seq: u64) {
        while self.denials.seq() < seq {
            self.take().await.expect("the feed goes on");
        }
    }

    async fn ends(&mut self) {
        while self.take().await.is_some() {}
    }

    fn refuses(&self, holder: &CertificateHolderFixture) -> Option<Denial> {
        self.denials.denial(&holder.id, &holder.certificate.thumbprint)
    }
}

fn get() -> Request<Body> {
    Request::get("/feed").body(Body::empty()).unwrap()
}

async fn world_with_gate() -> (SignalsFixture, CertificateHolderFixture, CertificateHolderFixture) {
    let fixture = SignalsFixture::new().await;
    let (gate, device) = (fixture.enroll(Role::Gate).await, fixture.enroll(Role::Device).await);
    (fixture, gate, device)
}

#[tokio::test]
async fn a_gate_learns_what_was_denied_and_then_what_changes() {
    let (fixture, gate, device) = world_with_gate().await;
    let lost = fixture.enroll(Role::Device).await;
    fixture.act(&lost, DeviceAction::Revoke(RevocationReason::KeyCompromise)).await;
    let mut follower = TestGate::connect(&fixture, &gate).await;
    assert_eq!(follower.refuses(&lost), Some(Denial::Revoked));
    assert_eq!(follower.refuses(&device), None);
    fixture.act(&device, DeviceAction::Suspend).await;
    follower.reach(2).await;
    assert_eq!(follower.refuses(&device), Some(Denial::Suspended));
    fixture.act(&device, DeviceAction::Resume).await;
    follower.reach(3).await;
    assert_eq!(follower.refuses(&device), None);
    assert_eq!(follower.refuses(&lost), Some(Denial::Revoked));
}

#[tokio::test]
async fn whoever_comes_in_the_middle_of_many_changes_misses_none() {
    let (fixture, gate, device) = world_with_gate().await;
    let mut followers = Vec::new();
    for _ in 0..20 {
        fixture.fill_feed(7, &device).await;
        followers.push(TestGate::connect(&fixture, &gate).await);
    }
    for follower in &mut followers {
        follower.reach(140).await;
        assert!((0..140).all(|seq| follower.denials.token_denied(&format!("filler-{seq}"))));
    }
}

#[tokio::test]
async fn a_gate_hears_every_second_that_nothing_is_new() {
    let (fixture, gate, _) = world_with_gate().await;
    let mut follower = TestGate::connect(&fixture, &gate).await;
    let mut dates = Vec::new();
    while dates.len() < 2 {
        fixture.advance(Duration::from_secs(1)).await;
        if let Some(FeedMessage::Heartbeat { seq: 0, at }) = follower.take().await {
            dates.push(at);
        }
    }
    assert!(dates[1] > dates[0] && dates[1] <= fixture.context.now(), "{dates:?}");
}

#[tokio::test]
async fn a_deaf_platform_is_silent_rather_than_wrong() {
    let (fixture, gate, _) = world_with_gate().await;
    let mut follower = TestGate::connect(&fixture, &gate).await;
    while !matches!(follower.take().await, Some(FeedMessage::Heartbeat { .. })) {}
    fixture.deafen().await;
    fixture.clock.set(START.plus(Duration::from_millis(1001)));
    // A beat may have been on its way when the cache fell silent; after that, nothing.
    let _ = timeout(Duration::from_millis(50), follower.line()).await;
    assert!(timeout(Duration::from_millis(2200), follower.line()).await.is_err());
    let refused = fixture.send(Some(&gate.certificate), get()).await;
    assert_eq!((refused.status.as_u16(), refused.json()["code"].as_str()), (503, Some("S-01")));
}

#[tokio::test]
async fn a_clock_set_back_makes_silence_until_it_has_caught_up() {
    let (fixture, gate, _) = world_with_gate().await;
    let mut follower = TestGate::connect(&fixture, &gate).await;
    while !matches!(follower.take().await, Some(FeedMessage::Heartbeat { .. })) {}
    fixture.clock.set(START.minus(Duration::from_secs(3)));
    until(|| fixture.context.status.freshness().at < START).await;
    assert!(timeout(Duration::from_millis(1500), follower.line()).await.is_err());
    fixture.advance(Duration::from_secs(4)).await;
    assert!(matches!(follower.take().await, Some(FeedMessage::Heartbeat { at, .. }) if at > START));
}

#[tokio::test]
async fn a_gate_that_does_not_listen_is_cut_off_and_begins_anew() {
    let (fixture, gate, device) = world_with_gate().await;
    let mut lazy = TestGate::connect(&fixture, &gate).await;
    let mut eager = TestGate::connect(&fixture, &gate).await;
    for round in 1..=3 {
        fixture.fill_feed(600, &device).await;
        eager.reach(round * 600).await;
    }
    assert!(lazy.take().await.is_none(), "not with a gap");
    let again = TestGate::connect(&fixture, &gate).await;
    assert_eq!(again.denials, eager.denials);
}

#[tokio::test]
async fn a_gate_that_is_stopped_hears_nothing_more() {
    let (fixture, gate, device) = world_with_gate().await;
    let mut follower = TestGate::connect(&fixture, &gate).await;
    fixture.act(&gate, DeviceAction::Suspend).await;
    fixture.act(&device, DeviceAction::Suspend).await;
    follower.ends().await;
    assert_eq!(follower.refuses(&device), None);
    let refused = fixture.send(Some(&gate.certificate), get()).await;
    assert_eq!((refused.status.as_u16(), refused.json()["code"].as_str()), (401, Some("C-07")));
    fixture.act(&gate, DeviceAction::Resume).await;
    assert_eq!(TestGate::connect(&fixture, &gate).await.refuses(&device), Some(Denial::Suspended));
}

#[tokio::test]
async fn a_gate_of_a_stopped_tenant_goes_on_hearing_whom_to_refuse() {
    let (fixture, gate, device) = world_with_gate().await;
    let mut follower = TestGate::connect(&fixture, &gate).await;
    fixture.act_on_tenant(TenantAction::Suspend).await;
    fixture.act(&device, DeviceAction::Revoke(RevocationReason::KeyCompromise)).await;
    follower.reach(2).await;
    for heard in [&follower, &TestGate::connect(&fixture, &gate).await] {
        let other = tegata_core::DeviceId::random(&*fixture.context.entropy);
        let denied =
            |device| heard.denials.denial_within(Some(&fixture.tenant), device, &gate.certificate.thumbprint);
        assert_eq!((denied(&other), denied(&device.id)), (Some(Denial::Suspended), Some(Denial::Revoked)));
    }
}

#[tokio::test]
async fn the_stream_of_a_gate_ends_with_its_certificate() {
    let fixture = SignalsFixture::new().await;
    let gate = fixture.enroll_for(Role::Gate, START, START.plus(Duration::from_secs(5))).await;
    let mut follower = TestGate::connect(&fixture, &gate).await;
    fixture.advance(Duration::from_secs(6)).await;
    follower.ends().await;
}

#[tokio::test]
async fn only_gates_hear_the_feed() {
    let (fixture, gate, device) = world_with_gate().await;
    let foreign = PeerCertificate { path: TrustVerdict::Foreign, ..gate.certificate.clone() };
    for (certificate, status, code) in
        [(None, 401, "C-01"), (Some(&device.certificate), 403, "C-10"), (Some(&foreign), 401, "C-02")]
    {
        let refused = fixture.send(certificate, get()).await;
        assert_eq!((refused.status.as_u16(), refused.json()["code"].as_str()), (status, Some(code)));
    }
}

#[tokio::test]
async fn a_server_that_closes_lets_its_gates_go() {
    let (fixture, gate, _) = world_with_gate().await;
    let mut follower = TestGate::connect(&fixture, &gate).await;
    fixture.signals.feed().close();
    follower.ends().await;
    assert_eq!(fixture.send(Some(&gate.certificate), get()).await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_feed_that_is_no_longer_served_lets_its_gates_go() {
    let (fixture, gate, _) = world_with_gate().await;
    let mut follower = TestGate::connect(&fixture, &gate).await;
    fixture.stop_hub().await;
    follower.ends().await;
    assert_eq!(fixture.send(Some(&gate.certificate), get()).await.status, StatusCode::SERVICE_UNAVAILABLE);
}

async fn receipt(
    fixture: &SignalsFixture,
    holder: Option<&CertificateHolderFixture>,
    body: &str,
) -> (u16, String) {
    let request = Request::post("/feed/receipts").header(CONTENT_TYPE, "application/json");
    let certificate = holder.map(|holder| &holder.certificate);
    let answer = fixture.send(certificate, request.body(Body::from(body.to_owned())).unwrap()).await;
    (answer.status.as_u16(), answer.text)
}

#[tokio::test]
async fn support_sees_what_each_gate_refuses_by_now() {
    let (fixture, gate, device) = world_with_gate().await;
    fixture.act(&device, DeviceAction::Suspend).await;
    assert_eq!(receipt(&fixture, Some(&gate), r#"{"seq":1}"#).await, (204, String::new()));
    let rows = fixture.context.ledger.receipts().await.unwrap();
    assert_eq!((rows[0].surface.as_str(), rows[0].seq.0), (format!("gate:{}", gate.id).as_str(), 1));
    assert_eq!(receipt(&fixture, Some(&gate), r#"{"seq":0}"#).await.0, 204, "a late one");
    assert_eq!(fixture.context.ledger.receipts().await.unwrap()[0].seq.0, 1, "changes nothing");
}

#[tokio::test]
async fn a_receipt_for_what_has_not_happened_or_from_no_gate_is_refused() {
    let (fixture, gate, device) = world_with_gate().await;
    for body in
        [r#"{"seq":1}"#, r#"{"seq":18446744073709551615}"#, r#"{"seq":-1}"#, r#"{"seq":0,"x":1}"#, "{}"]
    {
        let (status, text) = receipt(&fixture, Some(&gate), body).await;
        assert_eq!(status, 400, "{body}");
        assert!(text.contains("R-01"), "{text}");
    }
    assert_eq!(receipt(&fixture, Some(&device), r#"{"seq":0}"#).await.0, 403);
    assert_eq!(receipt(&fixture, None, r#"{"seq":0}"#).await.0, 401);
    assert!(fixture.context.ledger.receipts().await.unwrap().is_empty());
}

#[tokio::test]
async fn another_process_of_the_platform_may_have_told_a_gate_of_a_newer_event() {
    let (fixture, gate, device) = world_with_gate().await;
    fixture.deafen().await;
    crate::tests::fixture::act(&fixture.context, &device.id, DeviceAction::Suspend).await;
    assert_eq!(fixture.context.status.freshness().seq, 0);
    assert_eq!(receipt(&fixture, Some(&gate), r#"{"seq":1}"#).await.0, 204);
}
