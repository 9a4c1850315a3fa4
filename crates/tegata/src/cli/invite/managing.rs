//! `tegata invite list|show|revoke`: what was handed out, what became of it, and the end of it.

use crate::cli::confirm::OperatorConsent;
use crate::cli::installation_args::InstallationArgs;
use crate::cli::output::{OutputFormat, nothing_found};
use crate::cli::proof::{ReceiptOptions, ReceiptReport};
use crate::cli::reason::RevocationReasonArg;
use crate::cli::scope::{ScopeArgs, TenantDirectory, rows};
use serde_json::{Value, json};
use tegata_core::{DeviceId, DeviceState, InvitationId, KittingId, Timestamp};
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext};
use tegata_storage::{
    DeviceAction, Invitation, InvitationState, Kitting, KittingPlace, Ledger, LedgerError, ScopedLedger,
    ScopedTransaction,
};

#[derive(clap::Subcommand)]
pub enum InvitationCommand {
    /// List open invitations and kitting codes
    List {
        #[command(flatten)]
        scope: ScopeArgs,
        #[command(flatten)]
        output: OutputFormat,
    },
    /// Show an invitation or a kitting code, and what became of it
    Show {
        /// Identifier of the invitation or kitting code
        id: String,
        #[command(flatten)]
        output: OutputFormat,
    },
    /// End an invitation or a kitting code at once; with --devices also every device that it made
    Revoke {
        /// Identifier of the invitation or kitting code
        id: String,
        /// Revoke its devices too: the code was leaked
        #[arg(long)]
        devices: bool,
        /// Why the devices are revoked
        #[arg(long, value_enum, default_value_t = RevocationReasonArg::KeyCompromise, requires = "devices")]
        reason: RevocationReasonArg,
        #[command(flatten)]
        consent: OperatorConsent,
        #[command(flatten)]
        proof: ReceiptOptions,
    },
}

const NOTHING: &str = "no open invitation and no kitting code";
const READ: &str = "cannot read the ledger";

pub async fn run(
    place: &InstallationArgs,
    command: &InvitationCommand,
    system: &SystemContext,
) -> Result<(), Failure> {
    let ledger = place.ledger(system).await?;
    let done = match command {
        InvitationCommand::List { scope, output } => list(&ledger, scope, output.json, system.now()).await,
        InvitationCommand::Show { id, output } => show(&ledger, id, output.json, system.now()).await,
        InvitationCommand::Revoke { id, devices, reason, consent, proof } => {
            let action = devices.then(|| DeviceAction::Revoke((*reason).into()));
            revoke(&ledger, id, action, *consent, proof, system).await
        }
    };
    ledger.close().await;
    done
}

/// What somebody was handed: a link for one device, or for many.
enum HandedLink {
    One(Invitation),
    Many(Kitting, Vec<KittingPlace>),
}

impl HandedLink {
    async fn find(rows: &ScopedLedger, id: &str) -> Result<Self, Failure> {
        let unknown = || Failure::wrong("there is no such invitation or kitting code");
        let one = InvitationId::parse(id).ok_or_else(|| Failure::misuse("that is no identifier"))?;
        if let Some(invitation) = rows.invitation(&one).await.doing(READ)? {
            return Ok(Self::One(invitation));
        }
        let many = KittingId::parse(id).ok_or_else(unknown)?;
        let kitting = rows.kitting(&many).await.doing(READ)?.ok_or_else(unknown)?;
        let places = rows.kitting_places(&many).await.doing(READ)?;
        Ok(Self::Many(kitting, places))
    }

    /// The devices it has made that are still there to be revoked.
    async fn devices(&self, rows: &ScopedLedger) -> Result<Vec<DeviceId>, Failure> {
        match self {
            Self::Many(_, places) => Ok(places
                .iter()
                .filter(|place| place.device_state.is_some_and(may_be_revoked))
                .filter_map(|place| place.device.clone())
                .collect()),
            Self::One(Invitation { device: Some(id), .. }) => {
                let device = rows.device(id).await.doing(READ)?;
                let living = device.filter(|device| may_be_revoked(device.state));
                Ok(living.map(|device| device.id).into_iter().collect())
            }
            Self::One(_) => Ok(Vec::new()),
        }
    }

    /// Ends it, if there is anything to end. Gives whether there was.
    async fn end(&self, transaction: &mut ScopedTransaction) -> Result<bool, LedgerError> {
        let operator = SystemContext::operator();
        match self {
            Self::One(Invitation { id, state: InvitationState::Open, .. }) => {
                transaction.withdraw_invitation(id, &operator).await.map(|()| true)
            }
            Self::Many(kitting, _) if !kitting.ended => {
                transaction.end_kitting(&kitting.id, &operator).await.map(|()| true)
            }
            Self::One(_) | Self::Many(..) => Ok(false),
        }
    }
}

fn may_be_revoked(state: DeviceState) -> bool {
    state.may_become(DeviceState::Revoked)
}

async fn list(ledger: &Ledger, scope: &ScopeArgs, as_json: bool, now: Timestamp) -> Result<(), Failure> {
    let directory = TenantDirectory::read(ledger).await?;
    let rows = scope.rows(&directory, ledger)?;
    let mut invitations = rows.open_invitations(now).await.doing(READ)?;
    let mut kittings = rows.kittings().await.doing(READ)?;
    if let Some(scope) = scope.find_in(&directory)? {
        invitations.retain(|invitation| scope.holds(&invitation.tenant, &invitation.site));
        kittings.retain(|kitting| scope.holds(&kitting.tenant, &kitting.site));
    }
    let is_nothing = invitations.is_empty() && kittings.is_empty();
    if as_json {
        let one = invitations.iter().map(describe_one);
        outln!(
            "{}",
            one.chain(kittings.iter().map(|kitting| describe_many(kitting, now))).collect::<Value>()
        );
        return nothing_found(is_nothing, NOTHING);
    }
    for Invitation { id, site_name, label, expires_at, .. } in &invitations {
        outln!("{id}  invitation  until {expires_at}  {site_name} {label}");
    }
    for kitting in &kittings {
        print_many(kitting, now);
    }
    nothing_found(is_nothing, NOTHING)
}

async fn show(ledger: &Ledger, id: &str, as_json: bool, now: Timestamp) -> Result<(), Failure> {
    match HandedLink::find(&rows(ledger, None), id).await? {
        HandedLink::One(invitation) if as_json => outln!("{}", describe_one(&invitation)),
        HandedLink::One(invitation) => {
            let Invitation { id, site_name, label, expires_at, state, device, .. } = &invitation;
            outln!("{id}  {}  until {expires_at}  {site_name} {label}", state.as_str());
            if let Some(device) = device {
                outln!("  device {device}");
            }
        }
        HandedLink::Many(kitting, places) if as_json => {
            let mut shown = describe_many(&kitting, now);
            shown["made"] = places.iter().map(describe_place).collect();
            outln!("{shown}");
        }
        HandedLink::Many(kitting, places) => {
            print_many(&kitting, now);
            for place in &places {
                let device = place.device.as_ref().map_or("-", DeviceId::as_str);
                outln!("  {:4}  {device:26}  {:12}  {}", place.number, standing(place), place.label);
            }
        }
    }
    Ok(())
}

async fn revoke(
    ledger: &Ledger,
    id: &str,
    action: Option<DeviceAction>,
    consent: OperatorConsent,
    proof: &ReceiptOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let rows = rows(ledger, None);
    if action.is_some() {
        let devices = HandedLink::find(&rows, id).await?.devices(&rows).await?;
        consent.obtain(ends(id, &devices))?;
    }
    let stopping = ReceiptReport::begin(ledger, proof, system).await?;
    let what = "nothing was changed";
    let mut transaction = rows.begin(system.now()).await.doing(READ)?;
    // With the right to write in hand nobody takes another place while the devices are counted.
    let handed = HandedLink::find(&rows, id).await?;
    let devices = handed.devices(&rows).await?;
    let ended = handed.end(&mut transaction).await.doing(what)?;
    let mut event = None;
    if let Some(action) = action {
        for device in &devices {
            let acted =
                transaction.act_on_device(device, action, &proof.note, &SystemContext::operator()).await;
            event = Some(acted.doing(what)?);
        }
    }
    if !ended && event.is_none() {
        return Err(nothing_to_end(&handed, &devices));
    }
    transaction.commit().await.committed(what)?;
    let revoked = if event.is_some() { devices.as_slice() } else { &[] };
    let left = if event.is_some() { &[] } else { devices.as_slice() };
    let mut line = json!({"ended": ended, "revoked": revoked, "left": left});
    line[if matches!(handed, HandedLink::One(_)) { "invitation" } else { "kitting" }] = id.into();
    if let Some(event) = event {
        return stopping.report(&line, &format!("{id} and {} devices", revoked.len()), event).await;
    }
    if proof.output.json {
        outln!("{line}");
    } else {
        outln!("{id}: ended");
        for device in left {
            outln!("  it has made {device}, which goes on; --devices revokes it too");
        }
    }
    Ok(())
}

/// Names each device; more than a screen holds are counted.
fn ends(id: &str, devices: &[DeviceId]) -> String {
    let named: Vec<_> = devices.iter().take(20).map(DeviceId::as_str).collect();
    let more = if devices.len() > named.len() { ", and others" } else { "" };
    let (count, named) = (devices.len(), named.join(", "));
    format!(
        "the invitation or kitting code {id} ends, and the {count} devices that it made, for ever: {named}{more}"
    )
}

fn nothing_to_end(handed: &HandedLink, devices: &[DeviceId]) -> Failure {
    Failure::wrong(match (handed, devices) {
        (HandedLink::One(_), [device]) => {
            format!("the invitation has been used, by device {device}: --devices revokes that")
        }
        (HandedLink::One(_), _) => "the invitation is not open, and has no device to revoke".to_owned(),
        (HandedLink::Many(..), []) => "the kitting code has ended, and has no device to revoke".to_owned(),
        (HandedLink::Many(..), devices) => {
            format!("the kitting code has ended; --devices revokes its {} devices", devices.len())
        }
    })
}

fn describe_one(invitation: &Invitation) -> Value {
    json!({
        "invitation": invitation.id, "tenant": invitation.tenant_name, "site": invitation.site_name,
        "label": invitation.label, "role": invitation.role, "state": invitation.state.as_str(),
        "expires_at": invitation.expires_at, "device": invitation.device,
    })
}

fn describe_many(kitting: &Kitting, now: Timestamp) -> Value {
    let networks: Vec<_> = kitting.networks.iter().map(ToString::to_string).collect();
    json!({
        "kitting": kitting.id, "tenant": kitting.tenant_name, "site": kitting.site_name, "label": kitting.label,
        "state": state(kitting, now), "devices": kitting.places, "taken": kitting.taken,
        "per_minute": kitting.per_minute, "networks": networks,
        "created_at": kitting.created_at, "expires_at": kitting.expires_at,
    })
}

fn describe_place(place: &KittingPlace) -> Value {
    json!({
        "number": place.number, "label": place.label, "device": place.device, "state": place.device_state,
        "in_use": place.in_use, "at": place.taken_at, "invitation": place.invitation,
    })
}

fn print_many(kitting: &Kitting, now: Timestamp) {
    let Kitting { id, taken, places, site_name, label, expires_at, .. } = kitting;
    outln!(
        "{id}  kitting     {taken} of {places}, {}, until {expires_at}  {site_name} {label}",
        state(kitting, now)
    );
}

fn state(kitting: &Kitting, now: Timestamp) -> &'static str {
    match kitting.admits(now) {
        Ok(()) if kitting.taken >= kitting.places => "used up",
        Ok(()) => "open",
        Err(_) if kitting.ended => "ended",
        Err(_) => "expired",
    }
}

fn standing(place: &KittingPlace) -> &'static str {
    match place.device_state {
        None => "being made",
        Some(DeviceState::Active) if place.in_use => "at work",
        Some(DeviceState::Active) => "made",
        Some(other) => other.as_str(),
    }
}
