//! `tegata device list`: finds devices by what a caller says, among any number of them.
//!
//! Words are looked up in the index of names. Where they fit very many devices, or none are given, the ledger is read in one go
//! and nothing waits for whoever reads the list: lines are kept in memory up to a few megabytes, and beyond in a nameless file,
//! until the last is found.

use super::lookup::READ;
use crate::cli::installation_args::InstallationArgs;
use crate::cli::output::{OutputFormat, nothing_found};
use crate::cli::scope::{ScopeArgs, TenantDirectory, rows};
use crate::printing;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{self, BufWriter, Seek, Write};
use std::time::Duration;
use tegata_core::search::{Search, SearchQuery, SearchedPlace};
use tegata_core::{DeviceId, DeviceState, ShortCode, SiteId};
use tegata_installation::{Failure, FailureContext, SystemContext};
use tegata_storage::{Device, DeviceFilter, DeviceSearch, Ledger, ListedDevice, ScopedLedger, Tenant};
use tempfile::SpooledTempFile;

/// What is kept in memory of a list.
const IN_MEMORY: usize = 8 << 20;

#[derive(clap::Args)]
pub struct DeviceListOptions {
    /// Words of tenant, site, label, number, or of a person who uses it, in any order; each must fit. Width, case, spaces and the
    /// kind of kana make no difference, and names may be run together. The serial of a certificate and the short code of an
    /// invitation find its device. With a time, as in 今日の3時ごろ使った or "used at about 3 today", the likeliest come first
    words: Vec<String>,
    #[command(flatten)]
    scope: ScopeArgs,
    /// In these states alone, its tenant's state included: active, suspended, revoked, retired
    #[arg(long, value_delimiter = ',', value_parser = state)]
    state: Vec<DeviceState>,
    /// That should renew now, or ended without a successor
    #[arg(long)]
    due: bool,
    /// That did not come for N days
    #[arg(long, value_name = "N")]
    stale_days: Option<u32>,
    #[command(flatten)]
    output: OutputFormat,
}

/// What a device has to be to be listed.
struct DeviceSelection<'a> {
    words: Search,
    /// The place of the last device: they come place by place.
    place: Option<(SiteId, SearchedPlace)>,
    with_system: bool,
    states: &'a [DeviceState],
    /// When the certificates end that should be renewed now, if only those devices are wanted.
    due: Option<HashMap<DeviceId, &'static str>>,
}

pub async fn list(
    place: &InstallationArgs,
    ledger: &Ledger,
    options: &DeviceListOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let filter = options.filter(ledger, system).await?;
    let rows = rows(ledger, filter.tenant.as_ref());
    let mut wanted = options.wanted(place, ledger, system).await?;
    let found = options.found(place, &rows, &filter, system).await?;
    if found.is_some() {
        // The words have been looked for, with what a list alone does not say of a device.
        wanted.words = Search::default();
    }
    let mut lines = DeviceLines::new(options.output.json);
    let mut show = |listed: ListedDevice| {
        if wanted.is_meant(&listed) {
            lines.push(&listed, wanted.due_word(&listed));
        }
    };
    match found {
        Some(found) => found.into_iter().for_each(&mut show),
        None => rows.each_device(&filter, show).await.doing(READ)?,
    }
    let found = lines.print().doing("cannot keep the list")?;
    nothing_found(found == 0, "no device fits: give fewer words, or fewer restrictions")
}

impl DeviceListOptions {
    async fn filter(&self, ledger: &Ledger, system: &SystemContext) -> Result<DeviceFilter, Failure> {
        let directory = TenantDirectory::read(ledger).await?;
        let scope = self.scope.find_in(&directory)?;
        let day = Duration::from_hours(24);
        Ok(DeviceFilter {
            tenant: scope.map(|scope| scope.tenant.id.clone()),
            site: scope.and_then(|scope| scope.site).map(|site| site.id.clone()),
            unseen_since: self.stale_days.map(|days| system.now().minus(day * days)),
        })
    }

    /// What the index finds of the words; nothing where there are none, or they may fit more devices than it looks at.
    async fn found(
        &self,
        place: &InstallationArgs,
        rows: &ScopedLedger,
        filter: &DeviceFilter,
        system: &SystemContext,
    ) -> Result<Option<Vec<ListedDevice>>, Failure> {
        let text = self.words.join(" ");
        let query = SearchQuery::parse(&text, system.now());
        if query.is_empty() {
            return Ok(None);
        }
        let installation = &place.config()?.installation.name;
        let search = DeviceSearch {
            short_code: ShortCode::parse(&text).map(|code| code.hash(installation)),
            sites: filter.site.as_ref().map(|site| vec![site.clone()]),
            unseen_since: filter.unseen_since,
            states: self.state.clone(),
            with_system: self.means_system(),
            query,
            ..DeviceSearch::default()
        };
        if search.query.time().is_none() {
            return rows.all_found(&search).await.doing(READ);
        }
        let found = rows.search_devices(&search).await.doing(READ)?;
        Ok(Some(found.hits.into_iter().map(ListedDevice::from).collect()))
    }

    /// The system's own devices come and go; whoever looks for them says so.
    fn means_system(&self) -> bool {
        let own = Tenant::system().name;
        self.words.iter().any(|word| word.contains(&own))
    }

    async fn wanted(
        &self,
        place: &InstallationArgs,
        ledger: &Ledger,
        system: &SystemContext,
    ) -> Result<DeviceSelection<'_>, Failure> {
        let due = if self.due { Some(due(place, ledger, system).await?) } else { None };
        Ok(DeviceSelection {
            words: Search::new(&self.words),
            place: None,
            with_system: self.means_system(),
            states: &self.state,
            due,
        })
    }
}

async fn due(
    place: &InstallationArgs,
    ledger: &Ledger,
    system: &SystemContext,
) -> Result<HashMap<DeviceId, &'static str>, Failure> {
    let policy = place.config()?.renewal;
    let (due, overdue) = tegata_scheduler::due(ledger, &policy, system.now()).await.doing(READ)?;
    let overdue = overdue.into_iter().map(|due| (due.device, "overdue"));
    // One that has an older certificate besides, which ended, is due and no more.
    Ok(overdue.chain(due.into_iter().map(|due| (due.device, "due"))).collect())
}

impl DeviceSelection<'_> {
    fn is_meant(&mut self, listed: &ListedDevice) -> bool {
        let device = &listed.device;
        (self.with_system || !device.tenant.is_system())
            && (self.states.is_empty() || self.states.contains(&device.effective_state()))
            && self.due.as_ref().is_none_or(|due| due.contains_key(&device.id))
            && self.fits(device)
    }

    fn fits(&mut self, device: &Device) -> bool {
        let place = match self.place.take() {
            Some((site, place)) if site == device.site => place,
            _ => self.words.at(&device.tenant_name, &device.site_name),
        };
        let fits = self.words.finds::<&str>(&place, &device.label, &[], &device.id);
        self.place = Some((device.site.clone(), place));
        fits
    }

    fn due_word(&self, listed: &ListedDevice) -> Option<&'static str> {
        self.due.as_ref().and_then(|due| due.get(&listed.device.id).copied())
    }
}

/// The lines of a list, or the elements of its JSON array.
struct DeviceLines {
    kept: BufWriter<SpooledTempFile>,
    as_json: bool,
    count: u64,
    failed: Option<io::Error>,
}

impl DeviceLines {
    fn new(as_json: bool) -> Self {
        Self { kept: BufWriter::new(SpooledTempFile::new(IN_MEMORY)), as_json, count: 0, failed: None }
    }

    fn push(&mut self, listed: &ListedDevice, due: Option<&str>) {
        if self.failed.is_some() {
            return;
        }
        let written = if self.as_json {
            let comma = if self.count == 0 { "[" } else { "," };
            write!(self.kept, "{comma}{}", described(listed, due))
        } else {
            writeln!(self.kept, "{}", line(listed, due))
        };
        self.count += 1;
        self.failed = written.err();
    }

    /// Gives how many there are.
    fn print(mut self) -> io::Result<u64> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.as_json {
            self.kept.write_all(if self.count == 0 { b"[]\n" } else { b"]\n" })?;
        }
        let mut kept = self.kept.into_inner()?;
        kept.rewind()?;
        printing::copy(&mut kept);
        Ok(self.count)
    }
}

fn line(listed: &ListedDevice, due: Option<&str>) -> String {
    let device = &listed.device;
    let Device { id, role, generation, tenant_name, site_name, label, .. } = device;
    let state = device.effective_state();
    let due = due.map_or_else(String::new, |due| format!("  {due}"));
    format!("{id}  {state:9}  {role:6}  generation {generation}  {tenant_name} {site_name} {label}{due}")
}

fn described(listed: &ListedDevice, due: Option<&str>) -> Value {
    let mut described = describe(&listed.device);
    described["seen_at"] = json!(listed.seen_at());
    if let Some(due) = due {
        described["renewal"] = due.into();
    }
    described
}

/// A device in JSON.
pub fn describe(device: &Device) -> Value {
    json!({
        "device": device.id, "tenant": device.tenant_name, "site": device.site_name, "label": device.label,
        "tenant_id": device.tenant, "site_id": device.site,
        "tenant_state": device.tenant_state, "role": device.role, "state": device.state, "reason": device.reason,
        "generation": device.generation,
        "created_at": device.created_at, "changed_at": device.changed_at,
    })
}

fn state(word: &str) -> Result<DeviceState, String> {
    let known = DeviceState::ALL.iter();
    known.clone().find(|state| state.as_str() == word).copied().ok_or_else(|| {
        let words: Vec<_> = known.map(|state| state.as_str()).collect();
        format!("one of {}", words.join(", "))
    })
}
