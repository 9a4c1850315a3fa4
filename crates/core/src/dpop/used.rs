//! Which proofs were used lately, so that none is taken twice (RFC 9449 section 11.1).

use super::{DpopProof, PROOF_LIFETIME, ProofError};
use crate::thumbprint::Thumbprint;
use crate::timestamp::{CLOCKS_APART, Timestamp};
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a proof that was taken once could be taken again: it came from a clock ahead, and is as old as it may be.
const WINDOW: Duration = Duration::from_secs(PROOF_LIFETIME.as_secs() + CLOCKS_APART.as_secs());

/// Proofs of one holder within a window, with however many keys. Whoever sends more holds up nobody but itself.
const OF_A_HOLDER: u32 = 8192;

/// Proofs of all within a window. A generation of them takes 9 MB, and 9 MB more where each has another holder.
const OF_ALL: usize = 1 << 18;

/// The proofs that were used within a window, by 128 bits of the hash over key and name. When the memory is full, no further
/// proof is taken rather than one twice.
///
/// Two generations are kept, each of which begins a window after the one before: a proof is forgotten when it is one to two
/// windows old, and nothing ever walks them.
#[derive(Debug, Default)]
pub struct UsedProofs(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    begun_at: Timestamp,
    young: Generation,
    old: Generation,
}

#[derive(Debug, Default)]
struct Generation {
    proofs: HashSet<u128>,
    /// How many are whose, by 64 bits of the holder's hash.
    by_holder: HashMap<u64, u32>,
}

impl UsedProofs {
    /// Takes a proof that was checked, once. `holder` is who has sent it, as something else than its key has shown: whoever makes
    /// keys at will is one holder still.
    ///
    /// # Errors
    /// [`ProofError::Used`] and [`ProofError::TooMany`].
    pub fn take(&self, proof: &DpopProof, holder: &str, now: Timestamp) -> Result<(), ProofError> {
        let (name, holder) = (name_of(proof), holder_of(holder));
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.turn(now);
        if kept.old.proofs.contains(&name) || kept.young.proofs.contains(&name) {
            return Err(ProofError::Used);
        }
        kept.young.add(name, holder)
    }
}

impl Generations {
    fn turn(&mut self, now: Timestamp) {
        if now < self.begun_at.plus(WINDOW) {
            return;
        }
        // After a pause of two windows nothing of the young generation could be taken again either.
        let young = std::mem::take(&mut self.young);
        self.old = if now < self.begun_at.plus(WINDOW * 2) { young } else { Generation::default() };
        self.begun_at = now;
    }
}

impl Generation {
    fn add(&mut self, name: u128, holder: u64) -> Result<(), ProofError> {
        let of_holder = self.by_holder.get(&holder).copied().unwrap_or_default();
        if self.proofs.len() >= OF_ALL || of_holder >= OF_A_HOLDER {
            return Err(ProofError::TooMany);
        }
        self.proofs.insert(name);
        self.by_holder.insert(holder, of_holder + 1);
        Ok(())
    }
}

/// A name is one key's: another key may use it, too.
fn name_of(proof: &DpopProof) -> u128 {
    let hash = Thumbprint::of(&[&proof.key.as_bytes()[..], proof.claims.jti.as_bytes()].concat());
    hash.as_bytes().first_chunk().map_or(0, |half| u128::from_be_bytes(*half))
}

fn holder_of(holder: &str) -> u64 {
    let hash = Thumbprint::of(holder.as_bytes());
    hash.as_bytes().first_chunk().map_or(0, |part| u64::from_be_bytes(*part))
}
