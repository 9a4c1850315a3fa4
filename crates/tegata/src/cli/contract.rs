//! `tegata contract import`: companies, sites and licenses, kept in step with the vendor's register of customers.

use crate::cli::installation_args::InstallationArgs;
use crate::cli::output::OutputFormat;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tegata_admin::contracts::{
    CONTRACT_COLUMNS, CONTRACT_NEEDED, ContractChange, ContractPlan, ListedContract, PlannedContract,
};
use tegata_installation::{Failure, FailureContext, SystemContext};
use tegata_web::ParsedTable;

/// The largest file that is read, in bytes.
const LARGEST: u64 = 8 * 1024 * 1024;

/// The most lines of a list.
const MOST: usize = 20_000;

/// What can be done with contracts.
#[derive(clap::Subcommand)]
pub enum ContractCommand {
    /// Make companies, sites and licenses as a CSV list has them, by the keys of the register that it comes from
    Import(ImportContractsOptions),
}

#[derive(clap::Args)]
pub struct ImportContractsOptions {
    /// CSV whose first line names its columns: `tenant_key`, `tenant`, and `site_key`, `site`, `products` as needed
    file: PathBuf,
    /// Only say what would become of each line
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: OutputFormat,
}

/// Compares the list with what is there, and does what differs.
pub async fn run(
    place: &InstallationArgs,
    command: &ContractCommand,
    system: &SystemContext,
) -> Result<(), Failure> {
    let ContractCommand::Import(options) = command;
    let lines = read_list(&options.file)?;
    let config = place.config()?;
    let products: Vec<_> = config.products.iter().map(|product| product.audience.clone()).collect();
    let ledger = place.ledger(system).await?;
    let worked = async {
        let plan = ContractPlan::make(&ledger, lines, &products, system.entropy.as_ref()).await;
        let plan = plan.doing("cannot read the ledger")?;
        if !options.dry_run {
            let done = plan.perform(&ledger, system.clock.as_ref(), &SystemContext::operator()).await;
            done.doing("the list was not worked off to its end; give it again")?;
        }
        Ok(plan)
    };
    let plan = worked.await;
    ledger.close().await;
    report(&plan?, options)
}

/// A line with its number, or what is wrong with it.
type ReadLine = (u32, Result<ListedContract, String>);

fn read_list(file: &Path) -> Result<Vec<ReadLine>, Failure> {
    let name = file.display();
    let unreadable = |error| Failure::misuse(format!("cannot read {name}: {error}"));
    if std::fs::metadata(file).map_err(unreadable)?.len() > LARGEST {
        return Err(Failure::misuse(format!("{name} has more than 8 MiB: divide it")));
    }
    let bytes = std::fs::read(file).map_err(unreadable)?;
    let table = ParsedTable::read(&bytes, None);
    let lines = table.and_then(|table| table.records(CONTRACT_COLUMNS, CONTRACT_NEEDED));
    let lines = lines.map_err(|why| Failure::misuse(format!("{name}: {why}")))?;
    match lines.len() {
        0 => Err(Failure::wrong("the list has no lines below the names of its columns")),
        1..=MOST => Ok(lines),
        _ => Err(Failure::misuse(format!("{name} has more than {MOST} lines: divide it"))),
    }
}

fn report(plan: &ContractPlan, options: &ImportContractsOptions) -> Result<(), Failure> {
    let count = |word: &str| plan.lines.iter().filter(|line| line.word() == word).count();
    let [created, changed, unchanged, refused] = ["created", "changed", "unchanged", "refused"].map(count);
    if options.output.json {
        let lines: Vec<_> = plan.lines.iter().map(described).collect();
        outln!(
            "{}",
            json!({
                "performed": !options.dry_run, "created": created, "changed": changed, "unchanged": unchanged,
                "refused": refused, "lines": lines,
            })
        );
    } else {
        for line in plan.lines.iter().filter(|line| line.word() != "unchanged") {
            let said = match &line.outcome {
                Ok(changes) => words(changes).join(", "),
                Err(why) => why.clone(),
            };
            outln!("line {}  {:8}  {said}", line.number, line.word());
        }
        let would = if options.dry_run { "would be " } else { "" };
        outln!(
            "{created} {would}created, {changed} {would}changed, {unchanged} unchanged, {refused} refused"
        );
    }
    if refused == 0 { Ok(()) } else { Err(Failure::wrong(format!("{refused} lines were refused"))) }
}

fn described(line: &PlannedContract) -> Value {
    let (tenant_key, site_key) = &line.keys;
    let changes = line.outcome.as_ref().map(|changes| words(changes));
    json!({
        "line": line.number, "tenant_key": tenant_key, "site_key": site_key, "outcome": line.word(),
        "changes": changes.clone().unwrap_or_default(), "reason": changes.err(),
    })
}

fn words(changes: &[ContractChange]) -> Vec<&'static str> {
    changes.iter().map(ContractChange::as_str).collect()
}
