//! What mails of an installation have in common: its templates, the name of its sender, and where its links lead.

use std::collections::HashMap;
use tegata_core::{Contact, TenantId};
use tegata_mail::{ContactView, MailTemplates};
use tegata_storage::{PolicyPlace, Result, ScopedLedger};

/// Beyond this many, a mail says how many more there are.
pub(crate) const MOST_LINES: usize = 100;

/// The longest time for which mails, and who was told what, are kept.
pub(crate) const KEPT_DAYS: u32 = 100;

/// How the mails of an installation are written.
#[derive(Clone, Debug)]
pub struct MailWriter {
    /// Those of the program, or the installation's own.
    pub templates: MailTemplates,
    /// What the sender is called where a tenant has no name of its own for it.
    pub sender_name: String,
    /// The page on which each device renews.
    pub device_page: String,
    /// The page on which people act.
    pub console: String,
    /// Whom people call where their tenant says nothing.
    pub contact: Option<Contact>,
}

impl MailWriter {
    pub(crate) fn sender(&self, names: &HashMap<TenantId, String>, tenant: Option<&TenantId>) -> String {
        tenant.and_then(|tenant| names.get(tenant)).unwrap_or(&self.sender_name).clone()
    }

    pub(crate) async fn contact(
        &self,
        rows: &ScopedLedger,
        tenant: Option<&TenantId>,
    ) -> Result<Option<ContactView>> {
        let of_tenant = match tenant {
            Some(tenant) => {
                let place = PolicyPlace { tenant: tenant.clone(), site: None };
                rows.guidance_at(&place).await?.contact
            }
            None => None,
        };
        let view = |contact: Contact| ContactView {
            tel: contact.tel(),
            name: contact.name().to_owned(),
            phone: contact.phone().to_owned(),
        };
        Ok(of_tenant.or_else(|| self.contact.clone()).map(view))
    }
}
