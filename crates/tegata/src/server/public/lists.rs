//! The published CRLs that are asked for, in memory.

use axum::body::Bytes;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tegata_core::{IssuerId, Timestamp};
use tegata_storage::{Ledger, LedgerError, StoredCrl};
use tokio::sync::{Notify, watch};

/// How long a list is given without asking the ledger whether another process has published a newer one. No longer
/// than caches are told to keep it.
const UNQUESTIONED: Duration = Duration::from_secs(1);

/// How many bytes of lists are kept. What does not fit is read from the ledger at every request.
const KEPT: usize = 64 << 20;

/// A list as it is served.
pub struct ServedCrl {
    pub der: Bytes,
    /// An entity tag, in quotes.
    pub tag: String,
    pub this_update: Timestamp,
    next_update: Timestamp,
    number: u64,
}

/// The lists asked for last.
#[derive(Default)]
pub struct CrlCache {
    published: Mutex<CrlCacheState>,
    /// The CAs whose lists are out, or could not be published.
    turned: watch::Sender<HashSet<IssuerId>>,
    /// Lists may be out that were not.
    news: Notify,
}

#[derive(Default)]
struct CrlCacheState {
    lists: HashMap<(IssuerId, u16), CachedCrl>,
    bytes: usize,
    /// Moves whenever a list may have been replaced: what was read before is not believed after.
    turn: u64,
}

struct CachedCrl {
    list: Arc<ServedCrl>,
    checked: Option<Timestamp>,
}

impl CrlCache {
    /// The published list of a shard. While the ledger is out of reach, the last one that is known, until its next one is due.
    pub async fn get(
        &self,
        ledger: &Ledger,
        issuer: &IssuerId,
        shard: u16,
        now: Timestamp,
    ) -> Result<Option<Arc<ServedCrl>>, LedgerError> {
        let place = (issuer.clone(), shard);
        let (turn, kept) = {
            let published = self.published();
            let kept = published.lists.get(&place);
            let is_sure = |at: Timestamp| now.since(at) < UNQUESTIONED && at.since(now) < UNQUESTIONED;
            if let Some(kept) = kept.filter(|kept| kept.checked.is_some_and(is_sure)) {
                return Ok(Some(kept.list.clone()));
            }
            (published.turn, kept.map(|kept| kept.list.clone()))
        };
        match look(ledger, &place, kept.clone()).await {
            Ok(Some(list)) => {
                self.published().put(place, list.clone(), now, turn);
                Ok(Some(list))
            }
            Ok(None) => Ok(None),
            Err(error) => match kept.filter(|kept| now < kept.next_update) {
                Some(list) => Ok(Some(list)),
                None => Err(error),
            },
        }
    }

    /// Has the lists of all CAs at hand, as far as there is room, before anybody asks.
    pub async fn take_in(&self, ledger: &Ledger, now: Timestamp) -> Result<(), LedgerError> {
        for issuer in ledger.issuers().await? {
            self.take_in_of(ledger, &issuer.id, now).await?;
        }
        Ok(())
    }

    /// Has the lists of one CA at hand.
    pub async fn take_in_of(
        &self,
        ledger: &Ledger,
        issuer: &IssuerId,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        for shard in ledger.shards(issuer).await? {
            if shard.published.is_some() && self.published().bytes < KEPT / 2 {
                self.get(ledger, issuer, shard.number, now).await?;
            }
        }
        Ok(())
    }

    /// A CA has published: the ledger is asked before its lists are given again.
    pub fn question(&self, issuer: &IssuerId) {
        let mut published = self.published();
        published.turn += 1;
        for ((of, _), kept) in &mut published.lists {
            if of == issuer {
                kept.checked = None;
            }
        }
    }

    /// This server has published something.
    pub fn has_news(&self) {
        self.news.notify_one();
    }

    /// Waits until this server has published something.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    /// A CA's lists are out, or could not be published.
    pub fn turned(&self, issuer: &IssuerId) {
        self.turned.send_if_modified(|turned| turned.insert(issuer.clone()));
    }

    /// Waits until that is so of all of these.
    pub async fn all_turned(&self, issuers: &[IssuerId]) {
        let mut turned = self.turned.subscribe();
        drop(turned.wait_for(|turned| issuers.iter().all(|issuer| turned.contains(issuer))).await);
    }

    fn published(&self) -> MutexGuard<'_, CrlCacheState> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The list of a place, read only where it is not the one that is kept.
async fn look(
    ledger: &Ledger,
    (issuer, shard): &(IssuerId, u16),
    kept: Option<Arc<ServedCrl>>,
) -> Result<Option<Arc<ServedCrl>>, LedgerError> {
    let number = ledger.crl_number(issuer, *shard).await?;
    match kept {
        Some(list) if Some(list.number) == number => Ok(Some(list)),
        _ => Ok(ledger.crl(issuer, *shard).await?.map(ServedCrl::from).map(Arc::new)),
    }
}

impl CrlCacheState {
    fn put(&mut self, place: (IssuerId, u16), list: Arc<ServedCrl>, now: Timestamp, turn: u64) {
        let before = self.lists.get(&place).map_or(0, |kept| kept.list.der.len());
        let bytes = self.bytes - before + list.der.len();
        if bytes > KEPT {
            self.lists.clear();
            self.bytes = 0;
            return;
        }
        let checked = (turn == self.turn).then_some(now);
        self.lists.insert(place, CachedCrl { list, checked });
        self.bytes = bytes;
    }
}

impl From<StoredCrl> for ServedCrl {
    fn from(crl: StoredCrl) -> Self {
        Self {
            // The number alone would repeat after a restore from a backup.
            tag: format!("\"{}-{}\"", crl.number, crl.this_update.seconds()),
            der: crl.der.into(),
            this_update: crl.this_update,
            next_update: crl.next_update,
            number: crl.number,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_core::IssuerId;
    use tegata_core::entropy::Seeded;
    use tegata_storage::{Actor, IssuerKind, StoredIssuer};

    const NOW: Timestamp = Timestamp::from_seconds(1_782_864_000);

    async fn publish(ledger: &Ledger, issuer: &IssuerId, number: u64) {
        let (this_update, next_update) = (NOW, NOW.plus(UNQUESTIONED * 3600));
        let list =
            StoredCrl { number, revision: 1, this_update, next_update, der: number.to_be_bytes().into() };
        let mut transaction = ledger.begin(NOW).await.unwrap();
        assert!(transaction.publish_crl(issuer, 0, &list).await.unwrap());
        transaction.commit().await.unwrap();
    }

    #[tokio::test]
    async fn a_newer_list_is_given_at_once_and_another_processs_within_a_second() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("ledger").display());
        let ledger = Ledger::open(&url).await.unwrap();
        let issuer = IssuerId::random(&Seeded::new(1));
        let stored = StoredIssuer::new(issuer.clone(), IssuerKind::Issuing, vec![0], None);
        let mut transaction = ledger.begin(NOW).await.unwrap();
        transaction.add_issuer(&stored, &Actor::System("test")).await.unwrap();
        transaction.commit().await.unwrap();

        let lists = CrlCache::default();
        let given =
            async |now: Timestamp| lists.get(&ledger, &issuer, 0, now).await.unwrap().map(|list| list.number);
        assert_eq!(given(NOW).await, None);
        publish(&ledger, &issuer, 1).await;
        assert_eq!(given(NOW).await, Some(1));
        publish(&ledger, &issuer, 2).await;
        assert_eq!(given(NOW).await, Some(1), "nobody has said that there is a newer one");
        assert_eq!(given(NOW.plus(UNQUESTIONED)).await, Some(2));
        publish(&ledger, &issuer, 3).await;
        lists.question(&issuer);
        assert_eq!(given(NOW.plus(UNQUESTIONED)).await, Some(3));
        assert_eq!(given(NOW).await, Some(3), "a clock set back does not bring an old list back");

        ledger.close().await;
        let later = NOW.plus(UNQUESTIONED * 3599);
        assert_eq!(given(later).await, Some(3), "without the ledger it is given until the next one is due");
        assert!(lists.get(&ledger, &issuer, 0, NOW.plus(UNQUESTIONED * 3600)).await.is_err());
    }
}
