//! Browsers at a product whose proxy asks the gate.
#![allow(clippy::unwrap_used)]

mod support;

use http::Method;
use support::browser::{FETCH, NAVIGATION};
use support::client::{TestClient, escaped};
use support::provider::Asked;
use support::sessioned::sessions;
use support::{Party, TestPlatform, device};
use tegata_gate::forward_auth::{ForwardAuth, serve};
use tegata_gate::session::RequiredSignIn;
use tegata_gate::{HeaderSource, Network};
use tokio::net::TcpListener;

struct GateOfProxy {
    platform: TestPlatform,
    party: Party,
    client: TestClient,
}

impl GateOfProxy {
    async fn build() -> Self {
        let platform = TestPlatform::start().await;
        let gate = platform.gate().await;
        let config = ForwardAuth {
            certificates: HeaderSource::nginx(Network::loopback()),
            sessions: Some(sessions(&platform, &gate, RequiredSignIn::Person)),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(serve(listener, gate, config, std::future::pending()));
        let party = platform.authority.device(&device());
        Self { platform, party, client: TestClient::plain(port).await }
    }

    /// What a proxy asks about a request of a browser.
    async fn ask(
        &mut self,
        path: &str,
        original: (&str, &str),
        said: &[(&str, &str)],
        cookies: &str,
    ) -> support::client::ClientAnswer {
        let certificate = escaped(&self.party.certificate_pem);
        let mut headers = said.to_vec();
        headers.push(("x-client-cert", &certificate));
        if !original.0.is_empty() {
            headers.extend([("x-original-method", original.0), ("x-original-uri", original.1)]);
        }
        if !cookies.is_empty() {
            headers.push(("cookie", cookies));
        }
        self.client.request(Method::GET, path, &headers).await
    }

    /// The cookie of a session.
    async fn sign_in(&mut self) -> String {
        let asked = self.ask("/enter", ("GET", "/orders?page=2"), &NAVIGATION, "").await;
        assert_eq!(asked.status.as_u16(), 303);
        let begun = pair(asked.header("set-cookie"));
        let asked = Asked::of(asked.header("location"));
        let back = self.platform.grant(&asked, &device(), self.party.thumbprint());
        let done = self.ask(&back, ("", ""), &NAVIGATION, &begun).await;
        assert_eq!(done.header("location"), "https://localhost/orders?page=2");
        let cookies = done.headers.get_all("set-cookie").iter().map(|cookie| pair(cookie.to_str().unwrap()));
        cookies.into_iter().find(|cookie| cookie.starts_with("__Host-tegata-session=")).unwrap()
    }
}

fn pair(cookie: &str) -> String {
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_proxy_that_knows_401_alone_asks_a_second_time_for_the_answer() {
    let mut gate = GateOfProxy::build().await;
    let original = ("GET", "/orders?page=2");
    let checked = gate.ask("/check", original, &NAVIGATION, "").await;
    assert_eq!((checked.status.as_u16(), checked.header("tegata-refusal")), (401, "G-20"));
    assert_eq!(checked.header("set-cookie"), "");
    let answer = gate.ask("/refused", original, &NAVIGATION, "").await;
    assert_eq!(answer.status.as_u16(), 303);
    assert!(answer.header("location").starts_with(&format!("{}/authorize?", gate.platform.issuer)));
    let program = gate.ask("/refused", original, &FETCH, "").await;
    assert_eq!((program.status.as_u16(), program.header("tegata-refusal")), (401, "G-20"));
    let posted = gate.ask("/refused", ("POST", "/orders"), &NAVIGATION, "").await;
    assert_eq!(posted.status.as_u16(), 401, "by the method of the original request");
    let foreign = gate.ask("/refused", ("GET", "https://evil.example/"), &NAVIGATION, "").await;
    let back =
        gate.platform.grant(&Asked::of(foreign.header("location")), &device(), gate.party.thumbprint());
    let done = gate.ask(&back, ("", ""), &NAVIGATION, &pair(foreign.header("set-cookie"))).await;
    assert_eq!(done.header("location"), "https://localhost/");

    let session = gate.sign_in().await;
    let again = gate.ask("/refused", original, &NAVIGATION, &session).await;
    assert_eq!(again.header("location"), "https://localhost/orders?page=2", "it passes by now");
    let posted = gate.ask("/refused", ("POST", "/orders"), &NAVIGATION, &session).await;
    assert_eq!(posted.status.as_u16(), 503, "and is never an empty page in place of the product's");
}

#[tokio::test]
async fn a_proxy_learns_who_is_there_and_which_cookies_go_on() {
    let mut gate = GateOfProxy::build().await;
    let session = gate.sign_in().await;
    let cookies = format!("a=1; {session}; b=2");
    for path in ["/check", "/enter"] {
        let admitted = gate.ask(path, ("GET", "/orders"), &FETCH, &cookies).await;
        assert_eq!(admitted.status.as_u16(), 200);
        assert_eq!(admitted.header("tegata-device"), device().as_str());
        assert!(admitted.header("tegata-subject").starts_with("person:"));
        assert_eq!((admitted.header("cookie"), admitted.header("set-cookie")), ("a=1; b=2", ""));
    }
    let below = gate.ask("/enter/orders/7?page=1", ("", ""), &FETCH, &session).await;
    assert_eq!((below.status.as_u16(), below.header("cookie")), (200, ""));
    gate.platform.clock.move_by(120);
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let renewed = gate.ask("/check", ("GET", "/orders"), &FETCH, &cookies).await;
    assert!(renewed.header("set-cookie").starts_with("__Host-tegata-session="), "the use is written down");
    let forged = [("origin", "https://evil.localhost"), ("sec-fetch-site", "same-site")];
    let refused = gate.ask("/check", ("POST", "/orders"), &forged, &session).await;
    assert_eq!((refused.status.as_u16(), refused.header("tegata-refusal")), (403, "R-06"));
}
