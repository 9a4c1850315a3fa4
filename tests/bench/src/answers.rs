//! OCSP: the product's public listener, next to a server that gives the same bytes to everybody, as they are or with one
//! signature made for each.

use crate::BenchOutcome;
use crate::client::{BenchAddress, Post};
use crate::devices::BenchDevice;
use crate::load::{self, Bounds, Clients};
use crate::report::BenchRow;
use crate::rounds::{ROUNDS, cost, median};
use crate::servers::{Still, Tegata};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Bytes;
use hyper::{HeaderMap, StatusCode, Uri};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const CONNECTIONS: usize = 64;
const ROUND: Bounds = Bounds { requests: 1_000_000, time: Duration::from_millis(2500) };
const WARM_UP: Bounds = Bounds { requests: 2_000, time: Duration::from_millis(500) };
const MEDIA_TYPE: &str = "application/ocsp-request";

/// An answer signed before, by GET; and one with a nonce, by POST, which must be signed for each client.
pub async fn rows(tegata: &Tegata, devices: &[BenchDevice]) -> BenchOutcome<[BenchRow; 2]> {
    let folder = tempfile::tempdir()?;
    let questions: Vec<_> =
        devices.iter().map(|device| Question::about(device, folder.path())).collect::<BenchOutcome<_>>()?;
    let gets = questions.iter().map(Question::by_get).collect::<Vec<_>>();
    let posts = questions.iter().map(Question::by_post).collect::<Vec<_>>();
    let address = BenchAddress::plain(&tegata.public)?;
    let answer = address.connect().await?.post(&gets[0]).await?;
    let still = Still::start(&answer)?;
    let presigned = row("ocsp presigned", tegata, &address, &gets, &still, "/still").await?;
    let live = row("ocsp live", tegata, &address, &posts, &still, "/signed").await?;
    Ok([presigned, live])
}

async fn row(
    path: &'static str,
    tegata: &Tegata,
    address: &BenchAddress,
    requests: &[Post],
    still: &Still,
    at: &str,
) -> BenchOutcome<BenchRow> {
    let clients = |address: &BenchAddress, requests: &[Post]| -> Clients {
        let each = requests.iter().cycle().take(CONNECTIONS);
        each.map(|request| (address.clone(), request.clone())).collect()
    };
    let product = clients(address, requests);
    let still_requests: Vec<_> = requests.iter().map(|one| Post { path: at.into(), ..one.clone() }).collect();
    let least = clients(&BenchAddress::plain(&still.url)?, &still_requests);
    let (mut us, mut limit_us) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        us.push(round(tegata.pid(), &product).await?);
        limit_us.push(round(still.pid(), &least).await?);
    }
    Ok(BenchRow { path, us: median(us), limit_us: median(limit_us) })
}

async fn round(pid: u32, clients: &Clients) -> BenchOutcome<f64> {
    load::kept_alive(load::connect(clients).await?, WARM_UP).await?;
    cost(pid, load::kept_alive(load::connect(clients).await?, ROUND)).await
}

/// Requests about one certificate, made by openssl.
struct Question {
    path: String,
    plain: Vec<u8>,
    with_nonce: Vec<u8>,
}

impl Question {
    fn about(device: &BenchDevice, folder: &Path) -> BenchOutcome<Self> {
        let file = |name: &str| folder.join(name).display().to_string();
        let (leaf, issuing, request) = (file("leaf.pem"), file("issuing.pem"), file("request"));
        for (name, der) in [&leaf, &issuing].into_iter().zip(&device.identity.chain) {
            let text = STANDARD.encode(der);
            std::fs::write(
                name,
                format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"),
            )?;
        }
        let ask = |nonce: &str| -> BenchOutcome<Vec<u8>> {
            openssl(&["ocsp", nonce, "-issuer", &issuing, "-cert", &leaf, "-reqout", &request])?;
            Ok(std::fs::read(&request)?)
        };
        let url = openssl(&["x509", "-in", &leaf, "-noout", "-ocsp_uri"])?;
        let path = url.trim().parse::<Uri>()?.path().to_owned();
        Ok(Self { path, plain: ask("-no_nonce")?, with_nonce: ask("-nonce")? })
    }

    fn by_get(&self) -> Post {
        let text = STANDARD.encode(&self.plain);
        let text = text.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        Self::request(&format!("{}/{text}", self.path), Bytes::new())
    }

    fn by_post(&self) -> Post {
        Self::request(&self.path, Bytes::from(self.with_nonce.clone()))
    }

    fn request(path: &str, body: Bytes) -> Post {
        Post {
            path: path.into(),
            media_type: MEDIA_TYPE,
            headers: HeaderMap::new(),
            body,
            expected: StatusCode::OK,
        }
    }
}

fn openssl(arguments: &[&str]) -> BenchOutcome<String> {
    let output = Command::new("openssl").args(arguments).output()?;
    if output.status.success() {
        Ok(String::from_utf8(output.stdout)?)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into())
    }
}
