//! `tegata tenant scim-token …`: what a tenant's directory shows to say who works there.

use crate::cli::installation_args::InstallationArgs;
use crate::cli::output::{OutputFormat, nothing_found};
use crate::cli::scope::{TenantDirectory, rows};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::time::Duration;
use tegata_core::{Name, PersonRole, Roles, ScimSecret, ScimTokenId, Timestamp};
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext, running_addresses};
use tegata_storage::{Ledger, NewScimToken, ScimToken};

const DAY: Duration = Duration::from_hours(24);
const READ: &str = "cannot read the ledger";
const WRITE: &str = "nothing was changed";

#[derive(Subcommand)]
pub enum ScimTokenCommand {
    /// Make a token; it is shown once. A second one beside it lets the directory change over without a gap
    Make(MakeTokenOptions),
    /// List the tokens of a tenant, or of all, with their last use
    List(ListTokensOptions),
    /// End a token at once
    Revoke(RevokeTokenOptions),
}

#[derive(Args)]
pub struct MakeTokenOptions {
    /// Name or identifier of the tenant
    tenant: String,
    /// What it is called in lists
    #[arg(long)]
    name: String,
    /// Role that the directory may give, once or several times: staff site-manager tenant-admin
    #[arg(long = "role", value_name = "ROLE", default_value = "staff", value_parser = role)]
    roles: Vec<PersonRole>,
    /// Days for which it works
    #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=1100))]
    days: u32,
    #[command(flatten)]
    output: OutputFormat,
}

#[derive(Args)]
pub struct ListTokensOptions {
    /// Of this tenant alone: name or identifier
    tenant: Option<String>,
    #[command(flatten)]
    output: OutputFormat,
}

#[derive(Args)]
pub struct RevokeTokenOptions {
    /// Identifier of the token, as `list` shows it
    token: ScimTokenId,
    #[command(flatten)]
    output: OutputFormat,
}

fn role(word: &str) -> Result<PersonRole, String> {
    let role = PersonRole::parse(word).filter(|role| role.is_of_tenant());
    role.ok_or_else(|| "a directory gives staff, site-manager or tenant-admin".to_owned())
}

/// Runs a command about tokens of directories.
pub async fn run(
    place: &InstallationArgs,
    ledger: &Ledger,
    command: &ScimTokenCommand,
    system: &SystemContext,
) -> Result<(), Failure> {
    match command {
        ScimTokenCommand::Make(options) => make(place, ledger, options, system).await,
        ScimTokenCommand::List(options) => list(ledger, options, system.now()).await,
        ScimTokenCommand::Revoke(options) => revoke(ledger, options, system).await,
    }
}

async fn make(
    place: &InstallationArgs,
    ledger: &Ledger,
    options: &MakeTokenOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let tenant = TenantDirectory::read(ledger).await?.into_tenant(&options.tenant)?;
    let (entropy, now) = (system.entropy.as_ref(), system.now());
    let new = NewScimToken {
        id: ScimTokenId::random(entropy),
        tenant: tenant.id.clone(),
        name: Name::of_place(&options.name).map_err(Failure::misuse)?,
        roles: Roles::new(options.roles.iter().copied()),
        expires_at: now.plus(DAY * options.days),
    };
    let secret = ScimSecret::random(entropy);
    let mut transaction = rows(ledger, Some(&tenant.id)).begin(now).await.doing(WRITE)?;
    transaction.add_scim_token(&new, &secret, &SystemContext::operator()).await.doing(WRITE)?;
    transaction.commit().await.committed(WRITE)?;
    let config = place.config()?;
    let portal = running_addresses::portal(&config).unwrap_or_else(|| config.portal.url.clone());
    let url = format!("{portal}/scim/v2");
    if options.output.json {
        outln!(
            "{}",
            json!({"id": new.id, "token": secret.reveal(), "url": url, "expires_at": new.expires_at})
        );
    } else {
        outln!(
            "{}\n\nSCIM at {url}, until {}. It is not shown again; its identifier is {}.",
            secret.reveal(),
            new.expires_at,
            new.id
        );
    }
    Ok(())
}

async fn list(ledger: &Ledger, options: &ListTokensOptions, now: Timestamp) -> Result<(), Failure> {
    let directory = TenantDirectory::read(ledger).await?;
    let only = options.tenant.as_deref().map(|named| directory.tenant(Some(named))).transpose()?;
    let tokens = rows(ledger, only.map(|tenant| &tenant.id)).scim_tokens().await.doing(READ)?;
    if options.output.json {
        outln!("{}", tokens.iter().map(|token| describe(token, now)).collect::<Value>());
    } else {
        for token in &tokens {
            let used = token.used_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
            let (id, until, name) = (&token.id, token.expires_at, &token.name);
            outln!("{id}  {:7}  until {until}  used {used}  {}  {name}", state_of(token, now), token.roles);
        }
    }
    nothing_found(tokens.is_empty(), "there is no token: tegata tenant scim-token make TENANT --name NAME")
}

async fn revoke(
    ledger: &Ledger,
    options: &RevokeTokenOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let mut transaction = rows(ledger, None).begin(system.now()).await.doing(WRITE)?;
    transaction.revoke_scim_token(&options.token, &SystemContext::operator()).await.doing(WRITE)?;
    transaction.commit().await.committed(WRITE)?;
    if options.output.json {
        outln!("{}", json!({"id": options.token, "state": "revoked"}));
    } else {
        outln!("{} is revoked", options.token);
    }
    Ok(())
}

fn state_of(token: &ScimToken, now: Timestamp) -> &'static str {
    match token.revoked_at {
        Some(_) => "revoked",
        None if token.works_at(now) => "works",
        None => "expired",
    }
}

fn describe(token: &ScimToken, now: Timestamp) -> Value {
    json!({
        "id": token.id, "tenant": token.tenant, "name": token.name, "state": state_of(token, now),
        "roles": token.roles.to_string(), "created_at": token.created_at, "expires_at": token.expires_at,
        "revoked_at": token.revoked_at, "used_at": token.used_at,
    })
}
