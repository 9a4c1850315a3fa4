//! The chain of the audit log, followed from its beginning or from anywhere else.
//!
//! Where entries were let go there is a *gap* in their place, with the hash from which the chain goes on. It counts only if a
//! later entry of the same chain says so: that entry has a digest over all gaps that were made with it. So a gap can no more
//! be made up than an entry can.

use super::{AuditEntry, AuditFault};
use crate::hash_chain::next_hash;
use ring::digest::{Context, SHA256};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use tegata_core::Timestamp;
use tegata_core::encoding::hex;

/// Entries that were let go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditGap {
    /// The first and the last of them.
    pub first: u64,
    /// The last of them.
    pub last: u64,
    /// The hash of the last, from which the chain goes on.
    pub hash: Vec<u8>,
    /// The entry that says so.
    pub entry: u64,
}

/// What stands next in the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AuditLink {
    /// An entry and its hash.
    Entry(AuditEntry, Vec<u8>),
    /// Nothing but the proof.
    Gap(AuditGap),
}

/// What entries say that let others go.
pub(super) const FOLDED: &str = "audit.folded";
/// The action of an entry that lets others go because they were older than is kept.
pub(super) const PRUNED: &str = "audit.pruned";

/// The chain as far as it was followed.
pub struct AuditChain {
    seq: u64,
    hash: Vec<u8>,
    /// Gaps that no entry has spoken of yet, by the entry that has to: its number of gaps, and their digest so far.
    unfounded: BTreeMap<u64, (u64, u64, Context)>,
}

impl Default for AuditChain {
    /// From the first entry.
    fn default() -> Self {
        Self::from(0, vec![0; 32])
    }
}

impl AuditChain {
    /// From behind the entry with this number and hash.
    pub fn from(seq: u64, hash: Vec<u8>) -> Self {
        Self { seq, hash, unfounded: BTreeMap::new() }
    }

    /// The last entry, or the last of a gap.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The SHA-256 of the last entry that was followed.
    pub fn hash(&self) -> &[u8] {
        &self.hash
    }

    /// Checks the next entry, or gap, against the chain so far.
    ///
    /// # Errors
    /// [`AuditFault`] says what is wrong with this step, or with the gaps that its entry speaks of.
    pub fn follow(&mut self, link: &AuditLink) -> Result<(), AuditFault> {
        match link {
            AuditLink::Entry(entry, hash) => {
                self.seq += 1;
                if entry.seq != self.seq {
                    return Err(AuditFault::Missing(self.seq));
                }
                self.hash = next_hash(&self.hash, &entry.entry);
                if *hash != self.hash {
                    return Err(AuditFault::Changed(self.seq));
                }
                self.found(entry)
            }
            AuditLink::Gap(gap) => {
                if gap.first != self.seq + 1 {
                    return Err(AuditFault::Missing(self.seq + 1));
                }
                if gap.last < gap.first || gap.entry <= gap.last || gap.hash.len() != 32 {
                    return Err(AuditFault::Unfounded(gap.first));
                }
                let new = || (gap.first, 0, Context::new(&SHA256));
                let (_, count, digest) = self.unfounded.entry(gap.entry).or_insert_with(new);
                *count += 1;
                add(digest, gap);
                (self.seq, self.hash) = (gap.last, gap.hash.clone());
                Ok(())
            }
        }
    }

    /// Whether every gap so far was spoken of.
    ///
    /// # Errors
    /// [`AuditFault::Unfounded`] with the first that was not.
    pub fn finish(&self) -> Result<(), AuditFault> {
        let first = self.unfounded.values().map(|(first, ..)| *first).min();
        first.map_or(Ok(()), |first| Err(AuditFault::Unfounded(first)))
    }

    /// The gaps that this entry has to speak of.
    fn found(&mut self, entry: &AuditEntry) -> Result<(), AuditFault> {
        let Some((first, count, digest)) = self.unfounded.remove(&entry.seq) else { return Ok(()) };
        let said: Option<FoundingEntry> = serde_json::from_str(&entry.entry).ok();
        let is_said = said.is_some_and(|said| {
            [FOLDED, PRUNED].contains(&&*said.action)
                && said.detail["gaps"].as_u64() == Some(count)
                && said.detail["digest"].as_str() == Some(&hex(digest.finish().as_ref()))
        });
        if is_said { Ok(()) } else { Err(AuditFault::Unfounded(first)) }
    }
}

#[derive(Deserialize)]
struct FoundingEntry {
    action: String,
    detail: Value,
}

/// What an entry says of the gaps that are made with it.
pub(super) fn digest_of(gaps: &[AuditGap]) -> String {
    let mut digest = Context::new(&SHA256);
    for gap in gaps {
        add(&mut digest, gap);
    }
    hex(digest.finish().as_ref())
}

fn add(digest: &mut Context, gap: &AuditGap) {
    digest.update(&gap.first.to_be_bytes());
    digest.update(&gap.last.to_be_bytes());
    digest.update(&gap.hash);
}

/// A row of the log, or a gap in it.
#[derive(sqlx::FromRow)]
pub(crate) struct LinkRow {
    seq: i64,
    at: i64,
    device: Option<String>,
    entry: String,
    hash: Vec<u8>,
    /// The last entry that the gap covers; none for an entry.
    last: Option<i64>,
    founded_by: Option<i64>,
}

/// The part of an entry that its row repeats, to be found by.
#[derive(Deserialize)]
struct FiledEntry {
    seq: i64,
    at: Timestamp,
    device: Option<String>,
}

impl LinkRow {
    /// Only the entry is hashed, so the columns beside it must say the same.
    pub(crate) fn is_filed_as_it_says(&self) -> bool {
        self.last.is_some()
            || serde_json::from_str::<FiledEntry>(&self.entry).is_ok_and(|filed| {
                filed.seq == self.seq && filed.at.millis() == self.at && filed.device == self.device
            })
    }

    pub(crate) fn link(self) -> AuditLink {
        let seq = self.seq.unsigned_abs();
        match (self.last, self.founded_by) {
            (Some(last), founded_by) => AuditLink::Gap(AuditGap {
                first: seq,
                last: last.unsigned_abs(),
                hash: self.hash,
                entry: founded_by.unwrap_or_default().unsigned_abs(),
            }),
            (None, _) => {
                AuditLink::Entry(AuditEntry { seq, at: self.at.into(), entry: self.entry }, self.hash)
            }
        }
    }
}

/// The rows of the log and its gaps after `$1`, at most `$2`, in their order.
macro_rules! links {
    () => {
        "SELECT seq, at, device, entry, hash, CAST(NULL AS BIGINT) AS last, CAST(NULL AS BIGINT) AS founded_by \
         FROM audit WHERE seq > $1 UNION ALL \
         SELECT first AS seq, 0 AS at, NULL AS device, '' AS entry, hash, last, entry AS founded_by \
         FROM audit_gap WHERE first > $1 ORDER BY 1 LIMIT $2"
    };
}
pub(crate) use links;

/// One step of a whole walk: the row itself, and the chain.
pub(crate) fn step(chain: &mut AuditChain, row: LinkRow) -> Result<AuditLink, AuditFault> {
    let is_filed = row.is_filed_as_it_says();
    let link = row.link();
    chain.follow(&link)?;
    if is_filed { Ok(link) } else { Err(AuditFault::Changed(chain.seq())) }
}

/// Whether the head agrees with a chain that was followed to its end, and nothing comes after it.
pub(crate) fn end(chain: &AuditChain, head_seq: u64, head_hash: &[u8], last: u64) -> Result<u64, AuditFault> {
    if last > head_seq {
        return Err(AuditFault::Changed(head_seq + 1));
    }
    chain.finish()?;
    if chain.seq() == head_seq && chain.hash() == head_hash {
        Ok(chain.seq())
    } else {
        Err(AuditFault::Changed(chain.seq()))
    }
}
