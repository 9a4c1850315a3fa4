//! CPU time, as the kernel counts it.

use crate::BenchOutcome;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use std::fs::read_to_string;
use std::hint::black_box;

/// Clock ticks per second in `/proc`: part of the kernel's interface on every Linux platform.
const TICKS: u32 = 100;

/// Signatures in one measurement: close to a second.
const SIGNATURES: u32 = 30_000;

/// User and system time of a process with all its threads, ended ones included, in microseconds. The kernel gives it
/// in steps of 10 ms, so what is measured should be near a second.
pub fn of(pid: u32) -> BenchOutcome<f64> {
    read(&format!("/proc/{pid}/stat"))
}

/// The CPU time of this process.
pub fn own() -> BenchOutcome<f64> {
    read("/proc/self/stat")
}

/// One P-256 signature of ring's over a message as long as a token's, in microseconds.
pub fn signature() -> BenchOutcome<f64> {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)?;
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_ref(), &random)?;
    let message = [b'x'; 700];
    let before = own()?;
    for _ in 0..SIGNATURES {
        black_box(key.sign(&random, &message)?);
    }
    Ok((own()? - before) / f64::from(SIGNATURES))
}

/// The name of the program, in parentheses, may hold anything; what follows the last one is numbers
/// (`proc_pid_stat(5)`: utime and stime are fields 14 and 15, and the first one after the name is field 3).
fn read(file: &str) -> BenchOutcome<f64> {
    let text = read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let (_, numbers) = text.rsplit_once(')').ok_or("no name in stat")?;
    let ticks = numbers.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
    let ticks: u32 = ticks.sum::<Result<u32, _>>()?;
    Ok(f64::from(ticks) * 1e6 / f64::from(TICKS))
}
