//! `tegata device show` and `tegata device history`.

use super::list::describe;
use super::lookup::{READ, find};
use crate::cli::history::{HistoryEvent, HistoryFolding};
use crate::cli::output::OutputFormat;
use serde_json::{Value, json};
use tegata_core::{CertificateState, DeviceId, Standing, Timestamp};
use tegata_installation::{Failure, FailureContext};
use tegata_storage::{AuditEntry, Certificate, Device, ScopedLedger};

#[derive(clap::Args)]
pub struct ShowOptions {
    /// Its identifier, or the device number that its page shows
    device: String,
    #[command(flatten)]
    output: OutputFormat,
}

/// Entries read at a time.
const PAGE: u32 = 500;

/// Entries of its history that the JSON of `show` holds.
const ENTRIES: u32 = 50;

/// Lines of its history that `show` ends with.
const LINES: usize = 12;

pub async fn show(rows: &ScopedLedger, options: &ShowOptions, now: Timestamp) -> Result<(), Failure> {
    let device = find(rows, &options.device).await?;
    let id = &device.id;
    let certificates = rows.certificates_of(id).await.doing(READ)?;
    let signed_out = rows.tokens_before(id).await.doing(READ)?;
    if options.output.json {
        let history = rows.history_of(id, u64::MAX, ENTRIES).await.doing(READ)?;
        let mut shown = describe(&device);
        shown["tokens_denied_before"] = json!(signed_out);
        shown["certificates"] = certificates.iter().map(|known| certificate(&device, known, now)).collect();
        shown["history"] = as_written(&history);
        outln!("{shown}");
        return Ok(());
    }
    let Device { state, tenant_name, site_name, label, .. } = &device;
    outln!("{id}  {state}  {tenant_name} {site_name} {label}");
    if device.effective_state() != device.state {
        outln!("  its tenant is {}, and the device with it", device.tenant_state);
    }
    if let Some(moment) = signed_out {
        outln!("  tokens issued before {moment} are denied");
    }
    for known in &certificates {
        let (state, not_after) = (known.state, known.not_after);
        outln!("  generation {}  {state:9}  serial {}  until {not_after}", known.generation, known.serial);
    }
    print_history(rows, id, LINES).await
}

pub async fn history(rows: &ScopedLedger, named: &str, lines: usize, as_json: bool) -> Result<(), Failure> {
    let device = find(rows, named).await?;
    if as_json {
        let limit = u32::try_from(lines).unwrap_or(u32::MAX);
        let entries = rows.history_of(&device.id, u64::MAX, limit).await.doing(READ)?;
        outln!("{}", as_written(&entries));
        return Ok(());
    }
    let Device { id, tenant_name, site_name, label, .. } = &device;
    outln!("{id}  {tenant_name} {site_name} {label}");
    print_history(rows, id, lines).await
}

/// Newest first, and no more than `most` lines, however many entries they stand for.
async fn print_history(rows: &ScopedLedger, device: &DeviceId, most: usize) -> Result<(), Failure> {
    let (mut folding, mut before) = (HistoryFolding::default(), u64::MAX);
    while folding.len() <= most {
        let entries = rows.history_of(device, before, PAGE).await.doing(READ)?;
        entries.iter().filter_map(HistoryEvent::parse).for_each(|event| folding.push(&event));
        match entries.last() {
            Some(oldest) => before = oldest.seq,
            None => break,
        }
    }
    let lines = folding.finish();
    for line in lines.iter().take(most) {
        outln!("  {}  {}", line.at.whole_second(), line.text);
    }
    if lines.len() > most {
        outln!("  and more before: tegata device history {device} --lines {}", most * 10);
    }
    Ok(())
}

fn as_written(entries: &[AuditEntry]) -> Value {
    entries.iter().map(|entry| serde_json::from_str(&entry.entry).unwrap_or(Value::Null)).collect()
}

fn certificate(device: &Device, known: &Certificate, now: Timestamp) -> Value {
    let standing: Standing = tegata_core::certificate::standing(
        device.effective_state(),
        known.state,
        known.not_before,
        known.not_after,
        now,
    );
    let reserved = known.state == CertificateState::Reserved;
    json!({
        "generation": known.generation, "serial": known.serial, "thumbprint": known.thumbprint(),
        "state": known.state, "standing": if reserved { Standing::Unissued } else { standing },
        "not_before": known.not_before, "not_after": known.not_after,
    })
}
