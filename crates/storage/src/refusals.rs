//! Refusals in the audit log. Those of anonymous requesters cost bounded memory, not an entry each.
//!
//! The first refusal of a kind (what was tried, by whom, and why not) is an entry at once, so that somebody who calls support
//! is found. Those that follow within the hour are counted, and the count is one entry when the hour is over. Whoever is
//! nobody known is one, so their entries are bounded by how many reasons there are to refuse them. What was not yet written
//! when a process is killed is in its log alone.

mod tallies;

pub use tallies::RefusalNote;
pub(crate) use tallies::Refusals;

use crate::{Ledger, Result};
use tegata_core::Timestamp;

impl Ledger {
    /// Notes a refusal: as an entry, or in memory until [`Ledger::write_refusals`].
    pub async fn note_refusal(&self, note: RefusalNote) -> Result<()> {
        match self.shared.refusals.add(note) {
            Some(entry) => self.group(entry).await,
            None => Ok(()),
        }
    }

    /// Writes the counts whose hour is over, or all of them.
    pub async fn write_refusals(&self, now: Timestamp, all: bool) -> Result<()> {
        for entry in self.shared.refusals.take(now, all) {
            self.group(entry).await?;
        }
        Ok(())
    }
}
