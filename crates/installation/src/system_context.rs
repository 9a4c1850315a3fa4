//! What commands get from the operating system: clock, randomness, and the operator's account.

use crate::operator;
use std::sync::Arc;
use tegata_core::{Clock, Entropy, TenantId, Timestamp};
use tegata_storage::{Actor, Principal};

/// Clock and randomness. Whoever makes one decides whether they are the machine's own.
pub struct SystemContext {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where chance comes from.
    pub entropy: Arc<dyn Entropy>,
}

impl SystemContext {
    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Who runs the command: with the whole installation, or with the one tenant that they named.
    pub fn principal(tenant: Option<&TenantId>) -> Principal {
        Principal::operator(operator::account_name(), tenant)
    }

    /// Who runs the command, for the audit log: the account of the process, whatever the command is told.
    pub fn operator() -> Actor {
        Actor::Operator(operator::account_name())
    }
}
