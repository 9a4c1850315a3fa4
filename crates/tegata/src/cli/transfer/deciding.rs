//! Decisions: what becomes of devices and people.

use super::lookup::{READ, WRITE, failure, find};
use crate::cli::output::OutputFormat;
use crate::cli::scope::{TenantDirectory, rows};
use serde_json::json;
use tegata_core::transfer::{DeviceDecision, PersonDecision, TransferChange, TransferPlan};
use tegata_core::{DeviceId, DeviceState, PersonId, Role, SiteId, Timestamp};
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext};
use tegata_storage::{DeviceFilter, Ledger};

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
    output: OutputFormat,
}

/// Whether everybody there moves.
#[derive(Clone, Copy)]
pub(super) struct Everybody {
    pub(super) devices: bool,
    pub(super) people: bool,
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
        let (at, room) = (at.whole_second(), plan.latest.since(plan.at));
        (plan.at, plan.latest) = (at, at.plus(room));
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
    let mut transaction = ledger.begin(system.now()).await.doing(WRITE)?;
    let actor = SystemContext::operator();
    transaction.change_transfer(&transfer.id, &transfer.plan, &plan, &actor).await.map_err(failure)?;
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
    let everybody = Everybody { devices: options.all_devices, people: options.all_people };
    let (all_devices, all_people) = present(ledger, plan, everybody).await?;
    devices.extend(all_devices);
    people.extend(all_people);
    let stays_at = stays_at(ledger, options, plan).await?;
    let TransferChange::Business { devices: of_devices, people: of_people, .. } = &mut plan.change else {
        return Err(Failure::misuse("nobody moves where a company is called otherwise"));
    };
    for device in devices {
        match (decided, &stays_at) {
            (DecisionArg::Move, _) => drop(of_devices.insert(device, DeviceDecision::Move)),
            (DecisionArg::Stay, Some(at)) => {
                drop(of_devices.insert(device, DeviceDecision::Stay { at: at.clone() }));
            }
            (DecisionArg::Stay, None) => {
                return Err(Failure::misuse("say where a device goes that stays: --stays-at SITE"));
            }
            (DecisionArg::Undecided, _) => drop(of_devices.remove(&device)),
        }
    }
    for person in people {
        match decided {
            DecisionArg::Move => drop(of_people.insert(person, PersonDecision::Move)),
            DecisionArg::Stay => drop(of_people.insert(person, PersonDecision::Stay)),
            DecisionArg::Undecided => drop(of_people.remove(&person)),
        }
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

/// Decides that everybody who is there now moves.
pub(super) async fn decide_everybody(
    ledger: &Ledger,
    plan: &mut TransferPlan,
    everybody: Everybody,
) -> Result<(), Failure> {
    let (all_devices, all_people) = present(ledger, plan, everybody).await?;
    if let TransferChange::Business { devices, people, .. } = &mut plan.change {
        devices.extend(all_devices.into_iter().map(|device| (device, DeviceDecision::Move)));
        people.extend(all_people.into_iter().map(|person| (person, PersonDecision::Move)));
    }
    Ok(())
}

/// The devices and people at the sites that move, where they are wanted.
async fn present(
    ledger: &Ledger,
    plan: &TransferPlan,
    everybody: Everybody,
) -> Result<(Vec<DeviceId>, Vec<PersonId>), Failure> {
    let of_source = rows(ledger, Some(&plan.source));
    let moves = |site: &SiteId| plan.sites().any(|(moving, _)| moving == site);
    let (mut devices, mut people) = (Vec::new(), Vec::new());
    if everybody.devices {
        let all = of_source.devices(&DeviceFilter::default()).await.doing(READ)?;
        let is_there = |state| matches!(state, DeviceState::Active | DeviceState::Suspended);
        devices.extend(
            all.into_iter()
                .map(|listed| listed.device)
                .filter(|device| device.role == Role::Device && is_there(device.state) && moves(&device.site))
                .map(|device| device.id),
        );
    }
    if everybody.people {
        let all = of_source.people().await.doing(READ)?;
        let works_there = |person: &tegata_storage::Person| person.sites.iter().any(|site| moves(&site.id));
        people.extend(all.into_iter().filter(works_there).map(|person| person.id));
    }
    Ok((devices, people))
}
