//! `tegata device list`.

use super::READ;
use crate::failure::{Doing, Failure};
use serde_json::{Value, json};
use tegata_storage::{Device, Ledger, Tenant};

pub async fn list(ledger: &Ledger, text: &str, as_json: bool) -> Result<(), Failure> {
    let mut devices = ledger.devices(text).await.doing(READ)?;
    let own = Tenant::system();
    // The system's own come and go; whoever looks for them says so.
    devices.retain(|device| device.tenant != own.id || text.contains(&own.name));
    if as_json {
        outln!("{}", Value::Array(devices.iter().map(describe).collect()));
        return Ok(());
    }
    for device in &devices {
        outln!(
            "{}  {:9}  {:6}  generation {}  {} {} {}",
            device.id,
            device.effective_state(),
            device.role,
            device.generation,
            device.tenant_name,
            device.site_name,
            device.label
        );
    }
    if devices.is_empty() {
        outln!("no device");
    }
    Ok(())
}

pub fn describe(device: &Device) -> Value {
    json!({
        "device": device.id, "tenant": device.tenant_name, "site": device.site_name, "label": device.label,
        "tenant_state": device.tenant_state, "role": device.role, "state": device.state, "reason": device.reason,
        "generation": device.generation,
        "created_at": device.created_at, "changed_at": device.changed_at,
    })
}
