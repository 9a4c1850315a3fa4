//! Who is told that certificates end: the mails of a day, one a recipient, with all that there is to tell.
//!
//! Exclusive to save work. A mail counts with the last of the notices that are in it and the day of its recipient, so that two servers
//! at once, or one that dies anywhere, write it once. Recipients have their turn once a day, tenant after tenant: on all
//! other runs nothing but the recipients is read.

use crate::mail_writer::{MOST_LINES, MailWriter};
use crate::pass::{Pass, PassError, PassFuture, PassReport, Schedule};
use crate::plan::PlaceRules;
use crate::renewal::everything;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tegata_core::japan_date::{day, in_japan, iso_day, moment};
use tegata_core::notice::{FIRST_NOTICE, NoticeStep, days_until};
use tegata_core::renewal::{PlannedRenewal, RenewalPolicy};
use tegata_core::{
    DeviceId, Entropy, Language, MailId, NoticeLevel, PersonId, RecipientId, TenantId, Timestamp,
};
use tegata_mail::{ContactView, MailTemplate, RenewalLine, RenewalState, RenewalView};
use tegata_storage::{
    DueRenewal, Ledger, MailKind, NewMail, NotedSteps, NoticeRecipient, RenewalNotice, Result,
};

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

/// All that one recipient is to be told.
#[derive(Default)]
struct ToldRenewals {
    notices: Vec<RenewalNotice>,
    /// The most urgent ones.
    lines: Vec<(Timestamp, RenewalLine)>,
    over: usize,
    due: usize,
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
        let (of_tenants, of_everything): (Vec<_>, Vec<_>) = turn.iter().partition(|one| one.tenant.is_some());
        let mut everywhere: HashMap<&RecipientId, ToldRenewals> = HashMap::new();
        for tenant in self.tenants_of(&of_tenants, !of_everything.is_empty()).await? {
            let mut told = match self.of_tenant(&tenant, &all, &turn, now).await {
                Ok(told) => told,
                Err(error) => {
                    tracing::error!(%error, "the renewals of a tenant cannot be told");
                    round.failed += 1;
                    continue;
                }
            };
            for recipient in of_tenants.iter().filter(|one| one.tenant.as_ref() == Some(&tenant)) {
                let told = told.remove(&recipient.id).unwrap_or_default();
                self.write_or_go_on(recipient, told, &names, now, &mut round).await;
            }
            for (recipient, more) in told {
                everywhere.entry(recipient).or_default().add(more);
            }
        }
        for recipient in of_everything {
            let told = everywhere.remove(&recipient.id).unwrap_or_default();
            self.write_or_go_on(recipient, told, &names, now, &mut round).await;
        }
        Ok(round)
    }

    /// Whose certificates have to be looked at for these recipients.
    async fn tenants_of(&self, turn: &[&NoticeRecipient], is_everybody: bool) -> Result<Vec<TenantId>> {
        let mut tenants: Vec<_> = if is_everybody {
            everything(&self.ledger).tenants().await?.into_iter().map(|tenant| tenant.id).collect()
        } else {
            let named: HashSet<_> = turn.iter().filter_map(|one| one.tenant.clone()).collect();
            named.into_iter().collect()
        };
        tenants.retain(|tenant| !tenant.is_system());
        tenants.sort_unstable();
        Ok(tenants)
    }

    /// What those who have their turn are to be told of a tenant's certificates and have not been told.
    async fn of_tenant<'a>(
        &self,
        tenant: &TenantId,
        all: &'a [NoticeRecipient],
        turn: &[&'a NoticeRecipient],
        now: Timestamp,
    ) -> Result<HashMap<&'a RecipientId, ToldRenewals>> {
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
        let turn: HashMap<&RecipientId, Language> = turn.iter().map(|one| (&one.id, one.language)).collect();
        let mut found: HashMap<&'a RecipientId, ToldRenewals> = HashMap::new();
        rows.each_ending_before(before, |certificate| {
            let step = NoticeStep::at(certificate.not_before, certificate.not_after, now);
            let Some(step) = step else { return };
            for recipient in step.addressed(&tenant_view.who_is_named(&certificate)) {
                let Some(language) = turn.get(recipient) else { continue };
                if tenant_view.has_not_heard(&certificate, recipient, step) {
                    let plan = tenant_view.rules.plan(self.policy, &certificate);
                    let line = line(&certificate, &plan, step, *language, now);
                    found.entry(recipient).or_default().tell(&certificate, step, line);
                }
            }
        })
        .await?;
        Ok(found)
    }

    async fn write_or_go_on(
        &self,
        recipient: &NoticeRecipient,
        told: ToldRenewals,
        names: &HashMap<TenantId, String>,
        now: Timestamp,
        round: &mut NoticeRound,
    ) {
        if let Err(error) = self.write(recipient, told, names, now, round).await {
            tracing::error!(%error, "a mail about renewals cannot be written");
            round.failed += 1;
        }
    }

    async fn write(
        &self,
        recipient: &NoticeRecipient,
        told: ToldRenewals,
        names: &HashMap<TenantId, String>,
        now: Timestamp,
        round: &mut NoticeRound,
    ) -> Result<()> {
        let (today, seen) = (iso_day(now), recipient.noticed_day.as_deref());
        if told.notices.is_empty() {
            let mut transaction = self.ledger.begin(now).await?;
            transaction.told_for_day(&recipient.id, MailKind::Renewal, &today, seen).await?;
            return transaction.commit().await;
        }
        let (tenant, language) = (recipient.tenant.as_ref(), recipient.language);
        let sender = self.writer.sender(names, tenant);
        let contact = self.writer.contact(&everything(&self.ledger), tenant).await?;
        let page = self.writer.device_page.clone();
        let (view, notices) = told.into_view(recipient, sender.clone(), page, contact, now);
        let text = self.writer.templates.render(MailTemplate::Renewal, tenant, language, &view);
        let mail = NewMail {
            id: MailId::random(self.entropy.as_ref()),
            recipient: recipient.id.clone(),
            tenant: recipient.tenant.clone(),
            kind: MailKind::Renewal,
            day: today,
            address: recipient.address.clone(),
            sender_name: sender,
            subject: text.subject,
            plain: text.plain,
            html: text.html,
        };
        if self.keep(&mail, &notices, seen, now).await? {
            round.mails += 1;
            round.told += notices.len();
        }
        Ok(())
    }

    /// In one transaction, or in several where there are many notices: nobody sends the mail before the last one.
    async fn keep(
        &self,
        mail: &NewMail,
        notices: &[RenewalNotice],
        seen: Option<&str>,
        now: Timestamp,
    ) -> Result<bool> {
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
        let is_finished = transaction.finish_mail(mail, seen).await?;
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

impl ToldRenewals {
    fn tell(&mut self, certificate: &DueRenewal, step: NoticeStep, line: RenewalLine) {
        let DueRenewal { device, generation, not_after, .. } = certificate;
        self.notices.push(RenewalNotice { device: device.clone(), generation: *generation, step });
        self.over += usize::from(line.state == RenewalState::Over);
        self.due += usize::from(line.state == RenewalState::Due);
        // They come by their ends.
        if self.lines.len() < MOST_LINES {
            self.lines.push((*not_after, line));
        }
    }

    fn add(&mut self, more: Self) {
        self.notices.extend(more.notices);
        self.over += more.over;
        self.due += more.due;
        self.lines.extend(more.lines);
        self.lines.sort_by_key(|(not_after, _)| *not_after);
        self.lines.truncate(MOST_LINES);
    }

    fn into_view(
        self,
        recipient: &NoticeRecipient,
        sender: String,
        page: String,
        contact: Option<ContactView>,
        now: Timestamp,
    ) -> (RenewalView, Vec<RenewalNotice>) {
        let total = self.notices.len();
        let devices: Vec<_> = self.lines.into_iter().map(|(_, line)| line).collect();
        let of_one = recipient.tenant.as_ref().and(devices.first());
        let view = RenewalView {
            sender,
            tenant: of_one.map(|line| line.tenant.clone()),
            day: day(now, recipient.language),
            total,
            more: total - devices.len(),
            over: self.over,
            due: self.due,
            devices,
            page,
            contact,
        };
        (view, self.notices)
    }
}

/// One certificate, as its reader sees it. Close to the end the hour counts as well.
fn line(
    certificate: &DueRenewal,
    plan: &PlannedRenewal,
    step: NoticeStep,
    language: Language,
    now: Timestamp,
) -> RenewalLine {
    let DueRenewal { device, label, tenant_name, site_name, not_after, .. } = certificate;
    let state = match (step.is_over(), in_japan(plan.from).date() <= in_japan(now).date()) {
        (true, _) => RenewalState::Over,
        (false, true) => RenewalState::Due,
        (false, false) => RenewalState::Later,
    };
    let days = days_until(*not_after, now);
    let is_close = days <= 1 && !step.is_over();
    RenewalLine {
        tenant: tenant_name.clone(),
        site: site_name.clone(),
        label: label.clone(),
        number: device.as_str().chars().take(8).collect(),
        ends: if is_close { moment(*not_after, language) } else { day(*not_after, language) },
        days: days.into(),
        asked: day(plan.from, language),
        state,
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
