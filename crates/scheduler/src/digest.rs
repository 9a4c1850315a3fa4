//! What there is to do today: what waits for a decision, what ends, what fails.

use crate::overview::{PassCondition, overview};
use crate::renewal::everything;
use std::time::Duration;
use tegata_core::{Language, NoticeLevel, SiteId, TenantId, Timestamp};
use tegata_mail::{DigestGroup, DigestItem};
use tegata_storage::{Ledger, NoticeRecipient, Result};

const DAY: Duration = Duration::from_hours(24);

/// What ends within this time is work: before, devices and their people renew by themselves.
const SOON: Duration = DAY.saturating_mul(7);

/// Invitations that end within this time are told, so that somebody uses or makes them anew.
const INVITATIONS_SOON: Duration = DAY.saturating_mul(2);

/// A receiver, a gate or a mail server may be away for so long.
const PATIENCE: Duration = Duration::from_mins(30);

/// Whose work it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DigestScope {
    /// Of the installation: everybody's, and what servers do.
    Installation,
    /// Of one tenant, with all of its sites.
    Tenant(TenantId),
    /// Of some sites of a tenant.
    Sites(TenantId, Vec<SiteId>),
}

/// The numbers of a day.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Digest {
    /// Devices that wait for approval.
    pub approvals: u64,
    /// Open reviews of people.
    pub reviews: u64,
    /// Of them, those whose day is over.
    pub reviews_overdue: u64,
    /// Invitations that nobody has used and that end soon.
    pub invitations: u64,
    /// Certificates that end soon and have no successor.
    pub ending: u64,
    /// Devices whose certificate has ended: they are locked out.
    pub overdue: u64,
    /// Those of both of which nobody can be told: nobody is named, or no mail reaches them.
    pub untold: u64,
    /// Recipients of notices to whom mail comes back.
    pub bounced: u64,
    /// Mails that could not be sent so far, and those of the last day that nobody tries any more.
    pub mails: u64,
    /// What servers do by the clock and fail at.
    pub passes: u64,
    /// Receivers of security events that take none.
    pub receivers: u64,
}

impl Digest {
    /// Counts what there is, and changes nothing.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn read(ledger: &Ledger, scope: &DigestScope, now: Timestamp) -> Result<Self> {
        let mut digest = Self::default();
        let recipients = ledger.notice_recipients().await?;
        digest.read_rows(ledger, scope, &recipients, now).await?;
        digest.read_recipients(&recipients, scope);
        if *scope == DigestScope::Installation {
            digest.read_installation(ledger, now).await?;
        }
        Ok(digest)
    }

    /// Whether there is anything to do.
    pub fn has_work(&self) -> bool {
        *self != Self::default()
    }

    async fn read_rows(
        &mut self,
        ledger: &Ledger,
        scope: &DigestScope,
        recipients: &[NoticeRecipient],
        now: Timestamp,
    ) -> Result<()> {
        let everything = everything(ledger);
        let rows = match scope.tenant() {
            Some(tenant) => everything.narrowed(tenant),
            None => Some(everything),
        };
        let Some(rows) = rows else { return Ok(()) };
        let reachable: Vec<_> = recipients.iter().filter(|one| hears_of_renewals(one, now)).collect();
        let is_meant = |tenant: &TenantId, site: &SiteId| !tenant.is_system() && scope.holds(Some(site));
        for approval in rows.waiting(now).await? {
            self.approvals += u64::from(is_meant(&approval.tenant, &approval.site));
        }
        for review in rows.open_reviews().await? {
            if scope.holds(review.site.as_ref()) && !review.left.is_empty() {
                self.reviews += 1;
                self.reviews_overdue += u64::from(review.due_at < now);
            }
        }
        for invitation in rows.open_invitations(now).await? {
            let ends_soon = invitation.expires_at < now.plus(INVITATIONS_SOON);
            self.invitations += u64::from(ends_soon && is_meant(&invitation.tenant, &invitation.site));
        }
        let (ending, overdue, untold) = (&mut self.ending, &mut self.overdue, &mut self.untold);
        rows.each_ending_before(now.plus(SOON), |one| {
            // What lives less than three weeks ends within a week for most of its life.
            let is_due = now >= one.not_before.plus(one.not_after.since(one.not_before) * 2 / 3);
            if is_meant(&one.tenant, &one.site) && is_due {
                *(if one.not_after < now { &mut *overdue } else { &mut *ending }) += 1;
                let is_told = reachable.iter().any(|recipient| {
                    recipient.tenant.as_ref().is_none_or(|tenant| *tenant == one.tenant)
                        && recipient.site.as_ref().is_none_or(|site| *site == one.site)
                });
                *untold += u64::from(!is_told);
            }
        })
        .await
    }

    fn read_recipients(&mut self, recipients: &[NoticeRecipient], scope: &DigestScope) {
        for recipient in recipients {
            let is_meant = match scope.tenant() {
                Some(tenant) => {
                    recipient.tenant.as_ref() == Some(tenant) && scope.holds(recipient.site.as_ref())
                }
                None => true,
            };
            self.bounced += u64::from(is_meant && recipient.bounced_at.is_some());
        }
    }

    async fn read_installation(&mut self, ledger: &Ledger, now: Timestamp) -> Result<()> {
        let mails = ledger.mail_counts(now.minus(DAY)).await?;
        self.mails = mails.delayed + mails.failed;
        let passes = overview(ledger, now).await?;
        self.passes = count(passes.iter().filter(|pass| pass.condition != PassCondition::Good));
        let receivers = ledger.receivers().await?;
        let fails = |since: Timestamp| now.since(since) >= PATIENCE;
        self.receivers = count(receivers.iter().filter(|one| one.failing_since().is_some_and(fails)));
        Ok(())
    }

    /// What there is, in groups, for a reader.
    pub fn groups(&self, language: Language) -> Vec<DigestGroup> {
        let item = |code, count: u64, ja: &str, en: &str| DigestItem {
            code,
            count,
            text: language.pick(ja, en).replace("{}", &count.to_string()),
        };
        let group = |ja: &'static str, en: &'static str, items: Vec<DigestItem>| DigestGroup {
            title: language.pick(ja, en).to_owned(),
            items: items.into_iter().filter(|item| item.count > 0).collect(),
        };
        let groups = [
            group(
                "判断を待っているもの",
                "Waiting for a decision",
                vec![
                    item(
                        "approvals",
                        self.approvals,
                        "承認を待っている端末が {} 台あります",
                        "Devices that wait for approval: {}",
                    ),
                    item(
                        "reviews",
                        self.reviews,
                        "利用者の確認が {} 件、終わっていません",
                        "Reviews of people that are open: {}",
                    ),
                    item(
                        "reviews_overdue",
                        self.reviews_overdue,
                        "そのうち {} 件は期限を過ぎています",
                        "Of them overdue: {}",
                    ),
                    item(
                        "invitations",
                        self.invitations,
                        "使われていない招待 {} 件が、2 日以内に期限になります",
                        "Unused invitations that end within two days: {}",
                    ),
                ],
            ),
            group(
                "期限の近いもの",
                "Ending",
                vec![
                    item(
                        "overdue",
                        self.overdue,
                        "証明書が切れて使えない端末が {} 台あります。新しい招待が必要です",
                        "Devices that are locked out and need a new invitation: {}",
                    ),
                    item(
                        "ending",
                        self.ending,
                        "1 週間以内に証明書が切れる端末が {} 台あります",
                        "Devices whose certificate ends within a week: {}",
                    ),
                ],
            ),
            group(
                "うまくいっていないもの",
                "Failing",
                vec![
                    item(
                        "untold",
                        self.untold,
                        "期限をメールでお知らせできる相手がいない端末が {} 台あります（tegata notices add）",
                        "Devices of whose end nobody can be told (tegata notices add): {}",
                    ),
                    item(
                        "bounced",
                        self.bounced,
                        "お知らせのメールが届かない宛先が {} 件あります",
                        "Recipients to whom mail comes back: {}",
                    ),
                    item(
                        "mails",
                        self.mails,
                        "送れていないメールが {} 通あります",
                        "Mails that could not be sent: {}",
                    ),
                    item(
                        "passes",
                        self.passes,
                        "失敗している定期処理が {} 件あります（tegata passes list）",
                        "Passes that fail (tegata passes list): {}",
                    ),
                    item(
                        "receivers",
                        self.receivers,
                        "セキュリティイベントを受け取らない相手が {} 件あります（tegata receiver list）",
                        "Receivers that take no events (tegata receiver list): {}",
                    ),
                ],
            ),
        ];
        groups.into_iter().filter(|group| !group.items.is_empty()).collect()
    }
}

impl DigestScope {
    /// The tenant it is about.
    pub const fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::Installation => None,
            Self::Tenant(tenant) | Self::Sites(tenant, _) => Some(tenant),
        }
    }

    /// Whether something at this site, or at none, is meant.
    fn holds(&self, site: Option<&SiteId>) -> bool {
        match self {
            Self::Installation | Self::Tenant(_) => true,
            Self::Sites(_, own) => site.is_some_and(|site| own.contains(site)),
        }
    }
}

/// Whether a mail about the end of any certificate reaches them. Of the devices of one person others hear as well.
fn hears_of_renewals(recipient: &NoticeRecipient, now: Timestamp) -> bool {
    recipient.level < NoticeLevel::Operator && recipient.person.is_none() && recipient.is_reachable(now)
}

fn count<T>(items: impl Iterator<Item = T>) -> u64 {
    u64::try_from(items.count()).unwrap_or(u64::MAX)
}
