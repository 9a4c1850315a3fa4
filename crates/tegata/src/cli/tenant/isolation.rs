//! `tegata tenant isolation-report`: what an auditor is shown of the wall around a tenant.

use super::READ;
use crate::cli::installation_args::InstallationArgs;
use crate::cli::output::OutputFormat;
use crate::cli::scope::{TenantDirectory, rows};
use clap::Args;
use serde::Serialize;
use tegata_core::Timestamp;
use tegata_installation::config::SharesConfig;
use tegata_installation::{Config, Failure, FailureContext, SystemContext};
use tegata_storage::{
    IssuerKind, IssuerState, Ledger, RowSecurity, SignInPolicy, Tenant, TenantIsolation, TenantIssuers,
};

#[derive(Args)]
pub struct IsolationOptions {
    /// Its name or identifier
    tenant: String,
    #[command(flatten)]
    output: OutputFormat,
}

/// What is the tenant's, what it shares, and how the two are kept apart.
#[derive(Serialize)]
struct IsolationReport {
    installation: String,
    tenant: String,
    name: String,
    /// When it was read, and by which version of the program.
    at: Timestamp,
    version: &'static str,
    /// Whether both walls stand and nothing leads out of the tenant.
    ok: bool,
    resources: Vec<SharedResource>,
    walls: IsolationWalls,
    rows: Vec<CountedRows>,
    crossings: Vec<CountedRows>,
}

/// Something that a tenant has for itself or uses together with others.
#[derive(Serialize)]
struct SharedResource {
    resource: &'static str,
    /// Either `own` or `pooled`, as a word.
    kind: &'static str,
    detail: String,
}

#[derive(Serialize)]
struct IsolationWalls {
    /// The first wall: what serves tenants reaches the ledger by a tenant's scope, or by a right that was shown.
    statements: &'static str,
    /// The second one: `on`, `bypassed`, `missing`, or `none` with SQLite.
    row_security: &'static str,
    /// The role that the ledger is opened with, on PostgreSQL.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    /// Tables with rows of tenants that no policy guards.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    open_tables: Vec<String>,
}

#[derive(Serialize)]
struct CountedRows {
    name: &'static str,
    rows: u64,
}

/// Reads and prints the report. Exit code 1 where a wall has a hole.
pub async fn report(
    place: &InstallationArgs,
    ledger: &Ledger,
    options: &IsolationOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let config = place.config()?;
    let tenant = TenantDirectory::read(ledger).await?.into_tenant(&options.tenant)?;
    let report = read(ledger, &config, &tenant, system.now()).await?;
    if options.output.json {
        outln!("{}", serde_json::to_string(&report).doing("cannot write the report")?);
    } else {
        print(&report);
    }
    if report.ok {
        Ok(())
    } else {
        Err(Failure::wrong("the wall around this tenant has a hole: see the report"))
    }
}

async fn read(
    ledger: &Ledger,
    config: &Config,
    tenant: &Tenant,
    at: Timestamp,
) -> Result<IsolationReport, Failure> {
    let isolation = ledger.isolation_of(&tenant.id).await.doing(READ)?;
    let walls = walls(ledger.row_security().await.doing(READ)?);
    let is_whole = ["on", "none"].contains(&walls.row_security);
    let resources = resources(ledger, config, tenant, &isolation).await?;
    Ok(IsolationReport {
        installation: config.installation.name.as_str().to_owned(),
        tenant: tenant.id.to_string(),
        name: tenant.name.clone(),
        at,
        version: env!("CARGO_PKG_VERSION"),
        ok: isolation.is_whole() && is_whole,
        resources,
        walls,
        rows: isolation.rows.iter().map(|of| CountedRows { name: of.table, rows: of.rows }).collect(),
        crossings: isolation
            .crossings
            .iter()
            .map(|of| CountedRows { name: of.reference, rows: of.rows })
            .collect(),
    })
}

fn walls(read: Option<RowSecurity>) -> IsolationWalls {
    const STATEMENTS: &str = "every statement that serves a tenant names it";
    let Some(read) = read else {
        return IsolationWalls {
            statements: STATEMENTS,
            row_security: "none",
            role: None,
            open_tables: Vec::new(),
        };
    };
    let row_security = match (read.binds_role(), read.open.is_empty()) {
        (true, true) => "on",
        (false, true) => "bypassed",
        (_, false) => "missing",
    };
    IsolationWalls { statements: STATEMENTS, row_security, role: Some(read.role), open_tables: read.open }
}

async fn resources(
    ledger: &Ledger,
    config: &Config,
    tenant: &Tenant,
    isolation: &TenantIsolation,
) -> Result<Vec<SharedResource>, Failure> {
    let own = |resource, detail| SharedResource { resource, kind: "own", detail };
    let pooled = |resource, detail| SharedResource { resource, kind: "pooled", detail };
    let count = |table| isolation.rows.iter().find(|of| of.table == table).map_or(0, |of| of.rows);
    let rows = rows(ledger, Some(&tenant.id));
    let policies = rows.policies().await.doing(READ)?.len();
    let providers = providers(config, tenant);
    Ok(vec![
        issuing(ledger, tenant).await?,
        own("accounts", format!("{} people; their login IDs are unique within the tenant", count("person"))),
        if providers.is_empty() {
            own("identity provider", "none: people sign in with the tenant's own accounts alone".into())
        } else {
            own("identity provider", providers.join(", "))
        },
        own("sign-in policy", sign_in(rows.sign_in_policy(&tenant.id).await.doing(READ)?)),
        own("enrollment policy", format!("{policies} sets of rules, of the tenant and its sites")),
        own("licenses", format!("{} licenses for products", count("licence"))),
        own(
            "devices",
            format!("{} devices and gates, {} certificates", count("device"), count("certificate")),
        ),
        pooled("ledger", "one database: each row says whose it is, or hangs on one that does".into()),
        pooled("keys that sign tokens", "the installation's; a token names its tenant and device".into()),
        pooled(
            "audit log and feed",
            "one gapless chain each; a scope is shown the entries about its own".into(),
        ),
        pooled("work of a server", shares(config.shares)),
    ])
}

async fn issuing(ledger: &Ledger, tenant: &Tenant) -> Result<SharedResource, Failure> {
    let issuers = ledger.issuers().await.doing(READ)?;
    let is_own = tenant.issuing == TenantIssuers::Silo;
    let serves = issuers.iter().filter(|issuer| {
        issuer.kind == IssuerKind::Issuing
            && issuer.state == IssuerState::Active
            && (if is_own { issuer.tenant.as_ref() == Some(&tenant.id) } else { issuer.tenant.is_none() })
    });
    let names: Vec<_> = serves.map(|issuer| issuer.id.to_string()).collect();
    let named = if names.is_empty() { "none at work".to_owned() } else { names.join(", ") };
    let kind = if is_own { "own" } else { "pooled" };
    Ok(SharedResource { resource: "issuing CAs", kind, detail: named })
}

/// The issuers that the configuration names for the tenant.
fn providers(config: &Config, tenant: &Tenant) -> Vec<String> {
    let of = config.identity_providers.iter();
    let own = of.filter(|of| of.is_of(tenant.id.as_str(), &tenant.name));
    own.map(|of| of.issuer.clone()).collect()
}

fn sign_in(policy: SignInPolicy) -> String {
    let (accounts, creates) = (policy.accounts.as_str(), policy.creates_people.as_str());
    format!(
        "accounts: {accounts}; the provider makes accounts: {creates}; accounts for emergencies are local"
    )
}

fn shares(shares: SharesConfig) -> String {
    let SharesConfig { tokens, enrollment, invitations, sign_in, provisioning } = shares;
    format!(
        "under way at one time at each server: {tokens} tokens, {enrollment} enrollments, {invitations} lists, {sign_in} \
         sign-ins, {provisioning} requests of directories; while it is busy, an equal share for each tenant"
    )
}

fn print(report: &IsolationReport) {
    outln!("Isolation of {} ({})", report.name, report.tenant);
    outln!("installation {}, read {}, tegata {}", report.installation, report.at, report.version);
    outln!("\nWhat is the tenant's own, and what it shares");
    for SharedResource { resource, kind, detail } in &report.resources {
        outln!("  {kind:7} {resource:24} {detail}");
    }
    outln!("\nWhat keeps it apart");
    outln!("  statements    {}", report.walls.statements);
    let role = report.walls.role.as_deref().map_or_else(String::new, |role| format!(", role {role}"));
    outln!("  row security  {}{role}", in_words(report.walls.row_security));
    for table in &report.walls.open_tables {
        outln!("  OPEN          {table}: no policy binds its owner");
    }
    outln!("\nRows of the tenant, by table");
    for CountedRows { name, rows } in &report.rows {
        outln!("  {rows:>9}  {name}");
    }
    outln!("\nRows that lead from this tenant to another, by reference: there must be none");
    for CountedRows { name, rows } in &report.crossings {
        outln!("  {rows:>9}  {name}");
    }
    outln!("\n{}", if report.ok { "Nothing is wrong." } else { "SOMETHING IS WRONG: see above." });
}

fn in_words(row_security: &str) -> &'static str {
    match row_security {
        "on" => "on: PostgreSQL shows a tenant's scope no other rows, whatever a statement forgets",
        "none" => "none: SQLite has no such wall, the statements are the only one",
        "bypassed" => {
            "BYPASSED: no policy binds this role; use one that is no superuser and has no BYPASSRLS"
        }
        _ => "MISSING: a table has no policy",
    }
}
