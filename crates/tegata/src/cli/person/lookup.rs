//! Which person is meant.

use crate::cli::output::OutputFormat;
use crate::cli::scope::{TenantDirectory, rows};
use clap::Args;
use tegata_core::name::comparison_key;
use tegata_core::{PersonId, TenantId};
use tegata_installation::{Failure, FailureContext};
use tegata_storage::{Ledger, Person};

pub(super) const READ: &str = "cannot read the ledger";
pub(super) const WRITE: &str = "nothing was changed";

/// One person, by login or identifier.
#[derive(Args)]
pub struct NamedPerson {
    /// Login ID or identifier of the person
    pub(super) person: String,
    /// Name or identifier of the tenant; not needed where there is only one
    #[arg(long)]
    pub(super) tenant: Option<String>,
    #[command(flatten)]
    pub(super) output: OutputFormat,
}

impl NamedPerson {
    /// The person that is meant.
    pub async fn find(&self, ledger: &Ledger) -> Result<Person, Failure> {
        let directory = TenantDirectory::read(ledger).await?;
        let tenant = directory.tenant(self.tenant.as_deref())?;
        find(ledger, &tenant.id, &self.person).await
    }
}

/// The person of a tenant with this login or identifier.
pub async fn find(ledger: &Ledger, tenant: &TenantId, named: &str) -> Result<Person, Failure> {
    let people = rows(ledger, Some(tenant)).people().await.doing(READ)?;
    let (id, key) = (PersonId::parse(named), comparison_key(named));
    let is_meant = |person: &Person| Some(&person.id) == id.as_ref() || comparison_key(&person.login) == key;
    people.into_iter().find(is_meant).ok_or_else(|| {
        Failure::wrong(format!("there is no person {named:?} in this tenant: tegata person list shows them"))
    })
}
