//! Token status lists (draft-ietf-oauth-status-list): where each certificate has its entry, and what entries say.
//!
//! Each certificate gets the next *place* when it is reserved, counted through the whole installation. [`PLACES`]
//! places make a list. Which entry of the list a place is, only the installation's [`ListSecret`] tells: neighbors in
//! the list were not issued one after the other, and what has been given out looks like what has not. The lists are
//! everybody's, so that none belongs to a tenant, and what no place leads to are *decoys*: they move with the tenants
//! that are stopped, so that nobody can count a tenant's certificates.

mod shuffle;

use crate::certificate::CertificateState;
use crate::device::DeviceState;
use crate::encoding::base32;
use crate::id::TenantId;
use ring::hmac;
use serde::{Deserialize, Serialize};
use shuffle::Shuffle;
use std::ops::Range;

/// The `typ` of a signed list.
pub const STATUS_LIST: &str = "statuslist+jwt";

/// Bits of an entry: there are more than two statuses.
pub const BITS: u8 = 2;

/// Entries of a list: 2^17, the least that is recommended for a crowd to hide in (W3C Bitstring Status List, 6.1).
pub const LENGTH: u32 = 1 << shuffle::WIDTH;

/// Entries that no place leads to.
pub const DECOYS: u32 = LENGTH / 8;

/// Places in a list.
pub const PLACES: u32 = LENGTH - DECOYS;

/// The status of an entry (section 7.1 of the draft).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum TokenStatus {
    /// To be accepted. What has not been given out says so, too.
    #[default]
    Valid,
    /// Never to be accepted again.
    Invalid,
    /// Not to be accepted for now.
    Suspended,
}

impl TokenStatus {
    /// The status of a certificate in this state, held by a device that counts as in that one.
    pub const fn of(certificate: CertificateState, device: DeviceState) -> Self {
        match (certificate, device) {
            (CertificateState::Retired | CertificateState::Revoked, _)
            | (_, DeviceState::Revoked | DeviceState::Retired) => Self::Invalid,
            (_, DeviceState::Suspended) => Self::Suspended,
            (_, DeviceState::Active) => Self::Valid,
        }
    }

    const fn bits(self) -> u8 {
        match self {
            Self::Valid => 0,
            Self::Invalid => 1,
            Self::Suspended => 2,
        }
    }
}

/// The entries of one list, as the draft packs them: the first in the lowest bits of the first byte.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StatusEntries(Vec<u8>);

impl Default for StatusEntries {
    /// [`LENGTH`] entries, all valid.
    fn default() -> Self {
        Self(vec![0; LENGTH as usize * usize::from(BITS) / 8])
    }
}

impl StatusEntries {
    /// The statuses packed several to a byte as the draft prescribes, before compression.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The entry at an index; nothing beyond the end or for a value without a meaning here.
    pub fn get(&self, index: u32) -> Option<TokenStatus> {
        let byte = self.0.get(index as usize / 4)?;
        match (byte >> shift(index)) & 3 {
            0 => Some(TokenStatus::Valid),
            1 => Some(TokenStatus::Invalid),
            2 => Some(TokenStatus::Suspended),
            _ => None,
        }
    }

    /// Changes an entry; gives whether it was another. Beyond the end nothing changes.
    pub fn set(&mut self, index: u32, status: TokenStatus) -> bool {
        let Some(byte) = self.0.get_mut(index as usize / 4) else { return false };
        let changed = (*byte & !(3 << shift(index))) | (status.bits() << shift(index));
        std::mem::replace(byte, changed) != changed
    }
}

impl From<Vec<u8>> for StatusEntries {
    fn from(packed: Vec<u8>) -> Self {
        Self(packed)
    }
}

const fn shift(index: u32) -> u32 {
    index % 4 * 2
}

/// The reference in a token's `status` claim (section 6.2 of the draft).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StatusClaim {
    /// Where a verifier finds the status.
    pub status_list: ListEntry,
}

/// An entry of a list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ListEntry {
    /// The index of the entry in that list.
    pub idx: u32,
    /// The list's address, which is the `sub` in the list.
    pub uri: String,
}

/// Which list a place is in.
pub const fn list_of(place: u64) -> u64 {
    place / PLACES as u64
}

/// The places of a list.
pub const fn places_of(list: u64) -> Range<u64> {
    let first = list * PLACES as u64;
    first..first + PLACES as u64
}

/// What the names of lists and the order of their entries are made from. It is not published, and no key: whoever knows
/// it learns in which order certificates were issued.
#[derive(Clone)]
pub struct ListSecret(hmac::Key);

impl ListSecret {
    /// From 32 random bytes.
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The list with this number.
    pub fn layout(&self, list: u64) -> ListLayout {
        let secret = hmac::sign(&self.0, format!("list {list}").as_bytes());
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_ref());
        let name = hmac::sign(&key, b"name");
        ListLayout { name: base32(&name.as_ref()[..10]), shuffle: Shuffle::new(&key), key }
    }
}

/// How one list is laid out.
pub struct ListLayout {
    name: String,
    shuffle: Shuffle,
    key: hmac::Key,
}

impl ListLayout {
    /// Its name, the last part of its address: 80 bits that do not tell which list came first.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The index of a place; the place says which list it is in.
    pub fn index(&self, place: u64) -> u32 {
        #[allow(clippy::cast_possible_truncation, reason = "a remainder of a number of 17 bits")]
        let offset = (place % u64::from(PLACES)) as u32;
        self.shuffle.index(offset)
    }

    /// The indices of all decoys, which belong to no token.
    pub fn decoys(&self) -> impl Iterator<Item = u32> + '_ {
        (PLACES..LENGTH).map(|number| self.shuffle.index(number))
    }

    /// The decoys that are suspended with a tenant: how many, and which, is always the same, and nobody else knows it.
    pub fn decoys_of(&self, tenant: &TenantId) -> impl Iterator<Item = u32> + '_ {
        let chance = hmac::sign(&self.key, format!("tenant {tenant}").as_bytes());
        let [count, first] = [0, 4].map(|at| {
            let mut four = [0; 4];
            four.copy_from_slice(&chance.as_ref()[at..at + 4]);
            u32::from_be_bytes(four) % DECOYS
        });
        (0..count).map(move |number| self.shuffle.index(PLACES + (first + number) % DECOYS))
    }
}

#[cfg(test)]
mod tests;
