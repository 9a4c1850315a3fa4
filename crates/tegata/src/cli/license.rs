//! `tegata license …`: which tenants and stores may ask tokens for a product.

use crate::cli::installation_args::InstallationArgs;
use crate::cli::output::{OutputFormat, nothing_found};
use crate::cli::scope::{ScopeArgs, ScopeTarget, TenantDirectory, TenantSite, rows};
use serde_json::{Value, json};
use tegata_core::{SiteId, Timestamp};
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext};
use tegata_storage::{Ledger, License, Tenant};

/// What can be done with licenses.
#[derive(clap::Subcommand)]
pub enum LicenseCommand {
    /// Let the devices of a tenant, or of one of its sites, ask tokens for a product. At once, without a restart
    Grant(LicenseOptions),
    /// Take exactly this license back: one for a whole tenant leaves those of its sites in force
    Withdraw(LicenseOptions),
    /// List the licenses that are in force
    List {
        #[command(flatten)]
        scope: ScopeArgs,
        #[command(flatten)]
        output: OutputFormat,
    },
}

/// Which license is meant.
#[derive(clap::Args)]
pub struct LicenseOptions {
    /// The product, as its audience in tegata.toml
    #[arg(long)]
    product: String,
    #[command(flatten)]
    target: ScopeTarget,
    #[command(flatten)]
    output: OutputFormat,
}

const READ: &str = "cannot read the ledger";
const WRITE: &str = "no license was changed";

pub async fn run(
    place: &InstallationArgs,
    command: &LicenseCommand,
    system: &SystemContext,
) -> Result<(), Failure> {
    let ledger = place.ledger(system).await?;
    let result = match command {
        LicenseCommand::Grant(options) => grant(place, &ledger, options, system).await,
        LicenseCommand::Withdraw(options) => withdraw(&ledger, options, system).await,
        LicenseCommand::List { scope, output } => list(&ledger, scope, output.json).await,
    };
    ledger.close().await;
    result
}

async fn grant(
    place: &InstallationArgs,
    ledger: &Ledger,
    options: &LicenseOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let config = place.config()?;
    let known = config.products.iter().find(|product| product.audience == options.product);
    let known = known.ok_or_else(|| {
        let product = &options.product;
        Failure::misuse(format!("there is no [[product]] with the audience {product:?} in tegata.toml"))
    })?;
    let directory = TenantDirectory::read(ledger).await?;
    let meant = LicenseScope::find(&directory, options)?;
    let mut transaction = rows(ledger, Some(&meant.license.tenant)).begin(system.now()).await.doing(WRITE)?;
    let changed = transaction.grant_license(&meant.license, &SystemContext::operator()).await.doing(WRITE)?;
    transaction.commit().await.committed(WRITE)?;
    if !known.licensed {
        errln!("every device may ask for this product until it says licensed = true in tegata.toml");
    }
    meant.say(if changed { "granted" } else { "had it already" }, changed, options.output.json);
    Ok(())
}

async fn withdraw(ledger: &Ledger, options: &LicenseOptions, system: &SystemContext) -> Result<(), Failure> {
    let directory = TenantDirectory::read(ledger).await?;
    let meant = LicenseScope::find(&directory, options)?;
    let mut transaction = rows(ledger, Some(&meant.license.tenant)).begin(system.now()).await.doing(WRITE)?;
    let changed =
        transaction.withdraw_license(&meant.license, &SystemContext::operator()).await.doing(WRITE)?;
    transaction.commit().await.committed(WRITE)?;
    if !changed {
        return Err(Failure::misuse("there is no such license: tegata license list"));
    }
    meant.say("withdrawn", changed, options.output.json);
    Ok(())
}

async fn list(ledger: &Ledger, scope: &ScopeArgs, as_json: bool) -> Result<(), Failure> {
    let directory = TenantDirectory::read(ledger).await?;
    let scope = scope.find_in(&directory)?;
    let rows = rows(ledger, scope.map(|place| &place.tenant.id));
    let licenses = rows.licenses().await.doing(READ)?;
    let mut described = Vec::new();
    for tenant in directory.tenants_in(scope) {
        for (license, at) in licenses.iter().filter(|(license, _)| counts(license, tenant, scope)) {
            let site = directory.sites.iter().find(|site| license.site.as_ref() == Some(&site.id));
            let place = TenantSite { tenant, site };
            if !as_json {
                outln!("{}  {}  {}", license.product, tenant.name, place.site_name());
            }
            described.push(describe(license, place, Some(*at)));
        }
    }
    let is_nothing = described.is_empty();
    if as_json {
        outln!("{}", Value::Array(described));
    }
    nothing_found(is_nothing, "there is no such license")
}

/// A license of a whole tenant counts at each of its sites.
fn counts(license: &License, tenant: &Tenant, scope: Option<TenantSite<'_>>) -> bool {
    let only = scope.and_then(|scope| scope.site);
    let here = |site: &SiteId| only.is_none_or(|only| only.id == *site);
    license.tenant == tenant.id && license.site.as_ref().is_none_or(here)
}

/// The license that options mean, at its place.
struct LicenseScope<'a> {
    license: License,
    place: TenantSite<'a>,
}

impl<'a> LicenseScope<'a> {
    fn find(directory: &'a TenantDirectory, options: &LicenseOptions) -> Result<Self, Failure> {
        let place = options.target.find_in(directory)?;
        let license = License {
            product: options.product.clone(),
            tenant: place.tenant.id.clone(),
            site: place.site.map(|site| site.id.clone()),
        };
        Ok(Self { license, place })
    }

    fn say(&self, done: &str, changed: bool, as_json: bool) {
        let Self { license, place } = self;
        if as_json {
            let mut line = describe(license, *place, None);
            line["changed"] = changed.into();
            outln!("{line}");
        } else {
            outln!("{done}: {}  {}  {}", license.product, place.tenant.name, place.site_name());
        }
    }
}

fn describe(license: &License, place: TenantSite<'_>, at: Option<Timestamp>) -> Value {
    let TenantSite { tenant, site } = place;
    let mut line = json!({
        "product": license.product, "tenant": tenant.id, "tenant_name": tenant.name,
        "site": license.site, "site_name": site.map(|site| &site.name),
    });
    if let Some(at) = at {
        line["granted_at"] = json!(at);
    }
    line
}
