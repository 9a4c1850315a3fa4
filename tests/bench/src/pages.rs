//! What pages of the console read of a large ledger: CPU time of each, in this process, without drawing the page. On PostgreSQL the
//! database's own CPU time is not in it, so the time that a page waits is told beside.

use crate::population::Known;
use crate::report::{BenchRow, Delay};
use crate::{BenchOutcome, cpu};
use std::time::Duration;
use tegata_core::renewal::RenewalPolicy;
use tegata_core::{DeviceId, Timestamp};
use tegata_storage::{DeviceCursor, DevicePage, DeviceSort, Ledger, Principal, ScopedLedger};
use tokio::time::Instant;

/// What a page may cost.
const LIMIT_US: f64 = 20_000.0;

/// Pages of one kind.
const PAGES: u32 = 200;

/// Devices on one page.
const DEVICES: u32 = 50;

/// Entries of the audit log that a device's page reads.
const ENTRIES: u32 = 60;

/// The names of the rows of one engine.
pub struct PageNames {
    pub list: &'static str,
    pub deep: &'static str,
    pub own: &'static str,
    pub device: &'static str,
    pub figures: &'static str,
}

pub const SQLITE: PageNames = PageNames {
    list: "list, sqlite",
    deep: "list deep, sqlite",
    own: "list of tenant, sqlite",
    device: "device, sqlite",
    figures: "figures, sqlite",
};

pub const POSTGRES: PageNames = PageNames {
    list: "list, postgres",
    deep: "list deep, postgres",
    own: "list of tenant, postgres",
    device: "device, postgres",
    figures: "figures, postgres",
};

/// The vendor's list at its begin and in its middle, a tenant's by its order, a device, and the numbers of the pictures.
pub async fn rows(
    ledger: &Ledger,
    names: &PageNames,
    known: &[Known],
    now: Timestamp,
) -> BenchOutcome<(Vec<BenchRow>, Vec<Delay>)> {
    let all = ledger.within(Principal::operator("bench", None).scope());
    let asked = |number: u32| &known[usize::try_from(number).unwrap_or(0) % known.len()];
    let first = DevicePage { limit: DEVICES, ..DevicePage::default() };
    let own = |of: &Known| {
        let tenant = tegata_core::TenantId::parse(&of.tenant_id);
        ledger.within(Principal::operator("bench", tenant.as_ref()).scope())
    };
    let mut measured = PageTimes::default();
    measured.take(names.list, async |_| listed(&all, &first).await).await?;
    let deep = async |number: u32| {
        let device = DeviceId::parse(&asked(number).id).ok_or("no identifier")?;
        let after = Some(DeviceCursor { key: String::new(), device });
        listed(&all, &DevicePage { after, ..first.clone() }).await
    };
    measured.take(names.deep, deep).await?;
    let by_place = DevicePage { sort: DeviceSort::Place, ..first.clone() };
    measured.take(names.own, async |number| listed(&own(asked(number)), &by_place).await).await?;
    let device = async |number: u32| {
        let device = DeviceId::parse(&asked(number).id).ok_or("no identifier")?;
        let found = all.ledger_device(&device).await?;
        all.history_of(&device, u64::MAX, ENTRIES).await?;
        all.last_change_of(&device).await?;
        if found.is_some() { Ok(()) } else { Err("the device is not there".into()) }
    };
    measured.take(names.device, device).await?;
    let begun = Instant::now();
    all.fleet_counts(None).await?;
    all.renewal_weeks(None, RenewalPolicy::default(), (now, 13)).await?;
    measured.delays.push(Delay::new(names.figures, vec![begun.elapsed()]));
    Ok((measured.rows, measured.delays))
}

async fn listed(rows: &ScopedLedger, page: &DevicePage) -> BenchOutcome<()> {
    let (devices, _) = rows.device_page(page).await?;
    if devices.is_empty() { Err("an empty page".into()) } else { Ok(()) }
}

#[derive(Default)]
struct PageTimes {
    rows: Vec<BenchRow>,
    delays: Vec<Delay>,
}

impl PageTimes {
    /// The first round finds nothing in memory, and is not counted.
    async fn take(
        &mut self,
        path: &'static str,
        page: impl AsyncFn(u32) -> BenchOutcome<()>,
    ) -> BenchOutcome<()> {
        for number in 0..PAGES {
            page(number).await?;
        }
        let (before, mut waited): (_, Vec<Duration>) = (cpu::own()?, Vec::new());
        for number in 0..PAGES {
            let begun = Instant::now();
            page(number).await?;
            waited.push(begun.elapsed());
        }
        let us = (cpu::own()? - before) / f64::from(PAGES);
        self.rows.push(BenchRow { path, us, limit_us: LIMIT_US });
        self.delays.push(Delay::new(path, waited));
        Ok(())
    }
}

/// Reads all devices as the file for a spreadsheet is made: a page at a time.
pub async fn read_all(rows: &ScopedLedger) -> BenchOutcome<u32> {
    let mut page = DevicePage { limit: 500, ..DevicePage::default() };
    let mut count = 0;
    loop {
        let (devices, end) = rows.device_page(&page).await?;
        count += u32::try_from(devices.len())?;
        page.after = end;
        if page.after.is_none() {
            return Ok(count);
        }
    }
}
