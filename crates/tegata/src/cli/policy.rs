//! `tegata policy …`: who may enroll a first device, with what, from where and when.

use crate::cli::installation_args::InstallationArgs;
use crate::cli::output::{OutputFormat, nothing_found};
use crate::cli::scope::{ScopeArgs, ScopeTarget, TenantDirectory, TenantSite, places_that_count, rows};
use clap::ValueEnum;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tegata_core::policy::{FixedOffset, OpeningHours, Platform, WeeklyWindow};
use tegata_core::{EnrollmentPolicy, Network};
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext};
use tegata_storage::{Ledger, PolicyPlace};

/// What can be done with policies.
#[derive(clap::Subcommand)]
pub enum PolicyCommand {
    /// Show policies: those of all tenants, or of one with its sites
    Show {
        #[command(flatten)]
        scope: ScopeArgs,
        #[command(flatten)]
        output: OutputFormat,
    },
    /// Set rules, beside those that are there; for the next enrollment on every server. Renewals know nothing of them.
    /// Whoever enrolls must satisfy the rules of the tenant and those of the site: a site can only be stricter
    Set(SetOptions),
    /// Take rules back; without --rule all of them
    Clear {
        #[command(flatten)]
        place: ScopeTarget,
        /// Lift these rules alone
        #[arg(long = "rule", value_enum, value_delimiter = ',')]
        rules: Vec<PolicyRule>,
        #[command(flatten)]
        output: OutputFormat,
    },
}

/// What the rules are to be.
#[derive(clap::Args)]
#[group(id = "rules", required = true, multiple = true, args = ["devices", "platform", "network", "hours", "approval"])]
pub struct SetOptions {
    #[command(flatten)]
    place: ScopeTarget,
    /// At most so many devices at a time: at the site, or at all sites of the tenant together
    #[arg(long, value_name = "N")]
    devices: Option<u32>,
    /// What devices may be, by their own word: windows, macos, ios, android, chromeos, linux; apple for an iPhone, iPad or
    /// Mac that does not say which; other for whatever does not say what it is, such as printers and routers
    #[arg(long, value_delimiter = ',', value_parser = platform)]
    platform: Vec<Platform>,
    /// From where they may come: addresses or prefixes, as `192.0.2.0/24,2001:db8::/32`
    #[arg(long, value_delimiter = ',', value_name = "CIDR")]
    network: Vec<Network>,
    /// When, once for each window: "mon-fri 09:00-20:00", "sat 9:00-13:00", "22:00-06:00"
    #[arg(long, value_name = "WINDOW")]
    hours: Vec<WeeklyWindow>,
    /// The clock of --hours, ahead of UTC. Japan's unless said otherwise
    #[arg(long, requires = "hours", default_value = "+09:00", allow_hyphen_values = true)]
    zone: FixedOffset,
    /// Whether somebody has to approve of each: tegata approvals
    #[arg(long, value_enum)]
    approval: Option<YesNo>,
    #[command(flatten)]
    output: OutputFormat,
}

/// A rule by its name.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PolicyRule {
    /// How many devices there may be
    Devices,
    /// What devices may be
    Platform,
    /// From where they may come
    Network,
    /// When they may enroll
    Hours,
    /// Whether somebody has to approve
    Approval,
}

/// Whether somebody has to approve of each device.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum YesNo {
    /// Somebody has to approve
    Yes,
    /// Nobody has to approve
    No,
}

const READ: &str = "cannot read the ledger";
const WRITE: &str = "no policy was changed";

pub async fn run(
    place: &InstallationArgs,
    command: &PolicyCommand,
    system: &SystemContext,
) -> Result<(), Failure> {
    let ledger = place.ledger(system).await?;
    let result = match command {
        PolicyCommand::Show { scope, output } => show(&ledger, scope, output.json).await,
        PolicyCommand::Set(options) => {
            change(&ledger, &options.place, |policy| options.apply(policy), options.output.json, system).await
        }
        PolicyCommand::Clear { place, rules, output } => {
            change(&ledger, place, |policy| clear(policy, rules), output.json, system).await
        }
    };
    ledger.close().await;
    result
}

async fn show(ledger: &Ledger, scope: &ScopeArgs, as_json: bool) -> Result<(), Failure> {
    let directory = TenantDirectory::read(ledger).await?;
    let scope = scope.find_in(&directory)?;
    let rows = rows(ledger, scope.map(|place| &place.tenant.id));
    let policies = rows.policies().await.doing(READ)?;
    let mut described = Vec::new();
    for (place, policy) in places_that_count(&directory, scope, &policies) {
        if !as_json {
            outln!("{}  {}\n{}", place.tenant.name, place.site_name(), lines(policy));
        }
        described.push(describe(place, policy));
    }
    let is_nothing = described.is_empty();
    if as_json {
        outln!("{}", Value::Array(described));
    }
    nothing_found(is_nothing, "no rules: whoever is invited may enroll")
}

/// Reads and writes within one transaction: of two operators at once neither undoes the other's rule.
async fn change(
    ledger: &Ledger,
    target: &ScopeTarget,
    change: impl FnOnce(&mut EnrollmentPolicy),
    as_json: bool,
    system: &SystemContext,
) -> Result<(), Failure> {
    let directory = TenantDirectory::read(ledger).await?;
    let meant = target.find_in(&directory)?;
    let place = PolicyPlace { tenant: meant.tenant.id.clone(), site: meant.site.map(|site| site.id.clone()) };
    let mut transaction = rows(ledger, Some(&place.tenant)).begin(system.now()).await.doing(WRITE)?;
    let mut policy = transaction.policy(&place).await.doing(WRITE)?;
    change(&mut policy);
    let changed = transaction.set_policy(&place, &policy, &SystemContext::operator()).await.doing(WRITE)?;
    transaction.commit().await.committed(WRITE)?;
    if as_json {
        let mut line = describe(meant, &policy);
        line["changed"] = changed.into();
        outln!("{line}");
    } else {
        outln!("{}  {}\n{}", meant.tenant.name, meant.site_name(), lines(&policy));
    }
    Ok(())
}

fn clear(policy: &mut EnrollmentPolicy, rules: &[PolicyRule]) {
    let goes = |rule| rules.is_empty() || rules.contains(&rule);
    if goes(PolicyRule::Devices) {
        policy.devices = None;
    }
    if goes(PolicyRule::Platform) {
        policy.platforms = None;
    }
    if goes(PolicyRule::Network) {
        policy.networks = None;
    }
    if goes(PolicyRule::Hours) {
        policy.hours = None;
    }
    if goes(PolicyRule::Approval) {
        policy.approval = false;
    }
}

impl SetOptions {
    fn apply(&self, policy: &mut EnrollmentPolicy) {
        if self.devices.is_some() {
            policy.devices = self.devices;
        }
        if !self.platform.is_empty() {
            policy.platforms = Some(self.platform.iter().copied().collect::<BTreeSet<_>>());
        }
        if !self.network.is_empty() {
            policy.networks = Some(self.network.clone());
        }
        if !self.hours.is_empty() {
            policy.hours = Some(OpeningHours { zone: self.zone, windows: self.hours.clone() });
        }
        if let Some(answer) = self.approval {
            policy.approval = answer == YesNo::Yes;
        }
    }
}

fn platform(word: &str) -> Result<Platform, String> {
    let known: Vec<_> = Platform::ALL.iter().map(|platform| platform.as_str()).collect();
    Platform::parse(word).ok_or_else(|| format!("one of {}", known.join(", ")))
}

fn lines(policy: &EnrollmentPolicy) -> String {
    fn joined<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
        items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
    }
    let mut lines = Vec::new();
    if let Some(devices) = policy.devices {
        lines.push(format!("  devices    at most {devices}"));
    }
    if let Some(platforms) = &policy.platforms {
        lines.push(format!("  platforms  {}", joined(platforms)));
    }
    if let Some(networks) = &policy.networks {
        lines.push(format!("  networks   {}", joined(networks)));
    }
    if let Some(hours) = &policy.hours {
        lines.push(format!("  hours      {} (UTC{})", joined(&hours.windows), hours.zone));
    }
    if policy.approval {
        lines.push("  approval   needed".to_owned());
    }
    if lines.is_empty() {
        lines.push("  no rules".to_owned());
    }
    lines.join("\n")
}

fn describe(place: TenantSite<'_>, policy: &EnrollmentPolicy) -> Value {
    let TenantSite { tenant, site } = place;
    json!({
        "tenant": tenant.id, "tenant_name": tenant.name,
        "site": site.map(|site| &site.id), "site_name": site.map(|site| &site.name), "policy": policy,
    })
}
