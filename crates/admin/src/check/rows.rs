//! Relations between rows that must not exist: orphans, duplicates, gaps, and certificates in use that should have
//! ended.

use super::code::FindingCode;
use super::context::{CheckContext, PAGE};
use tegata_core::encoding::hex;
use tegata_installation::{Failure, FailureContext};
use tegata_storage::Suspicious;

/// Rows of one kind asked for.
const SHOWN: u32 = 100;

/// Asks for everything that must not be.
pub async fn look(look: &mut CheckContext<'_>) -> Result<(), Failure> {
    let what = "cannot read the ledger";
    for orphan in look.inspection.orphans(SHOWN).await.doing(what)? {
        let subject = format!("{} {}", orphan.what, orphan.id);
        look.report.add(FindingCode::Orphan, subject, format!("its {} is not there", orphan.missing));
    }
    let now = look.now;
    let shared_keys = look.inspection.shared_keys(SHOWN).await.doing(what)?;
    say(look, FindingCode::KeyShared, &shared_keys, "another certificate has its key");
    let shared_serials = look.inspection.shared_serials(SHOWN).await.doing(what)?;
    say(look, FindingCode::SerialShared, &shared_serials, "its CA has given this serial twice");
    let blocked = look.inspection.living_with_blocked_key(now, SHOWN).await.doing(what)?;
    say(look, FindingCode::BlockedKeyLiving, &blocked, "its key is blocked and it is let in");
    let heirs = look.inspection.living_heirs_of_the_compromised(now, SHOWN).await.doing(what)?;
    say(look, FindingCode::HeirLiving, &heirs, "it is let in");
    let count = devices(look).await?;
    look.report.area("rows", format!("{count} devices, no orphans, no duplicates"));
    Ok(())
}

fn say(look: &mut CheckContext<'_>, code: FindingCode, found: &[Suspicious], detail: &str) {
    for Suspicious { device, generation, issuer, serial } in found {
        let serial = hex(serial);
        look.report.add(
            code,
            format!("device {device} generation {generation}"),
            format!("{detail} (CA {issuer}, serial {serial})"),
        );
    }
}

/// Generations are numbered from 1 without gaps, up to the newest ever reserved.
async fn devices(look: &mut CheckContext<'_>) -> Result<u64, Failure> {
    let (mut after, mut count) = (String::new(), 0);
    loop {
        let page = look.inspection.devices(&after, PAGE).await.doing("cannot read the devices")?;
        let Some(last) = page.last() else { return Ok(count) };
        after.clone_from(&last.id);
        for device in &page {
            let subject = format!("device {}", device.id);
            if !device.is_placed {
                look.report.add(
                    FindingCode::Orphan,
                    &subject,
                    "its site is not there, or is another tenant's",
                );
            }
            if device.certificates != device.generation || device.newest.unwrap_or(0) != device.generation {
                let detail = format!(
                    "{} generations were made, {} rows are there",
                    device.generation, device.certificates
                );
                look.report.add(FindingCode::GenerationMissing, &subject, detail);
            }
            count += 1;
        }
    }
}
