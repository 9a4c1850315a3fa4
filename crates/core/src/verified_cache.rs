//! A bounded cache of what has been verified before, by the SHA-256 of its bytes.

use crate::thumbprint::Thumbprint;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

const SHARDS: usize = 16;

/// Values by the SHA-256 of what they are about, so that no token stays in memory. Each shard keeps two
/// generations: when the young one is full it becomes the old one, and what nobody asked for since
/// is dropped. Neither a look-up nor an insertion ever walks the map.
#[derive(Debug)]
pub struct VerifiedCache<V> {
    shards: Vec<Mutex<CacheShard<V>>>,
    per_generation: usize,
}

#[derive(Debug)]
struct CacheShard<V> {
    young: HashMap<Thumbprint, V>,
    old: HashMap<Thumbprint, V>,
}

impl<V: Clone> VerifiedCache<V> {
    /// A memory that holds at most about `capacity` values.
    pub fn new(capacity: usize) -> Self {
        let shard = || Mutex::new(CacheShard { young: HashMap::new(), old: HashMap::new() });
        Self {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            per_generation: capacity.div_ceil(2 * SHARDS).max(1),
        }
    }

    /// What is remembered under this name.
    pub fn get(&self, key: &Thumbprint) -> Option<V> {
        let mut shard = self.shard(key);
        if let Some(value) = shard.young.get(key) {
            return Some(value.clone());
        }
        let value = shard.old.remove(key)?;
        self.put(&mut shard, *key, value.clone());
        Some(value)
    }

    /// Remembers a value; another may be forgotten for it.
    pub fn insert(&self, key: Thumbprint, value: V) {
        let mut shard = self.shard(&key);
        self.put(&mut shard, key, value);
    }

    fn put(&self, shard: &mut CacheShard<V>, key: Thumbprint, value: V) {
        if shard.young.len() >= self.per_generation {
            shard.old = std::mem::take(&mut shard.young);
        }
        shard.young.insert(key, value);
    }

    fn shard(&self, key: &Thumbprint) -> std::sync::MutexGuard<'_, CacheShard<V>> {
        let index = usize::from(key.as_bytes()[0]) % SHARDS;
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_tokens_does_not_grow_the_memory() {
        let memory = VerifiedCache::new(64);
        for number in 0..10_000_u32 {
            memory.insert(Thumbprint::of(&number.to_be_bytes()), number);
        }
        let kept =
            (0..10_000_u32).filter(|number| memory.get(&Thumbprint::of(&number.to_be_bytes())).is_some());
        assert!((1..=64).contains(&kept.count()));
    }

    #[test]
    fn a_token_in_use_outlives_those_that_passed_by() {
        let memory = VerifiedCache::new(64);
        let key = Thumbprint::of(b"in use");
        memory.insert(key, 1_u32);
        for number in 0..10_000_u32 {
            memory.insert(Thumbprint::of(&number.to_be_bytes()), number);
            assert_eq!(memory.get(&key), Some(1));
        }
    }
}
