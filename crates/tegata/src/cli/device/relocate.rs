//! `tegata device move`: to another site of its tenant, and the proof that its tokens have ended.

use super::lookup::{READ, find};
use crate::cli::proof::{ReceiptOptions, ReceiptReport};
use crate::cli::scope::{TenantDirectory, rows};
use serde_json::json;
use tegata_core::DeviceState;
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext};
use tegata_storage::{Ledger, LedgerError};

#[derive(clap::Args)]
pub struct MoveDeviceOptions {
    /// Its identifier, or the device number that its page shows
    device: String,
    /// Name or identifier of the site that it goes to, of the same tenant
    #[arg(long)]
    site: String,
    #[command(flatten)]
    proof: ReceiptOptions,
}

/// Moves a device. Its certificate stays; its tokens and the sessions on it end.
pub async fn run(
    ledger: &Ledger,
    options: &MoveDeviceOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let device = find(&rows(ledger, None), &options.device).await?;
    let directory = TenantDirectory::read(ledger).await?;
    let place = directory.one_site(Some(device.tenant.as_str()), Some(&options.site))?;
    let site = place.site.cloned().ok_or_else(|| Failure::misuse("name a site with --site"))?;
    if device.site == site.id {
        return Err(Failure::wrong(format!("it is at {} already", site.name)));
    }
    if matches!(device.state, DeviceState::Revoked | DeviceState::Retired) {
        return Err(Failure::wrong("it has ended: what has ended stays where it was"));
    }
    let stopping = ReceiptReport::begin(ledger, &options.proof, system).await?;
    let mut transaction = rows(ledger, Some(&device.tenant)).begin(system.now()).await.doing(READ)?;
    let (note, actor) = (&options.proof.note, SystemContext::operator());
    let event = match transaction.move_device_to(&device.id, &site.id, note, &actor).await {
        Ok(event) => event,
        Err(LedgerError::Guard(why)) => return Err(Failure::wrong(why)),
        Err(error) => return Err(Failure::wrong(error)),
    };
    transaction.commit().await.committed("the change is not durable; nothing was changed")?;
    let moved = json!({"device": device.id, "from": device.site, "site": site.id});
    stopping.report(&moved, &format!("{} at {}", device.id, site.name), event).await
}
