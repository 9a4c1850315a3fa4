//! Who there is.

use super::lookup::{NamedPerson, READ};
use crate::cli::output::{OutputFormat, nothing_found};
use crate::cli::scope::{TenantDirectory, rows};
use clap::Args;
use serde_json::{Value, json};
use tegata_installation::{Failure, FailureContext, SystemContext};
use tegata_storage::{BreakGlass, Ledger, ListedSession, Person, PersonState};

#[derive(Args)]
pub struct ListPeopleOptions {
    /// Of this tenant alone: name or identifier
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    output: OutputFormat,
}

/// Lists people by tenant and login.
pub async fn list(ledger: &Ledger, options: &ListPeopleOptions) -> Result<(), Failure> {
    let directory = TenantDirectory::read(ledger).await?;
    let only = options.tenant.as_deref().map(|named| directory.tenant(Some(named))).transpose()?;
    let mut described = Vec::new();
    for person in rows(ledger, only.map(|tenant| &tenant.id)).people().await.doing(READ)? {
        if !options.output.json {
            let (state, roles) = (state_of(&person), person.roles.to_string());
            outln!("{}  {:10}  {:24}  {}  {}", person.id, state, roles, person.login, person.name);
        }
        described.push(describe(&person));
    }
    let is_nothing = described.is_empty();
    if options.output.json {
        outln!("{}", Value::Array(described));
    }
    nothing_found(is_nothing, "there is nobody yet: tegata person add")
}

/// Shows one person with their sessions.
pub async fn show(ledger: &Ledger, named: &NamedPerson, system: &SystemContext) -> Result<(), Failure> {
    let person = named.find(ledger).await?;
    let rows = rows(ledger, Some(&person.tenant));
    let sessions = rows.sessions_of(&person.id, system.now()).await.doing(READ)?;
    if named.output.json {
        let mut described = describe(&person);
        described["sessions"] = sessions.iter().map(describe_session).collect();
        outln!("{described}");
        return Ok(());
    }
    let sites: Vec<_> = person.sites.iter().map(|site| site.name.as_str()).collect();
    outln!("person    {}", person.id);
    outln!("login     {}", person.login);
    outln!("name      {}", person.name);
    outln!("roles     {}", person.roles);
    outln!("sites     {}", if sites.is_empty() { "-".to_owned() } else { sites.join(", ") });
    outln!("state     {}", state_of(&person));
    if person.break_glass.is_some() {
        outln!("          for emergencies: the next sign-in rings an alarm and is the only one");
    }
    for session in &sessions {
        let ListedSession { id, label, site_name, created_at, used_at, .. } = session;
        outln!("session   {id}  {site_name}  {label}  since {created_at}  used {used_at}");
    }
    Ok(())
}

fn state_of(person: &Person) -> &'static str {
    match (person.state, person.break_glass) {
        (PersonState::Active, Some(BreakGlass::Used)) => "used",
        (PersonState::Active, _) if !person.is_set_up => "not set up",
        (state, _) => state.as_str(),
    }
}

fn describe(person: &Person) -> Value {
    let sites: Vec<_> = person.sites.iter().map(|site| json!({"site": site.id, "name": site.name})).collect();
    let roles: Vec<_> = person.roles.iter().map(tegata_core::PersonRole::as_str).collect();
    json!({
        "person": person.id, "tenant": person.tenant, "login": person.login, "name": person.name, "roles": roles,
        "sites": sites, "state": person.state.as_str(), "break_glass": person.break_glass.map(BreakGlass::as_str), "set_up": person.is_set_up, "setup_until": person.setup_until,
        "created_at": person.created_at, "changed_at": person.changed_at,
    })
}

fn describe_session(session: &ListedSession) -> Value {
    json!({
        "session": session.id, "device": session.device, "label": session.label, "site": session.site,
        "site_name": session.site_name, "created_at": session.created_at, "used_at": session.used_at,
    })
}
