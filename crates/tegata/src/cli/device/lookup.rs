//! Which device is meant.

use tegata_core::DeviceId;
use tegata_installation::{Failure, FailureContext};
use tegata_storage::{Device, ScopedLedger};

/// The least characters by which a device can be named: as many as pages show.
const LEAST_NUMBER: usize = 8;

pub(super) const READ: &str = "cannot read the ledger";

/// The one device that is meant: by its identifier, or by the beginning of it that people read on its page.
pub(in crate::cli) async fn find(rows: &ScopedLedger, named: &str) -> Result<Device, Failure> {
    let unknown =
        || Failure::wrong(format!("there is no device {named}: tegata device list finds it by its names"));
    if let Ok(id) = named.parse::<DeviceId>() {
        return rows.device(&id).await.doing(READ)?.ok_or_else(unknown);
    }
    let number: String =
        named.chars().filter(|letter| *letter != '-').collect::<String>().to_ascii_lowercase();
    if number.len() < LEAST_NUMBER || !number.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Failure::misuse(format!(
            "{named:?} is no device number: it has {LEAST_NUMBER} characters. tegata device list finds a device by its names"
        )));
    }
    let mut found = rows.devices_numbered(&number).await.doing(READ)?.into_iter();
    match (found.next(), found.next()) {
        (Some(device), None) => Ok(device),
        (Some(_), Some(_)) => {
            Err(Failure::wrong(format!("{named} is the number of several devices: name one whole")))
        }
        (None, _) => Err(unknown()),
    }
}
