//! `tegata tenant sign-in`: with accounts here, at the tenant's own OpenID provider, or either.

use crate::cli::installation_args::InstallationArgs;
use crate::cli::output::OutputFormat;
use crate::cli::scope::{TenantDirectory, rows};
use serde_json::json;
use tegata_identity::ProviderAddresses;
use tegata_installation::config::IdentityProviderConfig;
use tegata_installation::{CommittedExt, Config, Failure, FailureContext, SystemContext, running_addresses};
use tegata_storage::{CreatesPeople, Ledger, SignInAccounts, SignInPolicy, Tenant};

const READ: &str = "cannot read the ledger";

/// How the people of a tenant sign in.
#[derive(clap::Args)]
pub struct SignInOptions {
    /// Its name or identifier
    tenant: String,
    /// `local`: accounts here alone; `both`, as it is at first; `provider`: its provider alone, but for accounts for emergencies
    #[arg(long, value_name = "local|both|provider", value_parser = accounts)]
    accounts: Option<SignInAccounts>,
    /// `on`: whoever its provider knows and nobody has linked gets an account, as staff of the sites that the provider names
    #[arg(long, value_name = "on|off", value_parser = creates_people)]
    create_people: Option<CreatesPeople>,
    #[command(flatten)]
    output: OutputFormat,
}

/// Shows or sets it.
pub async fn run(
    place: &InstallationArgs,
    ledger: &Ledger,
    options: &SignInOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let config = place.config()?;
    let tenant = TenantDirectory::read(ledger).await?.into_tenant(&options.tenant)?;
    let provider = sign_in_provider(&config, &tenant);
    let known = rows(ledger, Some(&tenant.id)).sign_in_policy(&tenant.id).await.doing(READ)?;
    let wanted = SignInPolicy {
        accounts: options.accounts.unwrap_or(known.accounts),
        creates_people: options.create_people.unwrap_or(known.creates_people),
    };
    if wanted != known {
        must_be_possible(wanted, &tenant, provider)?;
        let mut transaction = rows(ledger, Some(&tenant.id)).begin(system.now()).await.doing(READ)?;
        let changed = transaction.set_sign_in_policy(&tenant.id, wanted, &SystemContext::operator()).await;
        changed.doing("nothing was changed")?;
        transaction.commit().await.committed("the change is not durable; nothing was changed")?;
    }
    print(&config, &tenant, wanted, provider, options.output.json);
    Ok(())
}

/// The section of the configuration by which the people of a tenant are sent to a provider.
pub fn sign_in_provider<'a>(config: &'a Config, tenant: &Tenant) -> Option<&'a IdentityProviderConfig> {
    let is_own = |of: &&IdentityProviderConfig| of.is_of(tenant.id.as_str(), &tenant.name);
    config.identity_providers.iter().filter(is_own).find(|provider| provider.sign_in.is_some())
}

/// Nobody is to be shut out by a word that was said too early.
fn must_be_possible(
    wanted: SignInPolicy,
    tenant: &Tenant,
    provider: Option<&IdentityProviderConfig>,
) -> Result<(), Failure> {
    let needs_provider =
        wanted.accounts == SignInAccounts::Provider || wanted.creates_people == CreatesPeople::On;
    match provider {
        None if needs_provider => Err(Failure::misuse(format!(
            "{} has no provider to sign in at: write its [[identity_provider]] with [identity_provider.sign_in] first",
            tenant.name
        ))),
        Some(provider) if wanted.creates_people == CreatesPeople::On && provider.site_claim.is_none() => {
            Err(Failure::misuse(
                "staff work at sites: name the claim with them first, as site_claim of the [[identity_provider]]",
            ))
        }
        _ => Ok(()),
    }
}

fn print(
    config: &Config,
    tenant: &Tenant,
    policy: SignInPolicy,
    provider: Option<&IdentityProviderConfig>,
    as_json: bool,
) {
    let addresses = addresses(config);
    let client = provider.and_then(|provider| provider.sign_in.as_ref());
    if as_json {
        outln!(
            "{}",
            json!({
                "tenant": tenant.id, "name": tenant.name, "accounts": policy.accounts.as_str(),
                "creates_people": policy.creates_people.as_str(), "issuer": provider.map(|provider| &provider.issuer),
                "client_id": client.map(|client| &client.client_id), "redirect_uri": addresses.redirect,
                "post_logout_redirect_uri": addresses.post_logout_redirect,
                "backchannel_logout_uri": addresses.backchannel_logout, "jwks_uri": addresses.jwks,
            })
        );
        return;
    }
    outln!("{}", tenant.name);
    outln!("accounts         {}", policy.accounts.as_str());
    outln!("creates people   {}", policy.creates_people.as_str());
    outln!("provider         {}", provider.map_or("none to sign in at", |provider| provider.issuer.as_str()));
    outln!("\nWhat is registered there for this installation");
    outln!("redirect_uri              {}", addresses.redirect);
    outln!("post_logout_redirect_uri  {}", addresses.post_logout_redirect);
    outln!("backchannel_logout_uri    {}", addresses.backchannel_logout);
    outln!("jwks_uri                  {}", addresses.jwks);
}

/// Where the installation is, or its running server.
fn addresses(config: &Config) -> ProviderAddresses {
    let portal = running_addresses::portal(config).unwrap_or_else(|| config.portal.url.clone());
    let device = running_addresses::device(config).unwrap_or_else(|| config.device.url.clone());
    ProviderAddresses::at(&portal.to_string(), &device.to_string())
}

fn accounts(word: &str) -> Result<SignInAccounts, String> {
    SignInAccounts::parse(word).ok_or_else(|| "use local, both or provider".to_owned())
}

fn creates_people(word: &str) -> Result<CreatesPeople, String> {
    CreatesPeople::try_from(word.to_owned()).map_err(|_| "use on or off".to_owned())
}
