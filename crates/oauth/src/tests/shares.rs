//! One tenant cannot starve another at the token endpoint.

use crate::tests::fixture::{CertificateHolderFixture, OauthFixture, TestResponse};
use axum::Router;
use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tegata_core::Role;
use tegata_web::SharedPlaces;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Requests of the tenant that floods, at any moment.
const FLOOD: usize = 800;

/// What a token is promised to take, with room for a slow machine.
const PROMISE: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_one_tenant_floods_another_has_its_tokens_in_time() {
    let places = SharedPlaces { tokens: 2, ..SharedPlaces::default() };
    let mut fixture = OauthFixture::with_places(places).await;
    let flooding = fixture.enroll(Role::Device).await;
    fixture.add_tenant("みどり薬局").await;
    let other = fixture.enroll(Role::Device).await;
    let (door, ended) = (fixture.device_door(), Arc::new(AtomicBool::default()));
    let mut flood = JoinSet::new();
    for _ in 0..FLOOD {
        flood.spawn(ask_until(ended.clone(), door.clone(), flooding.clone()));
    }
    for _ in 0..20 {
        let answer = timeout(PROMISE, ask(door.clone(), &other)).await.expect("it is answered in time");
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    }
    // Until somebody of the flood has waited as long as anybody waits.
    let counts = || fixture.context.shares.counts()[0];
    timeout(Duration::from_secs(20), async {
        while counts().refused == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("a flood is held back");
    ended.store(true, Ordering::Relaxed);
    let told: Vec<_> = flood.join_all().await.into_iter().flatten().collect();
    let (refused, served): (Vec<_>, Vec<_>) =
        told.into_iter().partition(|answer| !answer.status.is_success());
    assert!(!served.is_empty(), "it has its share");
    for answer in &refused {
        answer.is_error(429, "temporarily_unavailable", "S-06");
        assert_eq!(answer.headers["retry-after"], "1");
    }
    assert_eq!(counts().under_way, 0);
}

async fn ask_until(
    ended: Arc<AtomicBool>,
    door: Router,
    holder: CertificateHolderFixture,
) -> Vec<TestResponse> {
    let mut told = Vec::new();
    while !ended.load(Ordering::Relaxed) {
        told.push(ask(door.clone(), &holder).await);
    }
    told
}

async fn ask(door: Router, holder: &CertificateHolderFixture) -> TestResponse {
    let body = format!("grant_type=client_credentials&client_id={}", holder.id);
    let request = Request::post("/oauth/token").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    tegata_testkit::send(door, Some(&holder.certificate), request.body(Body::from(body)).unwrap()).await
}
