//! Renewals put off, and renewals at once.

use super::rules::{RulesChange, place_of};
use crate::cli::moment::day_or_moment;
use crate::cli::output::OutputFormat;
use crate::cli::scope::{ScopeTarget, TenantDirectory, rows};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tegata_core::Timestamp;
use tegata_core::renewal::RenewalRules;
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext};
use tegata_storage::{Ledger, SiteProgress};

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
    /// Why, for the audit log. No names of persons. Without: show how far it is, site by site
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
    let sites = rows.renewed_since(&place, since, system.now()).await.doing(READ)?;
    let progress = HurryProgress { sites };
    if options.output.json {
        outln!(
            "{}",
            json!({
                "tenant": meant.tenant.id, "site": meant.site.map(|site| &site.id), "since": since.whole_second(),
                "active": !options.stop, "changed": changed, "renewed": progress.renewed(), "left": progress.left(),
                "rate": progress.rate(), "sites": progress.left_by_site(), "by_site": progress.described(),
            })
        );
        return Ok(());
    }
    progress.print(since);
    Ok(())
}

/// How far a hurry is.
struct HurryProgress {
    sites: Vec<SiteProgress>,
}

impl HurryProgress {
    fn renewed(&self) -> i64 {
        self.sites.iter().map(|site| site.renewed).sum()
    }

    fn left(&self) -> i64 {
        self.sites.iter().map(left).sum()
    }

    /// Of a hundred devices so many are done; nothing is left of none.
    fn rate(&self) -> i64 {
        let all = self.renewed() + self.left();
        if all == 0 { 100 } else { self.renewed() * 100 / all }
    }

    /// How many devices are left, by the site's name.
    fn left_by_site(&self) -> BTreeMap<&str, i64> {
        let mut sites = BTreeMap::new();
        for site in self.sites.iter().filter(|site| left(site) > 0) {
            *sites.entry(site.site_name.as_str()).or_default() += left(site);
        }
        sites
    }

    fn described(&self) -> Vec<Value> {
        let describe = |site: &SiteProgress| json!({"site": site.site, "name": site.site_name, "renewed": site.renewed, "left": left(site)});
        self.sites.iter().map(describe).collect()
    }

    fn print(&self, since: Timestamp) {
        let (renewed, left_over) = (self.renewed(), self.left());
        outln!("since {}: {renewed} renewed, {left_over} left, {}% done", since.whole_second(), self.rate());
        for site in self.sites.iter().filter(|site| left(site) > 0) {
            outln!("  {}  {} of {} left", site.site_name, left(site), site.devices);
        }
    }
}

fn left(site: &SiteProgress) -> i64 {
    site.devices - site.renewed
}
