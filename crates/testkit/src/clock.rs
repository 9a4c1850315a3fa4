//! A clock that a test moves by hand.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use tegata_core::{Clock, Timestamp};

type ClockHook = Box<dyn Fn() + Send + Sync>;

/// A clock that stands until it is moved, and can be asked to do something when it is looked at.
#[derive(Default)]
pub struct HandClock {
    millis: AtomicI64,
    hook: Mutex<Option<Arc<ClockHook>>>,
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        let hook = self.hook.lock().unwrap().clone();
        if let Some(hook) = hook {
            hook();
        }
        Timestamp::from_millis(self.millis.load(Ordering::SeqCst))
    }
}

impl HandClock {
    pub fn set(&self, now: Timestamp) {
        self.millis.store(now.millis(), Ordering::SeqCst);
    }

    pub fn whenever_looked_at(&self, hook: impl Fn() + Send + Sync + 'static) {
        *self.hook.lock().unwrap() = Some(Arc::new(Box::new(hook)));
    }
}

/// The cache follows the ledger by the same time, without setting off the hook.
pub(crate) struct HooklessClock(pub(crate) Arc<HandClock>);

impl Clock for HooklessClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.millis.load(Ordering::SeqCst))
    }
}
