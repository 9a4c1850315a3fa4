//! A secret order of the entries of a list.

use ring::hmac;

/// Bits of an index.
pub(super) const WIDTH: u32 = 17;

const ROUNDS: usize = 8;
const LEFT: u32 = 8;
const RIGHT: u32 = WIDTH - LEFT;

/// A permutation of the numbers of [`WIDTH`] bits: a Feistel network over parts of 8 and 9 bits, whose round functions are
/// random tables. Any tables make a permutation, so two places never share an index. It hides an order from those who
/// see some of the indices, and is no cipher.
pub(super) struct Shuffle {
    rounds: [Box<[u16]>; ROUNDS],
}

impl Shuffle {
    pub(super) fn new(key: &hmac::Key) -> Self {
        Self { rounds: std::array::from_fn(|round| table(key, round)) }
    }

    /// The index of a number below 2^[`WIDTH`].
    pub(super) fn index(&self, number: u32) -> u32 {
        let (mut left, mut right) = ((number >> RIGHT) & mask(LEFT), number & mask(RIGHT));
        for (round, table) in self.rounds.iter().enumerate() {
            if round % 2 == 0 {
                left ^= u32::from(table[right as usize]) & mask(LEFT);
            } else {
                right ^= u32::from(table[left as usize]) & mask(RIGHT);
            }
        }
        (left << RIGHT) | right
    }
}

/// 512 random numbers, 16 from each signature.
fn table(key: &hmac::Key, round: usize) -> Box<[u16]> {
    let signatures = (0..32).map(|part| hmac::sign(key, format!("order {round} {part}").as_bytes()));
    let numbers = signatures.flat_map(|signature| {
        let pairs = signature.as_ref().chunks_exact(2);
        pairs.map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect::<Vec<_>>()
    });
    numbers.collect()
}

const fn mask(bits: u32) -> u32 {
    (1 << bits) - 1
}
