//! Token status lists (draft-ietf-oauth-status-list): what tokens refer to, and what readers fetch.
//!
//! The lists are made in memory, from the ledger, and signed with the key that signs tokens. Every server makes the same
//! lists: names and order come from a secret in the ledger. [`publish_statuses`] keeps them up to date.

mod list_set;
mod list_state;
mod publishing;

pub use publishing::{begin_status_lists, publish_statuses};

use arc_swap::{ArcSwap, ArcSwapOption};
use axum::body::Bytes;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_core::status_list::{ListEntry, ListLayout, ListSecret, StatusClaim, list_of};

/// How long a list may be relied upon: three times what a token lives by default, for whoever is away for longer gives
/// out no tokens either.
pub const STATUS_LIST_LIFE: Duration = Duration::from_mins(15);

/// After which time readers and caches ask again.
pub const STATUS_LIST_TTL: Duration = Duration::from_secs(10);

/// Below the public address: the lists, each by its name, and all of them.
pub const STATUS_LISTS: &str = "/status";

/// A list as it is given.
pub struct SignedList {
    /// The signed status list token, uncompressed.
    pub text: Bytes,
    /// The signed status list token, compressed with gzip.
    pub gzipped: Bytes,
    /// The entity tag, without quotes.
    pub tag: String,
    /// When it was made.
    pub issued: Timestamp,
    /// When the list expires, and must no longer be used.
    pub expires: Timestamp,
    kid: String,
}

/// The lists of this server. Empty until [`publish_statuses`] runs.
#[derive(Default)]
pub struct StatusLists {
    order: ArcSwapOption<ListAssignment>,
    published: ArcSwap<PublishedLists>,
}

/// The lists that are served until the next publication.
#[derive(Default)]
struct PublishedLists {
    lists: HashMap<String, Arc<SignedList>>,
    all: Bytes,
}

/// Where certificates have their entries.
struct ListAssignment {
    bytes: [u8; 32],
    secret: ListSecret,
    /// The address before the name of a list.
    base: String,
    known: RwLock<HashMap<u64, Arc<StatusListPlace>>>,
}

/// One list: how it is laid out, and where it is.
struct StatusListPlace {
    layout: ListLayout,
    uri: String,
}

impl StatusLists {
    /// The `status` claim of tokens of the certificate at a place; nothing before the lists have begun.
    pub fn claim(&self, place: u64) -> Option<StatusClaim> {
        let list = self.order.load().as_ref()?.list(list_of(place));
        let status_list = ListEntry { idx: list.layout.index(place), uri: list.uri.clone() };
        Some(StatusClaim { status_list })
    }

    /// The list of this name, if there is one.
    pub fn get(&self, name: &str) -> Option<Arc<SignedList>> {
        self.published.load().lists.get(name).cloned()
    }

    /// The addresses of all lists (section 9.3 of the draft), JSON; nothing while none is published.
    pub fn all(&self) -> Option<Bytes> {
        let published = self.published.load();
        (!published.lists.is_empty()).then(|| published.all.clone())
    }

    fn order(&self) -> Option<Arc<ListAssignment>> {
        self.order.load_full()
    }

    /// Begins to assign entries. Repeating it with the same secret changes nothing.
    fn begin(&self, bytes: [u8; 32], public: &str) {
        if self.order.load().as_ref().is_none_or(|order| order.bytes != bytes) {
            self.order.store(Some(Arc::new(ListAssignment::new(bytes, public))));
        }
    }
}

impl ListAssignment {
    fn new(bytes: [u8; 32], public: &str) -> Self {
        let (secret, base) = (ListSecret::new(&bytes), format!("{public}{STATUS_LISTS}/"));
        Self { bytes, secret, base, known: RwLock::default() }
    }

    fn list(&self, number: u64) -> Arc<StatusListPlace> {
        if let Some(list) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&number) {
            return list.clone();
        }
        let layout = self.secret.layout(number);
        let list = Arc::new(StatusListPlace { uri: format!("{}{}", self.base, layout.name()), layout });
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.entry(number).or_insert(list).clone()
    }
}
