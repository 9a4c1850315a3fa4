//! The denials that a follower of the feed keeps in memory.

use super::records::{DenialReason, DenialRecords, RecordKey};
use super::{Change, Denial, Event, Gap, Snapshot, TokenHolder, TokensBefore};
use crate::claims::AccessClaims;
use crate::id::{DeviceId, TenantId};
use crate::thumbprint::Thumbprint;
use crate::timestamp::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// Changes are kept beside the sorted records until they are this many, or this part of them.
const RECENT: usize = 1024;
const RECENT_PART: usize = 64;

/// What is denied, at one place in the sequence. Cloning shares everything but the most recent changes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Denials {
    seq: u64,
    devices: RecordSet,
    certificates: RecordSet,
    tokens: HashMap<Box<str>, Timestamp>,
    tenants: HashMap<TenantId, Denial>,
    devices_tokens: TokenAges<DeviceId>,
    tenants_tokens: TokenAges<TenantId>,
}

impl From<Snapshot> for Denials {
    fn from(snapshot: Snapshot) -> Self {
        let denials = Self {
            seq: snapshot.seq,
            devices: RecordSet::from(snapshot.devices),
            certificates: RecordSet::from(snapshot.certificates),
            tokens: snapshot.tokens.into_iter().map(|(jti, until)| (jti.into(), until)).collect(),
            ..Self::default()
        };
        denials.with(snapshot.tenants, snapshot.tokens_before)
    }
}

impl Denials {
    /// From the states themselves, as they are after event `seq`.
    pub fn collect(
        seq: u64,
        devices: impl IntoIterator<Item = (DeviceId, Denial)>,
        certificates: impl IntoIterator<Item = (Thumbprint, Denial, Timestamp)>,
        tokens: impl IntoIterator<Item = (String, Timestamp)>,
    ) -> Self {
        let devices = devices.into_iter().map(|(device, why)| (device.bits(), DenialReason::ever(why)));
        let certificates = certificates
            .into_iter()
            .map(|(thumbprint, why, until)| (half(&thumbprint), DenialReason::until(why, until)));
        Self {
            seq,
            devices: RecordSet::from(DenialRecords::collect(devices)),
            certificates: RecordSet::from(DenialRecords::collect(certificates)),
            tokens: tokens.into_iter().map(|(jti, until)| (jti.into(), until)).collect(),
            ..Self::default()
        }
    }

    /// With tenants that are denied, and tokens that are denied by their age.
    #[must_use]
    pub fn with(
        mut self,
        tenants: impl IntoIterator<Item = (TenantId, Denial)>,
        tokens: impl IntoIterator<Item = TokensBefore>,
    ) -> Self {
        self.tenants.extend(tenants);
        tokens.into_iter().for_each(|tokens| self.deny_by_age(&tokens));
        self
    }

    /// The last event applied.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Applies the next event. One that was applied before changes nothing.
    ///
    /// # Errors
    /// [`Gap`] when events are missing in between; nothing is applied.
    pub fn apply(&mut self, event: &Event) -> Result<(), Gap> {
        if event.seq <= self.seq {
            return Ok(());
        }
        if event.seq != self.seq + 1 {
            return Err(Gap { applied: self.seq, found: event.seq });
        }
        match &event.change {
            Change::DeviceDenied { device, reason } => {
                self.devices.set(device.bits(), Some(DenialReason::ever(*reason)));
            }
            Change::DeviceAllowed { device } => self.devices.set(device.bits(), None),
            Change::CertificateDenied { thumbprint, reason, until } => {
                self.certificates.set(half(thumbprint), Some(DenialReason::until(*reason, *until)));
            }
            Change::TokenDenied { jti, until } => {
                self.tokens.insert(jti.as_str().into(), *until);
            }
            Change::TenantDenied { tenant, reason } => {
                self.tenants.insert(tenant.clone(), *reason);
            }
            Change::TenantAllowed { tenant } => {
                self.tenants.remove(tenant);
            }
            Change::TokensDenied(tokens) => self.deny_by_age(tokens),
        }
        self.seq = event.seq;
        Ok(())
    }

    /// Whether and why this certificate of this device is refused. The device's own denial is named
    /// first unless the certificate is revoked.
    pub fn denial(&self, device: &DeviceId, thumbprint: &Thumbprint) -> Option<Denial> {
        self.denial_within(None, device, thumbprint)
    }

    /// Whether and why this certificate of this device is refused, its tenant's suspension included. Servers ask this
    /// for every request; a gate's own certificate has no tenant to name, since gates go on when their tenant is
    /// stopped.
    pub fn denial_within(
        &self,
        tenant: Option<&TenantId>,
        device: &DeviceId,
        thumbprint: &Thumbprint,
    ) -> Option<Denial> {
        let certificate = self.certificates.get(&half(thumbprint)).map(DenialReason::why);
        if certificate == Some(Denial::Revoked) {
            return certificate;
        }
        let device = self.devices.get(&device.bits()).map(DenialReason::why);
        let tenant = || tenant.and_then(|tenant| self.tenants.get(tenant).copied());
        device.or_else(tenant).or(certificate)
    }

    /// Whether the token with this `jti` was revoked, or the session with this `sid` ended.
    pub fn token_denied(&self, jti: &str) -> bool {
        self.tokens.contains_key(jti)
    }

    /// Whether a token is refused, by its name, by that of its session, or by its age: what is asked of every token.
    pub fn denies_token(&self, claims: &AccessClaims) -> bool {
        let issued = Timestamp::from_seconds(claims.iat);
        self.token_denied(&claims.jti)
            || claims.sid.as_deref().is_some_and(|session| self.token_denied(session))
            || self.tokens_before(&claims.tenant, &claims.device).is_some_and(|moment| issued < moment)
    }

    /// Tokens of this device that say they were issued before this moment are refused.
    pub fn tokens_before(&self, tenant: &TenantId, device: &DeviceId) -> Option<Timestamp> {
        self.devices_tokens.get(device).max(self.tenants_tokens.get(tenant))
    }

    /// Drops what can no longer be presented: certificates and tokens that ended before `now`. Of many certificates
    /// it waits until enough have ended to be worth the copy.
    pub fn forget(&mut self, now: Timestamp) {
        self.certificates.forget(now);
        self.tokens.retain(|_, until| *until >= now);
        self.devices_tokens.forget(now);
        self.tenants_tokens.forget(now);
    }

    /// Whether recent changes have become so many that [`Denials::pack`] is due. It is not done by itself, so that
    /// whoever holds two copies can share the result.
    pub fn wants_packing(&self) -> bool {
        self.devices.wants_packing() || self.certificates.wants_packing()
    }

    /// Sorts recent changes in among the records.
    pub fn pack(&mut self) {
        self.devices.pack();
        self.certificates.pack();
    }

    /// Everything denied, to send or to write to disk.
    pub fn snapshot(&self, at: Timestamp) -> Snapshot {
        let packed = |set: &RecordSet| {
            let mut set = set.clone();
            set.pack();
            set.records
        };
        Snapshot {
            seq: self.seq,
            at,
            devices: packed(&self.devices),
            certificates: packed(&self.certificates),
            tokens: self.tokens.iter().map(|(jti, until)| (jti.to_string(), *until)).collect(),
            tenants: self.tenants.iter().map(|(tenant, why)| (tenant.clone(), *why)).collect(),
            tokens_before: self
                .devices_tokens
                .iter(TokenHolder::Device)
                .chain(self.tenants_tokens.iter(TokenHolder::Tenant))
                .collect(),
        }
    }

    fn deny_by_age(&mut self, tokens: &TokensBefore) {
        match &tokens.of {
            TokenHolder::Device(device) => self.devices_tokens.set(device, tokens),
            TokenHolder::Tenant(tenant) => self.tenants_tokens.set(tenant, tokens),
        }
    }
}

/// From when on tokens are accepted, and until when that matters.
#[derive(Clone, PartialEq, Eq, Debug)]
struct TokenAges<K: Eq + Hash>(HashMap<K, (Timestamp, Timestamp)>);

impl<K: Eq + Hash> Default for TokenAges<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash + Clone> TokenAges<K> {
    fn get(&self, of: &K) -> Option<Timestamp> {
        self.0.get(of).map(|(issued_before, _)| *issued_before)
    }

    /// Only forward: an earlier moment takes nothing back.
    fn set(&mut self, of: &K, tokens: &TokensBefore) {
        let age = self.0.entry(of.clone()).or_default();
        *age = (*age).max((tokens.issued_before, tokens.until));
    }

    fn forget(&mut self, now: Timestamp) {
        self.0.retain(|_, (_, until)| *until >= now);
    }

    fn iter(&self, holder: fn(K) -> TokenHolder) -> impl Iterator<Item = TokensBefore> + '_ {
        self.0.iter().map(move |(of, (issued_before, until))| TokensBefore {
            of: holder(of.clone()),
            issued_before: *issued_before,
            until: *until,
        })
    }
}

/// The first half of a thumbprint.
fn half(thumbprint: &Thumbprint) -> RecordKey {
    let mut key = RecordKey::default();
    key.copy_from_slice(&thumbprint.as_bytes()[..16]);
    key
}

/// Sorted records, and what has changed since they were sorted: a denial, or its end.
#[derive(Clone, Debug, Default)]
struct RecordSet {
    records: DenialRecords,
    recent: HashMap<RecordKey, Option<DenialReason>>,
}

impl From<DenialRecords> for RecordSet {
    fn from(records: DenialRecords) -> Self {
        Self { records, recent: HashMap::new() }
    }
}

impl RecordSet {
    fn get(&self, key: &RecordKey) -> Option<DenialReason> {
        match self.recent.get(key) {
            Some(word) => *word,
            None => self.records.get(key),
        }
    }

    fn set(&mut self, key: RecordKey, word: Option<DenialReason>) {
        self.recent.insert(key, word);
    }

    fn wants_packing(&self) -> bool {
        self.recent.len() > RECENT.max(self.records.len() / RECENT_PART)
    }

    fn pack(&mut self) {
        if !self.recent.is_empty() {
            let room = self.records.len() + self.recent.len();
            self.records = DenialRecords::from_sorted(self.merged(), room);
            self.recent = HashMap::new();
        }
    }

    /// A rewrite is worth it for a short list, or when an eighth of a long one is over.
    fn forget(&mut self, now: Timestamp) {
        let over = self.records.iter().filter(|(_, deny)| deny.is_over(now)).count();
        if over > 0 && (self.records.len() < RECENT || over > self.records.len() / 8) {
            let kept = self.records.iter().filter(|(_, deny)| !deny.is_over(now));
            self.records = DenialRecords::from_sorted(kept, self.records.len() - over);
        }
        self.recent.retain(|_, word| word.is_none_or(|deny| !deny.is_over(now)));
    }

    /// All denials in ascending order of their keys.
    fn merged(&self) -> impl Iterator<Item = (RecordKey, DenialReason)> + '_ {
        let recent: BTreeMap<_, _> = self.recent.iter().map(|(key, word)| (*key, *word)).collect();
        let mut records = self.records.iter().peekable();
        let mut recent = recent.into_iter().peekable();
        std::iter::from_fn(move || {
            loop {
                let (key, word) = match (records.peek(), recent.peek()) {
                    (Some((old, _)), Some((new, _))) if old < new => records.next().map(some)?,
                    (Some((old, _)), Some((new, _))) => {
                        if old == new {
                            records.next();
                        }
                        recent.next()?
                    }
                    (Some(_), None) => records.next().map(some)?,
                    (None, _) => recent.next()?,
                };
                if let Some(deny) = word {
                    return Some((key, deny));
                }
            }
        })
    }
}

fn some((key, deny): (RecordKey, DenialReason)) -> (RecordKey, Option<DenialReason>) {
    (key, Some(deny))
}

/// Two sets are equal when they deny the same, however it is kept.
impl PartialEq for RecordSet {
    fn eq(&self, other: &Self) -> bool {
        self.merged().eq(other.merged())
    }
}

impl Eq for RecordSet {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::{Seeded, bytes};

    #[test]
    fn packing_changes_nothing_that_anybody_can_see() {
        let entropy = Seeded::new(3);
        let keys: Vec<RecordKey> = (0..50).map(|_| bytes(&entropy)).collect();
        let mut set = RecordSet::default();
        let mut truth = BTreeMap::new();
        for turn in 0..2000 {
            let key = keys[usize::from(bytes::<1>(&entropy)[0]) % keys.len()];
            let word = (turn % 3 != 0)
                .then(|| DenialReason::until(Denial::Revoked, Timestamp::from_seconds(turn * 60)));
            set.set(key, word);
            match word {
                Some(deny) => truth.insert(key, deny),
                None => truth.remove(&key),
            };
            if turn % 37 == 0 {
                let before = set.clone();
                set.pack();
                assert_eq!(set, before);
                assert!(set.recent.is_empty());
            }
            assert!(keys.iter().all(|key| set.get(key) == truth.get(key).copied()));
        }
        assert_eq!(set.merged().collect::<BTreeMap<_, _>>(), truth);
    }

    #[test]
    fn a_long_list_is_rewritten_when_enough_of_it_ended_a_short_one_at_once() {
        let entropy = Seeded::new(4);
        let entry = |minute: i64| {
            (
                bytes::<16>(&entropy),
                DenialReason::until(Denial::Retired, Timestamp::from_seconds(minute * 60)),
            )
        };
        let mut long = RecordSet::from(DenialRecords::collect((0..8000).map(entry)));
        long.forget(Timestamp::from_seconds(100 * 60));
        assert_eq!(long.records.len(), 8000);
        long.forget(Timestamp::from_seconds(2000 * 60));
        assert_eq!(long.records.len(), 6000);
        let mut short = RecordSet::from(DenialRecords::collect((0..8).map(entry)));
        short.forget(Timestamp::from_seconds(60));
        assert_eq!(short.records.len(), 7);
    }
}
