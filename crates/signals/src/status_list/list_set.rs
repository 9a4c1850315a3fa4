//! All lists of this server, as the ledger has them up to an event of the feed.

use super::list_state::StatusListState;
use super::{ListAssignment, PublishedLists, STATUS_LIST_LIFE, SignedList};
use crate::issuer::SignalIssuer;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use tegata_core::feed::{Change, Event};
use tegata_core::status_list::{list_of, places_of};
use tegata_core::{TenantId, Timestamp};
use tegata_storage::{Ledger, LedgerError, StatusPlace};
use tegata_web::document::written;
use tokio::task::spawn_blocking;

pub(super) struct StatusListSet {
    order: Arc<ListAssignment>,
    sheets: BTreeMap<u64, StatusListState>,
    suspended: Vec<TenantId>,
    /// The list of the place that is given out next.
    current: u64,
    /// The last event it contains.
    seq: u64,
}

impl StatusListSet {
    /// Reads everything. What the ledger says is at least as new as the event `seq`, which was seen before.
    pub(super) async fn read(
        order: Arc<ListAssignment>,
        ledger: &Ledger,
        seq: u64,
    ) -> Result<Self, LedgerError> {
        let current = list_of(ledger.status_head().await?.next);
        let mut lists = Self { order, sheets: BTreeMap::new(), suspended: Vec::new(), current, seq };
        for number in 0..=current + 1 {
            lists.open(number);
        }
        ledger.statuses(&mut |one| lists.set(one)).await?;
        lists.move_decoys(ledger).await?;
        Ok(lists)
    }

    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    pub(super) fn is_of(&self, order: &Arc<ListAssignment>) -> bool {
        Arc::ptr_eq(&self.order, order)
    }

    /// Takes in the next event: what the ledger says by now of the places that it concerns.
    pub(super) async fn apply(&mut self, event: &Event, ledger: &Ledger) -> Result<(), LedgerError> {
        ledger.statuses_of(event, &mut |one| self.set(one)).await?;
        if matches!(event.change, Change::TenantDenied { .. } | Change::TenantAllowed { .. }) {
            self.move_decoys(ledger).await?;
        }
        self.seq = self.seq.max(event.seq);
        Ok(())
    }

    /// The list after the one that is being given out is there before anybody is referred to it.
    pub(super) fn reach(&mut self, next: u64) {
        for number in self.current + 2..=list_of(next) + 1 {
            self.open(number);
        }
        self.current = self.current.max(list_of(next));
    }

    /// Lays lists aside whose places are all given out and whose certificates have all ended, as their tokens have.
    pub(super) async fn retire(&mut self, ledger: &Ledger, now: Timestamp) -> Result<(), LedgerError> {
        let full: Vec<u64> = self.sheets.range(..self.current).map(|(number, _)| *number).collect();
        for number in full {
            let Some(sheet) = self.sheets.get_mut(&number) else { continue };
            if sheet.last.is_none() {
                let last = ledger.last_of_places(places_of(number)).await?;
                sheet.last = Some(last.unwrap_or_default());
            }
            if sheet.last.is_some_and(|last| now.since(last) > STATUS_LIST_LIFE) {
                self.sheets.remove(&number);
            }
        }
        Ok(())
    }

    /// Signs what is due, elsewhere than where requests are answered. Gives what is to be published, if that is news;
    /// fails when a list cannot be signed.
    pub(super) async fn sign(
        &mut self,
        issuer: &Arc<SignalIssuer>,
        now: Timestamp,
    ) -> Result<Option<PublishedLists>, ListNotSigned> {
        let kid = issuer.published().keys.signing_kid().to_owned();
        let due = self.sheets.iter().filter_map(|(number, sheet)| Some((*number, sheet.due(&kid, now)?)));
        let due: Vec<_> = due.collect();
        if due.is_empty() {
            return Ok(None);
        }
        let issuer = issuer.clone();
        let work = move || -> Option<Vec<(u64, SignedList)>> {
            due.into_iter().map(|(number, draft)| Some((number, draft.sign(&issuer, now)?))).collect()
        };
        for (number, signed) in spawn_blocking(work).await.ok().flatten().ok_or(ListNotSigned)? {
            if let Some(sheet) = self.sheets.get_mut(&number) {
                sheet.publish(signed);
            }
        }
        Ok(Some(self.published()))
    }

    /// By name, which does not tell which list came first.
    fn published(&self) -> PublishedLists {
        let signed = |sheet: &StatusListState| Some((sheet.name().to_owned(), sheet.signed()?.clone()));
        let mut addresses: Vec<&str> = self.sheets.values().map(StatusListState::uri).collect();
        addresses.sort_unstable();
        PublishedLists {
            lists: self.sheets.values().filter_map(signed).collect(),
            all: written(&StatusListAggregation { status_lists: addresses }),
        }
    }

    fn open(&mut self, number: u64) {
        let mut sheet = StatusListState::new(self.order.list(number));
        sheet.set_decoys(&self.suspended);
        self.sheets.insert(number, sheet);
    }

    fn set(&mut self, one: StatusPlace) {
        self.reach(one.place);
        if let Some(sheet) = self.sheets.get_mut(&list_of(one.place)) {
            sheet.set(one.place, one.status);
        }
    }

    async fn move_decoys(&mut self, ledger: &Ledger) -> Result<(), LedgerError> {
        self.suspended = ledger.suspended_tenants().await?;
        for sheet in self.sheets.values_mut() {
            sheet.set_decoys(&self.suspended);
        }
        Ok(())
    }
}

/// A list cannot be signed.
#[derive(Debug, thiserror::Error)]
#[error("a status list cannot be signed")]
pub(super) struct ListNotSigned;

/// Where all lists are (draft-ietf-oauth-status-list section 9.3).
#[derive(Serialize)]
struct StatusListAggregation<'a> {
    status_lists: Vec<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status_list::begin_status_lists;
    use crate::tests::fixture::{START, SignalsFixture};
    use std::time::Duration;
    use tegata_core::Role;
    use tegata_core::status_list::{PLACES, TokenStatus};

    async fn lists(fixture: &SignalsFixture) -> StatusListSet {
        begin_status_lists(&fixture.signals).await.unwrap();
        let order = fixture.signals.status_lists().order().unwrap();
        StatusListSet::read(order, &fixture.context.ledger, 0).await.unwrap()
    }

    #[tokio::test]
    async fn a_full_list_goes_only_once_its_last_certificate_and_tokens_ended() {
        let fixture = SignalsFixture::new().await;
        fixture.enroll_for(Role::Device, START, START.plus(Duration::from_hours(1))).await;
        let mut lists = lists(&fixture).await;
        let ledger = &fixture.context.ledger;
        let far = START.plus(Duration::from_hours(2));
        lists.retire(ledger, far).await.unwrap();
        assert!(lists.sheets.contains_key(&0), "it is still being given out");
        lists.reach(u64::from(PLACES));
        assert_eq!(lists.sheets.keys().copied().collect::<Vec<_>>(), [0, 1, 2]);
        let end = START.plus(Duration::from_hours(1)).plus(STATUS_LIST_LIFE);
        lists.retire(ledger, end).await.unwrap();
        assert!(lists.sheets.contains_key(&0));
        lists.retire(ledger, far).await.unwrap();
        assert_eq!(lists.sheets.keys().copied().collect::<Vec<_>>(), [1, 2]);
    }

    #[tokio::test]
    async fn a_place_beyond_all_lists_opens_them() {
        let fixture = SignalsFixture::new().await;
        let mut lists = lists(&fixture).await;
        lists.set(StatusPlace { place: 2 * u64::from(PLACES), status: TokenStatus::Invalid });
        assert_eq!(lists.sheets.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3]);
        let published = lists.sign(fixture.signals.issuer(), START).await.unwrap().unwrap();
        assert_eq!(published.lists.len(), 4);
        assert!(lists.sign(fixture.signals.issuer(), START).await.unwrap().is_none(), "nothing is new");
    }
}
