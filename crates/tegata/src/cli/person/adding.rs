//! What lets a person in: accounts, setup links, emergency codes.

use super::lookup::{NamedPerson, READ, WRITE, find};
use crate::cli::installation_args::InstallationArgs;
use crate::cli::output::OutputFormat;
use crate::cli::scope::{TenantDirectory, rows};
use clap::Args;
use serde_json::json;
use std::time::Duration;
use tegata_core::{
    Entropy, ExternalKey, Justification, LoginId, Name, OneTimeCode, PersonId, PersonRole, Roles, SetupCode,
    SiteId, TenantId, Timestamp,
};
use tegata_installation::{CommittedExt, Config, Failure, FailureContext, SystemContext, running_addresses};
use tegata_storage::{Actor, EmergencyCode, Ledger, LedgerError, NewPerson, Person};
use zeroize::Zeroizing;

/// How long a setup link works unless somebody says otherwise.
const SETUP_DAYS: u32 = 3;

const DAY: Duration = Duration::from_hours(24);

/// Who signs in as the operator of a development installation.
const FIRST_OPERATOR: &str = "operator";

#[derive(Args)]
pub struct AddPersonOptions {
    /// Name or identifier of the tenant; not needed where there is only one
    #[arg(long)]
    tenant: Option<String>,
    /// What the person signs in with: letters, digits and . - _ @ +. It can never be changed
    #[arg(long, value_name = "ID")]
    login: String,
    /// What the person is called
    #[arg(long)]
    name: String,
    /// Role, once or several times: staff site-manager tenant-admin support support-lead operator auditor
    #[arg(long = "role", value_name = "ROLE", required = true, value_parser = role)]
    roles: Vec<PersonRole>,
    /// Name or identifier of a site where the person works; once or several times
    #[arg(long = "site", value_name = "SITE")]
    sites: Vec<String>,
    /// What the tenant's own directory calls the person: one within the tenant
    #[arg(long, value_name = "KEY")]
    external_key: Option<String>,
    /// An account for emergencies: any sign-in rings an alarm, and is the last until `person enable`
    #[arg(long)]
    break_glass: bool,
    #[command(flatten)]
    link: SetupLinkOptions,
}

#[derive(Args)]
pub struct ResetPersonOptions {
    #[command(flatten)]
    named: NamedPerson,
    #[command(flatten)]
    link: SetupLinkTerms,
}

#[derive(Args)]
struct SetupLinkOptions {
    #[command(flatten)]
    terms: SetupLinkTerms,
    #[command(flatten)]
    output: OutputFormat,
}

#[derive(Args)]
struct SetupLinkTerms {
    /// Days for which the setup link works
    #[arg(long, value_name = "N", default_value_t = SETUP_DAYS, value_parser = clap::value_parser!(u32).range(1..=30))]
    days: u32,
}

#[derive(Args)]
pub struct EmergencyCodeOptions {
    #[command(flatten)]
    named: NamedPerson,
    /// Why it is given
    #[arg(long)]
    reason: String,
    /// The number under which it was asked for
    #[arg(long)]
    ticket: String,
    /// Minutes for which it works
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=1440))]
    minutes: u32,
}

impl SetupLinkTerms {
    fn until(&self, now: Timestamp) -> Timestamp {
        now.plus(DAY * self.days)
    }
}

/// Adds a person and prints their setup link.
pub async fn add(
    place: &InstallationArgs,
    ledger: &Ledger,
    options: &AddPersonOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let new = new_person(ledger, options, system.entropy.as_ref()).await?;
    let code = SetupCode::random(system.entropy.as_ref());
    let until = options.link.terms.until(system.now());
    let actor = SystemContext::operator();
    write_person(ledger, (&new, options.break_glass), &code, until, &actor, system.now()).await?;
    let link = code.link(&portal(&place.config()?));
    say(&new.id, &new.login.to_string(), &link, until, options.link.output.json);
    Ok(())
}

/// Takes what a person had, and prints a link by which they choose again.
pub async fn reset(
    place: &InstallationArgs,
    ledger: &Ledger,
    options: &ResetPersonOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let person = options.named.find(ledger).await?;
    let code = SetupCode::random(system.entropy.as_ref());
    let until = options.link.until(system.now());
    let mut transaction = rows(ledger, Some(&person.tenant)).begin(system.now()).await.doing(WRITE)?;
    let actor = SystemContext::operator();
    transaction.reset_person(&person.id, &code, until, &actor).await.doing(WRITE)?;
    transaction.commit().await.committed(WRITE)?;
    let link = code.link(&portal(&place.config()?));
    say(&person.id, &person.login, &link, until, options.named.output.json);
    Ok(())
}

/// Gives an emergency code and prints it, once.
pub async fn emergency_code(
    ledger: &Ledger,
    options: &EmergencyCodeOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let because = Justification::new(&options.reason, &options.ticket).ok_or_else(|| {
        Failure::misuse("--reason and --ticket must say something, in at most 200 characters")
    })?;
    let person = options.named.find(ledger).await?;
    let code = OneTimeCode::random(system.entropy.as_ref());
    let expires_at = system.now().plus(Duration::from_mins(u64::from(options.minutes)));
    let given = EmergencyCode { hash: code.hash(), expires_at, because: &because };
    let mut transaction = rows(ledger, Some(&person.tenant)).begin(system.now()).await.doing(WRITE)?;
    let actor = SystemContext::operator();
    transaction.give_emergency_code(&person.id, &given, &actor).await.doing(WRITE)?;
    transaction.commit().await.committed(WRITE)?;
    if options.named.output.json {
        outln!("{}", json!({"person": person.id, "code": code.reveal().as_str(), "until": expires_at}));
    } else {
        outln!(
            "{}\n\nIt stands in once for the second factor of {}, until {expires_at}.",
            *code.reveal(),
            person.login
        );
    }
    Ok(())
}

/// The setup link of the first operator of a development installation, in its first tenant. `None` once there is an operator
/// who has set up the account: whoever lost it asks for `tegata person reset`.
pub async fn first_operator(
    ledger: &Ledger,
    portal: &str,
    system: &SystemContext,
) -> Result<Option<Zeroizing<String>>, Failure> {
    let directory = TenantDirectory::read(ledger).await?;
    let Some(tenant) = directory.tenants.first() else { return Ok(None) };
    let rows = rows(ledger, Some(&tenant.id));
    let people = rows.people().await.doing(READ)?;
    let is_operator = |person: &&Person| person.roles.iter().any(|role| role == PersonRole::Operator);
    let known = people.iter().find(is_operator);
    if known.is_some_and(|person| person.is_set_up) {
        return Ok(None);
    }
    let (code, now) = (SetupCode::random(system.entropy.as_ref()), system.now());
    let (until, actor) = (now.plus(DAY), Actor::System("dev"));
    if let Some(person) = known {
        let mut transaction = rows.begin(now).await.doing(WRITE)?;
        let made = transaction.make_setup_link(&person.id, &code, until, &actor).await;
        if matches!(made, Err(LedgerError::Guard(_))) {
            // Somebody has disabled it, who knows why.
            return Ok(None);
        }
        made.doing(WRITE)?;
        transaction.commit().await.committed(WRITE)?;
    } else {
        let login = LoginId::parse(FIRST_OPERATOR).map_err(Failure::wrong)?;
        if people.iter().any(|person| person.login == login.as_str()) {
            return Ok(None);
        }
        let new = operator(&tenant.id, login, system.entropy.as_ref())?;
        write_person(ledger, (&new, false), &code, until, &actor, now).await?;
    }
    Ok(Some(code.link(portal)))
}

fn operator(tenant: &TenantId, login: LoginId, entropy: &dyn Entropy) -> Result<NewPerson, Failure> {
    Ok(NewPerson {
        id: PersonId::random(entropy),
        tenant: tenant.clone(),
        login,
        external_key: None,
        name: Name::of_place("Operator").map_err(Failure::wrong)?,
        roles: Roles::new([PersonRole::Operator]),
        sites: Vec::new(),
        awaits_sites: false,
    })
}

async fn new_person(
    ledger: &Ledger,
    options: &AddPersonOptions,
    entropy: &dyn Entropy,
) -> Result<NewPerson, Failure> {
    let login = LoginId::parse(&options.login).map_err(Failure::misuse)?;
    let name = Name::of_place(&options.name).map_err(Failure::misuse)?;
    let directory = TenantDirectory::read(ledger).await?;
    let tenant = directory.tenant(options.tenant.as_deref())?;
    let sites = named_sites(&directory, &tenant.id, &options.sites)?;
    let roles = Roles::new(options.roles.iter().copied());
    if sites.is_empty() && roles.iter().any(PersonRole::is_of_sites) {
        return Err(Failure::misuse("staff and site managers work at a site: name one or more with --site"));
    }
    if find(ledger, &tenant.id, login.as_str()).await.is_ok() {
        return Err(Failure::misuse(format!(
            "{} has somebody with the login ID {login} already",
            tenant.name
        )));
    }
    let external_key = options.external_key.as_deref().map(ExternalKey::parse).transpose();
    Ok(NewPerson {
        id: PersonId::random(entropy),
        tenant: tenant.id.clone(),
        login,
        external_key: external_key.map_err(Failure::misuse)?,
        name,
        roles,
        sites,
        awaits_sites: false,
    })
}

/// The sites of a tenant with these names or identifiers, each once.
pub(super) fn named_sites(
    directory: &TenantDirectory,
    tenant: &TenantId,
    named: &[String],
) -> Result<Vec<SiteId>, Failure> {
    let mut sites = Vec::new();
    for name in named {
        let site = directory.site(Some(tenant.as_str()), name)?.site;
        let site = site.ok_or_else(|| Failure::misuse(format!("there is no site {name:?}")))?;
        if !sites.contains(&site.id) {
            sites.push(site.id.clone());
        }
    }
    Ok(sites)
}

/// The account and its setup link come together or not at all.
async fn write_person(
    ledger: &Ledger,
    (new, is_break_glass): (&NewPerson, bool),
    code: &SetupCode,
    until: Timestamp,
    actor: &Actor,
    now: Timestamp,
) -> Result<(), Failure> {
    let mut transaction = rows(ledger, Some(&new.tenant)).begin(now).await.doing(WRITE)?;
    transaction.add_person(new, actor).await.doing(WRITE)?;
    if is_break_glass {
        transaction.set_break_glass(&new.id, actor).await.doing(WRITE)?;
    }
    transaction.make_setup_link(&new.id, code, until, actor).await.doing(WRITE)?;
    transaction.commit().await.committed(WRITE)
}

fn say(person: &PersonId, login: &str, link: &str, until: Timestamp, as_json: bool) {
    if as_json {
        outln!("{}", json!({"person": person, "setup": link}));
    } else {
        outln!(
            "{person}  {login}\n\n  {link}\n\nBy this link the person chooses a password and a second factor. It works once, until {until}."
        );
    }
}

/// Where the setup page is.
pub(super) fn portal(config: &Config) -> String {
    running_addresses::portal(config).as_ref().unwrap_or(&config.portal.url).to_string()
}

pub(super) fn role(word: &str) -> Result<PersonRole, String> {
    PersonRole::parse(word).ok_or_else(|| {
        let words: Vec<_> = PersonRole::ALL.iter().map(|role| role.as_str()).collect();
        format!("not a role: use one of {}", words.join(", "))
    })
}
