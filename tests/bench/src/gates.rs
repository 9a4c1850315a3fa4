//! Gates inside a product: the real gate, following the real feed, in this process.

use crate::client::BenchTrust;
use crate::devices::{self, BenchDevice};
use crate::report::BenchRow;
use crate::rounds::{ROUNDS, median};
use crate::servers::Tegata;
use crate::{BenchOutcome, cpu};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::{Clock, Role, Thumbprint, Timestamp};
use tegata_gate::{Gate, GateConfig, GatePolicy, trust_from_pem_file};
use tempfile::TempDir;
use tokio::time::timeout;

/// Different tokens, so many that a gate which remembers few has forgotten one when it comes again.
const TOKENS: usize = 1_000;

/// Checks in a round: close to a second each.
const COLD: usize = 12_000;
const CACHED: usize = 500_000;

/// A gate with a certificate of its own.
pub struct OwnGate {
    pub gate: Gate,
    _identity: TempDir,
}

/// A token as it arrives at a product, with the certificate of its connection.
pub struct Arriving {
    pub headers: HeaderMap,
    pub presented: Thumbprint,
}

/// A request with a token never seen before, and one with a token that was.
pub async fn rows(
    tegata: &Tegata,
    trust: &BenchTrust,
    devices: &[BenchDevice],
) -> BenchOutcome<[BenchRow; 2]> {
    let requests = arriving(tegata, trust, &devices[0], TOKENS).await?;
    let audience = audience_of(&requests[0])?;
    let [forgetful, remembering] = [1, 10_000];
    let forgetful = connect(tegata, trust, &audience, forgetful, 1).await?.remove(0);
    let remembering = connect(tegata, trust, &audience, remembering, 1).await?.remove(0);
    let verify = Verification::new(requests[0].token()?.len())?;
    let (mut cold, mut least, mut cached, mut hash) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        cold.push(checks(&forgetful.gate, &requests, COLD)?);
        least.push(spent(COLD, || verify.once())?);
        cached.push(checks(&remembering.gate, &requests[..1], CACHED)?);
        let token = requests[0].token()?.as_bytes();
        hash.push(spent(CACHED, || {
            black_box(Thumbprint::of(token));
            Ok(())
        })?);
        // The followers have their turn, so that no gate goes stale.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok([
        BenchRow { path: "gate cold", us: median(cold), limit_us: median(least) },
        BenchRow { path: "gate cached", us: median(cached), limit_us: median(hash) },
    ])
}

/// So many gates, each enrolled, connected and deciding.
pub async fn connect(
    tegata: &Tegata,
    trust: &BenchTrust,
    audience: &str,
    cached_tokens: usize,
    count: usize,
) -> BenchOutcome<Vec<OwnGate>> {
    let mut gates = Vec::with_capacity(count);
    for own in devices::enroll_as(tegata, trust, Role::Gate, count).await? {
        let identity = own.folder()?;
        let gate = begin(identity.path(), &tegata.issuer, audience, &tegata.tls_ca, cached_tokens)?;
        gates.push(OwnGate { gate, _identity: identity });
    }
    for own in &gates {
        decides(&own.gate).await?;
    }
    Ok(gates)
}

/// A gate that remembers so many tokens; its certificate is in the folder `identity`.
pub fn begin(
    identity: &Path,
    issuer: &str,
    audience: &str,
    tls_ca: &Path,
    cached_tokens: usize,
) -> BenchOutcome<Gate> {
    let mut config =
        GateConfig::new(GatePolicy::new(issuer, audience), identity, trust_from_pem_file(tls_ca)?)?;
    // What a decision costs; a signature more for the product is counted by itself.
    config.assertions = false;
    config.cached_tokens = cached_tokens;
    Ok(Gate::connect(config, Arc::new(BenchClock), Arc::new(devices::Random))?)
}

/// Waits until it does.
pub async fn decides(gate: &Gate) -> BenchOutcome<()> {
    Ok(timeout(Duration::from_secs(20), gate.ready()).await.map_err(|_| "a gate hears nothing")?)
}

/// Fresh tokens of a device.
pub async fn arriving(
    tegata: &Tegata,
    trust: &BenchTrust,
    device: &BenchDevice,
    count: usize,
) -> BenchOutcome<Vec<Arriving>> {
    let presented = Thumbprint::of(&device.identity.chain[0]);
    let mut requests = Vec::with_capacity(count);
    for token in devices::tokens(tegata, trust, device, count).await? {
        let headers = [(AUTHORIZATION, format!("Bearer {token}").parse()?)].into_iter().collect();
        requests.push(Arriving { headers, presented });
    }
    Ok(requests)
}

/// The product that a token is for.
pub fn audience_of(request: &Arriving) -> BenchOutcome<String> {
    let payload = request.token()?.split('.').nth(1).ok_or("no payload")?;
    let claims: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?;
    Ok(claims["aud"].as_str().ok_or("no audience")?.to_owned())
}

impl Arriving {
    pub fn token(&self) -> BenchOutcome<&str> {
        Ok(self.headers[AUTHORIZATION].to_str()?.trim_start_matches("Bearer "))
    }
}

fn checks(gate: &Gate, requests: &[Arriving], count: usize) -> BenchOutcome<f64> {
    let mut next = requests.iter().cycle();
    spent(count, || {
        let request = next.next().ok_or("no request")?;
        let verified = gate.check(&request.headers, None, Some(request.presented));
        black_box(verified.map_err(|refusal| format!("a gate refuses: {}", refusal.code()))?);
        Ok(())
    })
}

/// CPU time of this process, in microseconds each.
#[expect(clippy::cast_precision_loss, reason = "far fewer than a double counts")]
pub fn spent(count: usize, mut work: impl FnMut() -> BenchOutcome<()>) -> BenchOutcome<f64> {
    let before = cpu::own()?;
    for _ in 0..count {
        work()?;
    }
    Ok((cpu::own()? - before) / count as f64)
}

/// One P-256 signature over as many bytes as a token has, to be verified by ring.
pub struct Verification {
    key: UnparsedPublicKey<Vec<u8>>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

impl Verification {
    pub fn new(length: usize) -> BenchOutcome<Self> {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)?;
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random)?;
        let message = vec![b'x'; length];
        let signature = key.sign(&random, &message)?.as_ref().to_vec();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public_key().as_ref().to_vec());
        Ok(Self { key, message, signature })
    }

    pub fn once(&self) -> BenchOutcome<()> {
        Ok(self.key.verify(black_box(&self.message), &self.signature)?)
    }
}

struct BenchClock;

impl Clock for BenchClock {
    fn now(&self) -> Timestamp {
        devices::now().expect("a clock after 1970")
    }
}
