//! What a gate holds in memory: a million denied certificates, read from the signed line in which the feed sends them.

use crate::report::{BenchRow, Memory};
use crate::rounds::{ROUNDS, median};
use crate::{BenchOutcome, cpu};
use ring::digest::{SHA256, digest};
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use tegata_core::feed::{Denial, Denials, FEED, FeedClaims, FeedMessage};
use tegata_core::jws::{KeySet, SigningKey};
use tegata_core::{Thumbprint, Timestamp};

const MILLION: u32 = 1_000_000;
const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

/// Loads in a round: close to a second.
const LOADS: u32 = 8;

/// Loading, next to one hash and one copy of the bytes of the line; and what stays in memory.
pub fn measure() -> BenchOutcome<(BenchRow, Memory)> {
    let (line, keys) = line()?;
    let (mut us, mut limit_us) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        us.push(cost(|| load(&line, &keys).map(|denials| drop(black_box(denials))))?);
        limit_us.push(cost(|| {
            black_box(digest(&SHA256, line.as_bytes()));
            black_box(line.clone());
            Ok(())
        })?);
    }
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("line");
    std::fs::write(&file, serde_json::to_vec(&(keys.jwks(), &line))?)?;
    let output = Command::new(std::env::current_exe()?).arg("denied").arg(&file).output()?;
    let text = String::from_utf8(output.stdout)?;
    let bytes = text.trim().parse().map_err(|_| format!("no number of bytes in {text:?}"))?;
    Ok((
        BenchRow { path: "gate load 1M denied", us: median(us), limit_us: median(limit_us) },
        Memory { path: "gate denied 1M", bytes, entries: MILLION },
    ))
}

/// Loads the file once, and prints what the process has grown by when nothing but the denials is left.
pub fn load_once(file: &Path) -> BenchOutcome<()> {
    let before = resident()?;
    let denials = {
        let (jwks, line): (_, String) = serde_json::from_slice(&std::fs::read(file)?)?;
        load(&line, &KeySet::from_jwks(&jwks)?)?
    };
    let after = resident()?;
    black_box(&denials);
    println!("{}", after.saturating_sub(before));
    Ok(())
}

/// What a gate does with the first line of its stream.
fn load(line: &str, keys: &KeySet) -> BenchOutcome<Denials> {
    let payload = keys.verify_up_to(line, FEED, line.len()).map_err(|error| format!("{error:?}"))?;
    let claims: FeedClaims = serde_json::from_slice(&payload)?;
    match claims.message {
        FeedMessage::Snapshot(snapshot) => Ok(Denials::from(snapshot)),
        _ => Err("not a snapshot".into()),
    }
}

fn line() -> BenchOutcome<(String, KeySet)> {
    let key = SigningKey::from_pkcs8(&SigningKey::generate()?)?;
    let until = NOW.plus(std::time::Duration::from_hours(24 * 365));
    let certificates =
        (0..MILLION).map(|number| (Thumbprint::of(&number.to_be_bytes()), Denial::Revoked, until));
    let snapshot = Denials::collect(u64::from(MILLION), [], certificates, []).snapshot(NOW);
    let claims =
        FeedClaims { iss: "https://ca.example.jp".to_owned(), message: FeedMessage::Snapshot(snapshot) };
    let line = key.sign(FEED, &serde_json::to_vec(&claims)?)?;
    Ok((line, KeySet::new([key.public().clone()])))
}

fn cost(mut work: impl FnMut() -> BenchOutcome<()>) -> BenchOutcome<f64> {
    let before = cpu::own()?;
    for _ in 0..LOADS {
        work()?;
    }
    Ok((cpu::own()? - before) / f64::from(LOADS))
}

/// Memory of this process now, in bytes (`proc(5)`, `VmRSS`).
fn resident() -> BenchOutcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024)
}
