//! What a check asks the parts of the program that it cannot reach itself: they would bring the whole server in.

use tegata_installation::{Config, Failure, KeyRing, SystemContext};
use tegata_storage::Ledger;

/// What only the server knows of an installation. It answers as a start would, so that a start refuses nothing that a
/// check calls good. Nothing is changed.
pub trait ServerChecks {
    /// The names of the files in which an earlier version keeps keys that sign tokens, each with the key it must hold where
    /// that is known.
    fn token_key_files(&self, ring: &KeyRing) -> Result<Vec<(String, Option<String>)>, Failure>;

    /// Refuses a configuration whose listeners could not be bound side by side.
    fn listeners(&self, config: &Config) -> Result<(), Failure>;

    /// Does everything that a start does before it serves.
    fn rehearse_start(
        &self,
        config: &Config,
        ledger: &Ledger,
        system: &SystemContext,
    ) -> impl Future<Output = Result<(), Failure>>;
}
