//! CRLs: built, signed and read back by the product's code in this process, next to copying entries, hashing and
//! signing.

use crate::report::{BenchRow, Memory};
use crate::rounds::{ROUNDS, median};
use crate::{BenchOutcome, cpu};
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::DecodePrivateKey;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use std::fs::read_to_string;
use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tegata_ca::crl::{CrlIdentity, CrlScope};
use tegata_ca::{CaKey, CaKeyError, CrlBuilder, CrlReason, DigestKey, Issuer, LocalKey, RevokedEntry};
use tegata_core::{IssuerId, Serial, Timestamp};

/// When the lists are made.
const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

/// What every entry of the limit is a copy of: a serial of 16 octets, a time and a reason.
const ENTRY: [u8; 49] = [7; 49];

const MILLION: u32 = 1_000_000;

/// Entries in all, over how many lists, and how often in a round: close to a second.
const SIZES: [(&str, u32, u32, u32); 3] =
    [("crl 100k", 100_000, 1, 100), ("crl 1M", MILLION, 1, 10), ("crl 1M in 8", MILLION, 8, 10)];

/// With a key that takes digests, as one on a PKCS#11 token does.
const SIZES_BY_DIGEST: [(&str, u32, u32, u32); 3] = [
    ("crl 100k by digest", 100_000, 1, 100),
    ("crl 1M by digest", MILLION, 1, 10),
    ("crl 1M in 8 by digest", MILLION, 8, 10),
];

/// A row for each size; an operation is all of its lists.
pub fn rows() -> BenchOutcome<Vec<BenchRow>> {
    let local = issuer(|pkcs8| Ok(Arc::new(LocalKey::from_pkcs8(pkcs8)?)))?;
    let by_digest = issuer(|pkcs8| Ok(Arc::new(TokenLikeKey::from_pkcs8(pkcs8)?)))?;
    let rows = SIZES.into_iter().map(|size| row(&local, size));
    rows.chain(SIZES_BY_DIGEST.into_iter().map(|size| row(&by_digest, size))).collect()
}

/// How much memory a million entries take above the process without them, each measured in a process of its own.
pub fn memory() -> BenchOutcome<Vec<Memory>> {
    let measure = |path, shards: &str| -> BenchOutcome<Memory> {
        let output = Command::new(std::env::current_exe()?).args(["lists", shards]).output()?;
        let text = String::from_utf8(output.stdout)?;
        let bytes = text.trim().parse().map_err(|_| format!("no number of bytes in {text:?}"))?;
        Ok(Memory { path, bytes, entries: MILLION })
    };
    Ok(vec![measure("crl 1M", "1")?, measure("crl 1M in 8", "8")?])
}

/// Makes a million entries once, and prints the peak in bytes.
pub fn make_once(shards: &str) -> BenchOutcome<()> {
    let issuer = issuer(|pkcs8| Ok(Arc::new(LocalKey::from_pkcs8(pkcs8)?)))?;
    let before = peak()?;
    build(&issuer, MILLION, shards.parse()?)?;
    println!("{}", peak()? - before);
    Ok(())
}

fn row(
    issuer: &Issuer,
    (path, entries, shards, times): (&'static str, u32, u32, u32),
) -> BenchOutcome<BenchRow> {
    let (mut us, mut limit_us) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        us.push(cost(times, || build(issuer, entries, shards))?);
        limit_us.push(cost(times, || least(entries))?);
    }
    Ok(BenchRow { path, us: median(us), limit_us: median(limit_us) })
}

fn cost(times: u32, mut work: impl FnMut() -> BenchOutcome<()>) -> BenchOutcome<f64> {
    let before = cpu::own()?;
    for _ in 0..times {
        work()?;
    }
    Ok((cpu::own()? - before) / f64::from(times))
}

/// One list after the other, as a publisher makes them: each is gone before the next.
fn build(issuer: &Issuer, entries: u32, shards: u32) -> BenchOutcome<()> {
    for shard in 0..shards {
        let url = format!("http://pki.example.jp/crl/aaaaaaaaaaaaaaaaaaaaaaaaaa-{shard}.crl");
        let next_update = NOW.plus(Duration::from_hours(24));
        let edition = CrlIdentity { number: 1, this_update: NOW, next_update };
        let mut list = CrlBuilder::new(issuer, CrlScope::EndEntities(&url), edition)?;
        for number in (shard..entries).step_by(shards as usize) {
            list.push(&entry(number)?);
        }
        black_box(list.finish(issuer)?.into_der());
    }
    Ok(())
}

fn entry(number: u32) -> BenchOutcome<RevokedEntry> {
    let mut serial = [0x40; 16];
    serial[8..12].copy_from_slice(&number.to_be_bytes());
    Ok(RevokedEntry {
        serial: Serial::from_slice(&serial).ok_or("no serial")?,
        at: NOW.minus(Duration::from_secs(u64::from(number))),
        reason: CrlReason::KeyCompromise,
    })
}

/// One buffer of as many bytes, one hash and one signature.
fn least(entries: u32) -> BenchOutcome<()> {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random)?;
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.as_ref(), &random)?;
    let mut list = Vec::with_capacity(entries as usize * ENTRY.len());
    for number in 0..entries {
        let mut entry = ENTRY;
        entry[12..16].copy_from_slice(&number.to_be_bytes());
        list.extend_from_slice(&entry);
    }
    black_box(key.sign(&random, &list)?);
    Ok(())
}

fn issuer(opened: impl FnOnce(&[u8]) -> BenchOutcome<Arc<dyn CaKey>>) -> BenchOutcome<Issuer> {
    let key = KeyPair::generate()?;
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters.distinguished_name.push(DnType::CommonName, "Bench");
    let certificate = parameters.self_signed(&key)?.der().to_vec();
    let id = IssuerId::parse("aaaaaaaaaaaaaaaaaaaaaaaaaa").ok_or("no identifier")?;
    Ok(Issuer::load(id, certificate, opened(&key.serialize_der())?, NOW)?)
}

/// Signs digests in this process: what a token does beside it costs no time of the server's.
struct TokenLikeKey {
    key: SigningKey,
    point: Vec<u8>,
}

impl TokenLikeKey {
    fn from_pkcs8(der: &[u8]) -> BenchOutcome<Self> {
        let key = SigningKey::from_pkcs8_der(der)?;
        let point = key.verifying_key().to_sec1_point(false).as_bytes().to_vec();
        Ok(Self { key, point })
    }
}

impl CaKey for TokenLikeKey {
    fn public_point(&self) -> &[u8] {
        &self.point
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CaKeyError> {
        let digest = digest(&SHA256, message).as_ref().try_into().map_err(|_| CaKeyError::Signing)?;
        self.sign_digest(&digest)
    }

    fn by_digest(&self) -> Option<&dyn DigestKey> {
        Some(self)
    }
}

impl DigestKey for TokenLikeKey {
    fn sign_digest(&self, digest: &[u8; 32]) -> Result<Vec<u8>, CaKeyError> {
        let signature: Signature = self.key.sign_prehash(digest).map_err(|_| CaKeyError::Signing)?;
        Ok(signature.to_der().as_bytes().to_vec())
    }
}

/// The most memory this process has ever held, in bytes (`proc(5)`, `VmHWM`).
pub fn peak() -> BenchOutcome<u64> {
    let status = read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024)
}
