//! The recipe `docs/recipes/nginx.conf`, run by a real nginx. Without nginx these tests fail.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use support::client::{TestClient, escaped, tls};
use support::{Party, TestPlatform, device, eventually};
use tegata_core::Clock;
use tegata_core::feed::{Change, Denial};
use tegata_gate::forward_auth::{ForwardAuth, serve};
use tegata_gate::{HeaderSource, Network};
use tempfile::TempDir;
use tokio::net::TcpListener;

const RECIPE: &str = include_str!("../../../docs/recipes/nginx.conf");

/// 2099-12-03T08:53:20Z.
const DECEMBER_2099: i64 = 4_100_000_000;

/// nginx in front of a gate and a product that tells which headers it received.
struct NginxFixture {
    platform: TestPlatform,
    device: Party,
    token: String,
    port: u16,
    nginx: Child,
    _folder: TempDir,
}

impl NginxFixture {
    async fn build() -> Self {
        let platform = TestPlatform::start().await;
        // Of two clocks, nginx goes by the machine's: a certificate that is due to the gate ends for neither in this century.
        platform.clock.move_by(DECEMBER_2099 - platform.clock.now().seconds());
        let gate = platform.gate().await;
        let config = ForwardAuth { certificates: HeaderSource::nginx(Network::loopback()), sessions: None };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gate_port = listener.local_addr().unwrap().port();
        tokio::spawn(serve(listener, gate, config, std::future::pending()));
        let folder = tempfile::tempdir().unwrap();
        let port = free_port().await;
        let recipe = recipe(&platform, folder.path(), port, gate_port, product().await);
        let nginx = start_nginx(folder.path(), &recipe);
        let device = platform.authority.client();
        let token = platform.token(&support::device(), device.thumbprint());
        let fixture = Self { platform, device, token, port, nginx, _folder: folder };
        eventually("nginx listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()).await;
        fixture
    }

    async fn client(&self, party: Option<&Party>) -> TestClient {
        TestClient::secure(self.port, tls(self.platform.authority.roots(), party)).await.0
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }
}

impl Drop for NginxFixture {
    fn drop(&mut self) {
        let _ = self.nginx.kill();
        let _ = self.nginx.wait();
    }
}

async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

/// The lines of the recipe, with this test's addresses and files.
fn recipe(platform: &TestPlatform, folder: &Path, port: u16, gate: u16, product: u16) -> String {
    let server = platform.authority.server();
    for (name, text) in [
        ("server.pem", &server.certificate_pem),
        ("server.key", &server.key_pem),
        ("chain.pem", &platform.authority.pem()),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let path = |name: &str| folder.join(name).display().to_string();
    let replacements = [
        ("127.0.0.1:9700", format!("127.0.0.1:{gate}")),
        ("127.0.0.1:8080", format!("127.0.0.1:{product}")),
        ("listen 443 ssl", format!("listen 127.0.0.1:{port} ssl")),
        ("rezept.example.jp", "localhost".into()),
        ("/etc/nginx/rezept.pem", path("server.pem")),
        ("/etc/nginx/rezept.key", path("server.key")),
        ("/etc/nginx/tegata-chain.pem", path("chain.pem")),
    ];
    replacements.iter().fold(RECIPE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the recipe still says {from}");
        text.replace(from, to)
    })
}

fn start_nginx(folder: &Path, recipe: &str) -> Child {
    let at = folder.display();
    let path = |kind: &str| format!("{kind}_temp_path {at}/{kind};");
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(path).concat();
    let whole = format!(
        "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log;\n\
         events {{}}\nhttp {{\naccess_log off;\n{paths}\n{recipe}}}\n"
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, whole).unwrap();
    Command::new("nginx")
        .arg("-p")
        .arg(folder)
        .arg("-c")
        .arg(file)
        .stderr(Stdio::null())
        .spawn()
        .expect("this test needs nginx")
}

/// Answers with the names and values of the headers it received, one a line.
async fn product() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = service_fn(|request: Request<Incoming>| async move {
                let line =
                    |(name, value): (_, &http::HeaderValue)| format!("{name}: {}\n", value.to_str().unwrap());
                let text: String = request.headers().iter().map(line).collect();
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(text)))
            });
            let connection = hyper::server::conn::http1::Builder::new();
            tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
        }
    });
    port
}

#[tokio::test]
async fn an_enrolled_device_passes_and_the_product_learns_which_it_is() {
    let fixture = NginxFixture::build().await;
    let mut client = fixture.client(Some(&fixture.device)).await;
    let bearer = fixture.bearer();
    let forged = [
        ("authorization", &*bearer),
        ("tegata-device", "forged"),
        ("tegata-tenant", "forged"),
        ("tegata-renewal-due", "forged"),
        ("x-client-cert", "forged"),
        ("client-cert", "forged"),
        ("x-forwarded-client-cert", "forged"),
        ("x-original-uri", "/?access_token=forged"),
    ];
    let answer = client.get("/orders?page=1", &forged).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.body.contains(&format!("tegata-device: {}\n", device())), "{}", answer.body);
    assert!(answer.body.contains("tegata-generation: 3\n"));
    let told = answer.body.replace("x-original-uri: /?access_token=forged", "");
    assert!(!told.contains("forged"), "{}", answer.body);
    assert!(!told.contains("tegata-renewal-due"), "{}", answer.body);

    let ending = fixture.platform.authority.device_with(&device(), |params| {
        params.not_after = rcgen::date_time_ymd(2099, 12, 31);
    });
    let bearer = format!("Bearer {}", fixture.platform.token(&device(), ending.thumbprint()));
    let told = fixture.client(Some(&ending)).await.get("/", &[("authorization", &bearer)]).await.body;
    assert!(told.contains("tegata-renewal-due: 2099-12-31T00:00:00Z\n"), "{told}");
}

#[tokio::test]
async fn nobody_else_passes_and_everybody_reads_the_code() {
    let fixture = NginxFixture::build().await;
    let bearer = fixture.bearer();
    let mut with = fixture.client(Some(&fixture.device)).await;
    let mut without = fixture.client(None).await;
    let other = fixture.platform.authority.client();
    let mut stranger = fixture.client(Some(&other)).await;

    let answer = with.get("/", &[]).await;
    assert_eq!((answer.status.as_u16(), answer.header("www-authenticate")), (401, "Bearer"));
    assert_eq!(answer.header("tegata-refusal"), "G-02");

    let certificate = escaped(&fixture.device.certificate_pem);
    let answer = without.get("/", &[("authorization", &bearer), ("x-client-cert", &certificate)]).await;
    assert_eq!((answer.status.as_u16(), answer.header("tegata-refusal")), (401, "C-01"));
    assert!(answer.header("www-authenticate").contains("invalid_token"));

    let answer = stranger.get("/", &[("authorization", &bearer)]).await;
    assert_eq!((answer.status.as_u16(), answer.header("tegata-refusal")), (401, "G-04"));

    let answer = with.get("/?access_token=x", &[("authorization", &bearer)]).await;
    assert_eq!((answer.status.as_u16(), answer.header("tegata-refusal")), (401, "G-13"));

    let answer = with.get("/.tegata-gate", &[("authorization", &bearer)]).await;
    assert_eq!(answer.status, 404, "nobody asks the gate past nginx");
}

#[tokio::test]
async fn a_revoked_device_is_refused_on_the_connection_it_holds() {
    let fixture = NginxFixture::build().await;
    let bearer = fixture.bearer();
    let mut client = fixture.client(Some(&fixture.device)).await;
    assert_eq!(client.get("/", &[("authorization", &bearer)]).await.status, 200);
    fixture.platform.happen(Change::DeviceDenied { device: device(), reason: Denial::Revoked });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let answer = client.get("/", &[("authorization", &bearer)]).await;
    assert_eq!((answer.status.as_u16(), answer.header("tegata-refusal")), (401, "C-06"));
}

#[tokio::test]
async fn no_session_is_resumed() {
    let fixture = NginxFixture::build().await;
    let bearer = fixture.bearer();
    let config = tls(fixture.platform.authority.roots(), Some(&fixture.device));
    for _ in 0..3 {
        let (mut client, resumed) = TestClient::secure(fixture.port, config.clone()).await;
        assert_eq!(client.get("/", &[("authorization", &bearer)]).await.status, 200);
        assert!(!resumed);
    }
}

#[tokio::test]
async fn a_stale_gate_lets_nobody_through() {
    let fixture = NginxFixture::build().await;
    let bearer = fixture.bearer();
    let mut client = fixture.client(Some(&fixture.device)).await;
    fixture.platform.go_away().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let answer = client.get("/", &[("authorization", &bearer)]).await;
    assert_eq!((answer.status.as_u16(), answer.header("tegata-refusal")), (503, "G-01"));
}
