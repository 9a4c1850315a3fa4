//! Denials as they travel and as they lie in memory: sorted records of 20 bytes.
//!
//! | bytes | content |
//! |---|---|
//! | 0–15 | the key: the 128 bits of a device's identifier, or the first 128 of a certificate's thumbprint |
//! | 16–19 | big-endian: in the top two bits why (1 suspended, 2 retired, 3 revoked), in the others the last minute since 1970 in which anybody need remember, all ones for ever |
//!
//! In JSON they are one text: base64url without padding over all records in ascending order of their keys, each key
//! once. Half a thumbprint is enough: to be taken for a denied certificate by chance has odds of 1 in 2^128, and whoever
//! made it happen on purpose would have locked themselves out.

use super::Denial;
use crate::encoding::{base64url, from_base64url};
use crate::timestamp::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::sync::Arc;

/// Bytes of a record.
const LENGTH: usize = 20;

/// Bytes of its key.
const KEY: usize = 16;

/// "For ever" among minutes.
const EVER: u32 = (1 << 30) - 1;

/// Milliseconds of a minute.
const MINUTE: i64 = 60_000;

/// What a record is found by.
pub(super) type Key = [u8; KEY];

/// Why something is denied, and until when that matters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deny(u32);

impl Deny {
    /// For ever.
    pub fn ever(why: Denial) -> Self {
        Self::new(why, EVER)
    }

    /// Up to a moment, rounded up to its minute.
    pub fn until(why: Denial, until: Timestamp) -> Self {
        let minute = u32::try_from(until.millis().max(0).div_euclid(MINUTE)).unwrap_or(EVER);
        Self::new(why, minute.min(EVER))
    }

    /// Why.
    pub fn why(self) -> Denial {
        match self.0 >> 30 {
            1 => Denial::Suspended,
            2 => Denial::Retired,
            _ => Denial::Revoked,
        }
    }

    /// Whether nobody need remember it at `now`.
    pub fn is_over(self, now: Timestamp) -> bool {
        let minute = self.0 & EVER;
        minute != EVER && i64::from(minute) < now.millis().div_euclid(MINUTE)
    }

    fn new(why: Denial, minute: u32) -> Self {
        let why = match why {
            Denial::Suspended => 1u32,
            Denial::Retired => 2,
            Denial::Revoked => 3,
        };
        Self(why << 30 | minute)
    }
}

/// Sorted records. Cloning shares them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Records(Arc<[u8]>);

impl Records {
    /// From entries in any order; of two with one key the last is kept.
    pub(super) fn collect(entries: impl IntoIterator<Item = (Key, Deny)>) -> Self {
        let mut entries: Vec<_> = entries.into_iter().collect();
        // Stable, so that the last of equals stays last.
        entries.sort_by_key(|(key, _)| *key);
        let mut bytes: Vec<u8> = Vec::with_capacity(entries.len() * LENGTH);
        for (at, (key, deny)) in entries.iter().enumerate() {
            if entries.get(at + 1).is_none_or(|(next, _)| next != key) {
                push(&mut bytes, key, *deny);
            }
        }
        Self(bytes.into())
    }

    /// From entries that are in order.
    pub(super) fn from_sorted(entries: impl Iterator<Item = (Key, Deny)>, room: usize) -> Self {
        let mut bytes = Vec::with_capacity(room * LENGTH);
        entries.for_each(|(key, deny)| push(&mut bytes, &key, deny));
        Self(bytes.into())
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len() / LENGTH
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In ascending order of the keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, Deny)> + '_ {
        self.0.chunks_exact(LENGTH).map(read)
    }

    /// The one with this key.
    pub(super) fn get(&self, key: &Key) -> Option<Deny> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            let record = &self.0[middle * LENGTH..][..LENGTH];
            match record[..KEY].cmp(key) {
                std::cmp::Ordering::Equal => return Some(read(record).1),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// From the bytes of whole records in strictly ascending order.
    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let whole = bytes.len().is_multiple_of(LENGTH);
        let mut keys = bytes.chunks_exact(LENGTH).map(|record| &record[..KEY]);
        let named = bytes.chunks_exact(LENGTH).all(|record| record[KEY] >> 6 != 0);
        (whole && named && keys.by_ref().is_sorted_by(|one, next| one < next)).then(|| Self(bytes.into()))
    }
}

fn push(bytes: &mut Vec<u8>, key: &Key, deny: Deny) {
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(&deny.0.to_be_bytes());
}

/// Of a slice of [`LENGTH`] bytes.
fn read(record: &[u8]) -> (Key, Deny) {
    let mut key = [0; KEY];
    let mut deny = [0; LENGTH - KEY];
    key.copy_from_slice(&record[..KEY]);
    deny.copy_from_slice(&record[KEY..]);
    (key, Deny(u32::from_be_bytes(deny)))
}

impl Serialize for Records {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base64url(&self.0))
    }
}

impl<'de> Deserialize<'de> for Records {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        from_base64url(&text)
            .and_then(Self::from_bytes)
            .ok_or_else(|| serde::de::Error::custom("not sorted records of 20 bytes in base64url"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::{Seeded, bytes};
    use std::collections::BTreeMap;

    #[test]
    fn every_key_is_found_with_its_last_word_and_no_other() {
        let entropy = Seeded::new(5);
        for count in [0, 1, 2, 3, 1000] {
            let mut told = BTreeMap::new();
            let mut entries = Vec::new();
            for at in 0..count {
                let key = bytes::<16>(&entropy);
                let first = Deny::ever(Denial::Suspended);
                let last = Deny::until(Denial::Revoked, Timestamp::from_seconds(at));
                entries.extend([(key, first), (key, last)]);
                told.insert(key, last);
            }
            let records = Records::collect(entries);
            assert_eq!(records.iter().collect::<BTreeMap<_, _>>(), told);
            assert!(told.iter().all(|(key, deny)| records.get(key) == Some(*deny)));
            assert_eq!(records.get(&bytes(&entropy)), None);
            let travelled =
                serde_json::from_str::<Records>(&serde_json::to_string(&records).unwrap()).unwrap();
            assert_eq!(travelled, records);
        }
    }

    #[test]
    fn what_is_not_whole_sorted_and_named_is_refused() {
        let entry = |key: u8, why: u8| [vec![key; 16], vec![why << 6, 0, 0, 0]].concat();
        let read = |bytes: &[u8]| serde_json::from_value::<Records>(base64url(bytes).into());
        assert!(read(&[entry(1, 1), entry(2, 3)].concat()).is_ok());
        assert!(read(&[entry(2, 1), entry(1, 3)].concat()).is_err(), "out of order");
        assert!(read(&[entry(1, 1), entry(1, 3)].concat()).is_err(), "twice");
        assert!(read(&entry(1, 0)).is_err(), "no reason");
        assert!(read(&entry(1, 1)[..19]).is_err(), "cut off");
        assert!(serde_json::from_str::<Records>("\"=\"").is_err());
    }

    #[test]
    fn a_denial_holds_through_its_last_minute() {
        let until = Timestamp::from_seconds(3600);
        let deny = Deny::until(Denial::Retired, until);
        assert!(!deny.is_over(Timestamp::from_seconds(3659)));
        assert!(deny.is_over(Timestamp::from_seconds(3660)));
        assert_eq!(deny.why(), Denial::Retired);
        let far = Timestamp::parse("9999-12-31T23:59:59Z").unwrap();
        assert!(!Deny::ever(Denial::Revoked).is_over(far));
        assert!(!Deny::until(Denial::Revoked, far).is_over(far), "beyond what can be written is for ever");
    }
}
