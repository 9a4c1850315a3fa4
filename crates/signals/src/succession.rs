//! Which key signs when, and which keys may be met: decided by the time alone, so that every server of an
//! installation changes keys at the same moment without a word between them.
//!
//! A key is published, signs from a later moment on, and stays published after its successor took over until the last
//! token it signed has ended.

use serde::{Deserialize, Serialize};
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_core::claims::LONGEST_LIFETIME;

/// From publishing a key to signing with it: longer than any verifier of ours keeps a key set without asking, with
/// what caches on the way add.
pub const NOTICE: Duration = Duration::from_mins(15);

/// A key outlives the last token it signed by this much, for servers and verifiers whose clocks differ.
const AFTERGLOW: Duration = Duration::from_mins(5);

/// When one key is published, and when it begins to sign.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyTerm {
    /// The key's name (RFC 7638).
    pub kid: String,
    /// Since when verifiers can know it.
    pub published_at: Timestamp,
    /// From when on it signs, until the next one does.
    pub signs_from: Timestamp,
}

/// What a key does at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyDuty {
    /// Published, and not signing yet.
    Announced,
    /// It signs all tokens that are issued now.
    Signing,
    /// No longer signing; its tokens still live.
    Remembered,
    /// Of no use to anybody.
    Ended,
}

/// The keys in the order in which they sign. There is always one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "Vec<KeyTerm>", into = "Vec<KeyTerm>")]
pub struct KeySuccession(Vec<KeyTerm>);

/// Not a succession: no key, one that stands twice, or two that begin at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the succession of token keys has no key, or one that stands twice")]
pub struct SuccessionError;

/// The only key cannot go before there is another.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("it is the only key: appoint another one first")]
pub struct LastKey;

impl KeySuccession {
    /// The first key of an installation: nobody has to be told in time.
    pub fn begin(kid: impl Into<String>, at: Timestamp) -> Self {
        Self(vec![KeyTerm { kid: kid.into(), published_at: at, signs_from: at }])
    }

    /// The terms, in order.
    pub fn terms(&self) -> &[KeyTerm] {
        &self.0
    }

    /// What a key does at `now`, and when that ends, where it is known.
    pub fn duty(&self, kid: &str, now: Timestamp) -> (KeyDuty, Option<Timestamp>) {
        let signing = self.signing_place(now);
        match self.0.iter().position(|term| term.kid == kid) {
            None => (KeyDuty::Ended, None),
            Some(place) if place > signing => (KeyDuty::Announced, Some(self.0[place].signs_from)),
            Some(place) if place == signing => {
                (KeyDuty::Signing, self.successor(place).map(|next| next.signs_from))
            }
            Some(place) => match self.forgotten_at(place) {
                Some(end) if end <= now => (KeyDuty::Ended, Some(end)),
                end => (KeyDuty::Remembered, end),
            },
        }
    }

    /// The key that signs at `now`.
    pub fn signing(&self, now: Timestamp) -> &KeyTerm {
        &self.0[self.signing_place(now)]
    }

    /// All keys a verifier may meet at `now` or soon.
    pub fn published(&self, now: Timestamp) -> impl Iterator<Item = &KeyTerm> {
        self.0.iter().filter(move |term| self.duty(&term.kid, now).0 != KeyDuty::Ended)
    }

    /// Puts a key at the end: it signs after `notice`, and not before those already announced.
    pub fn appoint(
        &mut self,
        kid: impl Into<String>,
        now: Timestamp,
        notice: Duration,
    ) -> Result<(), SuccessionError> {
        let kid = kid.into();
        let last = self.0.last().ok_or(SuccessionError)?;
        let after_all = last.signs_from.plus(Duration::from_millis(1));
        let signs_from = now.plus(notice).max(after_all);
        if self.0.iter().any(|term| term.kid == kid) {
            return Err(SuccessionError);
        }
        self.0.push(KeyTerm { kid, published_at: now, signs_from });
        Ok(())
    }

    /// Takes a key out at once, with every token it signed: it is in other hands. When it was signing, the one before it
    /// signs again, which every verifier knows; when that has ended, the one announced signs now.
    pub fn withdraw(&mut self, kid: &str, now: Timestamp) -> Result<(), LastKey> {
        if self.0.iter().all(|term| term.kid == kid) {
            return Err(LastKey);
        }
        self.0.retain(|term| term.kid != kid);
        if self.0.iter().all(|term| term.signs_from > now)
            && let Some(first) = self.0.first_mut()
        {
            first.signs_from = now;
        }
        Ok(())
    }

    /// Drops the terms that have ended and gives their names.
    pub fn drop_ended(&mut self, now: Timestamp) -> Vec<String> {
        let ended: Vec<_> = self
            .0
            .iter()
            .filter(|term| self.duty(&term.kid, now).0 == KeyDuty::Ended)
            .map(|term| term.kid.clone())
            .collect();
        self.0.retain(|term| !ended.contains(&term.kid));
        ended
    }

    /// Whether the key that was appointed last has signed for `age`.
    pub fn is_due(&self, now: Timestamp, age: Duration) -> bool {
        self.0.last().is_some_and(|last| now >= last.signs_from.plus(age))
    }

    /// By a clock that was set back behind all of them, the first.
    fn signing_place(&self, now: Timestamp) -> usize {
        self.0.iter().rposition(|term| term.signs_from <= now).unwrap_or(0)
    }

    fn successor(&self, place: usize) -> Option<&KeyTerm> {
        self.0.get(place + 1)
    }

    fn forgotten_at(&self, place: usize) -> Option<Timestamp> {
        self.successor(place).map(|next| next.signs_from.plus(LONGEST_LIFETIME).plus(AFTERGLOW))
    }
}

impl TryFrom<Vec<KeyTerm>> for KeySuccession {
    type Error = SuccessionError;

    fn try_from(terms: Vec<KeyTerm>) -> Result<Self, SuccessionError> {
        let in_order = terms.windows(2).all(|pair| pair[0].signs_from < pair[1].signs_from);
        let twice = terms
            .iter()
            .enumerate()
            .any(|(place, term)| terms[..place].iter().any(|one| one.kid == term.kid));
        if terms.is_empty() || twice || !in_order { Err(SuccessionError) } else { Ok(Self(terms)) }
    }
}

impl From<KeySuccession> for Vec<KeyTerm> {
    fn from(succession: KeySuccession) -> Self {
        succession.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const MINUTE: Duration = Duration::from_mins(1);

    /// What may happen to the keys of an installation.
    #[derive(Clone, Debug)]
    enum SuccessionAct {
        Wait(u64),
        Appoint,
        DropEnded,
    }

    fn acts() -> impl Strategy<Value = Vec<SuccessionAct>> {
        let act = prop_oneof![
            (1u64..120).prop_map(SuccessionAct::Wait),
            Just(SuccessionAct::Appoint),
            Just(SuccessionAct::DropEnded)
        ];
        proptest::collection::vec(act, 0..60)
    }

    proptest! {
        #[test]
        fn every_token_is_met_while_its_key_is_published(acts in acts()) {
            let (mut keys, mut now, mut count) = (KeySuccession::begin("0", START), START, 0);
            let mut signed: Vec<(String, Timestamp)> = Vec::new();
            for act in acts {
                match act {
                    SuccessionAct::Wait(minutes) => now = now.plus(MINUTE * u32::try_from(minutes).unwrap()),
                    SuccessionAct::Appoint => {
                        count += 1;
                        keys.appoint(count.to_string(), now, NOTICE).unwrap();
                    }
                    SuccessionAct::DropEnded => drop(keys.drop_ended(now)),
                }
                let term = keys.signing(now).clone();
                prop_assert!(term.kid == "0" || now >= term.published_at.plus(NOTICE), "{term:?} at {now}");
                signed.push((term.kid, now));
                for (kid, at) in &signed {
                    if now < at.plus(LONGEST_LIFETIME) {
                        prop_assert!(keys.published(now).any(|term| term.kid == *kid), "{kid} of {at} at {now}");
                    }
                }
                let text = serde_json::to_string(&keys).unwrap();
                prop_assert_eq!(&serde_json::from_str::<KeySuccession>(&text).unwrap(), &keys);
            }
        }
    }

    #[test]
    fn a_key_goes_through_its_duties() {
        let mut keys = KeySuccession::begin("old", START);
        keys.appoint("new", START, NOTICE).unwrap();
        let taken_over = START.plus(NOTICE);
        let forgotten = taken_over.plus(LONGEST_LIFETIME).plus(AFTERGLOW);
        let duties = |now| (keys.duty("old", now), keys.duty("new", now));
        let just_before = |at: Timestamp| at.minus(Duration::from_millis(1));
        let of = |duty, end: Timestamp| (duty, Some(end));
        assert_eq!(duties(START), (of(KeyDuty::Signing, taken_over), of(KeyDuty::Announced, taken_over)));
        assert_eq!(duties(just_before(taken_over)).1, of(KeyDuty::Announced, taken_over));
        assert_eq!(duties(taken_over), (of(KeyDuty::Remembered, forgotten), (KeyDuty::Signing, None)));
        assert_eq!(duties(just_before(forgotten)).0, of(KeyDuty::Remembered, forgotten));
        assert_eq!(duties(forgotten).0, of(KeyDuty::Ended, forgotten));
        assert_eq!(keys.drop_ended(forgotten), ["old"]);
        assert_eq!(keys.signing(START).kid, "new", "a clock set back finds the key there is");
    }

    #[test]
    fn a_key_in_other_hands_is_gone_at_once_and_somebody_signs() {
        let mut keys = KeySuccession::begin("stolen", START);
        assert_eq!(keys.withdraw("stolen", START), Err(LastKey));
        keys.appoint("next", START, NOTICE).unwrap();
        keys.withdraw("stolen", START.plus(MINUTE)).unwrap();
        assert_eq!(keys.signing(START.plus(MINUTE)).kid, "next");
        assert_eq!(keys.published(START.plus(MINUTE)).count(), 1);
    }

    #[test]
    fn a_key_of_age_is_due_once() {
        let day = Duration::from_hours(24);
        let mut keys = KeySuccession::begin("first", START);
        assert!(!keys.is_due(START.plus(day * 89), day * 90));
        let later = START.plus(day * 90);
        assert!(keys.is_due(later, day * 90));
        keys.appoint("second", later, NOTICE).unwrap();
        assert!(!keys.is_due(later, day * 90));
    }

    #[test]
    fn what_is_not_a_succession_is_not_read() {
        let term = |kid: &str, seconds| KeyTerm {
            kid: kid.into(),
            published_at: START,
            signs_from: START.plus(Duration::from_secs(seconds)),
        };
        for wrong in [vec![], vec![term("a", 0), term("a", 1)], vec![term("a", 1), term("b", 0)]] {
            assert_eq!(KeySuccession::try_from(wrong), Err(SuccessionError));
        }
    }
}
