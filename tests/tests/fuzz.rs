//! The fuzz targets of `tests/fuzz` with their seeds and thousands of fixed changes to them: what must hold for whatever
//! a stranger sends also holds between two hunts by libFuzzer. `docs/fuzzing.md` says how to hunt.

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::fs;
use std::path::Path;
use tegata_core::Entropy;
use tegata_core::entropy::{Seeded, bytes};

/// Changed inputs for each target.
const CHANGES: u64 = 4000;

#[test]
fn no_certificate_request_is_more_than_a_key_with_a_proof() {
    try_with_changes("csr", targets::csr);
}

#[test]
fn no_ocsp_request_is_read_in_two_ways() {
    try_with_changes("ocsp", targets::ocsp);
}

#[test]
fn no_scep_message_is_more_than_what_its_signer_said() {
    try_with_changes("scep", targets::scep);
}

#[test]
fn no_signed_text_is_believed_but_the_signed_one() {
    try_with_changes("jws", targets::jws);
}

#[test]
fn no_feed_message_upsets_a_gate() {
    try_with_changes("feed", targets::feed);
}

#[test]
fn no_cookie_and_no_way_back_from_a_sign_in_upsets_a_gate() {
    try_with_changes("session", targets::session);
}

#[test]
fn no_proof_of_a_key_is_more_than_what_its_key_has_signed() {
    try_with_changes("dpop", targets::dpop);
}

#[test]
fn no_passkey_is_more_than_what_its_authenticator_said() {
    try_with_changes("webauthn", targets::webauthn);
}

/// Every seed as it is, and changed in a way that is the same at every run.
fn try_with_changes(name: &str, target: fn(&[u8])) {
    let seeds = seeds(name);
    for seed in &seeds {
        target(seed);
    }
    for run in 0..CHANGES {
        let chance = Seeded::new(run);
        let mut input = seeds[below(&chance, seeds.len())].clone();
        for _ in 0..=below(&chance, 3) {
            change(&mut input, &seeds, &chance);
        }
        target(&input);
    }
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
    let mut files: Vec<_> =
        fs::read_dir(&folder).expect("seeds").map(|file| file.expect("a seed").path()).collect();
    files.sort();
    assert!(files.len() >= 3, "{} holds seeds", folder.display());
    files.iter().map(|file| fs::read(file).expect("a seed")).collect()
}

fn change(input: &mut Vec<u8>, seeds: &[Vec<u8>], chance: &dyn Entropy) {
    let at = below(chance, input.len() + 1);
    let [octet] = bytes::<1>(chance);
    match below(chance, 7) {
        0 => input.truncate(at),
        1 => input.insert(at, octet),
        2 if at < input.len() => drop(input.remove(at)),
        3 if at < input.len() => input[at] = octet,
        // Lengths, versions and flags are mostly wrong by one.
        4 if at < input.len() => input[at] = input[at].wrapping_add(if octet & 1 == 0 { 1 } else { 255 }),
        5 if at < input.len() => input[at] ^= 1 << (octet & 7),
        _ => {
            let other = &seeds[below(chance, seeds.len())];
            let from = below(chance, other.len() + 1);
            input.splice(at.., other[from..].iter().copied());
        }
    }
}

fn below(chance: &dyn Entropy, end: usize) -> usize {
    let number = u64::from_le_bytes(bytes(chance));
    usize::try_from(number % u64::try_from(end).expect("a length")).expect("a length")
}
