//! What the audit log and the feed claim, against what the rows say.
//!
//! Both sides are as large as the installation is old, and neither fits into memory. So each is walked once and every
//! claim is added to one of a few thousand sums, on one side and subtracted on the other: what is claimed on both sides
//! leaves nothing. Only the sums that are left over are looked into, claim by claim, in a second walk.
//!
//! The hash is keyed by chance, so nobody can write rows whose claims cancel each other.

use ring::digest::{Context, SHA256};
use std::collections::{BTreeMap, HashMap, HashSet};
use tegata_core::Entropy;
use tegata_core::entropy::bytes;

/// What is compared with what.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ComparedRelation {
    /// Reservations in the audit log and all certificates.
    Reserved,
    /// Issuances in the audit log and signed certificates.
    Issued,
    /// Ends in the audit log and ended certificates.
    Ended,
    /// Suspensions and ends in the audit log and devices that are not active.
    Device,
    /// Events of the feed and ended certificates that were signed.
    AnnouncedCertificate,
    /// Events of the feed and devices that are not active.
    AnnouncedDevice,
    /// Suspensions in the audit log and tenants that are not active.
    Tenant,
    /// Events of the feed and tenants that are not active.
    AnnouncedTenant,
    /// Who was signed out by the audit log, and whose tokens are denied by their age.
    SignedOut,
    /// Who was signed out by the feed, and whose tokens are denied by their age.
    AnnouncedSignOut,
}

impl ComparedRelation {
    /// Whether what was said of a thing holds only until something else is said of it. An end for ever is no such word,
    /// so that those of a whole history need not be remembered.
    fn may_be_taken_back(self, value: &str) -> bool {
        match self {
            Self::Reserved | Self::Issued | Self::Ended | Self::AnnouncedCertificate => false,
            Self::Device | Self::AnnouncedDevice => value == SUSPENDED,
            Self::Tenant | Self::AnnouncedTenant | Self::SignedOut | Self::AnnouncedSignOut => true,
        }
    }
}

/// Something that one side says of one thing: nothing takes back what was said before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LedgerClaim {
    pub relation: ComparedRelation,
    pub key: String,
    pub value: Option<String>,
}

/// A thing of which the two sides do not say the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClaimDifference {
    pub relation: ComparedRelation,
    pub key: String,
    /// What audit log or feed say.
    pub in_log: Option<String>,
    /// What the rows say.
    pub filed: Option<String>,
}

/// Sums of each relation.
const BUCKETS: usize = 4096;

/// Sums of all relations that are looked into: with a million certificates some 30,000 claims.
const LOOKED_INTO: usize = 128;

/// Sums what the logs claim and what the rows say, in the first walk: equal sums need no second look.
pub struct ClaimSums {
    seed: [u8; 32],
    buckets: HashMap<ComparedRelation, Vec<u128>>,
    /// Values that may be taken back, as those of suspended devices.
    standing: HashMap<(ComparedRelation, u128), String>,
}

/// The second walk, through the sums that were left over.
pub struct ClaimDifferences {
    seed: [u8; 32],
    open: HashSet<(ComparedRelation, usize)>,
    /// Whether there were more.
    pub is_complete: bool,
    in_log: BTreeMap<(ComparedRelation, String), String>,
    filed: BTreeMap<(ComparedRelation, String), String>,
}

impl ClaimSums {
    pub fn new(entropy: &dyn Entropy) -> Self {
        Self { seed: bytes(entropy), buckets: HashMap::new(), standing: HashMap::new() }
    }

    /// A claim of the audit log or the feed, in order.
    pub fn tell(&mut self, claim: &LedgerClaim) {
        let LedgerClaim { relation, key, value } = claim;
        if relation.may_be_taken_back(SUSPENDED) {
            let (name, _) = hash(&self.seed, key, "");
            if let Some(earlier) = self.standing.remove(&(*relation, name)) {
                self.add(*relation, key, &earlier, u128::wrapping_sub);
            }
            if let Some(value) = value.as_deref().filter(|value| relation.may_be_taken_back(value)) {
                self.standing.insert((*relation, name), value.to_owned());
            }
        }
        if let Some(value) = value {
            self.add(*relation, key, value, u128::wrapping_add);
        }
    }

    /// A claim of a row.
    pub fn file(&mut self, claim: &LedgerClaim) {
        if let Some(value) = &claim.value {
            self.add(claim.relation, &claim.key, value, u128::wrapping_sub);
        }
    }

    /// What is left over; nothing when both sides say the same.
    pub fn left_over(self) -> Option<ClaimDifferences> {
        let left = |(relation, sums): (&ComparedRelation, &Vec<u128>)| {
            let relation = *relation;
            let places = sums.iter().enumerate().filter(|(_, sum)| **sum != 0);
            places.map(|(place, _)| (relation, place)).collect::<Vec<_>>()
        };
        let mut open: Vec<_> = self.buckets.iter().flat_map(left).collect();
        // A few of each relation rather than all of one.
        open.sort_unstable_by_key(|(relation, place)| (*place, *relation));
        let is_complete = open.len() <= LOOKED_INTO;
        open.truncate(LOOKED_INTO);
        (!open.is_empty()).then(|| ClaimDifferences {
            seed: self.seed,
            open: open.into_iter().collect(),
            is_complete,
            in_log: BTreeMap::new(),
            filed: BTreeMap::new(),
        })
    }

    fn add(&mut self, relation: ComparedRelation, key: &str, value: &str, step: fn(u128, u128) -> u128) {
        let (sum, bucket) = hash(&self.seed, key, value);
        let sums = self.buckets.entry(relation).or_insert_with(|| vec![0; BUCKETS]);
        sums[bucket] = step(sums[bucket], sum);
    }
}

/// A state of a device or tenant that can be taken back.
pub const SUSPENDED: &str = "suspended";

impl ClaimDifferences {
    /// A claim of the audit log or the feed, in order: the last one holds.
    pub fn tell(&mut self, claim: LedgerClaim) {
        if self.is_open(&claim) {
            note(&mut self.in_log, claim);
        }
    }

    /// A claim of a row.
    pub fn file(&mut self, claim: LedgerClaim) {
        if self.is_open(&claim) {
            note(&mut self.filed, claim);
        }
    }

    /// What the two sides do not say alike.
    pub fn found(mut self) -> Vec<ClaimDifference> {
        let mut found = Vec::new();
        for ((relation, key), in_log) in self.in_log {
            let filed = self.filed.remove(&(relation, key.clone()));
            if filed.as_ref() != Some(&in_log) {
                found.push(ClaimDifference { relation, key, in_log: Some(in_log), filed });
            }
        }
        let rest = self.filed.into_iter();
        found.extend(rest.map(|((relation, key), filed)| ClaimDifference {
            relation,
            key,
            in_log: None,
            filed: Some(filed),
        }));
        found
    }

    fn is_open(&self, claim: &LedgerClaim) -> bool {
        self.open.contains(&(claim.relation, hash(&self.seed, &claim.key, "").1))
    }
}

fn note(side: &mut BTreeMap<(ComparedRelation, String), String>, claim: LedgerClaim) {
    let place = (claim.relation, claim.key);
    match claim.value {
        Some(value) => drop(side.insert(place, value)),
        None => drop(side.remove(&place)),
    }
}

/// What to add for a claim, and to which sum: that of the key alone, so that all claims of a thing meet.
fn hash(seed: &[u8], key: &str, value: &str) -> (u128, usize) {
    let mut context = Context::new(&SHA256);
    context.update(seed);
    context.update(key.as_bytes());
    let place = context.clone().finish();
    let bucket = usize::from(u16::from_le_bytes([place.as_ref()[0], place.as_ref()[1]])) % BUCKETS;
    context.update(&[0]);
    context.update(value.as_bytes());
    let sum = context.finish();
    let sum = sum.as_ref().iter().take(16).fold(0, |sum, byte| sum << 8 | u128::from(*byte));
    (sum, bucket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_core::entropy::Seeded;

    fn claim(relation: ComparedRelation, key: &str, value: Option<&str>) -> LedgerClaim {
        LedgerClaim { relation, key: key.into(), value: value.map(Into::into) }
    }

    /// Both walks over both sides.
    fn compare(in_log: &[LedgerClaim], filed: &[LedgerClaim]) -> Vec<ClaimDifference> {
        let mut sums = ClaimSums::new(&Seeded::new(1));
        for claim in in_log {
            sums.tell(claim);
        }
        for claim in filed {
            sums.file(claim);
        }
        let Some(mut differences) = sums.left_over() else { return vec![] };
        in_log.iter().cloned().for_each(|claim| differences.tell(claim));
        filed.iter().cloned().for_each(|claim| differences.file(claim));
        differences.found()
    }

    #[test]
    fn two_sides_that_say_the_same_leave_nothing_to_look_into() {
        let many: Vec<_> = (0..10_000)
            .map(|n| claim(ComparedRelation::Issued, &n.to_string(), Some("thumbprint")))
            .collect();
        let mut reversed = many.clone();
        reversed.reverse();
        let mut sums = ClaimSums::new(&Seeded::new(1));
        for claim in &many {
            sums.tell(claim);
        }
        for claim in &reversed {
            sums.file(claim);
        }
        assert!(sums.left_over().is_none());
    }

    #[test]
    fn what_was_taken_back_and_said_again_counts_as_it_stands_last() {
        let device = |value| claim(ComparedRelation::Device, "d", value);
        let in_log =
            [device(Some("suspended")), device(None), device(Some("suspended")), device(Some("revoked"))];
        assert_eq!(compare(&in_log, &[device(Some("revoked"))]), []);
        assert_eq!(compare(&in_log[..3], &[device(Some("suspended"))]), []);
        assert_eq!(compare(&in_log[..2], &[]), []);
        assert_eq!(compare(&in_log, &[]).len(), 1, "let in again behind the back of the log");
    }

    #[test]
    fn one_certificate_among_thousands_that_one_side_does_not_know_is_named() {
        let many: Vec<_> =
            (0..5000).map(|n| claim(ComparedRelation::Issued, &n.to_string(), Some("thumbprint"))).collect();
        let (known, missing) = (&many[1..], &many[0]);
        let [found] = <[_; 1]>::try_from(compare(&many, known)).unwrap();
        assert_eq!((found.key, found.filed), (missing.key.clone(), None));
        let [found] = <[_; 1]>::try_from(compare(known, &many)).unwrap();
        assert_eq!((found.key, found.in_log), (missing.key.clone(), None));
        let mut altered = many.clone();
        altered[7].value = Some("another".into());
        let [found] = <[_; 1]>::try_from(compare(&many, &altered)).unwrap();
        assert_eq!((found.key, found.filed.as_deref()), ("7".into(), Some("another")));
    }

    #[test]
    fn a_certificate_that_ended_twice_is_no_difference() {
        let ended = claim(ComparedRelation::Ended, "d/1", Some("ended"));
        assert_eq!(compare(&[ended.clone(), ended.clone()], &[ended]), []);
    }
}
