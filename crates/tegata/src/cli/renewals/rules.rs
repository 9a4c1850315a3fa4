//! When places want their renewals.

use crate::cli::output::{OutputFormat, nothing_found};
use crate::cli::policy::YesNo;
use crate::cli::scope::{ScopeArgs, ScopeTarget, TenantDirectory, TenantSite, places_that_count, rows};
use clap::ValueEnum;
use serde_json::{Value, json};
use tegata_core::policy::{FixedOffset, OpeningHours, WeeklyWindow};
use tegata_core::renewal::{CalendarDays, RenewalRules};
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext};
use tegata_storage::{Ledger, PolicyPlace};

/// Whose rules to show.
#[derive(clap::Args)]
pub struct ShowRulesOptions {
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    output: OutputFormat,
}

/// What the rules are to be.
#[derive(clap::Args)]
#[group(id = "wishes", required = true, multiple = true, args = ["hours", "holidays", "closed", "busy", "spread_days"])]
pub struct SetRulesOptions {
    #[command(flatten)]
    place: ScopeTarget,
    /// When somebody is there, once for each window: "mon-fri 09:00-18:00", "sat 9:00-13:00"
    #[arg(long, value_name = "WINDOW")]
    hours: Vec<WeeklyWindow>,
    /// The clock of --hours, ahead of UTC. Japan's unless said otherwise
    #[arg(long, requires = "hours", default_value = "+09:00", allow_hyphen_values = true)]
    zone: FixedOffset,
    /// Whether somebody is there on public holidays. Nobody is, where --hours are said, unless this says so
    #[arg(long, value_enum)]
    holidays: Option<YesNo>,
    /// Days on which nobody is there: 2026-12-29..2027-01-03, 2026-08-13, or 31 for every month
    #[arg(long, value_name = "DAYS", value_delimiter = ',')]
    closed: Vec<CalendarDays>,
    /// Days on which nobody has time, taken for want of others: 1-10 for every month, while claims are sent in
    #[arg(long, value_name = "DAYS", value_delimiter = ',')]
    busy: Vec<CalendarDays>,
    /// Over how many days renewals are spread from the day on which they are due; 14 unless said otherwise
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=60))]
    spread_days: Option<u16>,
    #[command(flatten)]
    output: OutputFormat,
}

/// Which rules are taken back.
#[derive(clap::Args)]
pub struct ClearRulesOptions {
    #[command(flatten)]
    place: ScopeTarget,
    /// Take these rules back alone
    #[arg(long = "rule", value_enum, value_delimiter = ',')]
    rules: Vec<RenewalRule>,
    #[command(flatten)]
    output: OutputFormat,
}

/// A rule by its name.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RenewalRule {
    /// When somebody is there
    Hours,
    /// Whether somebody is there on public holidays
    Holidays,
    /// Days on which nobody is there
    Closed,
    /// Days on which nobody has time
    Busy,
    /// Over how many days renewals are spread
    SpreadDays,
}

const READ: &str = "cannot read the ledger";
const WRITE: &str = "no rule was changed";

pub async fn show(ledger: &Ledger, options: &ShowRulesOptions) -> Result<(), Failure> {
    let directory = TenantDirectory::read(ledger).await?;
    let scope = options.scope.find_in(&directory)?;
    let rules = options.scope.rows(&directory, ledger)?.renewal_rules().await.doing(READ)?;
    let mut described = Vec::new();
    for (place, rules) in places_that_count(&directory, scope, &rules) {
        if !options.output.json {
            outln!("{}  {}\n{}", place.tenant.name, place.site_name(), lines(rules));
        }
        described.push(describe(place, rules));
    }
    let is_nothing = described.is_empty();
    if options.output.json {
        outln!("{}", Value::Array(described));
    }
    nothing_found(is_nothing, "no rules: renewals are asked for as soon as they are due")
}

pub async fn set(ledger: &Ledger, options: &SetRulesOptions, system: &SystemContext) -> Result<(), Failure> {
    let change = |rules: &mut RenewalRules| options.apply(rules);
    RulesChange { place: &options.place, note: "", output: &options.output }
        .write(ledger, change, system)
        .await
}

pub async fn clear(
    ledger: &Ledger,
    options: &ClearRulesOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let change = |rules: &mut RenewalRules| take_back(rules, &options.rules);
    RulesChange { place: &options.place, note: "", output: &options.output }
        .write(ledger, change, system)
        .await
}

/// A change of the rules of one place.
pub struct RulesChange<'a> {
    pub place: &'a ScopeTarget,
    /// Why, for the audit log.
    pub note: &'a str,
    pub output: &'a OutputFormat,
}

impl RulesChange<'_> {
    /// Reads and writes within one transaction: of two operators at once neither undoes the other's rule.
    pub async fn write(
        &self,
        ledger: &Ledger,
        change: impl FnOnce(&mut RenewalRules),
        system: &SystemContext,
    ) -> Result<(), Failure> {
        let directory = TenantDirectory::read(ledger).await?;
        let meant = self.place.find_in(&directory)?;
        let place = place_of(meant);
        let mut transaction = rows(ledger, Some(&place.tenant)).begin(system.now()).await.doing(WRITE)?;
        let mut rules = transaction.renewal_rules_at(&place).await.doing(WRITE)?;
        change(&mut rules);
        let actor = SystemContext::operator();
        let changed = transaction.set_renewal_rules(&place, &rules, self.note, &actor).await.doing(WRITE)?;
        transaction.commit().await.committed(WRITE)?;
        if self.output.json {
            let mut line = describe(meant, &rules);
            line["changed"] = changed.into();
            outln!("{line}");
        } else {
            outln!("{}  {}\n{}", meant.tenant.name, meant.site_name(), lines(&rules));
        }
        Ok(())
    }
}

/// The place as the ledger knows it.
pub fn place_of(meant: TenantSite<'_>) -> PolicyPlace {
    PolicyPlace { tenant: meant.tenant.id.clone(), site: meant.site.map(|site| site.id.clone()) }
}

impl SetRulesOptions {
    fn apply(&self, rules: &mut RenewalRules) {
        if !self.hours.is_empty() {
            rules.hours = Some(OpeningHours { zone: self.zone, windows: self.hours.clone() });
        }
        if let Some(answer) = self.holidays {
            rules.open_on_holidays = Some(answer == YesNo::Yes);
        }
        if !self.closed.is_empty() {
            rules.closed.clone_from(&self.closed);
        }
        if !self.busy.is_empty() {
            rules.busy.clone_from(&self.busy);
        }
        if self.spread_days.is_some() {
            rules.spread_days = self.spread_days;
        }
    }
}

fn take_back(rules: &mut RenewalRules, only: &[RenewalRule]) {
    let goes = |rule| only.is_empty() || only.contains(&rule);
    if goes(RenewalRule::Hours) {
        rules.hours = None;
    }
    if goes(RenewalRule::Holidays) {
        rules.open_on_holidays = None;
    }
    if goes(RenewalRule::Closed) {
        rules.closed.clear();
    }
    if goes(RenewalRule::Busy) {
        rules.busy.clear();
    }
    if goes(RenewalRule::SpreadDays) {
        rules.spread_days = None;
    }
}

fn lines(rules: &RenewalRules) -> String {
    fn joined<T: ToString>(items: &[T]) -> String {
        items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
    let mut lines = Vec::new();
    if let Some(hours) = &rules.hours {
        lines.push(format!("  hours     {} (UTC{})", joined(&hours.windows), hours.zone));
    }
    if let Some(open) = rules.open_on_holidays {
        lines.push(format!("  holidays  {}", if open { "open" } else { "closed" }));
    }
    if !rules.closed.is_empty() {
        lines.push(format!("  closed    {}", joined(&rules.closed)));
    }
    if !rules.busy.is_empty() {
        lines.push(format!("  busy      {}", joined(&rules.busy)));
    }
    if let Some(days) = rules.spread_days {
        lines.push(format!("  spread    over {days} days"));
    }
    if let Some(until) = rules.paused_until {
        lines.push(format!("  paused    until {}", until.whole_second()));
    }
    if let Some(since) = rules.urgent_since {
        lines.push(format!("  at once   whatever began before {}", since.whole_second()));
    }
    if lines.is_empty() {
        lines.push("  no rules".to_owned());
    }
    lines.join("\n")
}

fn describe(place: TenantSite<'_>, rules: &RenewalRules) -> Value {
    let TenantSite { tenant, site } = place;
    json!({
        "tenant": tenant.id, "tenant_name": tenant.name,
        "site": site.map(|site| &site.id), "site_name": site.map(|site| &site.name), "rules": rules,
    })
}
