//! Clients of a product that never rest, each with a certificate and a token bound to it.

use crate::identity::DeviceIdentity;
use crate::recipe::Recipe;
use crate::stopwatch::eventually;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::collections::BTreeMap;
use std::error::Error;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

/// Requests on one connection, before the client opens another with what it has by then.
const REQUESTS: usize = 8;

/// How long answers may take that have to come; far longer than they do.
const PATIENCE: Duration = Duration::from_mins(1);

/// A certificate with its key, and the token that fits.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Whose files stay as they are.
    pub identity: DeviceIdentity,
    /// Bound to the certificate.
    pub token: String,
}

/// What the clients were answered.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TrafficTally {
    /// How often, by generation of the certificate and status.
    pub answers: BTreeMap<(u64, u16), u64>,
    /// Connections and requests that came to nothing.
    pub failures: Vec<String>,
}

/// The clients, until they are told to stop.
#[derive(Debug)]
pub struct Traffic {
    runtime: Runtime,
    clients: Vec<JoinHandle<()>>,
    shared: Arc<TrafficShared>,
}

#[derive(Debug)]
struct TrafficShared {
    port: u16,
    roots: Arc<RootCertStore>,
    /// The pairs in use: even clients have the last one, odd ones are slow to notice and have the one before.
    pairs: RwLock<[Arc<Loaded>; 2]>,
    tally: Mutex<TrafficTally>,
    is_over: AtomicBool,
}

#[derive(Debug)]
struct Loaded {
    generation: u64,
    tls: Arc<ClientConfig>,
    token: String,
}

impl Traffic {
    /// This many clients of the product behind a proxy, all with this pair.
    #[must_use]
    pub fn start(proxy: &Recipe, clients: usize, pair: &Pair) -> Self {
        let roots = Arc::new(roots(&proxy.tls_ca));
        let first = Arc::new(Loaded::new(&roots, pair));
        let shared = Arc::new(TrafficShared {
            port: crate::ports::of(&proxy.origin),
            roots,
            pairs: RwLock::new([first.clone(), first]),
            tally: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let runtime = Runtime::new().expect("a runtime");
        let clients = (0..clients).map(|client| runtime.spawn(shared.clone().ask_on(client % 2))).collect();
        Self { runtime, clients, shared }
    }

    /// Half of the clients have this pair from their next connection on, the others the one that was the newest so far.
    pub fn hand_out(&self, pair: &Pair) {
        let next = Arc::new(Loaded::new(&self.shared.roots, pair));
        let mut pairs = self.shared.pairs.write().unwrap_or_else(PoisonError::into_inner);
        let previous = std::mem::replace(&mut pairs[0], next);
        pairs[1] = previous;
    }

    /// Waits until clients with a certificate of this generation have had this many answers.
    pub fn wait_for(&self, generation: u64, answers: u64) {
        let what = format!("{answers} answers to generation {generation}");
        eventually(&what, PATIENCE, || {
            let tally = self.shared.tally();
            let had: u64 =
                tally.answers.range((generation, 0)..=(generation, u16::MAX)).map(|(_, n)| n).sum();
            assert!(tally.failures.is_empty(), "{:?}", tally.failures);
            had >= answers
        });
    }

    /// What they were answered.
    pub fn stop(self) -> TrafficTally {
        self.shared.is_over.store(true, Ordering::SeqCst);
        for client in self.clients {
            self.runtime.block_on(client).expect("a client ends");
        }
        let tally = self.shared.tally();
        tally.clone()
    }
}

impl TrafficShared {
    async fn ask_on(self: Arc<Self>, place: usize) {
        while !self.is_over.load(Ordering::SeqCst) {
            let pair = self.pairs.read().unwrap_or_else(PoisonError::into_inner)[place].clone();
            if let Err(error) = self.ask_with(&pair).await {
                self.tally().failures.push(format!("generation {}: {error}", pair.generation));
                return;
            }
        }
    }

    async fn ask_with(&self, pair: &Loaded) -> Result<(), Box<dyn Error + Send + Sync>> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
        let tls = TlsConnector::from(pair.tls.clone());
        let stream = tls.connect(ServerName::try_from("localhost")?, stream).await?;
        let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        for _ in 0..REQUESTS {
            let request = Request::get("/")
                .header("host", "localhost")
                .header("authorization", format!("Bearer {}", pair.token))
                .body(Body::empty())?;
            requests.ready().await?;
            let answer = requests.send_request(request).await?;
            let status = answer.status().as_u16();
            to_bytes(Body::new(answer.into_body()), usize::MAX).await?;
            *self.tally().answers.entry((pair.generation, status)).or_default() += 1;
        }
        Ok(())
    }

    fn tally(&self) -> std::sync::MutexGuard<'_, TrafficTally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loaded {
    fn new(roots: &Arc<RootCertStore>, Pair { identity, token }: &Pair) -> Self {
        let chain = CertificateDer::pem_file_iter(identity.folder.join("chain.pem")).expect("a chain");
        let chain = chain.collect::<Result<Vec<_>, _>>().expect("certificates");
        let key = PrivateKeyDer::from_pem_file(identity.folder.join("key.pem")).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.expect("versions").with_root_certificates(roots.clone());
        let mut tls = builder.with_client_auth_cert(chain, key).expect("a key pair");
        tls.resumption = Resumption::disabled();
        Self { generation: identity.generation, tls: Arc::new(tls), token: token.clone() }
    }
}

fn roots(anchors: &Path) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for anchor in CertificateDer::pem_file_iter(anchors).expect("anchors") {
        roots.add(anchor.expect("a certificate")).expect("an anchor");
    }
    roots
}
