//! Finding devices by what a caller says, among any number of them, in a bounded time.
//!
//! The rule is [`tegata_core::search`]'s. An index of names (`index`) says which devices may be meant (`candidates`, `rows`), and
//! the rule is applied to those alone. Devices that are not in the index yet are looked at one by one; where those are very many,
//! as in a ledger that has just got the index, whatever there is is looked through.

mod candidates;
mod details;
mod filling;
mod index;
mod rows;
mod sieve;

pub(crate) use index::NameKind;

use crate::device::DeviceFilter;
use crate::engine::on_read;
use crate::scope::on_scoped_read;
use crate::{Device, ListedDevice, Result, ScopedLedger};
use candidates::{Candidates, Tenants};
use rows::{NumberRange, SearchExtent};
use sieve::{Hit, Sieve};
use std::time::Duration;
use tegata_core::search::{SearchQuery, TimeHint};
use tegata_core::{DeviceId, DeviceState, PersonId, Platform, SiteId, TenantId, Timestamp};

/// Devices outside the index that are looked at one by one.
const MOST_UNINDEXED: i64 = 5_000;

/// What is looked for, and where.
#[derive(Clone, Debug, Default)]
pub struct DeviceSearch {
    /// What the caller said.
    pub query: SearchQuery,
    /// In this tenant alone.
    pub tenant: Option<TenantId>,
    /// At these sites alone.
    pub sites: Option<Vec<SiteId>>,
    /// In these states alone, the tenant's state included; in any where there is none.
    pub states: Vec<DeviceState>,
    /// That did not come since.
    pub unseen_since: Option<Timestamp>,
    /// The hash of an invitation's short code, for the device that it became.
    pub short_code: Option<Vec<u8>>,
    /// Whether the installation's own devices count, which come and go.
    pub with_system: bool,
}

/// Why a device was found. The first is the surest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum MatchedBy {
    /// By the serial or the fingerprint of one of its certificates.
    Serial,
    /// By the short code of its invitation.
    Code,
    /// By its number, and nothing else was said.
    Number,
    /// By names, or by names and its number.
    Words,
}

/// Devices that were found, the likeliest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundDevices {
    /// The likeliest, at most [`FoundDevices::MOST`].
    pub hits: Vec<FoundDevice>,
    /// Whether more fit, or may: another word helps.
    pub more: bool,
}

/// A device that fits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundDevice {
    /// The device that was found.
    pub device: Device,
    /// What it said it is.
    pub platform: Option<Platform>,
    /// When it last came, to the day; nothing where it never did.
    pub seen_at: Option<Timestamp>,
    /// Whose device it is; where it is everybody's, who signed in last.
    pub people: Vec<FoundPerson>,
    /// Why it was found.
    pub by: MatchedBy,
    /// A recorded use at the time that was said.
    pub used_at: Option<Timestamp>,
}

/// Somebody who uses a device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundPerson {
    /// The identifier that records carry.
    pub id: PersonId,
    /// What they are called.
    pub name: String,
    /// What they sign in with.
    pub login: String,
}

impl FoundDevices {
    /// How many are given at most: nobody reads more.
    pub const MOST: usize = 50;
}

impl ScopedLedger {
    /// Finds devices. An empty query finds those that came last.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn search_devices(&self, search: &DeviceSearch) -> Result<FoundDevices> {
        let Some(extent) = self.extent_of(search) else {
            return Ok(FoundDevices { hits: Vec::new(), more: false });
        };
        let (mut hits, mut more) = self.matching(search, &extent).await?;
        hits.sort_by_key(|hit| (hit.by, std::cmp::Reverse(hit.seen_at)));
        if let Some(time) = search.query.time() {
            self.rank_by_time(&mut hits, time).await?;
        }
        more |= hits.len() > FoundDevices::MOST;
        hits.truncate(FoundDevices::MOST);
        Ok(FoundDevices { hits: self.described(hits).await?, more })
    }

    /// All devices that a search finds, by tenant, site and label; nothing where they may be more than are looked at, and a list
    /// has to be made by looking through everything.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn all_found(&self, search: &DeviceSearch) -> Result<Option<Vec<ListedDevice>>> {
        let Some(extent) = self.extent_of(search) else { return Ok(Some(Vec::new())) };
        if search.query.certificates().is_empty() && !self.is_indexed().await? {
            return Ok(None);
        }
        let (hits, more) = self.matching(search, &extent).await?;
        if more {
            return Ok(None);
        }
        let mut found = self.listed(hits).await?;
        found.sort_by(|one, other| {
            let place = |listed: &ListedDevice| {
                let device = &listed.device;
                [&device.tenant_name, &device.site_name, &device.label].map(String::clone)
            };
            place(one).cmp(&place(other)).then_with(|| one.device.id.cmp(&other.device.id))
        });
        Ok(Some(found))
    }

    /// Devices whose number begins with one of the words.
    pub(crate) async fn search_numbers(&self, search: &DeviceSearch) -> Result<FoundDevices> {
        let Some(extent) = self.extent_of(search) else {
            return Ok(FoundDevices { hits: Vec::new(), more: false });
        };
        let numbers: Vec<_> = search.query.words().numbers().map(NumberRange::of).collect();
        let mut sieve = Sieve::new(search);
        sieve.take(self.devices_numbered_so(&numbers, &extent).await?);
        let more = sieve.hits.len() > FoundDevices::MOST;
        sieve.hits.truncate(FoundDevices::MOST);
        Ok(FoundDevices { hits: self.described(sieve.hits).await?, more })
    }

    /// Nothing where the search leads out of the scope.
    fn extent_of(&self, search: &DeviceSearch) -> Option<SearchExtent> {
        let tenant = match (self.scope.tenant(), &search.tenant) {
            (Some(own), Some(named)) if own != named => return None,
            (own, named) => own.or(named.as_ref()).cloned(),
        };
        let sites = search.sites.as_ref().map(|sites| {
            let spaced: Vec<_> = sites.iter().map(SiteId::as_str).collect();
            format!(" {} ", spaced.join(" "))
        });
        Some(SearchExtent { tenant, sites })
    }

    /// All that fit, and whether more may.
    async fn matching(&self, search: &DeviceSearch, extent: &SearchExtent) -> Result<(Vec<Hit>, bool)> {
        let mut sieve = Sieve::new(search);
        for devices in [self.of_certificates(&search.query).await?, self.of_code(search).await?] {
            let (by, devices) = devices;
            sieve.take_exact(self.devices_identified(&devices, extent).await?, by);
        }
        let words = search.query.words();
        if !search.query.certificates().is_empty() || (words.is_empty() && search.short_code.is_some()) {
            return Ok((sieve.hits, false));
        }
        let numbers: Vec<_> = words.numbers().map(NumberRange::of).collect();
        sieve.take(self.devices_numbered_so(&numbers, extent).await?);
        if extent.sites.is_none() && !self.is_indexed().await? {
            let more = self.look_through(&mut sieve, extent).await?;
            return Ok((sieve.hits, more));
        }
        let more = self.by_names(&mut sieve, extent).await?;
        Ok((sieve.hits, more))
    }

    /// Gives whether there may be more.
    async fn by_names(&self, sieve: &mut Sieve<'_>, extent: &SearchExtent) -> Result<bool> {
        let mut more = false;
        let Some(tenants) = self.tenants_of(extent).await? else { return Ok(false) };
        if extent.sites.is_some() || sieve.search.query.words().is_empty() {
            let (likely, is_complete) = self.likely_devices(extent).await?;
            sieve.take(likely);
            more |= !is_complete;
        } else {
            let unindexed = self.unindexed_devices(extent, MOST_UNINDEXED).await?;
            sieve.take(unindexed);
            let words = sieve.search.query.words();
            let (names, mut is_complete) = match self.candidates(words, tenants).await? {
                Candidates::Names(names) => (names, true),
                Candidates::TooMany(names) => (names, false),
            };
            let (devices, are_all) = self.devices_named(&names, extent).await?;
            sieve.take(devices);
            is_complete &= are_all;
            if !is_complete {
                let (likely, are_all) = self.likely_devices(extent).await?;
                sieve.take(likely);
                is_complete = are_all;
            }
            more |= !is_complete;
        }
        let left = sieve.without_people();
        if !left.is_empty() && self.may_name_people(sieve.search.query.words(), tenants).await? {
            let (names, are_all) = self.names_of_users(&left).await?;
            sieve.take_with_people(&names);
            more |= !are_all;
        }
        Ok(more)
    }

    /// The way without an index: everything there is, one by one.
    async fn look_through(&self, sieve: &mut Sieve<'_>, extent: &SearchExtent) -> Result<bool> {
        let filter = DeviceFilter { tenant: extent.tenant.clone(), ..DeviceFilter::default() };
        let mut more = false;
        self.each_device(&filter, |listed| {
            // The latest are kept: whoever reads sees no more.
            if sieve.hits.len() >= 2 * rows::MOST_LOOKED_AT {
                sieve.hits.sort_by_key(|hit| (hit.by, std::cmp::Reverse(hit.seen_at)));
                sieve.hits.truncate(rows::MOST_LOOKED_AT);
                more = true;
            }
            sieve.take_listed(&listed);
        })
        .await?;
        Ok(more)
    }

    /// Whether all places and people are in the index, and nearly all devices.
    async fn is_indexed(&self) -> Result<bool> {
        let (missing,): (i64,) = on_read!(self.ledger, connection => {
            sqlx::query_as(
                "SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM tenant WHERE search_name IS NULL LIMIT 1) x) \
                 + (SELECT COUNT(*) FROM (SELECT 1 FROM site WHERE search_name IS NULL LIMIT 1) x) \
                 + (SELECT COUNT(*) FROM (SELECT 1 FROM person WHERE search_name IS NULL LIMIT 1) x) \
                 + (SELECT COUNT(*) / $1 FROM (SELECT 1 FROM device WHERE search_name IS NULL LIMIT $1) x)",
            )
            .bind(MOST_UNINDEXED)
            .fetch_one(connection)
            .await?
        });
        Ok(missing == 0)
    }

    /// Nothing where the index has none, because there is no such tenant.
    async fn tenants_of(&self, extent: &SearchExtent) -> Result<Option<Tenants>> {
        let Some(tenant) = &extent.tenant else { return Ok(Some(Tenants::ALL)) };
        let row: Option<(Option<i64>,)> = on_scoped_read!(self, connection => {
            sqlx::query_as("SELECT search_number FROM tenant WHERE id = $1 AND ($2 IS NULL OR id = $2)")
                .bind(tenant.as_str())
                .bind(self.scope.bound())
                .fetch_optional(connection)
                .await?
        });
        Ok(row.and_then(|(number,)| number).map(Tenants::one))
    }

    async fn of_certificates(&self, query: &SearchQuery) -> Result<(MatchedBy, Vec<DeviceId>)> {
        let mut devices = Vec::new();
        for octets in query.certificates() {
            devices.extend(self.find_certificates(octets).await?.into_iter().map(|found| found.device));
        }
        devices.dedup();
        Ok((MatchedBy::Serial, devices))
    }

    async fn of_code(&self, search: &DeviceSearch) -> Result<(MatchedBy, Vec<DeviceId>)> {
        let Some(hash) = &search.short_code else { return Ok((MatchedBy::Code, Vec::new())) };
        let rows: Vec<(String,)> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT device FROM invitation WHERE short_hash = $1 AND device IS NOT NULL \
                 AND ($2 IS NULL OR tenant = $2)",
            )
            .bind(hash.clone())
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        });
        Ok((MatchedBy::Code, rows.iter().filter_map(|(id,)| DeviceId::parse(id)).collect()))
    }

    /// Those that were used when the caller says come before those that came on that day or later, and these before all others.
    async fn rank_by_time(&self, hits: &mut [Hit], time: &TimeHint) -> Result<()> {
        /// Of which it is looked up when exactly they were used.
        const MOST: usize = 256;
        let day_before = time.from.minus(Duration::from_hours(24)).millis();
        let came = |hit: &Hit| hit.seen_at.is_some_and(|seen| seen >= day_before);
        hits.sort_by_key(|hit| (hit.by, !came(hit), std::cmp::Reverse(hit.seen_at)));
        let first = hits.len().min(MOST);
        let ids: Vec<_> = hits[..first].iter().map(|hit| hit.id.clone()).collect();
        let used = self.used_between(&ids, time).await?;
        for hit in hits.iter_mut() {
            hit.used_at = used.get(&hit.id).copied();
        }
        hits.sort_by_key(|hit| (hit.by, hit.used_at.is_none(), !came(hit), std::cmp::Reverse(hit.seen_at)));
        Ok(())
    }
}
