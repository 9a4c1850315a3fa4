//! Many people at once, each at a terminal of their own with an invitation in hand.

use axum::body::{Body, to_bytes};
use axum::http::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, KeyPair};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::error::Error;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::Barrier;
use tokio_rustls::TlsConnector;

/// What happened to everybody: how often which status, the thumbprints handed out, and what came to nothing.
#[derive(Debug, Default)]
pub struct CrowdOutcome {
    /// By HTTP status.
    pub statuses: BTreeMap<u16, usize>,
    /// Of the certificates handed out.
    pub thumbprints: Vec<String>,
    /// Connections that failed, and answers that were no certificates.
    pub failures: Vec<String>,
}

/// Everybody presses the button at the same moment, each on a connection of their own with a key of their own.
#[must_use]
pub fn enroll_at_once(portal: &str, tls_ca: &Path, codes: Vec<String>) -> CrowdOutcome {
    let port = crate::ports::of(portal);
    let tls = TlsConnector::from(Arc::new(trusting(tls_ca)));
    let barrier = Arc::new(Barrier::new(codes.len()));
    let runtime = Runtime::new().expect("a runtime");
    let people: Vec<_> = codes
        .into_iter()
        .map(|code| {
            // Keys are made beforehand: on real terminals they cost the server nothing.
            let body = json!({ "code": code, "csr": request() }).to_string();
            let (tls, barrier) = (tls.clone(), barrier.clone());
            runtime.spawn(async move {
                barrier.wait().await;
                enroll(port, tls, body).await.map_err(|error| error.to_string())
            })
        })
        .collect();
    let mut outcome = CrowdOutcome::default();
    for person in people {
        match runtime.block_on(person).expect("a person comes back") {
            Ok((status, answer)) => {
                *outcome.statuses.entry(status).or_default() += 1;
                match answer["thumbprint"].as_str() {
                    Some(thumbprint) => outcome.thumbprints.push(thumbprint.to_owned()),
                    None => outcome.failures.push(answer.to_string()),
                }
            }
            Err(error) => outcome.failures.push(error),
        }
    }
    outcome
}

async fn enroll(
    port: u16,
    tls: TlsConnector,
    body: String,
) -> Result<(u16, Value), Box<dyn Error + Send + Sync>> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let stream = tls.connect(ServerName::try_from("localhost")?, stream).await?;
    let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::post("/api/v1/enrollments")
        .header("host", format!("localhost:{port}"))
        .header("content-type", "application/json")
        .body(Body::from(body))?;
    let answer = requests.send_request(request).await?;
    let status = answer.status().as_u16();
    let bytes = to_bytes(Body::new(answer.into_body()), usize::MAX).await?;
    Ok((status, serde_json::from_slice(&bytes)?))
}

fn request() -> String {
    let key = KeyPair::generate().expect("a key");
    let csr = CertificateParams::default().serialize_request(&key).expect("a request");
    crate::csr::encoded(csr.der())
}

fn trusting(anchors: &Path) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for anchor in CertificateDer::pem_file_iter(anchors).expect("anchors") {
        roots.add(anchor.expect("a certificate")).expect("an anchor");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    builder.expect("versions").with_root_certificates(roots).with_no_client_auth()
}
