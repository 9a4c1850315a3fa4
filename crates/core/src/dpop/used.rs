//! Which proofs were used lately, so that none is taken twice (RFC 9449 section 11.1).

use super::{DpopProof, PROOF_LIFETIME, ProofError};
use crate::thumbprint::{JwkThumbprint, Thumbprint};
use crate::timestamp::{CLOCKS_APART, Timestamp};
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a proof that was taken once could be taken again: it came from a clock ahead, and is as old as it may be.
const WINDOW: Duration = Duration::from_secs(PROOF_LIFETIME.as_secs() + CLOCKS_APART.as_secs());

/// Proofs of one holder within a window, with however many keys. Whoever sends more holds up nobody but itself.
const OF_A_HOLDER: usize = 8192;

/// Proofs of all within a window: about 10 MB.
const OF_ALL: usize = 1 << 18;

/// The names of the proofs that were used within a window, by 128 bits of their hash. When the memory is full, no further proof
/// is taken rather than one twice.
///
/// Two generations are kept, each of which begins a window after the one before: a name is forgotten when it is one to two
/// windows old, and nothing ever walks the names.
#[derive(Debug, Default)]
pub struct UsedProofs(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    begun_at: Timestamp,
    young: Names,
    old: Names,
}

#[derive(Debug, Default)]
struct Names {
    by_key: HashMap<JwkThumbprint, HashSet<u128>>,
    /// How many are whose.
    by_holder: HashMap<u128, usize>,
    count: usize,
}

impl UsedProofs {
    /// Takes a proof that was checked, once. `holder` is who has sent it, as something else than its key has shown: whoever makes
    /// keys at will is one holder still.
    ///
    /// # Errors
    /// [`ProofError::Used`] and [`ProofError::TooMany`].
    pub fn take(&self, proof: &DpopProof, holder: &str, now: Timestamp) -> Result<(), ProofError> {
        let name = name_of(&proof.claims.jti);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.turn(now);
        if kept.old.has(&proof.key, name) || kept.young.has(&proof.key, name) {
            return Err(ProofError::Used);
        }
        kept.young.add(&proof.key, name, name_of(holder))
    }
}

impl Generations {
    fn turn(&mut self, now: Timestamp) {
        if now < self.begun_at.plus(WINDOW) {
            return;
        }
        // After a pause of two windows nothing of the young generation could be taken again either.
        let young = std::mem::take(&mut self.young);
        self.old = if now < self.begun_at.plus(WINDOW * 2) { young } else { Names::default() };
        self.begun_at = now;
    }
}

impl Names {
    fn has(&self, key: &JwkThumbprint, name: u128) -> bool {
        self.by_key.get(key).is_some_and(|names| names.contains(&name))
    }

    fn add(&mut self, key: &JwkThumbprint, name: u128, holder: u128) -> Result<(), ProofError> {
        let of_holder = self.by_holder.get(&holder).copied().unwrap_or_default();
        if self.count >= OF_ALL || of_holder >= OF_A_HOLDER {
            return Err(ProofError::TooMany);
        }
        self.by_key.entry(*key).or_default().insert(name);
        self.by_holder.insert(holder, of_holder + 1);
        self.count += 1;
        Ok(())
    }
}

fn name_of(text: &str) -> u128 {
    let hash = Thumbprint::of(text.as_bytes());
    hash.as_bytes().first_chunk().map_or(0, |half| u128::from_be_bytes(*half))
}
