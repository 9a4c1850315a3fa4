//! Refusals of one kind, counted in memory.

use crate::actor::Actor;
use crate::audit::AuditNote;
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tegata_core::{DeviceId, Timestamp};

/// How long refusals of a kind are one.
const INTERVAL: Duration = Duration::from_hours(1);

/// Kinds that are told apart. Beyond it those who are known count among the unknown.
const MOST: usize = 10_000;

/// Entries of known actors that are written at once in a second; the others are counted.
const AT_ONCE: u32 = 20;

/// Something that was refused. No secret, nothing about a person.
#[derive(Clone, Debug)]
pub struct RefusalNote {
    /// What was tried, as the audit log calls it.
    pub action: &'static str,
    /// Who was refused, as far as it is known.
    pub actor: Actor,
    /// The device that it concerns, if it is known.
    pub device: Option<DeviceId>,
    /// Why not: the refusal's stable code.
    pub code: &'static str,
    /// When it was refused.
    pub at: Timestamp,
}

/// Refusals that have no entry of their own yet.
#[derive(Default)]
pub(crate) struct Refusals(Mutex<RefusalTallies>);

#[derive(Default)]
struct RefusalTallies {
    tallies: HashMap<(&'static str, String, &'static str), RefusalTally>,
    second: i64,
    in_second: u32,
}

struct RefusalTally {
    first: RefusalNote,
    /// Whether the first has an entry.
    is_written: bool,
    /// All of them, the first included.
    count: u64,
    last_at: Timestamp,
}

impl Refusals {
    /// Counts a refusal, and gives the entry that is written at once.
    pub(super) fn add(&self, mut note: RefusalNote) -> Option<AuditNote> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = kept.tallies.len() >= MOST;
        if is_full && !kept.tallies.contains_key(&key_of(&note)) {
            (note.actor, note.device) = (Actor::Anonymous, None);
        }
        let (key, at) = (key_of(&note), note.at);
        if let Some(tally) = kept.tallies.get_mut(&key) {
            tally.count += 1;
            tally.last_at = at;
            return None;
        }
        if kept.second != at.seconds() {
            (kept.second, kept.in_second) = (at.seconds(), 0);
        }
        kept.in_second += 1;
        let is_written = kept.in_second <= AT_ONCE;
        let entry = is_written.then(|| entry(&note, json!({"code": note.code}), at));
        kept.tallies.insert(key, RefusalTally { first: note, is_written, count: 1, last_at: at });
        entry
    }

    /// One that was alone and has its entry needs no other.
    pub(super) fn take(&self, now: Timestamp, all: bool) -> Vec<AuditNote> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over =
            |tally: &RefusalTally| all || now < tally.first.at || now.since(tally.first.at) >= INTERVAL;
        let over = kept.tallies.extract_if(|_, tally| is_over(tally));
        over.filter(|(_, tally)| tally.count > u64::from(tally.is_written))
            .map(|(_, RefusalTally { first, count, last_at, .. })| {
                entry(
                    &first,
                    json!({"code": first.code, "count": count, "since": first.at, "until": last_at}),
                    now,
                )
            })
            .collect()
    }
}

fn key_of(note: &RefusalNote) -> (&'static str, String, &'static str) {
    (note.action, note.actor.to_string(), note.code)
}

fn entry(note: &RefusalNote, detail: serde_json::Value, at: Timestamp) -> AuditNote {
    AuditNote { actor: note.actor.clone(), action: note.action, device: note.device.clone(), detail, at }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_core::InvitationId;
    use tegata_core::entropy::Seeded;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

    fn note(actor: Actor, code: &'static str, at: Timestamp) -> RefusalNote {
        RefusalNote { action: "certificate.refused", actor, device: None, code, at }
    }

    #[test]
    fn however_often_strangers_are_refused_the_log_has_one_entry_and_a_count() {
        let refusals = Refusals::default();
        let later = |seconds| NOW.plus(Duration::from_secs(seconds));
        let written =
            (0..1000).filter_map(|n| refusals.add(note(Actor::Anonymous, "E-01", later(n)))).count();
        assert_eq!(written, 1);
        assert!(
            refusals.add(note(Actor::Anonymous, "E-02", NOW)).is_some(),
            "another reason is another kind"
        );
        assert!(refusals.take(later(3599), false).is_empty());
        let counted = refusals.take(later(3600), false);
        assert_eq!(counted.len(), 1, "what was alone was said");
        let detail = json!({"code": "E-01", "count": 1000, "since": NOW, "until": later(999)});
        assert_eq!(counted[0].detail, detail);
        assert!(refusals.take(later(9999), true).is_empty());
        assert!(refusals.add(note(Actor::Anonymous, "E-01", later(3601))).is_some(), "and begins anew");
    }

    #[test]
    fn memory_has_an_end_and_nothing_goes_uncounted() {
        let (refusals, entropy) = (Refusals::default(), Seeded::new(1));
        let all = u64::try_from(MOST).unwrap() + 500;
        let mut written = 0;
        for _ in 0..all {
            let actor = Actor::Invitation(InvitationId::random(&entropy));
            written += u64::from(refusals.add(note(actor, "E-01", NOW)).is_some());
        }
        assert_eq!(written, u64::from(AT_ONCE), "whoever comes in a flood is counted");
        assert!(refusals.0.lock().unwrap().tallies.len() <= MOST + 1);
        let counted: u64 =
            refusals.take(NOW, true).iter().map(|note| note.detail["count"].as_u64().unwrap()).sum();
        assert_eq!(written + counted, all);
    }
}
