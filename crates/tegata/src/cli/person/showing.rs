//! Who there is.

use super::lookup::{NamedPerson, READ};
use crate::cli::output::{OutputFormat, nothing_found};
use crate::cli::scope::{TenantDirectory, rows};
use clap::Args;
use serde_json::{Value, json};
use std::collections::HashMap;
use tegata_core::{TenantId, Timestamp};
use tegata_installation::{Failure, FailureContext, SystemContext};
use tegata_storage::{BreakGlass, Ledger, ListedSession, PeoplePolicy, Person, PersonLink, PersonState};

#[derive(Args)]
pub struct ListPeopleOptions {
    /// Of this tenant alone: name or identifier
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    output: OutputFormat,
}

/// Lists people by tenant and login.
pub async fn list(ledger: &Ledger, options: &ListPeopleOptions, now: Timestamp) -> Result<(), Failure> {
    let policies: HashMap<_, _> = ledger.people_policies().await.doing(READ)?.into_iter().collect();
    let directory = TenantDirectory::read(ledger).await?;
    let only = options.tenant.as_deref().map(|named| directory.tenant(Some(named))).transpose()?;
    let mut described = Vec::new();
    for person in rows(ledger, only.map(|tenant| &tenant.id)).people().await.doing(READ)? {
        if !options.output.json {
            let (state, roles) = (state_of(&person), person.roles.to_string());
            let soon = suspended_soon(&person, &policies, now);
            let soon = soon.map_or_else(String::new, |at| format!("  unused: suspended at {at}"));
            outln!("{}  {:10}  {:24}  {}  {}{soon}", person.id, state, roles, person.login, person.name);
        }
        let mut of = describe(&person);
        of["suspended_soon_at"] = json!(suspended_soon(&person, &policies, now));
        described.push(of);
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
    let links = rows.links_of(&person.id).await.doing(READ)?;
    if named.output.json {
        let mut described = describe(&person);
        let link = |link: &PersonLink| json!({"issuer": link.issuer, "subject": link.subject, "linked_at": link.linked_at});
        described["links"] = links.iter().map(link).collect();
        described["sessions"] = sessions.iter().map(describe_session).collect();
        outln!("{described}");
        return Ok(());
    }
    let sites: Vec<_> = person.sites.iter().map(|site| site.name.as_str()).collect();
    outln!("person    {}", person.id);
    outln!("login     {}", person.login);
    outln!("name      {}", person.name);
    if let Some(key) = &person.external_key {
        outln!("key       {}", key.as_str());
    }
    outln!("roles     {}", person.roles);
    outln!("sites     {}", if sites.is_empty() { "-".to_owned() } else { sites.join(", ") });
    outln!("state     {}", state_of(&person));
    if person.break_glass.is_some() {
        outln!("          for emergencies: the next sign-in rings an alarm and is the only one");
    }
    for PersonLink { issuer, subject, .. } in &links {
        outln!("provider  {issuer}  {subject}");
    }
    for session in &sessions {
        let ListedSession { id, label, site_name, created_at, used_at, .. } = session;
        outln!("session   {id}  {site_name}  {label}  since {created_at}  used {used_at}");
    }
    Ok(())
}

/// When an account is suspended that nobody uses, once that is near.
fn suspended_soon(
    person: &Person,
    policies: &HashMap<TenantId, PeoplePolicy>,
    now: Timestamp,
) -> Option<Timestamp> {
    let policy = policies.get(&person.tenant)?;
    let is_theirs = person.state == PersonState::Active && person.break_glass.is_none();
    let is_near = policy.warns_at(person.used_at()).is_some_and(|at| at <= now);
    policy.suspends_at(person.used_at()).filter(|_| is_theirs && is_near)
}

fn state_of(person: &Person) -> &'static str {
    match (person.state, person.break_glass) {
        (PersonState::Active, Some(BreakGlass::Used)) => "used",
        (PersonState::Active, _) if !person.is_set_up && person.has_imported_password => "imported",
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
        "created_at": person.created_at, "changed_at": person.changed_at, "signed_in_at": person.signed_in_at,
        "external_key": person.external_key.as_ref().map(tegata_core::ExternalKey::as_str),
        "imported_password": person.has_imported_password,
    })
}

fn describe_session(session: &ListedSession) -> Value {
    json!({
        "session": session.id, "device": session.device, "label": session.label, "site": session.site,
        "site_name": session.site_name, "created_at": session.created_at, "used_at": session.used_at,
    })
}
