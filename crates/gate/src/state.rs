//! The state of a gate, published so that readers never wait for the writer.

use crate::assertion::AssertionSigner;
use crate::check_time::{CheckTime, LastHeard};
use arc_swap::{ArcSwap, ArcSwapOption};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tegata_core::feed::{Denials, Event, Gap};
use tegata_core::jws::KeySet;
use tegata_core::{Clock, Timestamp};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// What every check reads. Only the [`GateStateWriter`] changes the denials.
#[derive(Default)]
pub(crate) struct GateState {
    pub(crate) denials: ArcSwap<Denials>,
    heard: ArcSwapOption<LastHeard>,
    keys: ArcSwap<KeySet>,
    /// Somebody met a key that is not in the set.
    pub(crate) keys_wanted: Notify,
    pub(crate) connected: AtomicBool,
    /// The URL where the platform helps people who are refused, once it is known.
    help: ArcSwapOption<String>,
    /// The signer of assertions; none where the product does without.
    pub(crate) signer: ArcSwapOption<AssertionSigner>,
    /// The platform said that the gate's certificate is none of a gate.
    pub(crate) not_a_gate: watch::Sender<bool>,
    applied: watch::Sender<Option<u64>>,
}

impl GateState {
    pub(crate) fn keys(&self) -> Arc<KeySet> {
        self.keys.load_full()
    }

    /// Replaces the keys. An equal set changes nothing: what was verified with the set in place
    /// stays verified.
    pub(crate) fn set_keys(&self, keys: KeySet) {
        if **self.keys.load() != keys {
            self.keys.store(Arc::new(keys));
        }
    }

    /// When the platform last sent a message; `None` before the first one.
    pub(crate) fn heard(&self) -> Option<LastHeard> {
        self.heard.load().as_deref().copied()
    }

    /// How old the knowledge is; `None` when there is none.
    pub(crate) fn age(&self, moment: CheckTime) -> Option<Duration> {
        self.heard().map(|heard| heard.age(moment))
    }

    pub(crate) fn hear(&self, heard: LastHeard) {
        self.heard.store(Some(Arc::new(heard)));
    }

    pub(crate) fn help(&self) -> Option<Arc<String>> {
        self.help.load_full()
    }

    pub(crate) fn set_help(&self, page: Option<String>) {
        self.help.store(page.map(Arc::new));
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    pub(crate) fn set_connected(&self, connected: bool) {
        self.connected.store(connected, Ordering::Relaxed);
    }

    /// The number of the last event applied, `None` before the first snapshot; wakes at each change.
    pub(crate) fn applied(&self) -> watch::Receiver<Option<u64>> {
        self.applied.subscribe()
    }
}

/// The one that applies changes. It owns a second copy of the denials: a change goes into the copy
/// nobody reads, the copies change places, and the other one catches up before its next turn. So a
/// change costs the same whatever the number of denials; of what is kept twice, the sorted records are shared.
pub(crate) struct GateStateWriter {
    state: Arc<GateState>,
    spare: Arc<Denials>,
    missed: Option<StateChange>,
}

enum StateChange {
    Event(Event),
    Forget(Timestamp),
}

impl GateStateWriter {
    pub(crate) fn new(state: Arc<GateState>) -> Self {
        let spare = Arc::new(Denials::clone(&state.denials.load()));
        Self { state, spare, missed: None }
    }

    pub(crate) fn replace(&mut self, denials: Denials) {
        self.replace_silently(denials);
        self.announce();
    }

    /// Both copies share their sorted records from now on.
    fn replace_silently(&mut self, denials: Denials) {
        self.spare = Arc::new(denials.clone());
        self.missed = None;
        self.state.denials.store(Arc::new(denials));
    }

    /// Applies the next event; one applied before changes nothing.
    pub(crate) fn apply(&mut self, event: Event) -> Result<(), Gap> {
        if event.seq <= self.state.denials.load().seq() {
            return Ok(());
        }
        self.step(StateChange::Event(event))?;
        self.announce();
        Ok(())
    }

    /// Drops what ended before `until`.
    pub(crate) fn forget(&mut self, until: Timestamp) {
        let _ = self.step(StateChange::Forget(until));
    }

    fn step(&mut self, step: StateChange) -> Result<(), Gap> {
        // A reader that still holds the spare from before it was swapped out makes this a copy.
        let spare = Arc::make_mut(&mut self.spare);
        if let Some(missed) = self.missed.take() {
            missed.apply_to(spare)?;
        }
        step.apply_to(spare)?;
        if spare.wants_packing() {
            spare.pack();
            let packed = spare.clone();
            self.replace_silently(packed);
            return Ok(());
        }
        self.missed = Some(step);
        self.spare = self.state.denials.swap(Arc::clone(&self.spare));
        Ok(())
    }

    fn announce(&self) {
        self.state.applied.send_replace(Some(self.state.denials.load().seq()));
    }
}

impl StateChange {
    fn apply_to(&self, denials: &mut Denials) -> Result<(), Gap> {
        match self {
            Self::Event(event) => denials.apply(event)?,
            Self::Forget(until) => denials.forget(*until),
        }
        Ok(())
    }
}

/// The gate's own reading of time.
pub(crate) struct MonotonicClock {
    clock: Arc<dyn Clock>,
    started: Instant,
}

impl MonotonicClock {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, started: Instant::now() }
    }

    pub(crate) fn moment(&self) -> CheckTime {
        CheckTime { now: self.clock.now(), uptime: self.started.elapsed() }
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }
}
