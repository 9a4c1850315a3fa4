//! Who is told that certificates end: the mails of a day, one a reader, with all that there is to tell.
//!
//! Exclusive to save work. A mail counts with the last of the notices that are in it and the day of its recipients, so that two servers
//! at once, or one that dies anywhere, write it once. Recipients have their turn once a day, tenant after tenant: on all
//! other runs nothing but the recipients is read.

mod told;

use crate::mail_writer::MailWriter;
use crate::pass::{Pass, PassError, PassFuture, PassReport, Schedule};
use crate::plan::PlaceRules;
use crate::reader::{MailReader, last_day};
use crate::renewal::everything;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tegata_core::japan_date::{in_japan, iso_day};
use tegata_core::notice::{FIRST_NOTICE, NoticeStep};
use tegata_core::renewal::RenewalPolicy;
use tegata_core::{DeviceId, Entropy, MailId, NoticeLevel, PersonId, RecipientId, TenantId, Timestamp};
use tegata_mail::{MailTemplate, RenewalView};
use tegata_storage::{
    DueRenewal, Ledger, MailKind, NewMail, NotedSteps, NoticeRecipient, RenewalNotice, Result,
};
use told::{ToldRenewals, line};

/// How often there is a look whose hour has come.
const PERIOD: Duration = Duration::from_secs(5);

/// A chain of thousands of devices whose certificates end on one day.
const LIMIT: Duration = Duration::from_mins(5);

/// Writes the mails about certificates that end.
pub struct NoticePass {
    ledger: Ledger,
    policy: RenewalPolicy,
    entropy: Arc<dyn Entropy>,
    writer: Arc<MailWriter>,
}

/// Notices of one transaction: whoever else has to write waits for no longer than that.
const NOTICES_AT_ONCE: usize = 1_000;

/// What a run did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NoticeRound {
    /// Mails that were written.
    pub mails: usize,
    /// Certificates that were told of in them.
    pub told: usize,
    /// Tenants of which the ledger did not answer: their recipients are told at the next run.
    pub failed: usize,
}

impl NoticePass {
    /// A pass over this ledger by these rules.
    pub fn new(
        ledger: Ledger,
        policy: RenewalPolicy,
        entropy: Arc<dyn Entropy>,
        writer: Arc<MailWriter>,
    ) -> Self {
        Self { ledger, policy, entropy, writer }
    }

    /// Writes to whom it is time to write, tenant after tenant: one that fails holds no other up.
    ///
    /// # Errors
    /// The ledger cannot be read. What was written is written.
    pub async fn round(&self, now: Timestamp) -> Result<NoticeRound> {
        let mut round = NoticeRound::default();
        let all = self.ledger.notice_recipients().await?;
        let turn: Vec<_> = all.iter().filter(|one| is_turn_of(one, now)).collect();
        if turn.is_empty() {
            return Ok(round);
        }
        let names = self.ledger.sender_names().await?;
        let readers = MailReader::among(&turn);
        let (of_tenants, of_everything): (Vec<_>, Vec<_>) =
            readers.iter().enumerate().partition(|(_, one)| one.tenant().is_some());
        let mut everywhere: HashMap<usize, ToldRenewals> = HashMap::new();
        for tenant in self.tenants_of(&of_tenants, !of_everything.is_empty()).await? {
            let mut told = match self.of_tenant(&tenant, &all, &readers, now).await {
                Ok(told) => told,
                Err(error) => {
                    tracing::error!(%error, "the renewals of a tenant cannot be told");
                    round.failed += 1;
                    continue;
                }
            };
            for (place, reader) in of_tenants.iter().filter(|(_, one)| one.tenant() == Some(&tenant)) {
                let told = told.remove(place).unwrap_or_default();
                self.write_or_go_on(reader, told, &names, now, &mut round).await;
            }
            for (place, more) in told {
                everywhere.entry(place).or_default().add(more);
            }
        }
        for (place, reader) in of_everything {
            let told = everywhere.remove(&place).unwrap_or_default();
            self.write_or_go_on(reader, told, &names, now, &mut round).await;
        }
        Ok(round)
    }

    /// Whose certificates have to be looked at for these readers.
    async fn tenants_of(
        &self,
        readers: &[(usize, &MailReader<'_>)],
        is_everybody: bool,
    ) -> Result<Vec<TenantId>> {
        let mut tenants: Vec<_> = if is_everybody {
            everything(&self.ledger).tenants().await?.into_iter().map(|tenant| tenant.id).collect()
        } else {
            let named: HashSet<_> = readers.iter().filter_map(|(_, one)| one.tenant().cloned()).collect();
            named.into_iter().collect()
        };
        tenants.retain(|tenant| !tenant.is_system());
        tenants.sort_unstable();
        Ok(tenants)
    }

    /// What those who have their turn are to be told of a tenant's certificates and have not been told.
    async fn of_tenant(
        &self,
        tenant: &TenantId,
        all: &[NoticeRecipient],
        readers: &[MailReader<'_>],
        now: Timestamp,
    ) -> Result<HashMap<usize, ToldRenewals>> {
        let before = now.plus(FIRST_NOTICE);
        let Some(rows) = everything(&self.ledger).narrowed(tenant) else { return Ok(HashMap::new()) };
        let of_tenant = |one: &&NoticeRecipient| one.tenant.as_ref().is_none_or(|own| own == tenant);
        let tenant_view = TenantView {
            rules: PlaceRules::read(&rows).await?,
            noted: self.ledger.noted_steps(tenant, before).await?,
            people: self.ledger.people_of_devices(tenant).await?,
            recipients: all.iter().filter(of_tenant).collect(),
            now,
        };
        let places: HashMap<&RecipientId, usize> = readers
            .iter()
            .enumerate()
            .flat_map(|(place, reader)| reader.rows().iter().map(move |row| (&row.id, place)))
            .collect();
        let mut found: HashMap<usize, ToldRenewals> = HashMap::new();
        rows.each_ending_before(before, |certificate| {
            let step = NoticeStep::at(certificate.not_before, certificate.not_after, now);
            let Some(step) = step else { return };
            for recipient in step.addressed(&tenant_view.who_is_named(&certificate)) {
                let Some(place) = places.get(recipient) else { continue };
                if tenant_view.has_not_heard(&certificate, recipient, step) {
                    found.entry(*place).or_default().tell(&certificate, recipient, step, || {
                        let plan = tenant_view.rules.plan(self.policy, &certificate);
                        line(&certificate, &plan, step, readers[*place].language(), now)
                    });
                }
            }
        })
        .await?;
        Ok(found)
    }

    async fn write_or_go_on(
        &self,
        reader: &MailReader<'_>,
        told: ToldRenewals,
        names: &HashMap<TenantId, String>,
        now: Timestamp,
        round: &mut NoticeRound,
    ) {
        if let Err(error) = self.write(reader, told, names, now, round).await {
            tracing::error!(%error, "a mail about renewals cannot be written");
            round.failed += 1;
        }
    }

    async fn write(
        &self,
        reader: &MailReader<'_>,
        mut told: ToldRenewals,
        names: &HashMap<TenantId, String>,
        now: Timestamp,
        round: &mut NoticeRound,
    ) -> Result<()> {
        let today = iso_day(now);
        if told.notices.is_empty() {
            let mut transaction = self.ledger.begin(now).await?;
            // Where the day of one of them was moved meanwhile there is more to tell: the next run sees it.
            if reader.told_for_day(&mut transaction, MailKind::Renewal, &today, 0).await? {
                transaction.commit().await?;
            }
            return Ok(());
        }
        let (tenant, language) = (reader.tenant(), reader.language());
        let sender = self.writer.sender(names, tenant);
        let notices = std::mem::take(&mut told.notices);
        let view = RenewalView {
            sender: sender.clone(),
            page: self.writer.device_page.clone(),
            console: self.writer.console.clone(),
            contact: self.writer.contact(&everything(&self.ledger), tenant).await?,
            ..told.view(language, tenant.is_some(), now)
        };
        let text = self.writer.templates.render(MailTemplate::Renewal, tenant, language, &view);
        let mail = NewMail {
            id: MailId::random(self.entropy.as_ref()),
            recipient: reader.first().id.clone(),
            tenant: tenant.cloned(),
            kind: MailKind::Renewal,
            day: today,
            address: reader.address().clone(),
            sender_name: sender,
            subject: text.subject,
            plain: text.plain,
            html: text.html,
        };
        if self.keep(&mail, &notices, reader, now).await? {
            round.mails += 1;
            round.told += view.total;
        }
        Ok(())
    }

    /// In one transaction, or in several where there are many notices: nobody sends the mail before the last one.
    async fn keep(
        &self,
        mail: &NewMail,
        notices: &[RenewalNotice],
        reader: &MailReader<'_>,
        now: Timestamp,
    ) -> Result<bool> {
        let seen = last_day(reader.first(), mail.kind);
        let mut transaction = self.ledger.begin(now).await?;
        if !transaction.begin_mail(mail, seen).await? {
            return Ok(false);
        }
        for (place, some) in notices.chunks(NOTICES_AT_ONCE).enumerate() {
            if place > 0 {
                transaction.commit().await?;
                transaction = self.ledger.begin(now).await?;
            }
            transaction.add_notices(mail, some).await?;
        }
        let is_finished = transaction.finish_mail(mail, seen).await?
            && reader.told_for_day(&mut transaction, mail.kind, &mail.day, 1).await?;
        if is_finished {
            transaction.commit().await?;
        }
        Ok(is_finished)
    }

    async fn once(&self, now: Timestamp) -> std::result::Result<PassReport, PassError> {
        let round = self.round(now).await?;
        if round.failed > 0 {
            return Err(PassError::new(format!("{} tenants or recipients were not told", round.failed)));
        }
        Ok(PassReport::nothing().with("mails", round.mails).with("told", round.told))
    }
}

/// What there is to know about one tenant.
struct TenantView<'a> {
    rules: PlaceRules,
    noted: NotedSteps,
    people: HashMap<DeviceId, Vec<PersonId>>,
    /// All who are named, whether they can be reached or not.
    recipients: Vec<&'a NoticeRecipient>,
    now: Timestamp,
}

impl<'a> TenantView<'a> {
    fn who_is_named(&self, certificate: &DueRenewal) -> Vec<(NoticeLevel, &'a RecipientId, bool)> {
        let people = self.people.get(&certificate.device);
        let is_for = |one: &&&NoticeRecipient| {
            one.site.as_ref().is_none_or(|site| *site == certificate.site)
                && one.person.as_ref().is_none_or(|person| people.is_some_and(|of| of.contains(person)))
        };
        let named = self.recipients.iter().filter(is_for);
        named.map(|one| (one.level, &one.id, one.is_reachable(self.now))).collect()
    }

    fn has_not_heard(&self, certificate: &DueRenewal, recipient: &RecipientId, step: NoticeStep) -> bool {
        let key = (certificate.device.clone(), certificate.generation, recipient.clone());
        self.noted.get(&key).is_none_or(|told| *told > step)
    }
}

fn is_turn_of(recipient: &NoticeRecipient, now: Timestamp) -> bool {
    recipient.level < NoticeLevel::Operator
        && recipient.is_reachable(now)
        && in_japan(now).hour() >= recipient.notice_hour
        && recipient.noticed_day.as_deref() != Some(iso_day(now).as_str())
}

impl Pass for NoticePass {
    fn schedule(&self) -> Schedule {
        Schedule::every(PERIOD, "notices").exclusive().within(LIMIT)
    }

    fn run(&self, now: Timestamp) -> PassFuture<'_, std::result::Result<PassReport, PassError>> {
        Box::pin(self.once(now))
    }
}
