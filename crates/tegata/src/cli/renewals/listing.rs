//! Who is to renew now, and who when.

use crate::cli::moment::day_or_moment;
use crate::cli::output::{OutputFormat, nothing_found};
use crate::cli::scope::{ScopeArgs, TenantDirectory};
use serde_json::{Value, json};
use std::time::Duration;
use tegata_core::renewal::{PlanBasis, RenewalPolicy};
use tegata_core::{Language, Timestamp};
use tegata_installation::{Failure, FailureContext, SystemContext};
use tegata_scheduler::PlannedCertificate;
use tegata_storage::{DueRenewal, Ledger};
use tegata_web::japan_date;

/// The place whose renewals are listed.
#[derive(clap::Args)]
pub struct ListOptions {
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    output: OutputFormat,
}

/// Whose renewals, and up to when.
#[derive(clap::Args)]
pub struct PlanOptions {
    #[command(flatten)]
    scope: ScopeArgs,
    /// Up to this day or moment; 60 days ahead unless said otherwise
    #[arg(long, value_name = "DAY", value_parser = day_or_moment)]
    until: Option<Timestamp>,
    #[command(flatten)]
    output: OutputFormat,
}

/// How far a plan looks ahead unless it is told to.
const AHEAD: Duration = Duration::from_hours(60 * 24);

const READ: &str = "cannot read the ledger";

pub async fn list(
    ledger: &Ledger,
    policy: &RenewalPolicy,
    options: &ListOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let now = system.now();
    let (due, overdue) = planned(ledger, policy, &options.scope, now, now).await?;
    if options.output.json {
        let mut lines: Vec<Value> = due.iter().map(|one| describe_planned(one, "due")).collect();
        lines.extend(overdue.iter().map(|one| describe(one, "overdue")));
        outln!("{}", Value::Array(lines));
    } else {
        for PlannedCertificate { certificate, .. } in &due {
            outln!("due      until {}  {}", day(certificate.not_after), who(certificate));
        }
        for certificate in &overdue {
            outln!("overdue  since {}  {}", day(certificate.not_after), who(certificate));
        }
    }
    nothing_found(due.is_empty() && overdue.is_empty(), "nobody has to renew now")
}

pub async fn plan(
    ledger: &Ledger,
    policy: &RenewalPolicy,
    options: &PlanOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let now = system.now();
    let until = options.until.unwrap_or(now.plus(AHEAD));
    let (planned, _) = planned(ledger, policy, &options.scope, until, now).await?;
    if options.output.json {
        let state = |one: &PlannedCertificate| if one.plan.from <= now { "due" } else { "planned" };
        outln!("{}", Value::Array(planned.iter().map(|one| describe_planned(one, state(one))).collect()));
    } else {
        for PlannedCertificate { certificate, plan } in &planned {
            let from = japan_date::moment(plan.from, Language::En);
            outln!("{from}  {}{}", who(certificate), note(plan.basis));
        }
    }
    nothing_found(planned.is_empty(), "nothing is to be renewed by then")
}

/// Within what the command is restricted to.
async fn planned(
    ledger: &Ledger,
    policy: &RenewalPolicy,
    scope: &ScopeArgs,
    until: Timestamp,
    now: Timestamp,
) -> Result<(Vec<PlannedCertificate>, Vec<DueRenewal>), Failure> {
    let directory = TenantDirectory::read(ledger).await?;
    let rows = scope.rows(&directory, ledger)?;
    let (mut planned, mut overdue) = tegata_scheduler::plan(&rows, policy, until, now).await.doing(READ)?;
    if let Some(scope) = scope.find_in(&directory)? {
        planned.retain(|one| scope.holds(&one.certificate.tenant, &one.certificate.site));
        overdue.retain(|one| scope.holds(&one.tenant, &one.site));
    }
    Ok((planned, overdue))
}

fn day(at: Timestamp) -> String {
    japan_date::day(at, Language::En)
}

fn who(certificate: &DueRenewal) -> String {
    let DueRenewal { tenant_name, site_name, label, device, .. } = certificate;
    format!("{tenant_name} {site_name} {label}  {device}")
}

/// What is worth saying of the reason.
fn note(basis: PlanBasis) -> &'static str {
    match basis {
        PlanBasis::Due | PlanBasis::Open => "",
        PlanBasis::Busy => "  (a busy day: there is no other)",
        PlanBasis::NoOpenTime => "  (nobody is there at any time that is left)",
        PlanBasis::Urgent => "  (at once)",
    }
}

fn describe_planned(one: &PlannedCertificate, state: &str) -> Value {
    let mut line = describe(&one.certificate, state);
    line["from"] = json!(one.plan.from.whole_second());
    line["to"] = json!(one.plan.to.whole_second());
    line["basis"] = json!(one.plan.basis);
    line
}

fn describe(certificate: &DueRenewal, state: &str) -> Value {
    json!({
        "state": state, "device": certificate.device, "label": certificate.label,
        "tenant": certificate.tenant, "tenant_name": certificate.tenant_name,
        "site": certificate.site, "site_name": certificate.site_name,
        "generation": certificate.generation, "not_after": certificate.not_after.whole_second(),
    })
}
