//! The mail about the day's work, once a day for each who wants it, at the hour of their choosing.
//!
//! Exclusive to save work: a mail is written together with the day of its recipient, so that two servers write it once.

use crate::digest::{Digest, DigestScope};
use crate::mail_writer::MailWriter;
use crate::pass::{Pass, PassError, PassFuture, PassReport, Schedule};
use crate::renewal::everything;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::japan_date::{day, in_japan, iso_day};
use tegata_core::{Entropy, MailId, TenantId, Timestamp};
use tegata_mail::{DigestView, MailTemplate};
use tegata_storage::{Ledger, MailKind, NewMail, NoticeRecipient, Result};

/// How often there is a look whose hour has come.
const PERIOD: Duration = Duration::from_secs(5);

/// Many tenants at one hour.
const LIMIT: Duration = Duration::from_mins(5);

/// Writes the mails about the day's work.
pub struct DigestPass {
    ledger: Ledger,
    entropy: Arc<dyn Entropy>,
    writer: Arc<MailWriter>,
}

impl DigestPass {
    /// A pass over this ledger.
    pub fn new(ledger: Ledger, entropy: Arc<dyn Entropy>, writer: Arc<MailWriter>) -> Self {
        Self { ledger, entropy, writer }
    }

    /// Writes to whom it is time to write, and gives how many mails.
    ///
    /// # Errors
    /// The ledger cannot be read or written. What was written is written.
    pub async fn round(&self, now: Timestamp) -> Result<usize> {
        let all = self.ledger.notice_recipients().await?;
        let turn: Vec<_> = all.iter().filter(|one| is_turn_of(one, now)).collect();
        if turn.is_empty() {
            return Ok(0);
        }
        let names = self.ledger.sender_names().await?;
        let tenants = everything(&self.ledger).tenants().await?;
        let tenants: HashMap<_, _> = tenants.into_iter().map(|tenant| (tenant.id, tenant.name)).collect();
        let (mut written, mut failure) = (0, None);
        for recipient in turn {
            // One that cannot be told holds no other up.
            match self.write(recipient, &names, &tenants, now).await {
                Ok(is_written) => written += usize::from(is_written),
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(written), Err)
    }

    async fn write(
        &self,
        recipient: &NoticeRecipient,
        names: &HashMap<TenantId, String>,
        tenants: &HashMap<TenantId, String>,
        now: Timestamp,
    ) -> Result<bool> {
        let scope = scope_of(recipient);
        let digest = Digest::read(&self.ledger, &scope, now).await?;
        let (tenant, language) = (recipient.tenant.as_ref(), recipient.language);
        let sender = self.writer.sender(names, tenant);
        let view = DigestView {
            sender: sender.clone(),
            tenant: tenant.and_then(|tenant| tenants.get(tenant)).cloned(),
            day: day(now, language),
            has_work: digest.has_work(),
            groups: digest.groups(language),
            console: self.writer.console.clone(),
        };
        let text = self.writer.templates.render(MailTemplate::Digest, tenant, language, &view);
        let mail = NewMail {
            id: MailId::random(self.entropy.as_ref()),
            recipient: recipient.id.clone(),
            tenant: recipient.tenant.clone(),
            kind: MailKind::Digest,
            day: iso_day(now),
            address: recipient.address.clone(),
            sender_name: sender,
            subject: text.subject,
            plain: text.plain,
            html: text.html,
        };
        let mut transaction = self.ledger.begin(now).await?;
        let seen = recipient.digest_day.as_deref();
        let is_written =
            transaction.begin_mail(&mail, seen).await? && transaction.finish_mail(&mail, seen).await?;
        if is_written {
            transaction.commit().await?;
        }
        Ok(is_written)
    }

    async fn once(&self, now: Timestamp) -> std::result::Result<PassReport, PassError> {
        Ok(PassReport::nothing().with("mails", self.round(now).await?))
    }
}

fn is_turn_of(recipient: &NoticeRecipient, now: Timestamp) -> bool {
    recipient.is_reachable(now)
        && recipient.digest_hour.is_some_and(|hour| in_japan(now).hour() >= hour)
        && recipient.digest_day.as_deref() != Some(iso_day(now).as_str())
}

/// Whose work a recipient is told of.
fn scope_of(recipient: &NoticeRecipient) -> DigestScope {
    match (&recipient.tenant, &recipient.site) {
        (None, _) => DigestScope::Installation,
        (Some(tenant), None) => DigestScope::Tenant(tenant.clone()),
        (Some(tenant), Some(site)) => DigestScope::Site(tenant.clone(), site.clone()),
    }
}

impl Pass for DigestPass {
    fn schedule(&self) -> Schedule {
        Schedule::every(PERIOD, "digests").exclusive().within(LIMIT)
    }

    fn run(&self, now: Timestamp) -> PassFuture<'_, std::result::Result<PassReport, PassError>> {
        Box::pin(self.once(now))
    }
}
