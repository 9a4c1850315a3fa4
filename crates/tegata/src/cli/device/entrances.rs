//! `tegata device entrances`: which devices could enter on a day.

use super::lookup::READ;
use crate::cli::output::{OutputFormat, nothing_found};
use crate::cli::scope::{ScopeArgs, TenantDirectory, rows};
use serde_json::{Value, json};
use tegata_installation::{Failure, FailureContext, SystemContext};
use tegata_storage::{DeviceEntrance, EntrancePage, EntranceSpell, Ledger, ScopedLedger, Site};

#[derive(clap::Args)]
pub struct EntrancesOptions {
    /// The day in Japan, such as 2026-11-30; of today what there is of it
    #[arg(long)]
    day: String,
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    output: OutputFormat,
}

/// Devices that are looked at at a time.
const PAGE: u32 = 500;

/// Says of each device of a site, a tenant or the installation when it could enter, by its certificates and every stop.
pub async fn entrances(
    ledger: &Ledger,
    options: &EntrancesOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let day = EntranceSpell::of_day(&options.day, system.now()).ok_or_else(|| {
        Failure::misuse(format!("{:?} is no day such as 2026-11-30, or is still to come", options.day))
    })?;
    let directory = TenantDirectory::read(ledger).await?;
    let scope = options.scope.find_in(&directory)?;
    let rows = rows(ledger, scope.map(|place| &place.tenant.id));
    let sites: Vec<Site> = match scope.and_then(|place| place.site) {
        Some(site) => vec![site.clone()],
        None => {
            rows.all_sites().await.doing(READ)?.into_iter().filter(|site| !site.tenant.is_system()).collect()
        }
    };
    let mut lines = EntranceLines { as_json: options.output.json, count: 0 };
    for site in &sites {
        lines.print_site(&rows, site, day).await?;
    }
    lines.end();
    nothing_found(lines.count == 0, "no device could enter on that day")
}

/// Prints a device as it is found: a line, or an element of a JSON array.
struct EntranceLines {
    as_json: bool,
    count: u64,
}

impl EntranceLines {
    async fn print_site(
        &mut self,
        rows: &ScopedLedger,
        site: &Site,
        within: EntranceSpell,
    ) -> Result<(), Failure> {
        let mut page = EntrancePage { site: site.id.clone(), within, after: None, limit: PAGE };
        loop {
            let (entrances, end) = rows.entrances(&page).await.doing(READ)?;
            for entrance in &entrances {
                self.print(entrance);
            }
            match end {
                Some(end) => page.after = Some(end),
                None => return Ok(()),
            }
        }
    }

    fn print(&mut self, entrance: &DeviceEntrance) {
        if self.as_json {
            out!("{}{}", if self.count == 0 { "[" } else { "," }, described(entrance));
        } else {
            let device = &entrance.device;
            let spells: Vec<_> = entrance.spells.iter().map(spell).collect();
            let spells = spells.join(", ");
            outln!("{}  {spells}  {} {} {}", device.id, device.tenant_name, device.site_name, device.label);
        }
        self.count += 1;
    }

    fn end(&self) {
        if self.as_json {
            outln!("{}", if self.count == 0 { "[]" } else { "]" });
        }
    }
}

fn spell(spell: &EntranceSpell) -> String {
    format!("{} to {}", spell.from.whole_second(), spell.until.whole_second())
}

fn described(entrance: &DeviceEntrance) -> Value {
    let device = &entrance.device;
    let spells: Vec<_> =
        entrance.spells.iter().map(|spell| json!({"from": spell.from, "until": spell.until})).collect();
    json!({
        "device": device.id, "tenant": device.tenant_name, "site": device.site_name, "label": device.label,
        "tenant_id": device.tenant, "site_id": device.site, "spells": spells,
    })
}
