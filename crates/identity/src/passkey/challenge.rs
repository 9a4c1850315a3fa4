//! Challenges that passkeys answer. Each says itself until when it stands and for whom it was made, under a seal of the
//! installation's secret: nothing is kept until somebody has answered, and any server may be the one that is answered.

use crate::cookie::BrowserSecret;
use ring::digest::{SHA256, digest};
use ring::hmac;
use std::time::Duration;
use tegata_core::entropy::bytes;
use tegata_core::{Entropy, SessionId, Timestamp};
use tegata_storage::UsedChallenge;

/// How long somebody has for touching their authenticator.
pub(crate) const STANDS: Duration = Duration::from_mins(5);

/// The octets of each part: when it ends, chance, and the seal.
const END: usize = 8;
const CHANCE: usize = 16;

/// For whom a challenge is made.
#[derive(Clone, Copy)]
pub(crate) enum ChallengeHolder<'a> {
    /// A browser on whose page somebody is about to sign in.
    Browser(&'a BrowserSecret),
    /// Somebody who is signed in and has shown that they know the password, for making a passkey.
    Session(&'a SessionId),
}

/// Makes challenges, and knows its own.
pub(crate) struct Challenges(hmac::Key);

impl Challenges {
    /// With what was derived from the installation's secret for this alone.
    pub(crate) fn new(derived: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, derived))
    }

    pub(crate) fn make(&self, holder: ChallengeHolder<'_>, now: Timestamp, entropy: &dyn Entropy) -> Vec<u8> {
        let end = now.plus(STANDS).millis().to_be_bytes();
        let open = [&end[..], &bytes::<CHANCE>(entropy)].concat();
        let seal = hmac::sign(&self.0, &sealed(holder, &open));
        [&open, seal.as_ref()].concat()
    }

    /// What to note of a challenge that was answered; `None` unless it was made here, for this holder, and still stands.
    pub(crate) fn answered(
        &self,
        holder: ChallengeHolder<'_>,
        challenge: &[u8],
        now: Timestamp,
    ) -> Option<UsedChallenge> {
        let (open, seal) = challenge.split_at_checked(END + CHANCE)?;
        hmac::verify(&self.0, &sealed(holder, open), seal).ok()?;
        let (end, _) = open.split_first_chunk::<END>()?;
        let expires_at = Timestamp::from_millis(i64::from_be_bytes(*end));
        let hash = digest(&SHA256, challenge).as_ref().to_vec();
        (now < expires_at).then_some(UsedChallenge { hash, expires_at })
    }
}

fn sealed(holder: ChallengeHolder<'_>, open: &[u8]) -> Vec<u8> {
    let (kind, holder) = match holder {
        ChallengeHolder::Browser(secret) => (1, secret.hash()),
        ChallengeHolder::Session(session) => {
            (2, digest(&SHA256, session.as_str().as_bytes()).as_ref().to_vec())
        }
    };
    [&[kind], &holder[..], open].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_core::entropy::Seeded;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    #[test]
    fn a_challenge_stands_five_minutes_and_for_its_holder_alone() {
        let (entropy, challenges) = (Seeded::new(1), Challenges::new(&[1; 32]));
        let [own, other] = [1, 2].map(|seed| BrowserSecret::random(&Seeded::new(seed)));
        let session = SessionId::random(&entropy);
        let challenge = challenges.make(ChallengeHolder::Browser(&own), NOW, &entropy);
        let answered = |holder, at| challenges.answered(holder, &challenge, at).is_some();
        assert!(answered(ChallengeHolder::Browser(&own), NOW));
        assert!(!answered(ChallengeHolder::Browser(&own), NOW.plus(STANDS)));
        assert!(!answered(ChallengeHolder::Browser(&other), NOW));
        assert!(!answered(ChallengeHolder::Session(&session), NOW));
        let elsewhere = Challenges::new(&[2; 32]);
        assert!(elsewhere.answered(ChallengeHolder::Browser(&own), &challenge, NOW).is_none());
        for at in 0..challenge.len() {
            let mut changed = challenge.clone();
            changed[at] ^= 1;
            assert!(challenges.answered(ChallengeHolder::Browser(&own), &changed, NOW).is_none(), "{at}");
            assert!(challenges.answered(ChallengeHolder::Browser(&own), &challenge[..at], NOW).is_none());
        }
    }
}
