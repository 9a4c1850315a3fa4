//! `tegata site …`: where devices are.

use super::output::{OutputFormat, nothing_found};
use super::scope::{ScopeArgs, TenantDirectory, TenantSite};
use super::tenant::{READ, WRITE, place_name};
use crate::cli::installation_args::InstallationArgs;
use crate::cli::scope::rows;
use serde_json::{Value, json};
use tegata_core::name::is_same;
use tegata_core::{ExternalKey, SiteId};
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext};
use tegata_storage::{Ledger, Site, Tenant};

/// What can be done with sites.
#[derive(clap::Subcommand)]
pub enum SiteCommand {
    /// Add a site (店舗)
    Add {
        /// Name of the new site
        name: String,
        /// Name or identifier of its tenant; not needed where there is only one
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        output: OutputFormat,
    },
    /// Say what the tenant's own directory calls a site: lists of people may name it so
    ExternalKey {
        /// Name or identifier of the site
        site: String,
        /// The key; without it the site has none
        key: Option<String>,
        /// Name or identifier of its tenant; not needed where there is only one
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        output: OutputFormat,
    },
    /// List the sites of all tenants, or of one
    List {
        #[command(flatten)]
        scope: ScopeArgs,
        #[command(flatten)]
        output: OutputFormat,
    },
}

pub async fn run(
    place: &InstallationArgs,
    command: &SiteCommand,
    system: &SystemContext,
) -> Result<(), Failure> {
    let ledger = place.ledger(system).await?;
    let result = match command {
        SiteCommand::Add { name, tenant, output } => {
            add_site(&ledger, name, tenant.as_deref(), output.json, system).await
        }
        SiteCommand::ExternalKey { site, key, tenant, output } => {
            let named = (site.as_str(), tenant.as_deref());
            set_external_key(&ledger, named, key.as_deref(), output.json, system).await
        }
        SiteCommand::List { scope, output } => list_sites(&ledger, scope, output.json).await,
    };
    ledger.close().await;
    result
}

async fn add_site(
    ledger: &Ledger,
    name: &str,
    tenant: Option<&str>,
    as_json: bool,
    system: &SystemContext,
) -> Result<(), Failure> {
    let name = place_name(name)?;
    let directory = TenantDirectory::read(ledger).await?;
    let tenant = directory.tenant(tenant)?;
    let rows = rows(ledger, Some(&tenant.id));
    let known = rows.sites(&tenant.id).await.doing(READ)?;
    if let Some(known) = known.iter().find(|known| is_same(&known.name, name.as_str())) {
        return Err(Failure::misuse(format!("{} has a site {:?} already", tenant.name, known.name)));
    }
    let site =
        Site { id: SiteId::random(system.entropy.as_ref()), tenant: tenant.id.clone(), name: name.into() };
    let mut transaction = rows.begin(system.now()).await.doing(WRITE)?;
    transaction.add_site(&site, &SystemContext::operator()).await.doing(WRITE)?;
    transaction.commit().await.committed(WRITE)?;
    if as_json {
        outln!("{}", describe_site(&site, tenant));
    } else {
        outln!("{}  {}  {}", site.id, tenant.name, site.name);
    }
    Ok(())
}

async fn set_external_key(
    ledger: &Ledger,
    (named, tenant): (&str, Option<&str>),
    key: Option<&str>,
    as_json: bool,
    system: &SystemContext,
) -> Result<(), Failure> {
    let key = key.map(ExternalKey::parse).transpose().map_err(Failure::misuse)?;
    let directory = TenantDirectory::read(ledger).await?;
    let place = directory.site(tenant, named)?;
    let site = place.site.ok_or_else(|| Failure::misuse(format!("there is no site {named:?}")))?;
    let mut transaction = rows(ledger, Some(&site.tenant)).begin(system.now()).await.doing(CHANGE)?;
    let set = transaction.set_site_key(&site.id, key.as_ref(), &SystemContext::operator()).await;
    set.doing(CHANGE)?;
    transaction.commit().await.committed(CHANGE)?;
    let key = key.as_ref().map(ExternalKey::as_str);
    if as_json {
        outln!("{}", json!({"site": site.id, "name": site.name, "external_key": key}));
    } else {
        outln!("{}  {}", site.name, key.unwrap_or("has no external key"));
    }
    Ok(())
}

const CHANGE: &str = "nothing was changed";

async fn list_sites(ledger: &Ledger, scope: &ScopeArgs, as_json: bool) -> Result<(), Failure> {
    let directory = TenantDirectory::read(ledger).await?;
    let scope = scope.find_in(&directory)?;
    let mut described = Vec::new();
    for site in
        directory.sites.iter().filter(|site| scope.is_none_or(|scope| scope.holds(&site.tenant, &site.id)))
    {
        let TenantSite { tenant, .. } = directory.place_of(site)?;
        if !as_json {
            outln!("{}  {}  {}", site.id, tenant.name, site.name);
        }
        described.push(describe_site(site, tenant));
    }
    let is_nothing = described.is_empty();
    if as_json {
        outln!("{}", Value::Array(described));
    }
    nothing_found(is_nothing, "there is no site yet: tegata site add NAME")
}

fn describe_site(site: &Site, tenant: &Tenant) -> Value {
    json!({"site": site.id, "name": site.name, "tenant": tenant.id, "tenant_name": tenant.name})
}
