//! `tegata licence …`: which tenants and stores may ask tokens for a product.

use crate::cli::output::{OutputFormat, nothing_found};
use crate::cli::scope::{ScopeArgs, ScopeTarget, TenantDirectory, TenantSite};
use crate::failure::{CommittedExt, Failure, FailureContext};
use crate::installation_args::InstallationArgs;
use crate::system_context::SystemContext;
use serde_json::{Value, json};
use tegata_core::{SiteId, Timestamp};
use tegata_storage::{Ledger, Licence, Tenant};

/// What can be done with licences.
#[derive(clap::Subcommand)]
pub enum LicenceCommand {
    /// Let the devices of a tenant, or of one of its sites, ask tokens for a product. At once, without a restart
    Grant(LicenceOptions),
    /// Take exactly this licence back: one for a whole tenant leaves those of its sites in force
    Withdraw(LicenceOptions),
    /// List licences
    List {
        #[command(flatten)]
        scope: ScopeArgs,
        #[command(flatten)]
        output: OutputFormat,
    },
}

/// Which licence is meant.
#[derive(clap::Args)]
pub struct LicenceOptions {
    /// The product, as its audience in tegata.toml
    #[arg(long)]
    product: String,
    #[command(flatten)]
    target: ScopeTarget,
    #[command(flatten)]
    output: OutputFormat,
}

const READ: &str = "cannot read the ledger";
const WRITE: &str = "no licence was changed";

/// Runs the command.
pub async fn run(
    place: &InstallationArgs,
    command: &LicenceCommand,
    machine: &SystemContext,
) -> Result<(), Failure> {
    let ledger = place.ledger(machine).await?;
    let result = match command {
        LicenceCommand::Grant(options) => grant(place, &ledger, options, machine).await,
        LicenceCommand::Withdraw(options) => withdraw(&ledger, options, machine).await,
        LicenceCommand::List { scope, output } => list(&ledger, scope, output.json).await,
    };
    ledger.close().await;
    result
}

async fn grant(
    place: &InstallationArgs,
    ledger: &Ledger,
    options: &LicenceOptions,
    machine: &SystemContext,
) -> Result<(), Failure> {
    let config = place.config()?;
    let known = config.products.iter().find(|product| product.audience == options.product);
    let known = known.ok_or_else(|| {
        let product = &options.product;
        Failure::misuse(format!("there is no [[product]] with the audience {product:?} in tegata.toml"))
    })?;
    let directory = TenantDirectory::read(ledger).await?;
    let meant = MeantLicence::find(&directory, options)?;
    let mut transaction = ledger.begin(machine.now()).await.doing(WRITE)?;
    let changed = transaction.grant_licence(&meant.licence, &SystemContext::operator()).await.doing(WRITE)?;
    transaction.commit().await.committed(WRITE)?;
    if !known.licensed {
        errln!("every device may ask for this product until it says licensed = true in tegata.toml");
    }
    meant.say(if changed { "granted" } else { "had it already" }, changed, options.output.json);
    Ok(())
}

async fn withdraw(ledger: &Ledger, options: &LicenceOptions, machine: &SystemContext) -> Result<(), Failure> {
    let directory = TenantDirectory::read(ledger).await?;
    let meant = MeantLicence::find(&directory, options)?;
    let mut transaction = ledger.begin(machine.now()).await.doing(WRITE)?;
    let changed =
        transaction.withdraw_licence(&meant.licence, &SystemContext::operator()).await.doing(WRITE)?;
    transaction.commit().await.committed(WRITE)?;
    if !changed {
        return Err(Failure::misuse("there is no such licence: tegata licence list"));
    }
    meant.say("withdrawn", changed, options.output.json);
    Ok(())
}

async fn list(ledger: &Ledger, scope: &ScopeArgs, as_json: bool) -> Result<(), Failure> {
    let directory = TenantDirectory::read(ledger).await?;
    let scope = directory.scope(scope)?;
    let licences = ledger.licences().await.doing(READ)?;
    let mut described = Vec::new();
    for tenant in directory.tenants_in(scope) {
        for (licence, at) in licences.iter().filter(|(licence, _)| counts(licence, tenant, scope)) {
            let site = directory.sites.iter().find(|site| licence.site.as_ref() == Some(&site.id));
            let place = TenantSite { tenant, site };
            if !as_json {
                outln!("{}  {}  {}", licence.product, tenant.name, place.site_name());
            }
            described.push(describe(licence, place, Some(*at)));
        }
    }
    let is_nothing = described.is_empty();
    if as_json {
        outln!("{}", Value::Array(described));
    }
    nothing_found(is_nothing, "there is no such licence")
}

/// A licence of a whole tenant counts at each of its sites.
fn counts(licence: &Licence, tenant: &Tenant, scope: Option<TenantSite<'_>>) -> bool {
    let only = scope.and_then(|scope| scope.site);
    let here = |site: &SiteId| only.is_none_or(|only| only.id == *site);
    licence.tenant == tenant.id && licence.site.as_ref().is_none_or(here)
}

/// The licence that options mean, at its place.
struct MeantLicence<'a> {
    licence: Licence,
    place: TenantSite<'a>,
}

impl<'a> MeantLicence<'a> {
    fn find(directory: &'a TenantDirectory, options: &LicenceOptions) -> Result<Self, Failure> {
        let place = directory.target(&options.target)?;
        let licence = Licence {
            product: options.product.clone(),
            tenant: place.tenant.id.clone(),
            site: place.site.map(|site| site.id.clone()),
        };
        Ok(Self { licence, place })
    }

    fn say(&self, done: &str, changed: bool, as_json: bool) {
        let Self { licence, place } = self;
        if as_json {
            let mut told = describe(licence, *place, None);
            told["changed"] = changed.into();
            outln!("{told}");
        } else {
            outln!("{done}: {}  {}  {}", licence.product, place.tenant.name, place.site_name());
        }
    }
}

fn describe(licence: &Licence, place: TenantSite<'_>, at: Option<Timestamp>) -> Value {
    let TenantSite { tenant, site } = place;
    let mut told = json!({
        "product": licence.product, "tenant": tenant.id, "tenant_name": tenant.name,
        "site": licence.site, "site_name": site.map(|site| &site.name),
    });
    if let Some(at) = at {
        told["granted_at"] = json!(at);
    }
    told
}
