//! The whole ledger, for assertions.

use tegata_storage::{Ledger, Principal, ScopedLedger};

/// The ledger as nobody but a test sees it: with every row, and without a reason.
pub trait Everything {
    fn everything(&self) -> ScopedLedger;
}

impl Everything for Ledger {
    fn everything(&self) -> ScopedLedger {
        self.within(Principal::system("test").scope())
    }
}
