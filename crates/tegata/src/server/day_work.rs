//! The day's work for the console: the same numbers as in mails and `tegata digest`.

use tegata_console::{DayWork, HealthLookup, WorkGroup, WorkItem, WorkScope};
use tegata_core::{Language, Timestamp};
use tegata_scheduler::{Digest, DigestScope};
use tegata_storage::Ledger;

/// The ledger, as far as it counts.
pub struct LedgerWork(pub Ledger);

impl DayWork for LedgerWork {
    fn groups(
        &self,
        scope: WorkScope,
        language: Language,
        now: Timestamp,
    ) -> HealthLookup<'_, Vec<WorkGroup>> {
        let scope = match scope {
            WorkScope::Installation => DigestScope::Installation,
            WorkScope::Tenant(tenant) => DigestScope::Tenant(tenant),
            WorkScope::Sites(tenant, sites) => DigestScope::Sites(tenant, sites),
        };
        Box::pin(async move {
            let groups = Digest::read(&self.0, &scope, now).await?.groups(language);
            let item = |item: tegata_mail::DigestItem| WorkItem {
                code: item.code,
                count: item.count,
                text: item.text,
            };
            let group = |group: tegata_mail::DigestGroup| WorkGroup {
                title: group.title,
                items: group.items.into_iter().map(item).collect(),
            };
            Ok(groups.into_iter().map(group).collect())
        })
    }
}
