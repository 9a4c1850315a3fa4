//! What commands get from the operating system: clock, randomness, and the operator's account.

use crate::system::{self, SystemClock, SystemEntropy};
use std::sync::Arc;
use tegata_core::{Clock, Entropy, Timestamp};
use tegata_storage::Actor;

/// Clock, randomness, and who sits at the machine.
pub struct SystemContext {
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

impl SystemContext {
    pub fn real() -> Self {
        Self { clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy::new()) }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Who runs the command, for the audit log.
    pub fn operator() -> Actor {
        Actor::Operator(system::user())
    }
}
