//! The revocation log: whole, as far as the ledger, and not on the ledger's disk.

use super::code::FindingCode;
use super::context::CheckContext;
use super::files;
use std::path::Path;
use std::time::Duration;
use tegata_storage::{LedgerError, LogReport};
use tokio::time::sleep;

/// A writer writes the log before the ledger: for that moment the two differ.
const ATTEMPTS: usize = 3;
const PAUSE: Duration = Duration::from_millis(200);

/// Checks that every line of the log follows its predecessor, and that the ledger agrees with its end.
pub async fn look(look: &mut CheckContext<'_>) {
    let file = look.config.revocation_log();
    match verified(look).await {
        Ok(Some(report)) => {
            let (code, detail) = match report.ahead {
                _ if report.agrees => (None, String::new()),
                Some(lines) => (
                    Some(FindingCode::RevocationLogAhead),
                    format!(
                        "it is ahead of the ledger by {lines} lines, up to event {}: the ledger was restored from a backup, or \
                         a change was accepted that it could not take",
                        report.last_event
                    ),
                ),
                None => (
                    Some(FindingCode::RevocationLog),
                    format!(
                        "it ends at event {} and lacks the last that the ledger wrote there",
                        report.last_event
                    ),
                ),
            };
            if let Some(code) = code {
                look.report.add(code, file.display(), detail);
            }
            if report.owed > 0 {
                let detail = format!(
                    "it could not take {} lines about an emergency, and lacks them still: the server writes them as soon as it \
                     can",
                    report.owed
                );
                look.report.add(FindingCode::RevocationLog, file.display(), detail);
            }
            together(look, &file);
            let LogReport { lines, torn, .. } = report;
            look.report.area("revocation log", format!("{lines} lines, chain whole, {torn} torn by crashes"));
        }
        Ok(None) => {}
        Err(error) => {
            look.report.add(FindingCode::RevocationLog, file.display(), error);
            look.report.area("revocation log", "it was not compared with the ledger");
        }
    }
}

async fn verified(look: &CheckContext<'_>) -> Result<Option<LogReport>, LedgerError> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let report = look.ledger.verify_log().await?;
        if attempts == ATTEMPTS || report.as_ref().is_none_or(|report| report.agrees) {
            return Ok(report);
        }
        sleep(PAUSE).await;
    }
}

/// PostgreSQL's disk is not known here.
fn together(look: &mut CheckContext<'_>, file: &Path) {
    let url = look.config.ledger_url();
    let Some(ledger) = url.strip_prefix("sqlite:") else { return };
    let devices = [Path::new(ledger), file].map(files::device_of);
    if devices[0].is_some() && devices[0] == devices[1] {
        look.report.add(
            FindingCode::RevocationLogTogether,
            file.display(),
            "ledger and log lie on one device",
        );
    }
}
