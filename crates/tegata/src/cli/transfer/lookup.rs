//! Which transfer is meant.

use crate::cli::scope::{TenantDirectory, rows};
use tegata_core::{PersonId, TenantId};
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

/// Whoever asks for a transfer or changes its plan, and so does not approve of it.
#[derive(clap::Args)]
pub struct RequesterArgs {
    /// Login ID or identifier of whoever asks for it: they do not approve of it
    #[arg(long, value_name = "PERSON")]
    requested_by: Option<String>,
    /// Name or identifier of their tenant, where it is not the one that gives
    #[arg(long, value_name = "TENANT", requires = "requested_by")]
    requested_of: Option<String>,
}

impl RequesterArgs {
    /// The person, if somebody is named.
    pub(super) async fn find(&self, ledger: &Ledger, source: &TenantId) -> Result<Option<PersonId>, Failure> {
        let Some(named) = &self.requested_by else { return Ok(None) };
        let directory = TenantDirectory::read(ledger).await?;
        let tenant = match &self.requested_of {
            Some(tenant) => &directory.tenant(Some(tenant))?.id,
            None => source,
        };
        let person = crate::cli::person::find(ledger, tenant, named).await?;
        Ok(Some(person.id))
    }
}

/// What a guard said, or what else was in the way.
pub(super) fn failure(error: LedgerError) -> Failure {
    match error {
        LedgerError::Guard(why) => Failure::wrong(format!("{WRITE}: {why}")),
        error => Failure::wrong(format!("{WRITE}: {error}")),
    }
}
