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
//!
//! In memory many records are kept without the first two bytes of their keys: where those change is written down apart.

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

/// From so many records on it takes less memory to leave out the beginnings of keys.
const MANY: usize = 1 << 17;

/// Bytes of a beginning.
const HEAD: usize = 2;

/// The number of different beginnings that keys can have.
const HEADS: usize = 1 << (8 * HEAD);

/// "For ever" among minutes.
const EVER: u32 = (1 << 30) - 1;

/// Milliseconds of a minute.
const MINUTE: i64 = 60_000;

/// What a record is found by.
pub(super) type RecordKey = [u8; KEY];

/// Why something is denied, and until when that matters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DenialReason(u32);

impl DenialReason {
    /// A reason that no later event of the feed lifts.
    pub fn ever(why: Denial) -> Self {
        Self::new(why, EVER)
    }

    /// Up to a moment, rounded up to its minute.
    pub fn until(why: Denial, until: Timestamp) -> Self {
        let minute = u32::try_from(until.millis().max(0).div_euclid(MINUTE)).unwrap_or(EVER);
        Self::new(why, minute.min(EVER))
    }

    /// The reason without the mark of its permanence.
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

    /// Of its four bytes in a record.
    fn from_bytes(bytes: &[u8]) -> Self {
        let mut word = [0; LENGTH - KEY];
        word.copy_from_slice(bytes);
        Self(u32::from_be_bytes(word))
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
pub struct DenialRecords {
    /// Whole records, or their tails where there are starts.
    bytes: Arc<Vec<u8>>,
    /// For each beginning of a key the first record with it or a later one, and at the end how many there are.
    starts: Option<Arc<Vec<u32>>>,
}

impl DenialRecords {
    /// From entries in any order; of two with one key the last is kept.
    pub(super) fn collect(entries: impl IntoIterator<Item = (RecordKey, DenialReason)>) -> Self {
        let mut entries: Vec<_> = entries.into_iter().collect();
        // Stable, so that the last of equals stays last.
        entries.sort_by_key(|(key, _)| *key);
        let mut bytes: Vec<u8> = Vec::with_capacity(entries.len() * LENGTH);
        for (at, (key, deny)) in entries.iter().enumerate() {
            if entries.get(at + 1).is_none_or(|(next, _)| next != key) {
                push(&mut bytes, key, *deny);
            }
        }
        Self::keep(bytes)
    }

    /// From entries that are in order.
    pub(super) fn from_sorted(entries: impl Iterator<Item = (RecordKey, DenialReason)>, room: usize) -> Self {
        let mut bytes = Vec::with_capacity(room * LENGTH);
        entries.for_each(|(key, deny)| push(&mut bytes, &key, deny));
        Self::keep(bytes)
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.width()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// In ascending order of the keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = (RecordKey, DenialReason)> + '_ {
        let mut head = 0;
        self.bytes.chunks_exact(self.width()).enumerate().map(move |(at, record)| {
            let Some(starts) = self.starts.as_deref() else { return read(&[], record) };
            while starts.get(head + 1).is_some_and(|next| *next as usize <= at) {
                head += 1;
            }
            let [.., high, low] = head.to_be_bytes();
            read(&[high, low], record)
        })
    }

    /// The one with this key.
    pub(super) fn get(&self, key: &RecordKey) -> Option<DenialReason> {
        let (mut low, mut high, left_out) = match self.starts.as_deref() {
            None => (0, self.len(), 0),
            Some(starts) => {
                let head = usize::from(u16::from_be_bytes([key[0], key[1]]));
                (starts[head] as usize, starts[head + 1] as usize, HEAD)
            }
        };
        let (width, key) = (self.width(), &key[left_out..]);
        while low < high {
            let middle = low.midpoint(high);
            let record = &self.bytes[middle * width..][..width];
            match record[..key.len()].cmp(key) {
                std::cmp::Ordering::Equal => return Some(DenialReason::from_bytes(&record[key.len()..])),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    const fn width(&self) -> usize {
        if self.starts.is_some() { LENGTH - HEAD } else { LENGTH }
    }

    /// From the bytes of whole records in strictly ascending order.
    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let whole = bytes.len().is_multiple_of(LENGTH);
        let mut keys = bytes.chunks_exact(LENGTH).map(|record| &record[..KEY]);
        let named = bytes.chunks_exact(LENGTH).all(|record| record[KEY] >> 6 != 0);
        (whole && named && keys.by_ref().is_sorted_by(|one, next| one < next)).then(|| Self::keep(bytes))
    }

    /// Whole records that are in order. Many are shortened where they lie, so that they are never there twice.
    fn keep(mut bytes: Vec<u8>) -> Self {
        let count = bytes.len() / LENGTH;
        let mut starts = None;
        if count >= MANY {
            starts = Some(Arc::new(shorten(&mut bytes, count)));
        }
        bytes.shrink_to_fit();
        Self { bytes: Arc::new(bytes), starts }
    }
}

/// Leaves the beginnings of keys out, and gives where each starts.
fn shorten(bytes: &mut Vec<u8>, count: usize) -> Vec<u32> {
    let mut starts = Vec::with_capacity(HEADS + 1);
    for at in 0..count {
        let from = at * LENGTH;
        let head = usize::from(u16::from_be_bytes([bytes[from], bytes[from + 1]]));
        if starts.len() <= head {
            starts.resize(head + 1, u32::try_from(at).unwrap_or(u32::MAX));
        }
        bytes.copy_within(from + HEAD..from + LENGTH, at * (LENGTH - HEAD));
    }
    starts.resize(HEADS + 1, u32::try_from(count).unwrap_or(u32::MAX));
    bytes.truncate(count * (LENGTH - HEAD));
    starts
}

fn push(bytes: &mut Vec<u8>, key: &RecordKey, deny: DenialReason) {
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(&deny.0.to_be_bytes());
}

/// Of the beginning of a key, and the rest of its record.
fn read(head: &[u8], rest: &[u8]) -> (RecordKey, DenialReason) {
    let mut key = [0; KEY];
    let (begun, left) = key.split_at_mut(head.len());
    begun.copy_from_slice(head);
    left.copy_from_slice(&rest[..left.len()]);
    (key, DenialReason::from_bytes(&rest[KEY - head.len()..]))
}

impl Serialize for DenialRecords {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.starts.is_none() {
            return serializer.serialize_str(&base64url(&self.bytes));
        }
        let mut whole = Vec::with_capacity(self.len() * LENGTH);
        self.iter().for_each(|(key, deny)| push(&mut whole, &key, deny));
        serializer.serialize_str(&base64url(&whole))
    }
}

impl<'de> Deserialize<'de> for DenialRecords {
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
                let first = DenialReason::ever(Denial::Suspended);
                let last = DenialReason::until(Denial::Revoked, Timestamp::from_seconds(at));
                entries.extend([(key, first), (key, last)]);
                told.insert(key, last);
            }
            let records = DenialRecords::collect(entries);
            assert_eq!(records.iter().collect::<BTreeMap<_, _>>(), told);
            assert!(told.iter().all(|(key, deny)| records.get(key) == Some(*deny)));
            assert_eq!(records.get(&bytes(&entropy)), None);
            let decoded =
                serde_json::from_str::<DenialRecords>(&serde_json::to_string(&records).unwrap()).unwrap();
            assert_eq!(decoded, records);
        }
    }

    /// Beginnings that nobody has, the first and the last among them, and ends of keys that others have too.
    #[test]
    fn many_records_are_shorter_and_say_the_same() {
        let entropy = Seeded::new(8);
        let mut told = BTreeMap::new();
        for at in 0..u32::try_from(MANY).unwrap() + 500 {
            let mut key = RecordKey::default();
            key[..8].copy_from_slice(&u64::from(at).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
            key[0] = key[0].clamp(1, 0xf0);
            told.insert(
                key,
                DenialReason::until(Denial::Retired, Timestamp::from_seconds(60 * i64::from(at))),
            );
        }
        let records = DenialRecords::collect(told.clone());
        assert!(records.starts.is_some() && records.len() == told.len());
        assert_eq!(records.bytes.len(), told.len() * (LENGTH - HEAD));
        assert!(records.iter().eq(told.iter().map(|(key, deny)| (*key, *deny))));
        for (key, deny) in &told {
            assert_eq!(records.get(key), Some(*deny));
            let mut other = *key;
            other[15] = 1;
            assert_eq!(records.get(&other), None);
            other = *key;
            other[0] = 0xff;
            assert_eq!(records.get(&other), None);
        }
        assert_eq!(records.get(&bytes(&entropy)), None);
        assert_eq!(records.get(&[0; 16]), None);
        let text = serde_json::to_string(&records).unwrap();
        assert_eq!(text.len(), 2 + (told.len() * LENGTH * 4).div_ceil(3), "on the way it is as before");
        assert_eq!(serde_json::from_str::<DenialRecords>(&text).unwrap(), records);
        let fewer = DenialRecords::from_sorted(told.into_iter().take(MANY - 1), MANY);
        assert!(fewer.starts.is_none() && fewer.bytes.len() == (MANY - 1) * LENGTH);
    }

    #[test]
    fn what_is_not_whole_sorted_and_named_is_refused() {
        let entry = |key: u8, why: u8| [vec![key; 16], vec![why << 6, 0, 0, 0]].concat();
        let read = |bytes: &[u8]| serde_json::from_value::<DenialRecords>(base64url(bytes).into());
        assert!(read(&[entry(1, 1), entry(2, 3)].concat()).is_ok());
        assert!(read(&[entry(2, 1), entry(1, 3)].concat()).is_err(), "out of order");
        assert!(read(&[entry(1, 1), entry(1, 3)].concat()).is_err(), "twice");
        assert!(read(&entry(1, 0)).is_err(), "no reason");
        assert!(read(&entry(1, 1)[..19]).is_err(), "cut off");
        assert!(serde_json::from_str::<DenialRecords>("\"=\"").is_err());
    }

    #[test]
    fn a_denial_holds_through_its_last_minute() {
        let until = Timestamp::from_seconds(3600);
        let deny = DenialReason::until(Denial::Retired, until);
        assert!(!deny.is_over(Timestamp::from_seconds(3659)));
        assert!(deny.is_over(Timestamp::from_seconds(3660)));
        assert_eq!(deny.why(), Denial::Retired);
        let far = Timestamp::parse("9999-12-31T23:59:59Z").unwrap();
        assert!(!DenialReason::ever(Denial::Revoked).is_over(far));
        assert!(
            !DenialReason::until(Denial::Revoked, far).is_over(far),
            "beyond what can be written is for ever"
        );
    }
}
