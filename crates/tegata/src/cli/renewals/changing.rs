//! Renewals put off, and renewals at once.

use super::rules::{RulesChange, place_of};
use crate::cli::moment::day_or_moment;
use crate::cli::output::OutputFormat;
use crate::cli::scope::{ScopeTarget, TenantDirectory, rows};
use serde_json::json;
use std::collections::BTreeMap;
use tegata_core::Timestamp;
use tegata_core::renewal::RenewalRules;
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext};
use tegata_storage::{DueRenewal, Ledger};

/// Until when, and why.
#[derive(clap::Args)]
pub struct PauseOptions {
    #[command(flatten)]
    place: ScopeTarget,
    /// The day or moment on which renewals go on
    #[arg(long, value_name = "DAY", value_parser = day_or_moment)]
    until: Timestamp,
    /// Why, for the audit log. No names of persons
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    output: OutputFormat,
}

/// The place whose pause ends.
#[derive(clap::Args)]
pub struct ResumeOptions {
    #[command(flatten)]
    place: ScopeTarget,
    #[command(flatten)]
    output: OutputFormat,
}

/// Whose certificates, and why.
#[derive(clap::Args)]
pub struct NowOptions {
    #[command(flatten)]
    place: ScopeTarget,
    /// Why, for the audit log. No names of persons. Without: show how far it is
    #[arg(long, conflicts_with = "stop")]
    reason: Option<String>,
    /// Ask nobody any more: what is left is renewed when it is due
    #[arg(long)]
    stop: bool,
    #[command(flatten)]
    output: OutputFormat,
}

const READ: &str = "cannot read the ledger";
const WRITE: &str = "nothing was asked for";

pub async fn pause(ledger: &Ledger, options: &PauseOptions, system: &SystemContext) -> Result<(), Failure> {
    if options.until <= system.now() {
        return Err(Failure::misuse("a pause ends in the future: give a later day to --until"));
    }
    let change = |rules: &mut RenewalRules| rules.paused_until = Some(options.until);
    let of = RulesChange { place: &options.place, note: &options.reason, output: &options.output };
    of.write(ledger, change, system).await
}

pub async fn resume(ledger: &Ledger, options: &ResumeOptions, system: &SystemContext) -> Result<(), Failure> {
    let change = |rules: &mut RenewalRules| rules.paused_until = None;
    RulesChange { place: &options.place, note: "", output: &options.output }
        .write(ledger, change, system)
        .await
}

/// A hurry that goes on keeps its beginning: who renewed since is not asked twice.
pub async fn now(ledger: &Ledger, options: &NowOptions, system: &SystemContext) -> Result<(), Failure> {
    let directory = TenantDirectory::read(ledger).await?;
    let meant = options.place.find_in(&directory)?;
    let place = place_of(meant);
    let rows = rows(ledger, Some(&place.tenant));
    let mut transaction = rows.begin(system.now()).await.doing(WRITE)?;
    let mut rules = transaction.renewal_rules_at(&place).await.doing(WRITE)?;
    let since = match (&options.reason, options.stop) {
        (_, true) => rules.urgent_since.take(),
        (Some(_), false) => Some(*rules.urgent_since.get_or_insert(system.now())),
        (None, false) => rules.urgent_since,
    };
    let note = options.reason.as_deref().unwrap_or_default();
    let actor = SystemContext::operator();
    let changed = transaction.set_renewal_rules(&place, &rules, note, &actor).await.doing(WRITE)?;
    transaction.commit().await.committed(WRITE)?;
    let Some(since) = since else {
        return Err(Failure::wrong("nobody was asked to renew at once: give --reason to do so"));
    };
    let certificates = rows.ending_before(Timestamp::END).await.doing(READ)?;
    let certificates = certificates
        .into_iter()
        .filter(|one| one.not_after >= system.now() && meant.holds(&one.tenant, &one.site));
    let progress = HurryProgress::of(certificates, since);
    if options.output.json {
        outln!(
            "{}",
            json!({
                "tenant": meant.tenant.id, "site": meant.site.map(|site| &site.id), "since": since.whole_second(),
                "active": !options.stop, "changed": changed, "renewed": progress.renewed, "left": progress.left(),
                "sites": progress.sites,
            })
        );
        return Ok(());
    }
    outln!("since {}: {} renewed, {} left", since.whole_second(), progress.renewed, progress.left());
    for (site, left) in &progress.sites {
        outln!("  {site}  {left}");
    }
    Ok(())
}

/// How far a hurry is.
struct HurryProgress {
    renewed: usize,
    /// How many devices are left, by the site's name.
    sites: BTreeMap<String, usize>,
}

impl HurryProgress {
    /// A device that has made itself a newer certificate is done, whether it was seen with it yet or not.
    fn of(certificates: impl Iterator<Item = DueRenewal>, since: Timestamp) -> Self {
        let mut devices = BTreeMap::new();
        for certificate in certificates {
            let device = devices.entry(certificate.device).or_insert((certificate.site_name, false));
            device.1 |= certificate.made_at >= since;
        }
        let mut progress = Self { renewed: 0, sites: BTreeMap::new() };
        for (site, is_done) in devices.into_values() {
            if is_done {
                progress.renewed += 1;
            } else {
                *progress.sites.entry(site).or_default() += 1;
            }
        }
        progress
    }

    fn left(&self) -> usize {
        self.sites.values().sum()
    }
}
