//! Who is told that certificates end: the mails of a day, one a recipient, with all that there is to tell.
//!
//! Exclusive to save work. A mail is written in one transaction with the notices that are in it and the day of its recipient, so that
//! two servers at once, or one that dies anywhere, write it once. Recipients have their turn once a day, tenant after tenant: on all
//! other runs nothing but the recipients is read.

use crate::mail_writer::{KEPT_DAYS, MOST_LINES, MailWriter};
use crate::pass::{Pass, PassError, PassFuture, PassReport, Schedule};
use crate::plan::PlaceRules;
use crate::renewal::everything;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tegata_core::japan_date::{day, in_japan, iso_day};
use tegata_core::notice::{FIRST_NOTICE, NoticeStep};
use tegata_core::renewal::{PlannedRenewal, RenewalPolicy};
use tegata_core::{
    DeviceId, Entropy, Language, MailId, NoticeLevel, PersonId, RecipientId, TenantId, Timestamp,
};
use tegata_mail::{MailTemplate, RenewalLine, RenewalState, RenewalView};
use tegata_storage::{
    DueRenewal, Ledger, MailKind, NewMail, NotedSteps, NoticeRecipient, RenewalNotice, Result, ScopedLedger,
};

const DAY: Duration = Duration::from_hours(24);

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

/// What a run did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NoticeRound {
    /// Mails that were written.
    pub mails: usize,
    /// Certificates that were told of in them.
    pub told: usize,
    /// Certificates at a step of which nobody was told, because nobody can be.
    pub untold: usize,
}

/// A certificate that somebody is told of.
#[derive(Clone)]
struct ToldRenewal {
    certificate: DueRenewal,
    plan: PlannedRenewal,
    step: NoticeStep,
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

    /// Writes to whom it is time to write.
    ///
    /// # Errors
    /// The ledger cannot be read or written. What was written is written.
    pub async fn round(&self, now: Timestamp) -> Result<NoticeRound> {
        let mut round = NoticeRound::default();
        let all = self.ledger.notice_recipients().await?;
        let reachable: Vec<_> = all.iter().filter(|one| one.is_reachable(now)).collect();
        let turn: Vec<_> = reachable.iter().copied().filter(|one| is_turn_of(one, now)).collect();
        if turn.is_empty() {
            return Ok(round);
        }
        let mut mails: HashMap<&RecipientId, Vec<ToldRenewal>> = HashMap::new();
        for tenant in self.tenants_of(&turn, now).await? {
            let told = self.of_tenant(&tenant, &reachable, now, &mut round).await?;
            for recipient in &turn {
                if let Some(told) = told.get(&recipient.id) {
                    mails.entry(&recipient.id).or_default().extend(told.iter().cloned());
                }
            }
        }
        let names = self.ledger.sender_names().await?;
        for recipient in turn {
            let told = mails.remove(&recipient.id).unwrap_or_default();
            self.write(recipient, told, &names, now, &mut round).await?;
        }
        Ok(round)
    }

    /// Whose certificates have to be looked at for these recipients.
    async fn tenants_of(&self, turn: &[&NoticeRecipient], now: Timestamp) -> Result<Vec<TenantId>> {
        let mut tenants = if turn.iter().any(|one| one.tenant.is_none()) {
            self.ledger.tenants_with_ends(now.plus(FIRST_NOTICE).plus(DAY)).await?
        } else {
            let named: HashSet<_> = turn.iter().filter_map(|one| one.tenant.clone()).collect();
            named.into_iter().collect()
        };
        tenants.retain(|tenant| !tenant.is_system());
        tenants.sort_unstable();
        Ok(tenants)
    }

    /// What everybody who can be reached is to be told of a tenant's certificates and has not been told.
    async fn of_tenant<'a>(
        &self,
        tenant: &TenantId,
        reachable: &[&'a NoticeRecipient],
        now: Timestamp,
        round: &mut NoticeRound,
    ) -> Result<HashMap<&'a RecipientId, Vec<ToldRenewal>>> {
        let before = now.plus(FIRST_NOTICE).plus(Duration::from_millis(1));
        let Some(rows) = everything(&self.ledger).narrowed(tenant) else { return Ok(HashMap::new()) };
        let of_tenant = |one: &&&NoticeRecipient| one.tenant.as_ref().is_none_or(|own| own == tenant);
        let recipients: Vec<_> = reachable.iter().filter(of_tenant).copied().collect();
        let tenant_view = TenantView {
            rules: PlaceRules::read(&rows).await?,
            noted: self.ledger.noted_steps(tenant, before).await?,
            people: self.ledger.people_of_devices(tenant).await?,
            recipients,
        };
        let mut found: HashMap<&'a RecipientId, Vec<ToldRenewal>> = HashMap::new();
        rows.each_ending_before(before, |certificate| {
            let step = NoticeStep::at(certificate.not_before, certificate.not_after, now);
            let Some(step) = step else { return };
            let addressed = step.addressed(&tenant_view.who_may_be_told(&certificate));
            round.untold += usize::from(addressed.is_empty());
            for recipient in addressed {
                if tenant_view.has_not_heard(&certificate, recipient, step) {
                    let plan = tenant_view.rules.plan(self.policy, &certificate);
                    let told = ToldRenewal { certificate: certificate.clone(), plan, step };
                    found.entry(recipient).or_default().push(told);
                }
            }
        })
        .await?;
        Ok(found)
    }

    async fn write(
        &self,
        recipient: &NoticeRecipient,
        mut told: Vec<ToldRenewal>,
        names: &HashMap<TenantId, String>,
        now: Timestamp,
        round: &mut NoticeRound,
    ) -> Result<()> {
        let today = iso_day(now);
        let mut transaction = self.ledger.begin(now).await?;
        if told.is_empty() {
            transaction.told_for_day(&recipient.id, MailKind::Renewal, &today).await?;
            return transaction.commit().await;
        }
        drop(transaction);
        told.sort_by_key(|one| one.certificate.not_after);
        let (tenant, language) = (recipient.tenant.as_ref(), recipient.language);
        let sender = self.writer.sender(names, tenant);
        let view = self.view(recipient, &sender, &told, now).await?;
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
        let notices: Vec<_> = told.iter().map(ToldRenewal::notice).collect();
        let mut transaction = self.ledger.begin(now).await?;
        if transaction.write_mail(&mail, &notices).await? {
            transaction.commit().await?;
            round.mails += 1;
            round.told += notices.len();
        }
        Ok(())
    }

    async fn view(
        &self,
        recipient: &NoticeRecipient,
        sender: &str,
        told: &[ToldRenewal],
        now: Timestamp,
    ) -> Result<RenewalView> {
        let rows: ScopedLedger = everything(&self.ledger);
        let language = recipient.language;
        let lines: Vec<_> = told.iter().map(|one| one.line(language, now)).collect();
        let count = |state| lines.iter().filter(|line| line.state == state).count();
        let single = recipient.tenant.as_ref().and(told.first());
        Ok(RenewalView {
            sender: sender.to_owned(),
            tenant: single.map(|one| one.certificate.tenant_name.clone()),
            day: day(now, language),
            total: lines.len(),
            more: lines.len().saturating_sub(MOST_LINES),
            over: count(RenewalState::Over),
            due: count(RenewalState::Due),
            devices: lines.into_iter().take(MOST_LINES).collect(),
            page: self.writer.device_page.clone(),
            contact: self.writer.contact(&rows, recipient.tenant.as_ref()).await?,
        })
    }

    /// What is as old as that is looked for where a day begins for somebody.
    async fn forget(&self, now: Timestamp, round: NoticeRound) -> Result<()> {
        if round.mails == 0 {
            return Ok(());
        }
        let mut transaction = self.ledger.begin(now).await?;
        transaction.forget_mails(now.minus(DAY * KEPT_DAYS)).await?;
        transaction.commit().await
    }

    async fn once(&self, now: Timestamp) -> std::result::Result<PassReport, PassError> {
        let round = self.round(now).await?;
        if round.untold > 0 {
            tracing::warn!(
                certificates = round.untold,
                "certificates end and nobody can be told of them: `tegata notices add` says whom to tell"
            );
        }
        self.forget(now, round).await?;
        Ok(PassReport::nothing()
            .with("mails", round.mails)
            .with("told", round.told)
            .with("untold", round.untold))
    }
}

/// What there is to know about one tenant.
struct TenantView<'a> {
    rules: PlaceRules,
    noted: NotedSteps,
    people: HashMap<DeviceId, Vec<PersonId>>,
    recipients: Vec<&'a NoticeRecipient>,
}

impl<'a> TenantView<'a> {
    fn who_may_be_told(&self, certificate: &DueRenewal) -> Vec<(NoticeLevel, &'a RecipientId)> {
        let people = self.people.get(&certificate.device);
        let is_for = |one: &&&NoticeRecipient| {
            one.site.as_ref().is_none_or(|site| *site == certificate.site)
                && one.person.as_ref().is_none_or(|person| people.is_some_and(|of| of.contains(person)))
        };
        self.recipients.iter().filter(is_for).map(|one| (one.level, &one.id)).collect()
    }

    fn has_not_heard(&self, certificate: &DueRenewal, recipient: &RecipientId, step: NoticeStep) -> bool {
        let key = (certificate.device.clone(), certificate.generation, recipient.clone());
        self.noted.get(&key).is_none_or(|told| *told > step)
    }
}

impl ToldRenewal {
    fn notice(&self) -> RenewalNotice {
        let DueRenewal { device, generation, .. } = &self.certificate;
        RenewalNotice { device: device.clone(), generation: *generation, step: self.step }
    }

    fn line(&self, language: Language, now: Timestamp) -> RenewalLine {
        let DueRenewal { device, label, tenant_name, site_name, not_after, .. } = &self.certificate;
        let has_come = in_japan(self.plan.from).date() <= in_japan(now).date();
        let state = match (self.step.is_over(), has_come) {
            (true, _) => RenewalState::Over,
            (false, true) => RenewalState::Due,
            (false, false) => RenewalState::Later,
        };
        RenewalLine {
            tenant: tenant_name.clone(),
            site: site_name.clone(),
            label: label.clone(),
            number: device.as_str().chars().take(8).collect(),
            ends: day(*not_after, language),
            days: not_after.since(now).as_secs() / DAY.as_secs(),
            asked: day(self.plan.from, language),
            state,
        }
    }
}

fn is_turn_of(recipient: &NoticeRecipient, now: Timestamp) -> bool {
    recipient.level < NoticeLevel::Operator
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
