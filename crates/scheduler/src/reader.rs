//! Who reads a mail: one address of a tenant, for however many sites, people and levels it is named.

use std::collections::BTreeMap;
use tegata_core::{Language, MailAddress, TenantId};
use tegata_storage::{MailKind, NoticeRecipient, Result, Transaction};

/// Recipients with one address: they are one reader, and one mail.
pub(crate) struct MailReader<'a> {
    rows: Vec<&'a NoticeRecipient>,
}

impl<'a> MailReader<'a> {
    /// The readers among recipients, in the order of these. Tenants stay apart, and so do languages.
    pub(crate) fn among(recipients: &[&'a NoticeRecipient]) -> Vec<Self> {
        let mut places = BTreeMap::new();
        let mut readers: Vec<Self> = Vec::new();
        for recipient in recipients {
            let key = (recipient.tenant.as_ref(), recipient.address.as_str(), recipient.language.tag());
            let place = *places.entry(key).or_insert(readers.len());
            match readers.get_mut(place) {
                Some(reader) => reader.rows.push(recipient),
                None => readers.push(Self { rows: vec![recipient] }),
            }
        }
        readers
    }

    /// What they are named for.
    pub(crate) fn rows(&self) -> &[&'a NoticeRecipient] {
        &self.rows
    }

    /// Under whose name the mail is kept.
    pub(crate) fn first(&self) -> &'a NoticeRecipient {
        self.rows[0]
    }

    pub(crate) fn tenant(&self) -> Option<&'a TenantId> {
        self.first().tenant.as_ref()
    }

    pub(crate) fn language(&self) -> Language {
        self.first().language
    }

    pub(crate) fn address(&self) -> &'a MailAddress {
        &self.first().address
    }

    /// They were told for this day. Gives false where the day of one is not as it was read: nothing of the transaction may be kept
    /// then. `done` are those, from the first on, for whom it is written down already.
    pub(crate) async fn told_for_day(
        &self,
        transaction: &mut Transaction,
        kind: MailKind,
        day: &str,
        done: usize,
    ) -> Result<bool> {
        for row in &self.rows[done..] {
            if !transaction.told_for_day(&row.id, kind, day, last_day(row, kind)).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The last day for which a recipient was told.
pub(crate) fn last_day(recipient: &NoticeRecipient, kind: MailKind) -> Option<&str> {
    match kind {
        MailKind::Renewal => recipient.noticed_day.as_deref(),
        MailKind::Digest => recipient.digest_day.as_deref(),
    }
}
