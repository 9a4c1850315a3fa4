//! The mail about the day's work, once a day for each reader who wants it, at the hour of their choosing.
//!
//! Exclusive to save work: a mail is written together with the day of its recipients, so that two servers write it once.

use crate::digest::{Digest, DigestScope};
use crate::mail_writer::MailWriter;
use crate::pass::{Pass, PassError, PassFuture, PassReport, Schedule};
use crate::reader::{MailReader, last_day};
use crate::renewal::everything;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::japan_date::{day, in_japan, iso_day};
use tegata_core::{Entropy, Language, MailId, SiteId, TenantId, Timestamp};
use tegata_mail::{DigestView, MailTemplate};
use tegata_storage::{Ledger, MailKind, NewMail, NoticeRecipient, Result};

/// How often there is a look whose hour has come.
const PERIOD: Duration = Duration::from_secs(5);

/// Sites that a mail names; beyond them it says how many more there are.
const MOST_NAMES: usize = 3;

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
        for reader in MailReader::among(&turn) {
            // One that cannot be told holds no other up.
            match self.write(&reader, &names, &tenants, now).await {
                Ok(is_written) => written += usize::from(is_written),
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(written), Err)
    }

    async fn write(
        &self,
        reader: &MailReader<'_>,
        names: &HashMap<TenantId, String>,
        tenants: &HashMap<TenantId, String>,
        now: Timestamp,
    ) -> Result<bool> {
        let scope = scope_of(reader);
        let digest = Digest::read(&self.ledger, &scope, now).await?;
        let (tenant, language) = (reader.tenant(), reader.language());
        let sender = self.writer.sender(names, tenant);
        let view = DigestView {
            sender: sender.clone(),
            tenant: tenant.and_then(|tenant| tenants.get(tenant)).cloned(),
            site: self.site_names(&scope, language).await?,
            day: day(now, language),
            has_work: digest.has_work(),
            groups: digest.groups(language),
            console: self.writer.console.clone(),
        };
        let text = self.writer.templates.render(MailTemplate::Digest, tenant, language, &view);
        let mail = NewMail {
            id: MailId::random(self.entropy.as_ref()),
            recipient: reader.first().id.clone(),
            tenant: tenant.cloned(),
            kind: MailKind::Digest,
            day: iso_day(now),
            address: reader.address().clone(),
            sender_name: sender,
            subject: text.subject,
            plain: text.plain,
            html: text.html,
        };
        let mut transaction = self.ledger.begin(now).await?;
        let seen = last_day(reader.first(), mail.kind);
        let is_written = transaction.begin_mail(&mail, seen).await?
            && transaction.finish_mail(&mail, seen).await?
            && reader.told_for_day(&mut transaction, mail.kind, &mail.day, 1).await?;
        if is_written {
            transaction.commit().await?;
        }
        Ok(is_written)
    }

    /// The names of the sites that the work is of, where it is not of all.
    async fn site_names(&self, scope: &DigestScope, language: Language) -> Result<Option<String>> {
        let DigestScope::Sites(tenant, own) = scope else { return Ok(None) };
        let sites = everything(&self.ledger).sites(tenant).await?;
        let names: Vec<_> =
            sites.into_iter().filter(|site| own.contains(&site.id)).map(|site| site.name).collect();
        let named = names.iter().take(MOST_NAMES).map(String::as_str).collect::<Vec<_>>();
        let named = named.join(language.pick("、", ", "));
        let more = names.len().saturating_sub(MOST_NAMES);
        Ok(Some(match more {
            0 => named,
            _ => language
                .pick("{named} ほか {more} 店舗", "{named} and {more} more")
                .replace("{named}", &named)
                .replace("{more}", &more.to_string()),
        }))
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

/// Whose work a reader is told of: all that they are named for.
fn scope_of(reader: &MailReader<'_>) -> DigestScope {
    let Some(tenant) = reader.tenant() else { return DigestScope::Installation };
    let sites: Option<Vec<SiteId>> = reader.rows().iter().map(|row| row.site.clone()).collect();
    match sites {
        None => DigestScope::Tenant(tenant.clone()),
        Some(sites) => DigestScope::Sites(tenant.clone(), sites),
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
