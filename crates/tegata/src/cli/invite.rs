//! `tegata invite`: a link that puts a certificate on one device, or on a gate; many at once from a list.

mod bulk;
mod kitting;
mod managing;
mod options;
mod sheet;

pub use kitting::KittingOptions;
pub use managing::InvitationCommand;
pub use options::InviteOptions;

use crate::cli::scope::{TenantDirectory, rows};
use crate::config::Config;
use crate::failure::{CommittedExt, Failure, FailureContext};
use crate::installation_args::InstallationArgs;
use crate::keys::KeyRing;
use crate::server::acme;
use crate::system_context::SystemContext;
use serde::Serialize;
use std::time::Duration;
use tegata_core::id::InvitationCode;
use tegata_core::{Contact, Installation, InvitationId, Name, Role, ShortCode, SiteId, Timestamp};
use tegata_enroll::AccountBinding;
use tegata_installation::running_addresses;
use tegata_storage::{Ledger, LedgerError, NewInvitation, ScopedTransaction, Site};
use tegata_web::{InstallationSecret, ServerContext};

/// How long an invitation waits, in days, by default.
pub const DEFAULT_DAYS: u32 = 7;

/// How long a short code lives, in minutes, by default.
pub const DEFAULT_CODE_MINUTES: u32 = 60;

/// What was handed out. Link and code are secrets: whoever has them first uses them.
#[derive(Serialize)]
pub struct InvitationOutput {
    invitation: InvitationId,
    site: String,
    #[serde(skip)]
    site_id: SiteId,
    role: Role,
    label: String,
    expires_at: Timestamp,
    /// The link, which is as secret as the invitation code in it.
    #[serde(rename = "url")]
    pub link: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code_until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acme: Option<AcmeInvitation>,
}

/// How an ACME client uses the invitation.
#[derive(Serialize)]
struct AcmeInvitation {
    directory: String,
    #[serde(flatten)]
    binding: AccountBinding,
}

/// For what an invitation is.
struct InvitationHolder<'a> {
    site: &'a Site,
    role: Role,
    label: &'a str,
}

/// What all invitations of one call have in common.
struct InvitationTerms<'a> {
    portal: &'a str,
    installation: &'a Installation,
    days: u32,
    /// With a short code that lives so many minutes.
    code_minutes: Option<u32>,
    /// With what an ACME client needs.
    acme: Option<&'a InstallationSecret>,
    /// Whom staff call of whom nothing nearer is known.
    contact: Option<&'a Contact>,
}

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

/// Writes one invitation within a transaction.
async fn write(
    transaction: &mut ScopedTransaction,
    holder: &InvitationHolder<'_>,
    terms: &InvitationTerms<'_>,
    system: &SystemContext,
) -> Result<InvitationOutput, LedgerError> {
    let (entropy, now) = (system.entropy.as_ref(), system.now());
    let code = InvitationCode::random(entropy);
    let new = NewInvitation {
        id: InvitationId::random(entropy),
        code: &code,
        tenant: holder.site.tenant.clone(),
        site: holder.site.id.clone(),
        role: holder.role,
        label: holder.label.to_owned(),
        expires_at: now.plus(Duration::from_hours(24) * terms.days),
    };
    transaction.invite(&new, &SystemContext::operator()).await?;
    let mut invited = InvitationOutput {
        invitation: new.id,
        site: holder.site.name.clone(),
        site_id: holder.site.id.clone(),
        role: holder.role,
        label: new.label,
        expires_at: new.expires_at,
        link: format!("{}/enroll#{}", terms.portal, code.reveal()),
        code: None,
        code_until: None,
        acme: None,
    };
    if let Some(secret) = terms.acme {
        let binding = AccountBinding::of(secret, &invited.invitation, terms.installation);
        invited.acme =
            Some(AcmeInvitation { directory: format!("{}/acme/directory", terms.portal), binding });
    }
    if let Some(minutes) = terms.code_minutes {
        let code = ShortCode::random(entropy);
        let until = now.plus(Duration::from_mins(1) * minutes).min(new.expires_at);
        let hash = code.hash(terms.installation);
        transaction.set_short_code(&invited.invitation, &hash, until, &SystemContext::operator()).await?;
        invited.code = Some(code.reveal().to_string());
        invited.code_until = Some(until);
    }
    Ok(invited)
}

/// A label becomes part of the name in the browser's list.
pub fn device_label(text: &str) -> Result<Name, Failure> {
    Name::label(text).map_err(Failure::misuse)
}
