//! A gate that nginx asks before it lets a request through, next to a server that says yes to everybody, at once or after
//! one verification. Neither is asked over TLS, and nginx has none toward the clients either: what they present comes
//! in a header, of the same length for all.

use crate::BenchOutcome;
use crate::client::{BenchAddress, BenchTrust, Post};
use crate::devices::{self, BenchDevice};
use crate::gates::{self, Arriving};
use crate::load::{self, Bounds, Clients};
use crate::report::BenchRow;
use crate::rounds::{ROUNDS, cost_together, median};
use crate::servers::{AskedGate, Nginx, Still, Tegata};
use hyper::body::Bytes;
use hyper::{StatusCode, Uri};
use serde_json::json;
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;
use tegata_core::Role;
use tegata_gate::HeaderSource;
use tegata_gate::forward_auth::{self, ForwardAuth};
use tokio::net::TcpListener;

/// Each with a token of its own, so that a gate which remembers one has forgotten it when it comes again.
const CONNECTIONS: usize = 64;
const ROUND: Bounds = Bounds { requests: 200_000, time: Duration::from_millis(2500) };
const WARM_UP: Bounds = Bounds { requests: 2_000, time: Duration::from_millis(500) };

/// The file behind nginx is the same in every row.
const FILE: &str = "a page of the product\n";

/// Tokens that were seen before, and tokens that were not.
pub async fn rows(
    tegata: &Tegata,
    trust: &BenchTrust,
    devices: &[BenchDevice],
) -> BenchOutcome<[BenchRow; 2]> {
    let requests = gates::arriving(tegata, trust, &devices[0], CONNECTIONS).await?;
    let audience = gates::audience_of(&requests[0])?;
    let mut gates = Vec::new();
    for (own, cached) in devices::enroll_as(tegata, trust, Role::Gate, 2).await?.into_iter().zip([10_000, 1])
    {
        gates.push(AskedGate::start(tegata, own.folder()?, &audience, cached)?);
    }
    let still = Still::start(b"")?;
    let asked = [
        ("remembering", format!("{}/check", gates[0].url)),
        ("forgetful", format!("{}/check", gates[1].url)),
        ("allowed", format!("{}/allowed", still.url)),
        ("verified", format!("{}/verified", still.url)),
    ];
    let nginx = Nginx::start(|folder| sites(folder, &asked)).await?;
    let row = async |path, (at, gate), (limit_at, limit)| -> BenchOutcome<BenchRow> {
        let product = clients(&nginx, at, &requests, &devices[0])?;
        let least = clients(&nginx, limit_at, &requests, &devices[0])?;
        let (mut us, mut limit_us) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            us.push(round(&[nginx.pid(), gate], &product).await?);
            limit_us.push(round(&[nginx.pid(), limit], &least).await?);
        }
        Ok(BenchRow { path, us: median(us), limit_us: median(limit_us) })
    };
    let cached =
        row("forward-auth cached", ("remembering", gates[0].pid()), ("allowed", still.pid())).await?;
    let cold = row("forward-auth cold", ("forgetful", gates[1].pid()), ("verified", still.pid())).await?;
    Ok([cached, cold])
}

/// `tegata-bench gate IDENTITY ISSUER AUDIENCE TLS_CA TOKENS`: a gate that remembers so many tokens, asked by nginx. It is what
/// `tegata gate` runs.
pub async fn serve(
    identity: &Path,
    issuer: &str,
    audience: &str,
    tls_ca: &Path,
    cached: &str,
) -> BenchOutcome<()> {
    let gate = gates::begin(identity, issuer, audience, tls_ca, cached.parse()?)?;
    gates::decides(&gate).await?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", json!({ "url": format!("http://{}", listener.local_addr()?) }));
    let certificates = HeaderSource::nginx(vec!["127.0.0.1".parse()?]);
    forward_auth::serve(listener, gate, ForwardAuth { certificates, sessions: None }, std::future::pending())
        .await;
    Ok(())
}

/// A place for each of those who are asked: upstreams, and the locations in front of them.
fn sites(folder: &Path, asked: &[(&str, String)]) -> BenchOutcome<(String, String)> {
    let file = folder.join("page");
    std::fs::write(&file, FILE)?;
    let (mut upstreams, mut locations) = (String::new(), String::new());
    for (name, url) in asked {
        let url: Uri = url.parse()?;
        let server = url.authority().ok_or("no authority")?;
        writeln!(upstreams, "upstream {name} {{ server {server}; keepalive 128; }}")?;
        writeln!(
            locations,
            "location = /{name} {{ auth_request /.ask/{name}; alias {}; }}\n\
             location = /.ask/{name} {{ internal; proxy_pass http://{name}{}; proxy_http_version 1.1;\n\
             proxy_pass_request_body off; proxy_set_header Connection \"\"; proxy_set_header Content-Length \"\";\n\
             proxy_set_header X-Client-Cert $http_x_client_cert; proxy_set_header X-Original-URI $request_uri; }}",
            file.display(),
            url.path(),
        )?;
    }
    Ok((upstreams, locations))
}

fn clients(nginx: &Nginx, at: &str, requests: &[Arriving], device: &BenchDevice) -> BenchOutcome<Clients> {
    let address = BenchAddress::plain(&nginx.url)?;
    let certificate = device.escaped_pem().parse::<hyper::header::HeaderValue>()?;
    let each = requests.iter().map(|request| {
        let mut headers = request.headers.clone();
        headers.insert("x-client-cert", certificate.clone());
        let path = format!("/{at}").into();
        let post =
            Post { path, media_type: "text/plain", headers, body: Bytes::new(), expected: StatusCode::OK };
        (address.clone(), post)
    });
    Ok(each.collect())
}

async fn round(pids: &[u32], clients: &Clients) -> BenchOutcome<f64> {
    load::kept_alive(load::connect(clients).await?, WARM_UP).await?;
    cost_together(pids, load::kept_alive(load::connect(clients).await?, ROUND)).await
}
