//! `tegata tenant contact …` and `tegata tenant product …`: what the pages of a tenant or a site say to staff.

use crate::cli::output::OutputFormat;
use crate::cli::scope::{TenantDirectory, TenantSite, rows};
use serde_json::json;
use tegata_core::{Contact, Guidance, ProductLink};
use tegata_installation::{Failure, FailureContext, SystemContext};
use tegata_storage::{Ledger, PolicyPlace};

/// The tenant or site whose staff it is for.
#[derive(clap::Args)]
pub struct GuidanceAudience {
    /// Name or identifier of the tenant
    tenant: String,
    /// Name or identifier of one site of it, whose staff is told something else
    #[arg(long)]
    site: Option<String>,
    /// Say nothing of its own: a site says what its tenant says, and a tenant what is said to everybody
    #[arg(long, conflicts_with = "name")]
    clear: bool,
    #[command(flatten)]
    output: OutputFormat,
}

/// Whom the staff of a tenant or site call.
#[derive(clap::Args)]
pub struct ContactOptions {
    #[command(flatten)]
    audience: GuidanceAudience,
    /// Who answers, such as 本部システム担当. Without name and phone: show what is said now
    #[arg(long, requires = "phone")]
    name: Option<String>,
    /// Their telephone number, such as 03-1234-5678
    #[arg(long, requires = "name")]
    phone: Option<String>,
}

/// Where to go on.
#[derive(clap::Args)]
pub struct ProductOptions {
    #[command(flatten)]
    audience: GuidanceAudience,
    /// What staff call the product. Without name and url: show what is said now
    #[arg(long, requires = "url")]
    name: Option<String>,
    /// Its address, which begins with https://
    #[arg(long, requires = "name")]
    url: Option<String>,
}

const WRITE: &str = "nothing was changed";

/// Shows or sets whom to call.
pub async fn contact(
    ledger: &Ledger,
    options: &ContactOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let wanted = match options.name.as_deref().zip(options.phone.as_deref()) {
        Some((name, phone)) => Some(Contact::new(name, phone).map_err(Failure::misuse)?),
        None => None,
    };
    let change = |guidance: &mut Guidance| guidance.contact.clone_from(&wanted);
    set(ledger, &options.audience, wanted.is_some(), change, system).await
}

/// Shows or sets where to go on.
pub async fn product(
    ledger: &Ledger,
    options: &ProductOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let wanted = match options.name.as_deref().zip(options.url.as_deref()) {
        Some((name, url)) => Some(ProductLink::new(name, url).map_err(Failure::misuse)?),
        None => None,
    };
    let change = |guidance: &mut Guidance| guidance.product.clone_from(&wanted);
    set(ledger, &options.audience, wanted.is_some(), change, system).await
}

async fn set(
    ledger: &Ledger,
    audience: &GuidanceAudience,
    is_given: bool,
    change: impl Fn(&mut Guidance),
    system: &SystemContext,
) -> Result<(), Failure> {
    let directory = TenantDirectory::read(ledger).await?;
    let TenantSite { tenant, site } = match &audience.site {
        Some(site) => directory.site(Some(&audience.tenant), site)?,
        None => TenantSite { tenant: directory.tenant(Some(&audience.tenant))?, site: None },
    };
    let place = PolicyPlace { tenant: tenant.id.clone(), site: site.map(|site| site.id.clone()) };
    let rows = rows(ledger, Some(&tenant.id));
    let mut guidance = rows.guidance_at(&place).await.doing("cannot read the ledger")?;
    if is_given || audience.clear {
        change(&mut guidance);
        let mut transaction = rows.begin(system.now()).await.doing(WRITE)?;
        transaction.set_guidance(&place, &guidance, &SystemContext::operator()).await.doing(WRITE)?;
        transaction.commit().await.doing(WRITE)?;
    }
    if audience.output.json {
        outln!(
            "{}",
            json!({
                "tenant": tenant.id, "name": tenant.name, "site": place.site, "site_name": site.map(|site| &site.name),
                "contact": guidance.contact, "product": guidance.product,
            })
        );
        return Ok(());
    }
    outln!("{}  {}", tenant.name, site.map_or("(all sites)", |site| &site.name));
    let nothing = "nothing of its own".to_owned();
    let contact = guidance.contact.map(|contact| format!("{}  {}", contact.name(), contact.phone()));
    outln!("  call        {}", contact.unwrap_or_else(|| nothing.clone()));
    let product = guidance.product.map(|product| format!("{}  {}", product.name(), product.url()));
    outln!("  then go to  {}", product.unwrap_or(nothing));
    Ok(())
}
