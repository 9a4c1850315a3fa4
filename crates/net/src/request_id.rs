//! The identifier of a request: in every refusal, page and log line, so that a code on the telephone leads to the line.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The header of responses that carries it.
pub const REQUEST_ID: http::HeaderName = http::HeaderName::from_static("tegata-request-id");

/// Of Crockford's base 32: without i, l, o and u, which are taken for other digits or for each other.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Its length, in digits of five bits.
const LENGTH: usize = 8;

const MASK: u64 = (1 << (5 * LENGTH)) - 1;

/// Odd, so that multiplying by it is a permutation: numbers that follow each other look nothing alike.
const STEP: u64 = 0x9e_3779_b97f;

tokio::task_local! {
    static CURRENT: RequestId;
}

/// Unique in one process until 2^40 requests have come, and most likely among the servers of an installation. It is no
/// secret and decides nothing, so the standard library's randomness is enough for where it begins.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RequestId([u8; LENGTH]);

impl RequestId {
    /// An identifier that this process has not given yet.
    pub fn next() -> Self {
        static NEXT: LazyLock<AtomicU64> =
            LazyLock::new(|| AtomicU64::new(RandomState::new().build_hasher().finish()));
        Self::numbered(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Of the request that is being answered by this task, if any.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|id| *id).ok()
    }

    /// The identifier in hexadecimal digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Does something as part of answering this request.
    pub fn within<T>(self, act: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self, act)
    }

    /// Lets a future know that it is part of answering this request.
    pub fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, future)
    }

    fn numbered(number: u64) -> Self {
        let mut bits = number.wrapping_mul(STEP) & MASK;
        let mut digits = [0; LENGTH];
        for digit in digits.iter_mut().rev() {
            *digit = DIGITS[usize::try_from(bits & 31).unwrap_or_default()];
            bits >>= 5;
        }
        Self(digits)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_requests_of_a_process_share_one() {
        let ids: HashSet<_> = (0..100_000).map(|_| RequestId::next()).collect();
        assert_eq!(ids.len(), 100_000);
        assert_ne!(RequestId::numbered(0), RequestId::numbered(MASK));
    }

    #[tokio::test]
    async fn whoever_answers_a_request_knows_its_identifier_and_nobody_else_does() {
        let (one, other) = (RequestId::next(), RequestId::next());
        let seen = tokio::join!(
            one.scope(async { RequestId::current() }),
            other.scope(async {
                tokio::task::yield_now().await;
                RequestId::current()
            })
        );
        assert_eq!(seen, (Some(one), Some(other)));
        assert_eq!(RequestId::current(), None);
    }
}
