//! The published CRLs that are asked for, in memory.

use axum::body::Bytes;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tegata_core::{IssuerId, Timestamp};
use tegata_storage::{Ledger, LedgerError, StoredCrl};

/// How long a list is given without asking the ledger whether another process has published a newer one. No longer
/// than caches are told to keep it.
const UNQUESTIONED: Duration = Duration::from_secs(1);

/// How many bytes of lists are kept. What does not fit is read from the ledger at every request.
const KEPT: usize = 64 << 20;

/// A list as it is served.
pub struct List {
    pub der: Bytes,
    /// An entity tag, in quotes.
    pub tag: String,
    pub this_update: Timestamp,
    number: u64,
}

/// The lists asked for last.
#[derive(Default)]
pub struct Lists(Mutex<Shelf>);

#[derive(Default)]
struct Shelf {
    lists: HashMap<(IssuerId, u16), Kept>,
    bytes: usize,
    /// Moves whenever a list may have been replaced: what was read before is not believed after.
    turn: u64,
}

struct Kept {
    list: Arc<List>,
    checked: Option<Timestamp>,
}

impl Lists {
    /// The published list of a shard.
    pub async fn get(
        &self,
        ledger: &Ledger,
        issuer: &IssuerId,
        shard: u16,
        now: Timestamp,
    ) -> Result<Option<Arc<List>>, LedgerError> {
        let place = (issuer.clone(), shard);
        let (turn, kept) = {
            let shelf = self.shelf();
            let kept = shelf.lists.get(&place);
            let is_sure = |at: Timestamp| now.since(at) < UNQUESTIONED && at.since(now) < UNQUESTIONED;
            if let Some(kept) = kept.filter(|kept| kept.checked.is_some_and(is_sure)) {
                return Ok(Some(kept.list.clone()));
            }
            (shelf.turn, kept.map(|kept| kept.list.clone()))
        };
        let number = ledger.crl_number(issuer, shard).await?;
        let list = match kept {
            Some(list) if Some(list.number) == number => list,
            _ => match ledger.crl(issuer, shard).await? {
                Some(crl) => Arc::new(List::from(crl)),
                None => return Ok(None),
            },
        };
        self.shelf().put(place, list.clone(), now, turn);
        Ok(Some(list))
    }

    /// A CA has published: the ledger is asked before its lists are given again.
    pub fn question(&self, issuer: &IssuerId) {
        let mut shelf = self.shelf();
        shelf.turn += 1;
        for ((of, _), kept) in &mut shelf.lists {
            if of == issuer {
                kept.checked = None;
            }
        }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn put(&mut self, place: (IssuerId, u16), list: Arc<List>, now: Timestamp, turn: u64) {
        let before = self.lists.get(&place).map_or(0, |kept| kept.list.der.len());
        let bytes = self.bytes - before + list.der.len();
        if bytes > KEPT {
            self.lists.clear();
            self.bytes = 0;
            return;
        }
        let checked = (turn == self.turn).then_some(now);
        self.lists.insert(place, Kept { list, checked });
        self.bytes = bytes;
    }
}

impl From<StoredCrl> for List {
    fn from(crl: StoredCrl) -> Self {
        Self {
            // The number alone would repeat after a restore from a backup.
            tag: format!("\"{}-{}\"", crl.number, crl.this_update.seconds()),
            der: crl.der.into(),
            this_update: crl.this_update,
            number: crl.number,
        }
    }
}
