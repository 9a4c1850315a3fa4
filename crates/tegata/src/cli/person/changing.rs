//! What changes of a person: never the login.

use super::adding::{named_sites, role};
use super::lookup::{NamedPerson, WRITE};
use crate::cli::scope::{TenantDirectory, rows};
use clap::Args;
use serde_json::json;
use tegata_core::{ExternalKey, Name, PersonRole, Roles};
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext};
use tegata_storage::{ExternalKeyUpdate, Ledger, Person, PersonUpdate};

#[derive(Args)]
pub struct ChangePersonOptions {
    #[command(flatten)]
    named: NamedPerson,
    /// What the person is called from now on
    #[arg(long)]
    name: Option<String>,
    /// Role, once or several times: these and no others from now on
    #[arg(long = "role", value_name = "ROLE", value_parser = role)]
    roles: Vec<PersonRole>,
    /// Name or identifier of a site where the person works, once or several times: these and no others from now on
    #[arg(long = "site", value_name = "SITE", conflicts_with = "no_site")]
    sites: Vec<String>,
    /// The person works at no site any more
    #[arg(long)]
    no_site: bool,
    /// What the tenant's own directory calls the person; an empty one takes it away
    #[arg(long, value_name = "KEY")]
    external_key: Option<String>,
}

/// Changes a person; sessions on devices that they may use no longer end.
pub async fn change(
    ledger: &Ledger,
    options: &ChangePersonOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let person = options.named.find(ledger).await?;
    let change = options.change(ledger, &person).await?;
    let mut transaction = rows(ledger, Some(&person.tenant)).begin(system.now()).await.doing(WRITE)?;
    let ended = transaction.change_person(&person.id, &change, &SystemContext::operator()).await;
    let ended = ended.doing(WRITE)?;
    transaction.commit().await.committed(WRITE)?;
    if options.named.output.json {
        outln!("{}", json!({"person": person.id, "sessions_ended": ended}));
    } else {
        outln!("{} is changed; sessions ended: {ended}", person.login);
    }
    Ok(())
}

impl ChangePersonOptions {
    async fn change(&self, ledger: &Ledger, person: &Person) -> Result<PersonUpdate, Failure> {
        if self.changes_nothing() {
            return Err(Failure::misuse(
                "nothing is to be changed: name --name, --role, --site, --no-site or --external-key",
            ));
        }
        let name = self.name.as_deref().map(Name::of_place).transpose().map_err(Failure::misuse)?;
        let roles = (!self.roles.is_empty()).then(|| Roles::new(self.roles.iter().copied()));
        let directory = TenantDirectory::read(ledger).await?;
        let named = named_sites(&directory, &person.tenant, &self.sites)?;
        let sites = (self.no_site || !named.is_empty()).then_some(named);
        let works = sites.as_ref().map_or(person.sites.len(), Vec::len) > 0;
        if !works && roles.as_ref().unwrap_or(&person.roles).iter().any(PersonRole::is_of_sites) {
            return Err(Failure::misuse(
                "staff and site managers work at a site: name one or more with --site",
            ));
        }
        let external_key = match self.external_key.as_deref() {
            None => ExternalKeyUpdate::Keep,
            Some("") => ExternalKeyUpdate::Clear,
            Some(key) => ExternalKeyUpdate::Set(ExternalKey::parse(key).map_err(Failure::misuse)?),
        };
        Ok(PersonUpdate { name, roles, sites, external_key, awaits_sites: false })
    }

    fn changes_nothing(&self) -> bool {
        let is_named = self.name.is_some() || self.external_key.is_some();
        !is_named && self.roles.is_empty() && self.sites.is_empty() && !self.no_site
    }
}
