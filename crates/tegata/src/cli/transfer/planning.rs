//! Plans: of sites that move, of a company that is called otherwise, and of the way back.

use super::lookup::{READ, RequesterArgs, WRITE, failure, find};
use crate::cli::moment::day_or_moment;
use crate::cli::output::OutputFormat;
use crate::cli::scope::{TenantDirectory, rows};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use tegata_core::transfer::{PlannedSite, TransferChange, TransferPlan, TransferState};
use tegata_core::{Name, SiteId, Timestamp, TransferId};
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext};
use tegata_storage::{Ledger, NewTransfer, TransferTiming};

/// When, and what is written beside it.
#[derive(clap::Args)]
struct Timing {
    /// The minute at which it happens, such as 2026-04-01T03:00:00+09:00
    #[arg(long, value_name = "MOMENT", value_parser = day_or_moment)]
    at: Timestamp,
    /// Hours after the minute in which it may still begin, where no server ran or a tenant was suspended
    #[arg(long, value_name = "HOURS", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=24))]
    begin_within: u32,
    #[command(flatten)]
    requester: RequesterArgs,
    /// Why, for the audit log. No names of persons
    #[arg(long, default_value = "")]
    note: String,
    #[command(flatten)]
    output: OutputFormat,
}

/// What moves to whom, and when.
#[derive(clap::Args)]
pub struct TransferPlanOptions {
    /// The tenant that gives: name or identifier
    #[arg(long, value_name = "TENANT")]
    from: String,
    /// The tenant that receives: name or identifier
    #[arg(long, value_name = "TENANT")]
    to: String,
    /// A site that moves: name or identifier, once or several times
    #[arg(long = "site", value_name = "SITE", required_unless_present = "all_sites")]
    sites: Vec<String>,
    /// All sites of the tenant that gives, as in a merger
    #[arg(long, conflicts_with = "sites")]
    all_sites: bool,
    /// What a site is called in its new tenant, as SITE=NAME
    #[arg(long = "call", value_name = "SITE=NAME", value_parser = named)]
    names: Vec<(String, String)>,
    /// All devices at these sites move, unless something else is decided later
    #[arg(long)]
    move_devices: bool,
    /// All people at these sites move, unless something else is decided later
    #[arg(long)]
    move_people: bool,
    /// Hours for devices that move to get their new certificate by the old one
    #[arg(long, value_name = "HOURS", default_value_t = 72)]
    renewal_hours: u32,
    #[command(flatten)]
    timing: Timing,
}

/// Which company is called otherwise, and when.
#[derive(clap::Args)]
pub struct RenameOptions {
    /// The tenant whose shares were sold: name or identifier
    #[arg(long, value_name = "TENANT")]
    tenant: String,
    /// What it is called from then on
    #[arg(long)]
    name: String,
    #[command(flatten)]
    timing: Timing,
}

/// Which transfer is taken back, and when.
#[derive(clap::Args)]
pub struct ReverseOptions {
    /// Identifier of the transfer that is done, or its beginning
    transfer: String,
    /// Hours for devices that move to get their new certificate by the old one
    #[arg(long, value_name = "HOURS", default_value_t = 72)]
    renewal_hours: u32,
    #[command(flatten)]
    timing: Timing,
}

fn named(text: &str) -> Result<(String, String), String> {
    let (site, name) = text.split_once('=').ok_or("give it as SITE=NAME")?;
    Ok((site.to_owned(), name.to_owned()))
}

pub async fn plan(
    ledger: &Ledger,
    options: &TransferPlanOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let directory = TenantDirectory::read(ledger).await?;
    let source = directory.tenant(Some(&options.from))?.id.clone();
    let target = directory.tenant(Some(&options.to))?.id.clone();
    let mut sites = BTreeMap::new();
    let mut add = |site: &SiteId| {
        let becomes = SiteId::random(system.entropy.as_ref());
        sites.insert(site.clone(), PlannedSite { becomes, name: None });
    };
    if options.all_sites {
        directory.sites.iter().filter(|site| site.tenant == source).for_each(|site| add(&site.id));
    }
    for named in &options.sites {
        if let Some(site) = directory.site(Some(source.as_str()), named)?.site {
            add(&site.id);
        }
    }
    for (named, name) in &options.names {
        let site = directory.site(Some(source.as_str()), named)?.site;
        let planned = site.and_then(|site| sites.get_mut(&site.id));
        let planned = planned
            .ok_or_else(|| Failure::misuse(format!("--call names a site that does not move: {named}")))?;
        let name =
            Name::of_place(name).map_err(|_| Failure::misuse("--call gives a name that no site may have"))?;
        planned.name = Some(name.as_str().to_owned());
    }
    let change =
        TransferChange::Business { target, sites, devices: BTreeMap::new(), people: BTreeMap::new() };
    let mut plan = options.timing.of(options.renewal_hours).plan(source, change);
    if options.move_devices || options.move_people {
        let present = rows(ledger, None).present_at_sites(&plan).await.doing(READ)?;
        present.move_all(&mut plan, options.move_devices, options.move_people);
    }
    options.timing.write(ledger, plan, None, system).await
}

pub async fn rename(ledger: &Ledger, options: &RenameOptions, system: &SystemContext) -> Result<(), Failure> {
    let directory = TenantDirectory::read(ledger).await?;
    let source = directory.tenant(Some(&options.tenant))?.id.clone();
    let name = Name::of_place(&options.name).map_err(|_| Failure::misuse("no tenant may be called so"))?;
    let plan = options.timing.of(1).plan(source, TransferChange::Shares { name: name.as_str().to_owned() });
    options.timing.write(ledger, plan, None, system).await
}

/// What moved goes back: sites, devices and people. What became otherwise since is decided by whoever changes the plan.
pub async fn reverse(
    ledger: &Ledger,
    options: &ReverseOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let done = find(ledger, &options.transfer).await?;
    if done.state != TransferState::Done {
        return Err(Failure::wrong(
            "only a transfer that is done has a way back: abort one that has not begun",
        ));
    }
    let result = rows(ledger, None).transfer_result(&done.id).await.doing(READ)?;
    let timing = options.timing.of(options.renewal_hours);
    let back = done.way_back(&result, &timing, system.entropy.as_ref());
    let plan =
        back.ok_or_else(|| Failure::misuse("give the company its former name: tegata transfer rename"))?;
    options.timing.write(ledger, plan, Some(done.id), system).await
}

impl Timing {
    fn of(&self, renewal_hours: u32) -> TransferTiming {
        let at = self.at.whole_second();
        TransferTiming {
            at,
            latest: at.plus(Duration::from_secs(u64::from(self.begin_within) * 3600)),
            renewal_hours,
        }
    }

    async fn write(
        &self,
        ledger: &Ledger,
        plan: TransferPlan,
        reverses: Option<TransferId>,
        system: &SystemContext,
    ) -> Result<(), Failure> {
        plan.check(system.now()).map_err(Failure::misuse)?;
        let id = TransferId::random(system.entropy.as_ref());
        let requested_by = self.requester.find(ledger, &plan.source).await?;
        let (hash, at) = (plan.hash(), plan.at);
        let new = NewTransfer { id: id.clone(), plan, requested_by, note: self.note.clone(), reverses };
        let mut transaction = ledger.begin(system.now()).await.doing(WRITE)?;
        transaction.add_transfer(&new, &SystemContext::operator()).await.map_err(failure)?;
        transaction.commit().await.committed(WRITE)?;
        if self.output.json {
            outln!(
                "{}",
                json!({"transfer": id, "plan": hash, "at": at.whole_second(), "state": TransferState::Draft})
            );
        } else {
            outln!("{id}  {}", at.whole_second());
            outln!("look at what will change: tegata transfer dry-run {id}");
        }
        Ok(())
    }
}
