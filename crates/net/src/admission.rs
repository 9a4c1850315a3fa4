//! Admits connections up to the limits, and decides which silent ones give way.
//!
//! A connection is *silent* until its first request has arrived: it costs its client nothing. Silent connections have
//! places of their own number, and make room for newcomers: first those of networks that nobody has spoken from, among
//! these the network with the most of them, and its oldest one first. So a flood from one address pushes out itself, one
//! from many addresses pushes out strangers, and whoever has spoken is never cut for a newcomer.
//!
//! What counts as one network is an IPv4 address, behind which there may be a whole company, or the /64 of an IPv6
//! address, any address of which one machine may take (RFC 4941).

use crate::limits::Limits;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, oneshot};

/// Networks that are remembered for having sent requests, twice this at most.
const REMEMBERED: usize = 16_384;

/// The places of one listener.
pub(crate) struct Admission {
    limits: Limits,
    state: Mutex<AdmissionState>,
    /// Notified whenever a connection ends.
    freed: Notify,
}

/// One connection's place, until it is dropped.
pub(crate) struct AdmittedConnection {
    admission: Arc<Admission>,
    network: ClientNetwork,
    number: u64,
    has_spoken: AtomicBool,
}

/// Why there is no place, though silent ones would have given way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotAdmitted {
    /// Its network has as many as it may.
    ForItsNetwork,
    /// The listener is full: a connection must end first.
    ForAnybody,
}

/// Gives `Ok` when the connection has lost its place to another and must end.
pub(crate) type Eviction = oneshot::Receiver<()>;

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
struct ClientNetwork(IpAddr);

#[derive(Default)]
struct AdmissionState {
    next: u64,
    open: usize,
    silent: usize,
    networks: HashMap<ClientNetwork, NetworkConnections>,
    /// The networks with silent connections; the last one is the first to give way.
    ranking: BTreeSet<EvictionRank>,
    spoken: SpokenFrom,
}

/// The connections from one network.
#[derive(Default)]
struct NetworkConnections {
    open: usize,
    /// By number, so the oldest comes first.
    silent: BTreeMap<u64, oneshot::Sender<()>>,
    rank: Option<EvictionRank>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct EvictionRank {
    is_stranger: bool,
    silent: usize,
    network: ClientNetwork,
}

/// Networks that have sent requests, in two generations: when the young one is full it becomes the old one.
#[derive(Default)]
struct SpokenFrom {
    young: HashSet<ClientNetwork>,
    old: HashSet<ClientNetwork>,
}

impl From<IpAddr> for ClientNetwork {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        })
    }
}

impl Admission {
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, state: Mutex::default(), freed: Notify::new() })
    }

    /// Waits while every place is taken by a connection that has sent a request. Newcomers stay in the kernel's queue.
    pub(crate) async fn has_room(&self) {
        loop {
            {
                let state = self.state();
                if state.open < self.limits.connections || state.silent > 0 {
                    return;
                }
            }
            self.freed.notified().await;
        }
    }

    /// A place for a connection from this address, at the cost of a silent one where there is no other.
    pub(crate) fn admit(
        self: &Arc<Self>,
        peer: IpAddr,
    ) -> Result<(AdmittedConnection, Eviction), NotAdmitted> {
        let network = ClientNetwork::from(peer);
        let mut state = self.state();
        let of_network = state.networks.get(&network).map_or(0, |network| network.open);
        if of_network >= self.limits.per_network && !state.evict_oldest_of(network) {
            return Err(NotAdmitted::ForItsNetwork);
        }
        let is_full = state.open >= self.limits.connections || state.silent >= self.limits.silent;
        if is_full && !state.evict() {
            return Err(NotAdmitted::ForAnybody);
        }
        let (number, eviction) = state.add(network);
        let admission = Arc::clone(self);
        Ok((AdmittedConnection { admission, network, number, has_spoken: AtomicBool::new(false) }, eviction))
    }

    /// Ends the silent connection that is the first to give way. False when there is none.
    pub(crate) fn evict(&self) -> bool {
        self.state().evict()
    }

    /// A poisoned lock means a panic between two whole steps: what lies behind it is still right.
    fn state(&self) -> MutexGuard<'_, AdmissionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AdmittedConnection {
    /// The first request has arrived. Costs nothing for any other.
    pub(crate) fn speaks(&self) {
        if !self.has_spoken.swap(true, Ordering::Relaxed) {
            self.admission.state().speaks(self.network, self.number);
        }
    }
}

impl Drop for AdmittedConnection {
    fn drop(&mut self) {
        self.admission.state().remove(self.network, self.number, *self.has_spoken.get_mut());
        self.admission.freed.notify_one();
    }
}

impl AdmissionState {
    fn add(&mut self, network: ClientNetwork) -> (u64, Eviction) {
        let number = self.next;
        let (evict, eviction) = oneshot::channel();
        self.next += 1;
        self.open += 1;
        self.silent += 1;
        let connections = self.networks.entry(network).or_default();
        connections.open += 1;
        connections.silent.insert(number, evict);
        self.rank(network);
        (number, eviction)
    }

    fn speaks(&mut self, network: ClientNetwork, number: u64) {
        self.spoken.insert(network);
        if let Some(connections) = self.networks.get_mut(&network)
            && connections.silent.remove(&number).is_some()
        {
            self.silent -= 1;
            self.rank(network);
        }
    }

    /// One that was evicted has no place any more.
    fn remove(&mut self, network: ClientNetwork, number: u64, has_spoken: bool) {
        let Some(connections) = self.networks.get_mut(&network) else { return };
        let was_silent = connections.silent.remove(&number).is_some();
        if was_silent || has_spoken {
            self.silent -= usize::from(was_silent);
            self.leave(network);
        }
    }

    fn evict(&mut self) -> bool {
        self.ranking.last().map(|rank| rank.network).is_some_and(|network| self.evict_oldest_of(network))
    }

    fn evict_oldest_of(&mut self, network: ClientNetwork) -> bool {
        let oldest = self.networks.get_mut(&network).and_then(|connections| connections.silent.pop_first());
        let Some((_, evict)) = oldest else { return false };
        let _ = evict.send(());
        self.silent -= 1;
        self.leave(network);
        true
    }

    fn leave(&mut self, network: ClientNetwork) {
        self.open -= 1;
        if let Some(connections) = self.networks.get_mut(&network) {
            connections.open -= 1;
        }
        self.rank(network);
        if self.networks.get(&network).is_some_and(|connections| connections.open == 0) {
            self.networks.remove(&network);
        }
    }

    /// Puts the network where it belongs in the ranking.
    fn rank(&mut self, network: ClientNetwork) {
        let Some(connections) = self.networks.get_mut(&network) else { return };
        if let Some(rank) = connections.rank.take() {
            self.ranking.remove(&rank);
        }
        let silent = connections.silent.len();
        if silent > 0 {
            let rank = EvictionRank { is_stranger: !self.spoken.contains(network), silent, network };
            connections.rank = Some(rank);
            self.ranking.insert(rank);
        }
    }
}

impl SpokenFrom {
    fn insert(&mut self, network: ClientNetwork) {
        if self.young.len() >= REMEMBERED && !self.young.contains(&network) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(network);
    }

    fn contains(&self, network: ClientNetwork) -> bool {
        self.young.contains(&network) || self.old.contains(&network)
    }
}

#[cfg(test)]
mod tests;
