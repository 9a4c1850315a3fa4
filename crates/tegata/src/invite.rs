//! `tegata invite`: a link that puts a certificate on one device, or on a gate.

use crate::cli::InviteOptions;
use crate::failure::{Doing, Failure};
use crate::house::Place;
use crate::machine::Machine;
use crate::running;
use serde::Serialize;
use std::time::Duration;
use tegata_core::id::Code;
use tegata_core::{InvitationId, Role, Timestamp};
use tegata_storage::{Ledger, NewInvitation, Site};

/// How long an invitation waits, in days, unless told otherwise.
pub const DEFAULT_DAYS: u32 = 7;

/// What was handed out. The link is a secret: whoever has it first uses it.
#[derive(Serialize)]
pub struct Invited {
    invitation: InvitationId,
    site: String,
    role: Role,
    label: String,
    expires_at: Timestamp,
    /// The invitation link.
    #[serde(rename = "url")]
    pub link: String,
}

/// Writes an invitation and shows its link, once.
pub async fn run(place: &Place, options: &InviteOptions, machine: &Machine) -> Result<(), Failure> {
    let config = place.config()?;
    let ledger = place.ledger(machine).await?;
    let site = find_site(&ledger, options.site.as_deref()).await?;
    let (role, label) = match &options.gate {
        Some(name) => (Role::Gate, name.clone()),
        None => (Role::Device, options.label.clone()),
    };
    let running = running::portal(&config);
    let portal = options.portal.as_ref().or(running.as_ref()).unwrap_or(&config.portal.url);
    let invited = invite(&ledger, portal, &site, role, &label, options.days, machine).await?;
    ledger.close().await;
    if options.output.json {
        println!("{}", serde_json::to_string(&invited).doing("cannot write JSON")?);
    } else {
        println!("{}", invited.link);
        eprintln!("for {label} at {}, once, until {}", invited.site, invited.expires_at);
    }
    Ok(())
}

/// An invitation for the first site, as `tegata dev` shows it.
pub async fn first_site(
    ledger: &Ledger,
    portal: &str,
    role: Role,
    machine: &Machine,
) -> Result<Invited, Failure> {
    let site = sites(ledger).await?.into_iter().next();
    let site = site.ok_or_else(|| Failure::misuse("there is no site: add one with `tegata site add`"))?;
    invite(ledger, portal, &site, role, "受付PC", DEFAULT_DAYS, machine).await
}

async fn invite(
    ledger: &Ledger,
    portal: &str,
    site: &Site,
    role: Role,
    label: &str,
    days: u32,
    machine: &Machine,
) -> Result<Invited, Failure> {
    check_label(label)?;
    let entropy = machine.entropy.as_ref();
    let code = Code::random(entropy);
    let now = machine.now();
    let new = NewInvitation {
        id: InvitationId::random(entropy),
        code: &code,
        tenant: site.tenant.clone(),
        site: site.id.clone(),
        role,
        label: label.to_owned(),
        expires_at: now.plus(Duration::from_hours(24) * days),
    };
    let what = "cannot write the invitation";
    let mut transaction = ledger.begin(now).await.doing(what)?;
    transaction.invite(&new, &Machine::operator()).await.doing(what)?;
    transaction.commit().await.doing(what)?;
    Ok(Invited {
        invitation: new.id,
        site: site.name.clone(),
        role,
        label: label.to_owned(),
        expires_at: new.expires_at,
        link: format!("{portal}/enroll#{}", code.reveal()),
    })
}

/// A label becomes part of the name in the browser's list.
pub fn check_label(label: &str) -> Result<(), Failure> {
    let fine =
        !label.trim().is_empty() && label.chars().count() <= 64 && !label.chars().any(char::is_control);
    if fine {
        Ok(())
    } else {
        Err(Failure::misuse("a label has 1 to 64 characters and no control characters"))
    }
}

/// The site with this name or identifier; the only one, where there is only one.
async fn find_site(ledger: &Ledger, wanted: Option<&str>) -> Result<Site, Failure> {
    let mut found: Vec<_> = sites(ledger)
        .await?
        .into_iter()
        .filter(|site| wanted.is_none_or(|wanted| site.name == wanted || site.id.as_str() == wanted))
        .collect();
    match (found.len(), wanted) {
        (1, _) => Ok(found.remove(0)),
        (0, _) => Err(Failure::misuse("there is no such site")),
        (_, None) => Err(Failure::misuse("there are several sites: name one with --site")),
        (_, Some(_)) => Err(Failure::misuse("several sites have this name: use the identifier")),
    }
}

/// All sites of customers.
async fn sites(ledger: &Ledger) -> Result<Vec<Site>, Failure> {
    let what = "cannot read the sites";
    let mut sites = Vec::new();
    for tenant in ledger.tenants().await.doing(what)?.iter().filter(|tenant| !tenant.is_system()) {
        sites.extend(ledger.sites(&tenant.id).await.doing(what)?);
    }
    Ok(sites)
}
