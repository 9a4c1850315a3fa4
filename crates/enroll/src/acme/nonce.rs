//! Nonces (RFC 8555 section 6.5): a time and chance, authenticated with a secret that all servers of a ledger have, so that
//! none is remembered before it comes back and any server takes what another handed out.
//!
//! That one came back is remembered in memory first, which has an end. With a nonce whose request says something that counts,
//! by the holder of an account or of an invitation, it is then written into the ledger: no other server takes it again. What a
//! stranger signs with changes nothing, however often it comes, and is never a row.

use ring::hmac;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tegata_core::encoding::{base64url, from_base64url};
use tegata_core::entropy::bytes;
use tegata_core::{Entropy, Refusal, Timestamp};
use tegata_storage::UseNonce;
use tegata_web::InstallationSecretSource;

/// How long a nonce may wait for its request.
const LIFE: Duration = Duration::from_mins(30);

/// What the clocks of two servers may be apart.
const SKEW: Duration = Duration::from_secs(10);

/// How many that came back are remembered. In a flood the oldest are forgotten, and with them all nonces that are as old:
/// whoever comes with one is asked to come with a newer one.
const MOST: usize = 1 << 17;

/// Octets of the time, of time and chance, and of the tag behind them.
const TIME: usize = 8;
const SAID: usize = TIME + 8;
const TAG: usize = 16;

pub(super) struct NonceSource {
    opening: InstallationSecretSource,
    entropy: Arc<dyn Entropy>,
    used: Mutex<Used>,
}

/// Those that came back, the oldest first: they begin with their time.
#[derive(Default)]
struct Used {
    nonces: BTreeSet<[u8; SAID]>,
    /// Older ones are taken no more.
    floor: Timestamp,
}

/// A nonce that came to this server for the first time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Nonce([u8; SAID]);

impl NonceSource {
    pub(super) fn new(opening: InstallationSecretSource, entropy: Arc<dyn Entropy>) -> Self {
        Self { opening, entropy, used: Mutex::default() }
    }

    /// Makes a nonce that was never handed out.
    pub(super) async fn issue(&self, now: Timestamp) -> Result<String, Refusal> {
        let content = [&now.millis().to_be_bytes()[..], &bytes::<{ SAID - TIME }>(&*self.entropy)].concat();
        let tag = hmac::sign(&self.key().await?, &content);
        Ok(base64url(&[&content, &tag.as_ref()[..TAG]].concat()))
    }

    /// One of ours that comes to this server for the first time; the next time it is none.
    pub(super) async fn redeem(&self, text: &str, now: Timestamp) -> Result<Option<Nonce>, Refusal> {
        let read = from_base64url(text);
        let Some((content, tag)) = read.as_deref().and_then(|bytes| bytes.split_first_chunk::<SAID>()) else {
            return Ok(None);
        };
        let expected = hmac::sign(&self.key().await?, content);
        // The whole of both is compared, so that nothing is told by how long it took.
        let difference =
            expected.as_ref().iter().zip(tag).fold(0, |sum, (ours, theirs)| sum | (ours ^ theirs));
        if tag.len() != TAG || difference != 0 {
            return Ok(None);
        }
        let nonce = Nonce(*content);
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(used.take(nonce, now).then_some(nonce))
    }

    async fn key(&self) -> Result<hmac::Key, Refusal> {
        let secret = self.opening.secret().await?;
        Ok(hmac::Key::new(hmac::HMAC_SHA256, secret.derived("nonces").as_ref()))
    }
}

impl Used {
    fn take(&mut self, nonce: Nonce, now: Timestamp) -> bool {
        let oldest = now.minus(LIFE).max(self.floor);
        let issued_at = nonce.issued_at();
        if issued_at < oldest || issued_at > now.plus(SKEW) || !self.nonces.insert(nonce.0) {
            return false;
        }
        while let Some(first) = self.nonces.first().copied() {
            let first_at = Nonce(first).issued_at();
            if first_at >= oldest && self.nonces.len() <= MOST {
                break;
            }
            self.nonces.pop_first();
            if first_at >= oldest {
                self.floor = first_at.plus(Duration::from_millis(1));
            }
        }
        true
    }
}

impl Nonce {
    /// What the ledger is to remember.
    pub(super) fn used(self, now: Timestamp) -> UseNonce {
        // Servers whose clocks are behind still take what is a little older.
        let oldest = now.minus(LIFE).minus(SKEW);
        UseNonce { nonce: self.0.to_vec(), issued_at: self.issued_at(), oldest, at: now }
    }

    fn issued_at(self) -> Timestamp {
        let time = self.0.first_chunk::<TIME>().copied().unwrap_or_default();
        Timestamp::from_millis(i64::from_be_bytes(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_core::entropy::Seeded;
    use tegata_web::InstallationSecret;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

    fn nonces(secret: &'static [u8], seed: u64) -> NonceSource {
        let opening = InstallationSecretSource::new(Arc::new(move || Some(InstallationSecret::new(secret))));
        NonceSource::new(opening, Arc::new(Seeded::new(seed)))
    }

    async fn takes(nonces: &NonceSource, nonce: &str, now: Timestamp) -> bool {
        nonces.redeem(nonce, now).await.unwrap().is_some()
    }

    #[tokio::test]
    async fn a_nonce_is_good_once_whichever_server_handed_it_out() {
        let (one, other) = (nonces(b"the ledger's secret", 1), nonces(b"the ledger's secret", 2));
        let (first, second) = (one.issue(NOW).await.unwrap(), one.issue(NOW).await.unwrap());
        assert_ne!(first, second);
        assert!(takes(&one, &second, NOW).await && takes(&other, &first, NOW).await);
        assert!(!takes(&one, &second, NOW).await && !takes(&other, &first, NOW).await);
    }

    #[tokio::test]
    async fn what_was_not_issued_here_is_refused() {
        let (nonces, others) = (nonces(b"a secret", 1), nonces(b"another", 1));
        let nonce = nonces.issue(NOW).await.unwrap();
        assert!(!takes(&others, &nonce, NOW).await);
        let mut bytes = from_base64url(&nonce).unwrap();
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            assert!(!takes(&nonces, &base64url(&bytes), NOW).await, "octet {at}");
            bytes[at] ^= 1;
        }
        for wrong in ["", "x", "AAAA", &nonce[..nonce.len() - 2], &format!("{nonce}AA")] {
            assert!(!takes(&nonces, wrong, NOW).await, "{wrong}");
        }
        assert!(takes(&nonces, &nonce, NOW).await);
    }

    #[tokio::test]
    async fn an_old_one_is_stale_and_one_from_a_clock_far_ahead_is_not_yet_good() {
        let nonces = nonces(b"a secret", 1);
        let nonce = nonces.issue(NOW).await.unwrap();
        assert!(!takes(&nonces, &nonce, NOW.plus(LIFE).plus(SKEW)).await);
        assert!(!takes(&nonces, &nonce, NOW.minus(SKEW).minus(SKEW)).await);
        assert!(takes(&nonces, &nonce, NOW.plus(LIFE)).await);
    }

    #[test]
    fn in_a_flood_memory_has_an_end_and_nothing_is_taken_twice() {
        let mut used = Used::default();
        let nonce = |number: usize| {
            let number = i64::try_from(number).unwrap();
            let time = NOW.millis() + number / 100;
            let content: [u8; SAID] = [time.to_be_bytes(), number.to_be_bytes()].concat().try_into().unwrap();
            Nonce(content)
        };
        let later = NOW.plus(Duration::from_secs(10));
        for number in 0..MOST + 1000 {
            assert!(used.take(nonce(number), later), "{number}");
        }
        assert!(used.nonces.len() <= MOST);
        for number in [0, 999, 1000, 5000, MOST] {
            assert!(!used.take(nonce(number), later), "{number}");
        }
    }
}
