//! `tegata licence …`: which tenants and stores may ask tokens for a product.

use crate::cli::output::Output;
use crate::cli::tenant::{customers, find_tenant};
use crate::failure::{Doing, Failure};
use crate::machine::Machine;
use crate::place::Place;
use serde_json::{Value, json};
use tegata_core::Timestamp;
use tegata_storage::{Ledger, Licence, Site, Tenant};

/// What can be done with licences.
#[derive(clap::Subcommand)]
pub enum LicenceCommand {
    /// Let the devices of a tenant, or of one of its sites, ask tokens for a product. At once, without a restart
    Grant(LicenceOptions),
    /// Take exactly this licence back: one for a whole tenant leaves those of its sites in force
    Withdraw(LicenceOptions),
    /// List licences
    List {
        /// Of this tenant alone: name or identifier
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        output: Output,
    },
}

/// Which licence is meant.
#[derive(clap::Args)]
pub struct LicenceOptions {
    /// The product, as its audience in tegata.toml
    #[arg(long)]
    product: String,
    /// Name or identifier of the tenant; not needed where there is only one
    #[arg(long)]
    tenant: Option<String>,
    /// Name or identifier of one site of it. Without: all of its sites, also those to come
    #[arg(long)]
    site: Option<String>,
    #[command(flatten)]
    output: Output,
}

const READ: &str = "cannot read the ledger";
const WRITE: &str = "no licence was changed";

/// Runs the command.
pub async fn run(place: &Place, command: &LicenceCommand, machine: &Machine) -> Result<(), Failure> {
    let ledger = place.ledger(machine).await?;
    let result = match command {
        LicenceCommand::Grant(options) => grant(place, &ledger, options, machine).await,
        LicenceCommand::Withdraw(options) => withdraw(&ledger, options, machine).await,
        LicenceCommand::List { tenant, output } => list(&ledger, tenant.as_deref(), output.json).await,
    };
    ledger.close().await;
    result
}

async fn grant(
    place: &Place,
    ledger: &Ledger,
    options: &LicenceOptions,
    machine: &Machine,
) -> Result<(), Failure> {
    let config = place.config()?;
    let known = config.products.iter().find(|product| product.audience == options.product);
    let known = known.ok_or_else(|| {
        let product = &options.product;
        Failure::misuse(format!("there is no [[product]] with the audience {product:?} in tegata.toml"))
    })?;
    let meant = Meant::find(ledger, options).await?;
    let mut transaction = ledger.begin(machine.now()).await.doing(WRITE)?;
    let changed = transaction.grant_licence(&meant.licence, &Machine::operator()).await.doing(WRITE)?;
    transaction.commit().await.doing(WRITE)?;
    if !known.licensed {
        errln!("every device may ask for this product until it says licensed = true in tegata.toml");
    }
    meant.say(if changed { "granted" } else { "had it already" }, changed, options.output.json);
    Ok(())
}

async fn withdraw(ledger: &Ledger, options: &LicenceOptions, machine: &Machine) -> Result<(), Failure> {
    let meant = Meant::find(ledger, options).await?;
    let mut transaction = ledger.begin(machine.now()).await.doing(WRITE)?;
    let changed = transaction.withdraw_licence(&meant.licence, &Machine::operator()).await.doing(WRITE)?;
    transaction.commit().await.doing(WRITE)?;
    if !changed {
        return Err(Failure::misuse("there is no such licence: tegata licence list"));
    }
    meant.say("withdrawn", changed, options.output.json);
    Ok(())
}

async fn list(ledger: &Ledger, tenant: Option<&str>, as_json: bool) -> Result<(), Failure> {
    let tenants = match tenant {
        Some(_) => vec![find_tenant(ledger, tenant).await?],
        None => customers(ledger).await?,
    };
    let licences = ledger.licences().await.doing(READ)?;
    let mut described = Vec::new();
    for tenant in &tenants {
        let sites = ledger.sites(&tenant.id).await.doing(READ)?;
        for (licence, at) in licences.iter().filter(|(licence, _)| licence.tenant == tenant.id) {
            let site = sites.iter().find(|site| licence.site.as_ref() == Some(&site.id));
            if !as_json {
                outln!("{}  {}  {}", licence.product, tenant.name, name_of(site));
            }
            described.push(describe(licence, tenant, site, Some(*at)));
        }
    }
    if as_json {
        outln!("{}", Value::Array(described));
    }
    Ok(())
}

/// The licence that options mean, with the names of its place.
struct Meant {
    licence: Licence,
    tenant: Tenant,
    site: Option<Site>,
}

impl Meant {
    async fn find(ledger: &Ledger, options: &LicenceOptions) -> Result<Self, Failure> {
        let tenant = find_tenant(ledger, options.tenant.as_deref()).await?;
        let site = match &options.site {
            Some(wanted) => Some(find_site(ledger, &tenant, wanted).await?),
            None => None,
        };
        let licence = Licence {
            product: options.product.clone(),
            tenant: tenant.id.clone(),
            site: site.as_ref().map(|site| site.id.clone()),
        };
        Ok(Self { licence, tenant, site })
    }

    fn say(&self, done: &str, changed: bool, as_json: bool) {
        let Self { licence, tenant, site } = self;
        if as_json {
            let mut told = describe(licence, tenant, site.as_ref(), None);
            told["changed"] = changed.into();
            outln!("{told}");
        } else {
            outln!("{done}: {}  {}  {}", licence.product, tenant.name, name_of(site.as_ref()));
        }
    }
}

pub async fn find_site(ledger: &Ledger, tenant: &Tenant, wanted: &str) -> Result<Site, Failure> {
    let sites = ledger.sites(&tenant.id).await.doing(READ)?;
    let found = sites.into_iter().find(|site| site.name == wanted || site.id.as_str() == wanted);
    found.ok_or_else(|| Failure::misuse(format!("{} has no site {wanted:?}", tenant.name)))
}

fn name_of(site: Option<&Site>) -> &str {
    site.map_or("(all sites)", |site| &site.name)
}

fn describe(licence: &Licence, tenant: &Tenant, site: Option<&Site>, at: Option<Timestamp>) -> Value {
    let mut told = json!({
        "product": licence.product, "tenant": tenant.id, "tenant_name": tenant.name,
        "site": licence.site, "site_name": site.map(|site| &site.name),
    });
    if let Some(at) = at {
        told["granted_at"] = json!(at);
    }
    told
}
