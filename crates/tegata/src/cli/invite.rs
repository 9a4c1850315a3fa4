//! `tegata invite`: a link that puts a certificate on one device, or on a gate; many at once from a list.

mod bulk;
mod kitting;
mod managing;
mod options;
mod sheet;
mod writing;

pub use options::{DEFAULT_DAYS, InviteOptions};
pub use writing::{InvitationOutput, device_label};

use crate::cli::installation_args::InstallationArgs;
use crate::cli::scope::{TenantDirectory, rows};
use crate::server::acme;
use tegata_core::Role;
use tegata_installation::{
    CommittedExt, Config, Failure, FailureContext, KeyRing, SystemContext, running_addresses,
};
use tegata_storage::Ledger;
use tegata_web::{InstallationSecret, ServerContext};
use writing::{AcmeInvitation, InvitationHolder, InvitationTerms, write};

/// Writes invitations and shows their links, once.
pub async fn run(
    place: &InstallationArgs,
    options: &InviteOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    if let Some(command) = &options.act {
        return managing::run(place, command, system).await;
    }
    let config = place.config()?;
    let ledger = place.ledger(system).await?;
    let running = running_addresses::portal(&config);
    let secret = if options.acme { Some(acme_secret(&config, &ledger, system).await?) } else { None };
    let portal = options.portal.as_ref().or(running.as_ref()).unwrap_or(&config.portal.url).to_string();
    let terms = InvitationTerms {
        portal: &portal,
        installation: &config.installation.name,
        days: options.days,
        code_minutes: options.code.then_some(options.code_minutes),
        acme: secret.as_ref(),
        contact: config.contact.as_ref(),
    };
    let done = match &options.csv {
        _ if options.kitting.kitting => kitting::run(&ledger, terms.portal, options, system).await,
        Some(list) => bulk::run(&ledger, list, &terms, options, system).await,
        None => one(&ledger, &terms, options, system).await,
    };
    ledger.close().await;
    done
}

/// An invitation for the first site, as `tegata dev` shows it.
pub async fn first_site(
    context: &ServerContext,
    role: Role,
    system: &SystemContext,
) -> Result<InvitationOutput, Failure> {
    let ServerContext { ledger, installation, addresses, .. } = context;
    let portal = &addresses.portal;
    let site = TenantDirectory::read(ledger).await?.sites.into_iter().next();
    let site = site.ok_or_else(|| Failure::misuse("there is no site: add one with `tegata site add`"))?;
    let terms = InvitationTerms {
        portal,
        installation,
        days: DEFAULT_DAYS,
        code_minutes: None,
        acme: None,
        contact: None,
    };
    invite(ledger, &InvitationHolder { site: &site, role, label: "受付PC" }, &terms, system).await
}

async fn acme_secret(
    config: &Config,
    ledger: &Ledger,
    system: &SystemContext,
) -> Result<InstallationSecret, Failure> {
    acme::binding_secret(ledger, &KeyRing::open(config)?, system.entropy.as_ref(), system.now()).await
}

async fn one(
    ledger: &Ledger,
    terms: &InvitationTerms<'_>,
    options: &InviteOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let site = options.site(ledger).await?;
    let (role, label) = match &options.gate {
        Some(name) => (Role::Gate, name),
        None => (Role::Device, &options.label),
    };
    let label = device_label(label)?;
    sheet::check_free(options.sheet.as_deref())?;
    let invited =
        invite(ledger, &InvitationHolder { site: &site, role, label: label.as_str() }, terms, system).await?;
    if let Some(file) = &options.sheet {
        sheet::write(&rows(ledger, Some(&site.tenant)), terms.contact, file, std::slice::from_ref(&invited))
            .await?;
    }
    if options.output.json {
        outln!("{}", serde_json::to_string(&invited).doing("cannot write JSON")?);
        return Ok(());
    }
    outln!("{}", invited.link);
    if let Some(AcmeInvitation { directory, binding }) = &invited.acme {
        outln!("directory   {directory}");
        outln!("kid         {}", binding.kid);
        outln!("hmac key    {}", binding.hmac_key);
        outln!("identifier  {}", binding.identifier);
    }
    errln!("for {label} at {}, once, until {}", invited.site, invited.expires_at);
    if let (Some(code), Some(until)) = (&invited.code, invited.code_until) {
        outln!("{code}");
        errln!("the code to type at {} is good until {until}", terms.portal);
    }
    Ok(())
}

async fn invite(
    ledger: &Ledger,
    holder: &InvitationHolder<'_>,
    terms: &InvitationTerms<'_>,
    system: &SystemContext,
) -> Result<InvitationOutput, Failure> {
    let what = "cannot write the invitation";
    let mut transaction = rows(ledger, Some(&holder.site.tenant)).begin(system.now()).await.doing(what)?;
    let invited = write(&mut transaction, holder, terms, system).await.doing(what)?;
    transaction.commit().await.committed(what)?;
    Ok(invited)
}
