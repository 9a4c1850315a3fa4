//! Randomness as an argument, so that tests can fix it.

use ring::digest::{SHA256, digest};
use std::sync::atomic::{AtomicU64, Ordering};

/// A source of unpredictable bytes. The program hands out the operating system's; tests hand out
/// [`Seeded`], so that they repeat.
pub trait Entropy: Send + Sync {
    /// Fills the whole buffer. A source that cannot must panic rather than return weak bytes.
    fn fill(&self, buffer: &mut [u8]);
}

/// `N` bytes from the source.
pub fn bytes<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut buffer = [0; N];
    entropy.fill(&mut buffer);
    buffer
}

/// A repeatable source for tests: SHA-256 over a seed and a counter. Never use it for real keys.
#[derive(Debug, Default)]
pub struct Seeded {
    seed: u64,
    counter: AtomicU64,
}

impl Seeded {
    /// A source that yields the same bytes for the same seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, counter: AtomicU64::new(0) }
    }
}

impl Entropy for Seeded {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(32) {
            let count = self.counter.fetch_add(1, Ordering::Relaxed);
            let mut input = self.seed.to_be_bytes().to_vec();
            input.extend_from_slice(&count.to_be_bytes());
            chunk.copy_from_slice(&digest(&SHA256, &input).as_ref()[..chunk.len()]);
        }
    }
}
