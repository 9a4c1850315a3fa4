//! Which transfer is meant.

use crate::cli::scope::rows;
use tegata_installation::{Failure, FailureContext};
use tegata_storage::{Ledger, LedgerError, Transfer};

pub(super) const READ: &str = "cannot read the ledger";
pub(super) const WRITE: &str = "nothing was changed";

/// Characters of an identifier that are enough to name one.
const ENOUGH: usize = 4;

/// The transfer that is meant: by its identifier, or by its beginning where that is enough.
pub(super) async fn find(ledger: &Ledger, named: &str) -> Result<Transfer, Failure> {
    let named = named.to_lowercase();
    if named.len() < ENOUGH {
        return Err(Failure::misuse(
            "name it by at least four characters of its identifier: tegata transfer list",
        ));
    }
    let all = rows(ledger, None).transfers().await.doing(READ)?;
    let mut found = all.into_iter().filter(|transfer| transfer.id.as_str().starts_with(&named));
    match (found.next(), found.next()) {
        (Some(transfer), None) => Ok(transfer),
        (Some(_), Some(_)) => Err(Failure::misuse("that names more than one: tegata transfer list")),
        (None, _) => Err(Failure::wrong("there is no such transfer: tegata transfer list shows them")),
    }
}

/// What a guard said, or what else was in the way.
pub(super) fn failure(error: LedgerError) -> Failure {
    match error {
        LedgerError::Guard(why) => Failure::wrong(format!("{WRITE}: {why}")),
        error => Failure::wrong(format!("{WRITE}: {error}")),
    }
}
