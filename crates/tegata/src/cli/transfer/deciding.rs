//! Decisions: what becomes of devices and people.

use super::lookup::{READ, RequesterArgs, WRITE, failure, find};
use crate::cli::output::OutputFormat;
use crate::cli::scope::{TenantDirectory, rows};
use serde_json::json;
use tegata_core::transfer::{DeviceDecision, PersonDecision, TransferChange, TransferPlan};
use tegata_core::{DeviceId, SiteId, Timestamp};
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext};
use tegata_storage::{Ledger, TransferRevision};

/// Of whom something is decided, and what.
#[derive(clap::Args)]
pub struct DecideOptions {
    /// Identifier of the transfer, or its beginning
    transfer: String,
    /// Identifier of a device at a site that moves; once or several times
    #[arg(long = "device", value_name = "DEVICE")]
    devices: Vec<DeviceId>,
    /// Login ID or identifier of a person of the tenant that gives; once or several times
    #[arg(long = "person", value_name = "PERSON")]
    people: Vec<String>,
    /// All devices at the sites that move
    #[arg(long)]
    all_devices: bool,
    /// All people at the sites that move
    #[arg(long)]
    all_people: bool,
    /// What was decided of them
    #[arg(long, value_enum)]
    decision: Option<DecisionArg>,
    /// Name or identifier of the site where devices go that stay
    #[arg(long, value_name = "SITE")]
    stays_at: Option<String>,
    /// Another minute at which it happens
    #[arg(long, value_name = "MOMENT", value_parser = crate::cli::moment::day_or_moment)]
    at: Option<Timestamp>,
    #[command(flatten)]
    requester: RequesterArgs,
    #[command(flatten)]
    output: OutputFormat,
}

/// What was decided of those who are named.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum DecisionArg {
    /// They go along to the new tenant
    Move,
    /// They stay with the tenant that gives. A device needs --stays-at
    Stay,
    /// Nobody has decided after all
    Undecided,
}

pub async fn decide(ledger: &Ledger, options: &DecideOptions, system: &SystemContext) -> Result<(), Failure> {
    let transfer = find(ledger, &options.transfer).await?;
    let mut plan = transfer.plan.clone();
    if let Some(at) = options.at {
        plan.put_off_to(at);
    }
    let names_somebody = options.all_devices
        || options.all_people
        || !options.devices.is_empty()
        || !options.people.is_empty();
    match (options.decision, names_somebody) {
        (Some(decided), true) => apply(ledger, options, &mut plan, decided).await?,
        (None, false) if options.at.is_some() => {}
        _ => {
            return Err(Failure::misuse("say who (--device, --person, --all-…) and what (--decision)"));
        }
    }
    plan.check(system.now()).map_err(Failure::misuse)?;
    let by = options.requester.find(ledger, &plan.source).await?;
    let mut transaction = ledger.begin(system.now()).await.doing(WRITE)?;
    let actor = SystemContext::operator();
    let revision = TransferRevision { before: &transfer.plan, plan: &plan, by: by.as_ref() };
    transaction.change_transfer(&transfer.id, &revision, &actor).await.map_err(failure)?;
    transaction.commit().await.committed(WRITE)?;
    if options.output.json {
        outln!(
            "{}",
            json!({"transfer": transfer.id, "plan": plan.hash(), "at": plan.at.whole_second(), "state": "draft"})
        );
    } else {
        outln!("changed: everybody has to approve of it now: tegata transfer dry-run {}", transfer.id);
    }
    Ok(())
}

async fn apply(
    ledger: &Ledger,
    options: &DecideOptions,
    plan: &mut TransferPlan,
    decided: DecisionArg,
) -> Result<(), Failure> {
    let (mut devices, mut people) = (options.devices.clone(), Vec::new());
    for named in &options.people {
        people.push(crate::cli::person::find(ledger, &plan.source, named).await?.id);
    }
    if options.all_devices || options.all_people {
        let present = rows(ledger, None).present_at_sites(plan).await.doing(READ)?;
        devices.extend(present.devices.into_iter().filter(|_| options.all_devices).map(|one| one.device.id));
        people.extend(present.people.into_iter().filter(|_| options.all_people).map(|one| one.id));
    }
    let stays_at = stays_at(ledger, options, plan).await?;
    if matches!(plan.change, TransferChange::Shares { .. }) {
        return Err(Failure::misuse("nobody moves where a company is called otherwise"));
    }
    let of_device = match (decided, stays_at) {
        (DecisionArg::Move, _) => Some(DeviceDecision::Move),
        (DecisionArg::Stay, Some(at)) => Some(DeviceDecision::Stay { at }),
        (DecisionArg::Stay, None) if devices.is_empty() => None,
        (DecisionArg::Stay, None) => {
            return Err(Failure::misuse("say where a device goes that stays: --stays-at SITE"));
        }
        (DecisionArg::Undecided, _) => None,
    };
    let of_person = match decided {
        DecisionArg::Move => Some(PersonDecision::Move),
        DecisionArg::Stay => Some(PersonDecision::Stay),
        DecisionArg::Undecided => None,
    };
    for device in devices {
        plan.decide_device(device, of_device.clone());
    }
    for person in people {
        plan.decide_person(person, of_person);
    }
    Ok(())
}

async fn stays_at(
    ledger: &Ledger,
    options: &DecideOptions,
    plan: &TransferPlan,
) -> Result<Option<SiteId>, Failure> {
    let Some(named) = &options.stays_at else { return Ok(None) };
    let directory = TenantDirectory::read(ledger).await?;
    let site = directory.site(Some(plan.source.as_str()), named)?.site;
    Ok(site.map(|site| site.id.clone()))
}
