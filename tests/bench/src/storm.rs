//! The storm at nine: tokens are asked for at a rate that waits for nobody's answer, below what the machine can do and
//! above it.
//!
//! What it can do is found first, by closed loops. Then requests come at random moments, so many a second on average, and
//! each is timed from the moment at which it was due: whoever has to wait for a connection, or for this process, waits
//! as well. The load has a thread of its own; meanwhile devices are revoked, and gates are to refuse them.

use crate::BenchOutcome;
use crate::client::{BenchAddress, BenchConnection, BenchTrust, Post};
use crate::devices::{self, BenchDevice};
use crate::gates::{self, OwnGate};
use crate::load::{self, Bounds, Clients};
use crate::population::names::Chance;
use crate::report::{Delay, Storm};
use crate::revocations;
use crate::search::OwnSchema;
use crate::servers::Tegata;
use crate::tokens::{clients, request};
use hyper::StatusCode;
use hyper::header::RETRY_AFTER;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tegata_core::Role;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

/// How long capacity is looked for, and how long a storm lasts.
const CAPACITY: Duration = Duration::from_millis(2500);
const STORM: Duration = Duration::from_secs(5);

/// After the last request was due, answers are waited for so long; then they count as failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Clients that find out the capacity.
const KEPT_ALIVE: usize = 64;
const HANDSHAKES: usize = 16;

/// Requests under way at most: fewer than a server takes connections from one network.
const UNDER_WAY: usize = 1_024;

/// Parts of the capacity that are asked for, in percent.
const BELOW: [u32; 4] = [30, 50, 70, 90];
const ABOVE: u32 = 150;

const GATES: usize = 10;
const REVOCATIONS: usize = 40;

/// On SQLite, and on PostgreSQL where `TEGATA_TEST_POSTGRES` names a server.
pub async fn rows(program: &Path) -> BenchOutcome<(Vec<Storm>, Vec<Delay>)> {
    let (mut storms, mut delays) = (Vec::new(), Vec::new());
    measure(&Tegata::start(program)?, "sqlite", &mut storms, &mut delays).await?;
    if let Ok(server) = std::env::var("TEGATA_TEST_POSTGRES") {
        let own = OwnSchema::make(&server).await?;
        let tegata = Tegata::start_on(program, &own.url)?;
        measure(&tegata, "postgres", &mut storms, &mut delays).await?;
        drop(tegata);
        own.remove().await?;
    } else {
        eprintln!("storm, postgres: left out, because TEGATA_TEST_POSTGRES names no server");
    }
    Ok((storms, delays))
}

async fn measure(
    tegata: &Tegata,
    ledger: &str,
    storms: &mut Vec<Storm>,
    delays: &mut Vec<Delay>,
) -> BenchOutcome<()> {
    let trust = BenchTrust::read(&[&tegata.tls_ca])?;
    let devices = devices::enroll(tegata, &trust).await?;
    for keeps in [true, false] {
        let kind = if keeps { "kept alive" } else { "handshakes" };
        let most = capacity(tegata, &trust, &devices, keeps).await?;
        let all = clients(&tegata.device, &trust, &devices, UNDER_WAY, |_, device| request(device))?;
        let way =
            |load| Way { name: format!("storm {kind}, {ledger}"), clients: all.clone(), keeps, load, most };
        for load in BELOW {
            let way = way(load);
            let rages = AtomicBool::default();
            storms.push(tokio::task::spawn_blocking(move || way.storm(&rages)).await??);
        }
        let (storm, delay) =
            beside(tegata, &trust, &devices, way(ABOVE), format!("revoke, storm {kind}, {ledger}")).await?;
        storms.push(storm);
        delays.push(delay);
    }
    Ok(())
}

/// Tokens a second that closed loops get.
async fn capacity(
    tegata: &Tegata,
    trust: &BenchTrust,
    devices: &[BenchDevice],
    keeps: bool,
) -> BenchOutcome<u32> {
    let count = if keeps { KEPT_ALIVE } else { HANDSHAKES };
    let clients = clients(&tegata.device, trust, devices, count, |_, device| request(device))?;
    let bounds = Bounds { requests: u32::MAX, time: CAPACITY };
    let answers = if keeps {
        load::kept_alive(load::connect(&clients).await?, bounds).await?
    } else {
        load::new_connections(clients, bounds).await?
    };
    Ok(u32::try_from(u128::from(answers) * 1000 / CAPACITY.as_millis())?)
}

/// A storm, and devices that are revoked in it one after the other: each from before its transaction until the last gate has
/// refused it.
async fn beside(
    tegata: &Tegata,
    trust: &BenchTrust,
    devices: &[BenchDevice],
    way: Way,
    revoke: String,
) -> BenchOutcome<(Storm, Delay)> {
    let ledger = tegata.ledger().await?;
    let audience = gates::audience_of(&gates::arriving(tegata, trust, &devices[0], 1).await?[0])?;
    let gates: Vec<OwnGate> = gates::connect(tegata, trust, &audience, 10_000, GATES).await?;
    let mut stolen = Vec::with_capacity(REVOCATIONS);
    for device in devices::enroll_as(tegata, trust, Role::Device, REVOCATIONS).await? {
        let request = gates::arriving(tegata, trust, &device, 1).await?.remove(0);
        stolen.push((device, request));
    }
    let rages = Arc::new(AtomicBool::new(false));
    let seen = rages.clone();
    let storm = tokio::task::spawn_blocking(move || way.storm(&seen));
    while !rages.load(Ordering::Relaxed) && !storm.is_finished() {
        sleep(Duration::from_millis(10)).await;
    }
    // Until it is as bad as it becomes.
    sleep(STORM / 4).await;
    let mut delays = Vec::with_capacity(REVOCATIONS);
    for (device, request) in &stolen {
        if !rages.load(Ordering::Relaxed) {
            break;
        }
        delays.push(revocations::revoke(&ledger, device, request, &gates).await?);
        sleep(STORM / 2 / u32::try_from(REVOCATIONS)?).await;
    }
    let storm = storm.await??;
    ledger.close().await;
    if delays.is_empty() {
        return Err("nothing was revoked in the storm".into());
    }
    Ok((storm, Delay::new(revoke, delays)))
}

/// How tokens are asked for.
struct Way {
    name: String,
    clients: Clients,
    /// On open connections, or each on a connection of its own.
    keeps: bool,
    /// In percent of `most`.
    load: u32,
    /// Tokens a second.
    most: u32,
}

/// How a request ended.
enum End {
    Answered(Duration),
    /// With 429 or 503, and when to come again.
    Shed(Duration),
    Failed(String),
}

impl Way {
    /// Runs it to its end on this thread; `rages` is true while requests come.
    fn storm(self, rages: &AtomicBool) -> BenchOutcome<Storm> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.run(rages))
    }

    async fn run(self, rages: &AtomicBool) -> BenchOutcome<Storm> {
        let per_second = (self.most * self.load / 100).max(1);
        let mut free = Vec::with_capacity(self.clients.len());
        for (address, post) in &self.clients {
            let open = if self.keeps { Some(address.connect().await?) } else { None };
            free.push(Client { address: address.clone(), post: post.clone(), open });
        }
        let free = Arc::new(Mutex::new(free));
        let (mut under_way, mut ends, mut unsent) = (JoinSet::new(), Vec::new(), 0);
        let mut chance = Chance::new(9);
        let begun = Instant::now();
        let mut due = begun;
        rages.store(true, Ordering::Relaxed);
        while due < begun + STORM {
            sleep_until(due).await;
            match lock(&free).pop() {
                Some(client) => _ = under_way.spawn(client.ask(due, free.clone())),
                None => unsent += 1,
            }
            due += chance.interval(per_second);
            while let Some(ended) = under_way.try_join_next() {
                ends.push(ended?);
            }
        }
        rages.store(false, Ordering::Relaxed);
        while !under_way.is_empty() {
            match timeout_at(begun + STORM + PATIENCE, under_way.join_next()).await {
                Ok(ended) => ends.extend(ended.transpose()?),
                Err(_) => break,
            }
        }
        let unanswered = under_way.len();
        under_way.shutdown().await;
        self.told(per_second, ends, unanswered, unsent)
    }

    fn told(self, per_second: u32, ends: Vec<End>, unanswered: usize, unsent: usize) -> BenchOutcome<Storm> {
        let (mut answered, mut shed, mut failures) = (Vec::new(), Vec::new(), Vec::new());
        for end in ends {
            match end {
                End::Answered(after) => answered.push(after),
                End::Shed(after) => shed.push(after),
                End::Failed(why) => failures.push(why),
            }
        }
        if let Some(why) = failures.first() {
            eprintln!("{}: {why}", self.name);
        }
        if answered.is_empty() {
            return Err(format!("{}: nobody is answered", self.name).into());
        }
        let (load, failed) = (self.load, failures.len() + unanswered);
        let [answered, shed] = [answered, shed].map(|all| Delay::new(self.name.clone(), all));
        Ok(Storm { load, per_second, answered, shed, failed, unsent })
    }
}

/// Asks for one token at a time.
struct Client {
    address: BenchAddress,
    post: Post,
    /// None where each token is asked for on a connection of its own, and after a failure.
    open: Option<BenchConnection>,
}

impl Client {
    async fn ask(mut self, due: Instant, free: Arc<Mutex<Vec<Self>>>) -> End {
        let keeps = self.open.is_some();
        let end = match self.once().await {
            Ok(StatusCode::OK) => End::Answered(due.elapsed()),
            Ok(_) => End::Shed(due.elapsed()),
            Err(error) => {
                self.open = None;
                End::Failed(error.to_string())
            }
        };
        if !keeps {
            self.open = None;
        } else if self.open.is_none() {
            self.open = self.address.connect().await.ok();
        }
        lock(&free).push(self);
        end
    }

    /// 200, or 429 and 503 if they say when to come again.
    async fn once(&mut self) -> BenchOutcome<StatusCode> {
        let connection = match &mut self.open {
            Some(open) => open,
            none => none.insert(self.address.connect().await?),
        };
        let answer = connection.answer(&self.post).await?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
                if answer.headers().contains_key(RETRY_AFTER) => {}
            other => return Err(format!("an answer of {other}").into()),
        }
        Ok(answer.status())
    }
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
