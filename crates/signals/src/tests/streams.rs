//! Receivers that ask: what they may rely on, whatever is lost on the way and whichever server they ask.

mod histories;

use crate::receivers::EventStreams;
use crate::tests::fixture::{CertificateHolderFixture, START, SignalsFixture, TestResponse, YEAR, act, keys};
use crate::{DeliveryMethod, EventReceiver, SignalIssuer, Signals, device_router};
use axum::Router;
use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tegata_core::encoding::base64;
use tegata_core::feed::Change;
use tegata_core::security_event::{EventType, StreamStatus, told};
use tegata_core::{Role, SiteId, TenantId, Thumbprint};
use tegata_storage::{Actor, ChangeStream, DeviceAction, Site, Tenant};
use tegata_web::{
    CertificateKeys, ClientAuthentication, ClientRegistry, PeerCertificate, Presented, RegisteredClient,
    Registrant, TrustVerdict,
};
use tower::ServiceExt;

/// Long enough to be interrupted, short enough to be waited for.
const WAIT: Duration = Duration::from_secs(3);

/// Two tenants, a receiver of each and one of both, each a client of its own; and two servers of one ledger.
struct TwoServers {
    fixture: SignalsFixture,
    servers: [Arc<Signals>; 2],
    certificates: HashMap<&'static str, PeerCertificate>,
    /// The second tenant's device and the first's.
    devices: [CertificateHolderFixture; 2],
}

const RECEIVERS: [&str; 3] = ["both", "aoba", "midori"];

impl TwoServers {
    async fn new() -> Self {
        let mut fixture = SignalsFixture::new().await;
        let aoba = fixture.tenant.clone();
        let first = fixture.enroll(Role::Device).await;
        let midori = settle(&mut fixture).await;
        let second = fixture.enroll(Role::Device).await;
        let certificates: HashMap<_, _> =
            RECEIVERS.into_iter().chain(["stranger"]).map(|name| (name, self_signed(name))).collect();
        let server = || {
            let issuer = SignalIssuer::new(fixture.context.clone(), keys());
            let clients =
                ClientRegistry::new(certificates.iter().map(|(name, own)| registration(name, own)), |_| true)
                    .unwrap();
            let of = [None, Some(aoba.clone()), Some(midori.clone())];
            let receivers = RECEIVERS.iter().zip(of).map(|(id, tenant)| receiver(id, tenant));
            Signals::with_streams(issuer, Arc::new(clients), EventStreams::with(receivers.collect(), WAIT))
        };
        let servers = [server(), server()];
        for id in RECEIVERS {
            fixture.context.ledger.introduce_receiver(id, id == "both", START).await.unwrap();
        }
        Self { servers, certificates, devices: [second, first], fixture }
    }

    fn door(&self, server: usize) -> Router {
        device_router(self.servers[server % 2].clone())
    }

    async fn send(&self, server: usize, who: &str, request: Request<Body>) -> TestResponse {
        let mut request = request;
        request.extensions_mut().insert(Presented(self.certificates.get(who).cloned()));
        let (parts, body) = self.door(server).oneshot(request).await.unwrap().into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        TestResponse { status: parts.status, headers: parts.headers, text }
    }

    async fn post(&self, server: usize, who: &str, path: &str, body: &Value) -> TestResponse {
        let request = Request::post(path).header(CONTENT_TYPE, "application/json");
        self.send(server, who, request.body(body.to_string().into()).unwrap()).await
    }

    async fn poll(&self, server: usize, who: &str, body: &Value) -> Value {
        let answer = self.post(server, who, &format!("/ssf/poll/{who}"), body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()
    }

    async fn now(&self, who: &str, mut body: Value) -> Value {
        body["returnImmediately"] = true.into();
        self.poll(0, who, &body).await
    }

    /// Takes everything that is there.
    async fn empty(&self, who: &str) {
        let mut ack: Vec<String> = Vec::new();
        loop {
            let sets = names(&self.now(who, json!({"ack": ack})).await);
            if sets.is_empty() {
                return;
            }
            ack = sets;
        }
    }

    async fn stir(&self, device: usize, action: DeviceAction) {
        self.fixture.act(&self.devices[device], action).await;
    }
}

fn names(answer: &Value) -> Vec<String> {
    answer["sets"].as_object().expect("sets").keys().cloned().collect()
}

fn claims(token: &Value) -> Value {
    let payload = token.as_str().and_then(|text| text.split('.').nth(1)).expect("a JWS");
    serde_json::from_slice(&tegata_core::encoding::from_base64url(payload).expect("base64")).expect("claims")
}

async fn settle(fixture: &mut SignalsFixture) -> TenantId {
    let entropy = &*fixture.context.entropy;
    let tenant = Tenant::new(TenantId::random(entropy), "みどり薬局");
    let site = Site { id: SiteId::random(entropy), tenant: tenant.id.clone(), name: "駅前店".into() };
    let mut transaction = fixture.context.ledger.begin(START).await.unwrap();
    transaction.add_tenant(&tenant, &Actor::System("test")).await.unwrap();
    transaction.add_site(&site, &Actor::System("test")).await.unwrap();
    transaction.commit().await.unwrap();
    fixture.tenant = tenant.id.clone();
    fixture.site = site.id;
    tenant.id
}

fn self_signed(name: &str) -> PeerCertificate {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.not_before = date_time_ymd(2026, 9, 1);
    params.not_after = date_time_ymd(2027, 9, 1);
    let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
    PeerCertificate { thumbprint: Thumbprint::of(&der), der: der.into(), path: TrustVerdict::Foreign }
}

fn registration(name: &str, own: &PeerCertificate) -> RegisteredClient {
    let jwks = json!({"keys": [{"kty": "EC", "x5c": [base64(&own.der)]}]}).to_string();
    RegisteredClient {
        by: Registrant::Configuration,
        client_id: name.into(),
        method: ClientAuthentication::self_signed(CertificateKeys::from_jwks(&jwks).unwrap()),
        client_credentials: false,
        audiences: vec![],
        scope: String::new(),
        introspects: vec![],
        dpop_bound_access_tokens: false,
        sign_in: tegata_core::ClientSignIn::default(),
    }
}

fn receiver(id: &str, tenant: Option<TenantId>) -> EventReceiver {
    EventReceiver {
        id: id.into(),
        audience: format!("https://{id}.example"),
        tenant,
        events: EventType::CHANGES.to_vec(),
        issuance: id == "both",
        client: Some(id.into()),
        way: DeliveryMethod::Poll,
    }
}

#[tokio::test]
async fn a_receiver_gets_events_in_order_again_until_it_acknowledges() {
    let pair = TwoServers::new().await;
    let first = pair.now("aoba", json!({})).await;
    let verification = names(&first);
    assert_eq!(verification, ["notice-1.verification.aoba"]);
    assert_eq!(pair.now("aoba", json!({})).await["sets"].as_object().unwrap().len(), 1, "it comes again");
    pair.stir(1, DeviceAction::Suspend).await;
    pair.stir(1, DeviceAction::Resume).await;
    let answer = pair.now("aoba", json!({"ack": verification, "maxEvents": 2})).await;
    assert_eq!(answer["moreAvailable"], true);
    let text = answer["sets"].as_object().unwrap();
    let kinds: Vec<_> =
        text.values().map(|token| claims(token)["events"].as_object().unwrap().len()).collect();
    assert_eq!(kinds, [1, 1]);
    assert_eq!(names(&answer), ["1.device-compliance-change.aoba", "1.session-revoked.aoba"]);
    let rest = pair.now("aoba", json!({"ack": names(&answer)})).await;
    assert_eq!(names(&rest), ["2.device-compliance-change.aoba"]);
    assert!(rest.get("moreAvailable").is_none());
    let event = claims(&rest["sets"]["2.device-compliance-change.aoba"]);
    assert_eq!((&event["aud"], &event["txn"]), (&json!("https://aoba.example"), &json!("feed.2")));
    pair.now("aoba", json!({"ack": names(&rest), "maxEvents": 0})).await;
    let row = pair.fixture.context.ledger.receiver("aoba").await.unwrap().unwrap();
    assert_eq!((row.seq(), row.waiting), (2, 0), "durable");
}

#[tokio::test]
async fn the_words_of_one_change_come_in_their_order_on_the_wire() {
    let pair = TwoServers::new().await;
    pair.empty("aoba").await;
    pair.stir(1, DeviceAction::Suspend).await;
    let body = json!({"returnImmediately": true});
    let answer = pair.post(0, "aoba", "/ssf/poll/aoba", &body).await;
    let place = |word: &str| answer.text.find(word).expect(word);
    assert!(place("1.session-revoked.aoba") < place("1.device-compliance-change.aoba"), "{}", answer.text);
}

#[tokio::test]
async fn a_receiver_that_waits_is_answered_as_soon_as_something_happens() {
    let pair = TwoServers::new().await;
    pair.empty("aoba").await;
    let body = json!({});
    let (answer, ()) = tokio::join!(pair.poll(0, "aoba", &body), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        pair.stir(0, DeviceAction::Suspend).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        pair.stir(1, DeviceAction::Suspend).await;
    });
    assert_eq!(names(&answer).len(), 2, "and is not woken by what is another tenant's: {answer}");
    let ack =
        ["notice-1.verification.midori", "1.session-revoked.midori", "1.device-compliance-change.midori"];
    let body = json!({"ack": ack});
    let nothing = tokio::time::timeout(WAIT * 5, pair.poll(0, "midori", &body));
    assert_eq!(nothing.await.expect("bounded"), json!({"sets": {}}));
}

#[tokio::test]
async fn what_has_not_happened_yet_cannot_be_acknowledged() {
    let pair = TwoServers::new().await;
    pair.empty("aoba").await;
    let ack = ["1.session-revoked.aoba", "1.device-compliance-change.aoba", "notice-2.verification.aoba"];
    let errors = json!({"2.session-revoked.aoba": {"err": "access_denied", "description": ""}});
    let body = json!({"ack": ack, "setErrs": errors});
    let (answer, ()) = tokio::join!(pair.poll(0, "aoba", &body), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        pair.stir(1, DeviceAction::Suspend).await;
    });
    assert_eq!(names(&answer).len(), 2, "the poll that waited tells it all the same: {answer}");
    assert_eq!(names(&pair.now("aoba", json!({})).await).len(), 2, "and so does the next one");
}

#[tokio::test]
async fn a_server_that_stops_lets_go_of_those_who_wait() {
    let pair = TwoServers::new().await;
    pair.empty("aoba").await;
    let body = json!({});
    let waiting = pair.poll(0, "aoba", &body);
    let (answer, ()) = tokio::join!(waiting, async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        pair.servers[0].feed().close();
    });
    assert_eq!(answer, json!({"sets": {}}));
}

#[tokio::test]
async fn no_receiver_holds_more_than_its_share_of_waiting_polls() {
    let pair = TwoServers::new().await;
    pair.empty("aoba").await;
    let body = json!({});
    let waiting = || pair.post(0, "aoba", "/ssf/poll/aoba", &body);
    let answers = futures_util::future::join_all((0..5).map(|_| waiting())).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 200, 429]);
    let again = pair.now("aoba", json!({})).await;
    assert_eq!(again, json!({"sets": {}}), "and it may ask without waiting");
}

#[tokio::test]
async fn strangers_learn_nothing_and_are_told_why_in_the_form_of_the_rfc() {
    let pair = TwoServers::new().await;
    let ask = async |who: &str, path: &str, body: Value| {
        let answer = pair.post(0, who, path, &body).await;
        let said = answer.json();
        assert!(said["description"].as_str().is_some_and(|text| !text.is_empty()));
        assert!(said["description_ja"].as_str().is_some_and(|text| !text.is_ascii()));
        assert_eq!(answer.headers["cache-control"], "no-store");
        (
            answer.status.as_u16(),
            said["err"].as_str().unwrap().to_owned(),
            said["code"].as_str().unwrap().to_owned(),
        )
    };
    let is = |status, err: &str, code: &str| (status, err.to_owned(), code.to_owned());
    let poll = "/ssf/poll/aoba";
    assert_eq!(ask("nobody", poll, json!({})).await, is(401, "authentication_failed", "C-01"));
    assert_eq!(ask("stranger", poll, json!({})).await, is(401, "authentication_failed", "C-12"));
    assert_eq!(ask("midori", poll, json!({})).await, is(404, "access_denied", "V-01"));
    assert_eq!(ask("midori", "/ssf/poll/no-such", json!({})).await, is(404, "access_denied", "V-01"));
    for body in [json!([]), json!({"maxEvents": -1}), json!({"ack": "x"}), json!({"setErrs": {"x": 1}})] {
        assert_eq!(ask("aoba", poll, body).await, is(400, "invalid_request", "R-01"));
    }
    let form = Request::post(poll).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let answer = pair.send(0, "aoba", form.body("maxEvents=1".into()).unwrap()).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (415, &json!("R-07")));
    let long = json!({"ack": ["x".repeat(70_000)]});
    assert_eq!(ask("aoba", poll, long).await, is(413, "invalid_request", "R-02"));
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let request = Request::builder().method(method).uri("/ssf/streams").body(Body::empty()).unwrap();
        let answer = pair.send(0, "aoba", request).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (403, &json!("V-03")), "{method}");
    }
}

#[tokio::test]
async fn a_final_refusal_is_recorded_and_a_passing_one_is_sent_again() {
    let pair = TwoServers::new().await;
    pair.empty("aoba").await;
    pair.stir(1, DeviceAction::Suspend).await;
    let [revoked, compliance] = ["1.session-revoked.aoba", "1.device-compliance-change.aoba"];
    let errors = json!({revoked: {"err": "invalid_request", "description": "no\nsuch event"},
        compliance: {"err": "invalid_key"}, "7.nonsense": {"err": "invalid_request"}});
    let answer = pair.now("aoba", json!({"setErrs": errors})).await;
    assert_eq!(answer, json!({"sets": {}}), "not in the same breath");
    let row = pair.fixture.context.ledger.receiver("aoba").await.unwrap().unwrap();
    assert_eq!(row.rejections, 1);
    assert_eq!(row.rejection.as_deref(), Some("1.session-revoked.aoba: invalid_request nosuch event"));
    assert_eq!(row.failure.as_deref(), Some("1.device-compliance-change.aoba: invalid_key"));
    assert_eq!(names(&pair.now("aoba", json!({})).await), [compliance]);
    pair.now("aoba", json!({"ack": [compliance]})).await;
    let row = pair.fixture.context.ledger.receiver("aoba").await.unwrap().unwrap();
    assert_eq!((row.seq(), row.failing_since()), (1, None), "it has taken what it could not before");
}

#[tokio::test]
async fn a_receiver_may_stop_its_own_stream_and_the_operator_decides_last() {
    let pair = TwoServers::new().await;
    pair.empty("aoba").await;
    let status = async || {
        let request = Request::get("/ssf/status?stream_id=aoba").body(Body::empty()).unwrap();
        pair.send(0, "aoba", request).await.json()
    };
    let set = async |status: &str| {
        pair.post(0, "aoba", "/ssf/status", &json!({"stream_id": "aoba", "status": status, "reason": "r"}))
            .await
    };
    assert_eq!(status().await, json!({"stream_id": "aoba", "status": "enabled"}));
    assert_eq!(set("paused").await.json(), json!({"stream_id": "aoba", "status": "paused", "reason": "r"}));
    pair.stir(1, DeviceAction::Suspend).await;
    assert_eq!(pair.now("aoba", json!({})).await, json!({"sets": {}}), "held");
    let verify = json!({"stream_id": "aoba", "state": "word"});
    assert_eq!(pair.post(0, "aoba", "/ssf/verification", &verify).await.status, StatusCode::NO_CONTENT);
    assert_eq!(pair.post(1, "aoba", "/ssf/verification", &verify).await.status.as_u16(), 429);
    let answer = pair.now("aoba", json!({})).await;
    assert_eq!(names(&answer), ["notice-2.verification.aoba"], "verifications come whatever the status");
    let event = claims(&answer["sets"]["notice-2.verification.aoba"]);
    assert_eq!(event["sub_id"], json!({"format": "opaque", "id": "aoba"}));
    assert_eq!(event["events"][EventType::Verification.uri()]["state"], "word");
    pair.now("aoba", json!({"ack": names(&answer)})).await;
    assert_eq!(set("enabled").await.status, StatusCode::OK);
    assert_eq!(names(&pair.now("aoba", json!({})).await).len(), 2, "nothing that was held is lost");
    pair.empty("aoba").await;

    assert_eq!(set("disabled").await.status, StatusCode::OK);
    pair.stir(1, DeviceAction::Resume).await;
    assert_eq!(set("enabled").await.status, StatusCode::OK);
    assert_eq!(pair.now("aoba", json!({})).await, json!({"sets": {}}), "dropped");

    let operator = ChangeStream {
        id: "aoba".into(),
        status: StreamStatus::Paused,
        reason: Some("maintenance".into()),
        by: Actor::System("test"),
        as_operator: true,
        at: START,
    };
    pair.fixture.context.ledger.group(operator).await.unwrap();
    let answer = pair.now("aoba", json!({})).await;
    let event = claims(&answer["sets"]["notice-3.stream-updated.aoba"]);
    let payload = &event["events"][EventType::StreamUpdated.uri()];
    assert_eq!(*payload, json!({"status": "paused", "reason": "maintenance"}));
    let refused = set("enabled").await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (403, &json!("V-02")));
    let other =
        pair.post(0, "midori", "/ssf/status", &json!({"stream_id": "aoba", "status": "enabled"})).await;
    assert_eq!(other.status.as_u16(), 404);
}

#[tokio::test]
async fn the_metadata_and_the_configuration_say_where_and_how() {
    let pair = TwoServers::new().await;
    let request = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    let metadata = pair.send(0, "nobody", request("/.well-known/ssf-configuration")).await.json();
    assert_eq!(metadata["status_endpoint"], "https://device.example/ssf/status");
    assert_eq!(metadata["delivery_methods_supported"], json!(["urn:ietf:rfc:8935", "urn:ietf:rfc:8936"]));
    assert!(metadata.get("add_subject_endpoint").is_none());
    let all = pair.send(0, "aoba", request("/ssf/streams")).await.json();
    assert_eq!(all.as_array().unwrap().len(), 1, "its own");
    let one = pair.send(0, "aoba", request("/ssf/streams?stream_id=aoba")).await.json();
    assert_eq!(all[0], one);
    assert_eq!(
        one["delivery"],
        json!({"method": "urn:ietf:rfc:8936", "endpoint_url": "https://device.example/ssf/poll/aoba"})
    );
    assert_eq!((&one["iss"], &one["aud"]), (&metadata["issuer"], &json!("https://aoba.example")));
    assert_eq!(pair.send(0, "aoba", request("/ssf/streams?stream_id=both")).await.status.as_u16(), 404);
    assert_eq!(pair.send(0, "stranger", request("/ssf/streams")).await.status.as_u16(), 401);
    assert_eq!(pair.send(0, "aoba", request("/ssf/status")).await.status.as_u16(), 400);
}

#[tokio::test]
async fn a_receiver_may_hear_of_certificates_in_order_between_other_events() {
    let pair = TwoServers::new().await;
    for who in RECEIVERS {
        pair.empty(who).await;
    }
    pair.stir(1, DeviceAction::Suspend).await;
    pair.stir(1, DeviceAction::Resume).await;
    let renewed = pair.fixture.renew(&pair.devices[1]).await;
    pair.stir(1, DeviceAction::Suspend).await;
    let newcomer = pair.fixture.enroll(Role::Device).await;
    let text = pair.post(0, "both", "/ssf/poll/both", &json!({"returnImmediately": true})).await.text;
    let answer: Value = serde_json::from_str(&text).unwrap();
    let mut sets: Vec<_> = names(&answer);
    sets.sort_by_key(|jti| text.find(jti.as_str()));
    let told: Vec<_> = sets
        .iter()
        .map(|jti| {
            let event = claims(&answer["sets"][jti]);
            let payload = event["events"].as_object().unwrap().values().next().unwrap().clone();
            payload["change_type"].as_str().unwrap_or(jti.split('.').next().unwrap()).to_owned()
        })
        .collect();
    assert_eq!(told, ["1", "1", "2", "update", "3", "3", "create"]);
    let update = claims(&answer["sets"][&sets[3]]);
    let payload = &update["events"][EventType::CredentialChange.uri()];
    assert_eq!(payload["x5t#S256"], json!(renewed.certificate.thumbprint));
    let create = claims(&answer["sets"][&sets[6]]);
    assert_eq!(create["sub_id"]["device"]["sub"], format!("device:{}", newcomer.id));
    pair.now("both", json!({"ack": sets})).await;
    assert_eq!(pair.now("both", json!({})).await, json!({"sets": {}}));
    let row = pair.fixture.context.ledger.receiver("both").await.unwrap().unwrap();
    assert!(pair.fixture.context.ledger.acknowledged("both").await.unwrap().is_empty() && row.seq() == 3);
    assert_eq!(
        names(&pair.now("midori", json!({})).await),
        Vec::<String>::new(),
        "it did not ask to hear of them"
    );
}

#[tokio::test]
async fn a_token_that_was_taken_back_is_told_to_its_tenant_and_no_other() {
    let pair = TwoServers::new().await;
    for who in RECEIVERS {
        pair.empty(who).await;
    }
    pair.fixture.fill_feed(1, &pair.devices[1]).await;
    for (who, count) in [("both", 1), ("aoba", 1), ("midori", 0)] {
        let answer = pair.now(who, json!({})).await;
        assert_eq!(names(&answer).len(), count, "{who}");
    }
    // A registered client's token is nobody's but the operator's.
    let mut transaction = pair.fixture.context.ledger.begin(START).await.unwrap();
    transaction.deny_token("a-client-s", START.plus(YEAR), None, &Actor::Client("c".into())).await.unwrap();
    transaction.commit().await.unwrap();
    let count = async |who: &str| names(&pair.now(who, json!({})).await).len();
    assert_eq!((count("both").await, count("aoba").await), (2, 1));
}

#[tokio::test]
async fn a_poll_whose_client_is_stopped_while_it_waits_tells_nothing() {
    let pair = TwoServers::new().await;
    pair.empty("aoba").await;
    let body = json!({});
    let waiting = pair.post(0, "aoba", "/ssf/poll/aoba", &body);
    let (answer, ()) = tokio::join!(waiting, async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        pair.servers[0].clients().replace_keys("aoba", CertificateKeys::default());
        pair.stir(1, DeviceAction::Suspend).await;
    });
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text);
}
