//! Nonces (RFC 8555 section 6.5): numbered and authenticated, so that none has to be remembered before it comes back, and
//! one bit each to see that none comes twice.

use ring::hmac;
use std::sync::{Mutex, PoisonError};
use tegata_core::Entropy;
use tegata_core::encoding::{base64url, from_base64url};
use tegata_core::entropy::bytes;

/// How many of the newest nonces are honoured; older ones are asked to come with a newer one. A power of two.
const WINDOW: u64 = 1 << 18;

/// Octets of the number, and of the tag behind it.
const NUMBER: usize = 8;
const TAG: usize = 16;

/// The nonces of one process. Those of another process are not honoured: clients then send once more, with the nonce
/// of that refusal.
pub(super) struct Nonces {
    key: hmac::Key,
    issued: Mutex<Issued>,
}

struct Issued {
    next: u64,
    /// One bit for each number of the window; set once it came back.
    used: Vec<u64>,
}

impl Nonces {
    pub(super) fn new(entropy: &dyn Entropy) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes::<32>(entropy));
        let used = vec![u64::MAX; usize::try_from(WINDOW / 64).unwrap_or_default()];
        Self { key, issued: Mutex::new(Issued { next: 0, used }) }
    }

    /// A nonce nobody has had.
    pub(super) fn issue(&self) -> String {
        let number = self.issued.lock().unwrap_or_else(PoisonError::into_inner).issue().to_be_bytes();
        let tag = hmac::sign(&self.key, &number);
        base64url(&[&number, &tag.as_ref()[..TAG]].concat())
    }

    /// Whether it is one of ours and comes for the first time; the next time it does not.
    pub(super) fn redeem(&self, nonce: &str) -> bool {
        let Some(bytes) = from_base64url(nonce) else { return false };
        let Some((number, tag)) = bytes.split_at_checked(NUMBER) else { return false };
        let expected = hmac::sign(&self.key, number);
        // The number is no secret, and a tag that is compared octet by octet says nothing about the others' tags: all
        // the same, nothing is compared faster for being wrong earlier.
        let difference =
            expected.as_ref().iter().zip(tag).fold(0, |sum, (ours, theirs)| sum | (ours ^ theirs));
        if tag.len() != TAG || difference != 0 {
            return false;
        }
        let number = number.try_into().map_or(u64::MAX, u64::from_be_bytes);
        self.issued.lock().unwrap_or_else(PoisonError::into_inner).redeem(number)
    }
}

impl Issued {
    fn issue(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        let (word, bit) = place(number);
        self.used[word] &= !bit;
        number
    }

    fn redeem(&mut self, number: u64) -> bool {
        let (word, bit) = place(number);
        let is_recent = number < self.next && self.next - number <= WINDOW;
        let is_fresh = is_recent && self.used[word] & bit == 0;
        if is_fresh {
            self.used[word] |= bit;
        }
        is_fresh
    }
}

fn place(number: u64) -> (usize, u64) {
    let at = number % WINDOW;
    (usize::try_from(at / 64).unwrap_or_default(), 1 << (at % 64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_core::entropy::Seeded;

    #[test]
    fn a_nonce_is_good_once() {
        let nonces = Nonces::new(&Seeded::new(1));
        let (first, second) = (nonces.issue(), nonces.issue());
        assert_ne!(first, second);
        assert!(nonces.redeem(&second) && nonces.redeem(&first));
        assert!(!nonces.redeem(&first) && !nonces.redeem(&second));
    }

    #[test]
    fn what_was_not_issued_here_is_refused() {
        let (nonces, others) = (Nonces::new(&Seeded::new(1)), Nonces::new(&Seeded::new(2)));
        let nonce = nonces.issue();
        assert!(!others.redeem(&nonce));
        let mut bytes = from_base64url(&nonce).unwrap();
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            assert!(!nonces.redeem(&base64url(&bytes)), "octet {at}");
            bytes[at] ^= 1;
        }
        for wrong in ["", "x", "AAAA", &nonce[..nonce.len() - 2], &format!("{nonce}AA")] {
            assert!(!nonces.redeem(wrong), "{wrong}");
        }
        assert!(nonces.redeem(&nonce));
    }

    #[test]
    fn old_ones_grow_stale_and_the_memory_does_not_grow() {
        let nonces = Nonces::new(&Seeded::new(1));
        let (oldest, old) = (nonces.issue(), nonces.issue());
        for _ in 0..WINDOW - 1 {
            nonces.issued.lock().unwrap().issue();
        }
        assert!(!nonces.redeem(&oldest));
        assert!(nonces.redeem(&old));
        assert_eq!(nonces.issued.lock().unwrap().used.len() * 64, usize::try_from(WINDOW).unwrap());
    }
}
