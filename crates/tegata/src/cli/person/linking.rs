//! Who people are at their tenant's OpenID provider.

use super::lookup::{NamedPerson, WRITE};
use crate::cli::installation_args::InstallationArgs;
use crate::cli::scope::{TenantDirectory, rows};
use crate::cli::tenant::sign_in_provider;
use clap::Args;
use serde_json::json;
use tegata_core::HttpUrl;
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext};
use tegata_storage::{BreakGlass, Ledger, NewPersonLink, Person};

/// The longest name of a person at a provider (OIDC Core section 2).
const LONGEST_SUBJECT: usize = 255;

#[derive(Args)]
pub struct LinkPersonOptions {
    #[command(flatten)]
    named: NamedPerson,
    /// What the provider calls the person for ever: `sub`, or what its `person_claim` names. Never a mail address
    #[arg(long)]
    subject: String,
    #[command(flatten)]
    provider: NamedProvider,
}

#[derive(Args)]
pub struct UnlinkPersonOptions {
    #[command(flatten)]
    named: NamedPerson,
    #[command(flatten)]
    provider: NamedProvider,
}

/// Which provider is meant.
#[derive(Args)]
struct NamedProvider {
    /// Its issuer, where it is not the one that the configuration has for the tenant
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
}

/// Links a person to a subject.
pub async fn link(
    place: &InstallationArgs,
    ledger: &Ledger,
    options: &LinkPersonOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let person = options.named.find(ledger).await?;
    let issuer = options.provider.issuer(place, ledger, &person).await?;
    let subject = options.subject.clone();
    if subject.is_empty() || subject.len() > LONGEST_SUBJECT {
        return Err(Failure::misuse("--subject has 1 to 255 characters"));
    }
    if person.break_glass.map(BreakGlass::as_str).is_some() {
        return Err(Failure::misuse("an account for emergencies is local: it is linked to no provider"));
    }
    let new = NewPersonLink { tenant: person.tenant.clone(), person: person.id.clone(), issuer, subject };
    let mut transaction = rows(ledger, Some(&person.tenant)).begin(system.now()).await.doing(WRITE)?;
    transaction.link_person(&new, &SystemContext::operator()).await.doing(WRITE)?;
    transaction.commit().await.committed(WRITE)?;
    if options.named.output.json {
        outln!("{}", json!({"person": person.id, "issuer": new.issuer, "subject": new.subject}));
    } else {
        outln!("{}  {} is {} at {}", person.id, person.login, new.subject, new.issuer);
    }
    Ok(())
}

/// Takes a link back.
pub async fn unlink(
    place: &InstallationArgs,
    ledger: &Ledger,
    options: &UnlinkPersonOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let person = options.named.find(ledger).await?;
    let issuer = options.provider.issuer(place, ledger, &person).await?;
    let mut transaction = rows(ledger, Some(&person.tenant)).begin(system.now()).await.doing(WRITE)?;
    let actor = SystemContext::operator();
    let ended = transaction.unlink_person(&person.id, &issuer, &actor).await.doing(WRITE)?;
    transaction.commit().await.committed(WRITE)?;
    if options.named.output.json {
        outln!("{}", json!({"person": person.id, "issuer": issuer, "sessions": ended}));
    } else {
        outln!("{}  {} has no link with {issuer} any more; {ended} sessions ended", person.id, person.login);
    }
    Ok(())
}

impl NamedProvider {
    async fn issuer(
        &self,
        place: &InstallationArgs,
        ledger: &Ledger,
        person: &Person,
    ) -> Result<String, Failure> {
        if let Some(issuer) = &self.issuer {
            let read = HttpUrl::parse_https(issuer).map_err(Failure::misuse)?.to_string();
            return if read == *issuer {
                Ok(read)
            } else {
                Err(Failure::misuse(format!("write the issuer as its discovery document does: {read}")))
            };
        }
        let tenant = TenantDirectory::read(ledger).await?.into_tenant(person.tenant.as_str())?;
        let config = place.config()?;
        let provider = sign_in_provider(&config, &tenant).ok_or_else(|| {
            Failure::misuse(format!(
                "{} has no provider to sign in at: write its [identity_provider.sign_in] first, or say --issuer",
                tenant.name
            ))
        })?;
        Ok(provider.issuer.clone())
    }
}
