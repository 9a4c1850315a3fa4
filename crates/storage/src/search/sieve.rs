//! The rule, applied to whatever may be meant.

use super::rows::CandidateRow;
use super::{DeviceSearch, MatchedBy};
use crate::ListedDevice;
use std::collections::{HashMap, HashSet};
use tegata_core::search::SearchedPlace;
use tegata_core::{DeviceId, SiteId, Timestamp};

/// A device that fits, before anything is read of it that ranking needs not.
pub(super) struct Hit {
    pub(super) id: DeviceId,
    pub(super) by: MatchedBy,
    pub(super) seen_at: Option<i64>,
    pub(super) used_at: Option<Timestamp>,
}

/// Lets through what fits, each device once.
pub(super) struct Sieve<'a> {
    pub(super) search: &'a DeviceSearch,
    places: HashMap<SiteId, SearchedPlace>,
    found: HashSet<DeviceId>,
    /// What would fit if one of its people did.
    left: HashMap<DeviceId, CandidateRow>,
    pub(super) hits: Vec<Hit>,
}

impl<'a> Sieve<'a> {
    pub(super) fn new(search: &'a DeviceSearch) -> Self {
        Self { search, places: HashMap::new(), found: HashSet::new(), left: HashMap::new(), hits: Vec::new() }
    }

    /// Devices that were named exactly.
    pub(super) fn take_exact(&mut self, rows: Vec<CandidateRow>, by: MatchedBy) {
        for row in rows.into_iter().filter(|row| self.search.admits(row)) {
            self.keep(&row, by);
        }
    }

    pub(super) fn take(&mut self, rows: Vec<CandidateRow>) {
        for row in rows {
            if self.found.contains(&row.id) || !self.search.admits(&row) {
                continue;
            }
            let people: Vec<&str> = row.person.as_deref().into_iter().collect();
            if self.fits(&row, &people) {
                let by = self.by(&row.id);
                self.keep(&row, by);
            } else {
                self.left.entry(row.id.clone()).or_insert(row);
            }
        }
    }

    pub(super) fn take_listed(&mut self, listed: &ListedDevice) {
        let row = CandidateRow::of(listed);
        if !self.found.contains(&row.id) && self.search.admits(&row) && self.fits::<&str>(&row, &[]) {
            let by = self.by(&row.id);
            self.keep(&row, by);
        }
    }

    pub(super) fn without_people(&self) -> Vec<DeviceId> {
        self.left.keys().filter(|id| !self.found.contains(*id)).cloned().collect()
    }

    pub(super) fn take_with_people(&mut self, names: &HashMap<DeviceId, Vec<String>>) {
        for (id, names) in names {
            let Some(row) = self.left.remove(id) else { continue };
            if !self.found.contains(id) && self.fits(&row, names) {
                self.keep(&row, MatchedBy::Words);
            }
        }
    }

    fn by(&self, id: &DeviceId) -> MatchedBy {
        if self.search.query.words().numbers_all(id) { MatchedBy::Number } else { MatchedBy::Words }
    }

    fn fits<P: AsRef<str>>(&mut self, row: &CandidateRow, people: &[P]) -> bool {
        let words = self.search.query.words();
        let place =
            self.places.entry(row.site.clone()).or_insert_with(|| words.at(&row.tenant_name, &row.site_name));
        words.finds(place, &row.label, people, &row.id)
    }

    fn keep(&mut self, row: &CandidateRow, by: MatchedBy) {
        if self.found.insert(row.id.clone()) {
            self.hits.push(Hit { id: row.id.clone(), by, seen_at: row.seen_at, used_at: None });
        }
    }
}

impl DeviceSearch {
    /// Whether a device is among those that are looked for, whatever it is called.
    fn admits(&self, row: &CandidateRow) -> bool {
        let state = row.state.within(row.tenant_state, row.role);
        let came = row.seen_at.unwrap_or(row.created_at);
        (self.with_system || !row.tenant.is_system())
            && (self.states.is_empty() || self.states.contains(&state))
            && self.unseen_since.is_none_or(|since| came < since.millis())
    }
}
