//! What one reader is told of the certificates that end.

use crate::mail_writer::MOST_LINES;
use std::collections::HashMap;
use tegata_core::japan_date::{day, in_japan, moment};
use tegata_core::notice::{NoticeStep, days_until};
use tegata_core::renewal::PlannedRenewal;
use tegata_core::{Language, RecipientId, Timestamp};
use tegata_mail::{PlaceCount, RenewalLine, RenewalState, RenewalView};
use tegata_storage::{DueRenewal, RenewalNotice};

/// Places of devices that have no line of their own. Beyond this many, a mail says how many devices there are.
const MOST_PLACES: usize = 50;

/// All that one reader is to be told.
#[derive(Default)]
pub(super) struct ToldRenewals {
    pub(super) notices: Vec<RenewalNotice>,
    /// The most urgent ones.
    lines: Vec<(Timestamp, RenewalLine)>,
    /// How many there are at each site of each tenant, by their names.
    places: HashMap<(String, String), usize>,
    total: usize,
    over: usize,
    by_page: usize,
    by_program: usize,
}

impl ToldRenewals {
    /// Adds a certificate for one of the recipients that are this reader: named for several things, they see it once.
    pub(super) fn tell(
        &mut self,
        certificate: &DueRenewal,
        recipient: &RecipientId,
        step: NoticeStep,
        line: impl FnOnce() -> RenewalLine,
    ) {
        let DueRenewal { device, generation, .. } = certificate;
        // Certificates come one by one, each for all who are told of it.
        let is_known =
            self.notices.last().is_some_and(|last| last.device == *device && last.generation == *generation);
        self.notices.push(RenewalNotice {
            recipient: recipient.clone(),
            device: device.clone(),
            generation: *generation,
            step,
        });
        if !is_known {
            self.count(certificate, line());
        }
    }

    fn count(&mut self, certificate: &DueRenewal, line: RenewalLine) {
        self.total += 1;
        self.over += usize::from(line.state == RenewalState::Over);
        let is_due = line.state == RenewalState::Due;
        self.by_page += usize::from(is_due && !line.program);
        self.by_program += usize::from(is_due && line.program);
        let place = (certificate.tenant_name.clone(), certificate.site_name.clone());
        *self.places.entry(place).or_default() += 1;
        // They come by their ends.
        if self.lines.len() < MOST_LINES {
            self.lines.push((certificate.not_after, line));
        }
    }

    /// Adds what there is of another tenant.
    pub(super) fn add(&mut self, more: Self) {
        self.notices.extend(more.notices);
        self.total += more.total;
        self.over += more.over;
        self.by_page += more.by_page;
        self.by_program += more.by_program;
        for (place, count) in more.places {
            *self.places.entry(place).or_default() += count;
        }
        self.lines.extend(more.lines);
        self.lines.sort_by_key(|(not_after, _)| *not_after);
        self.lines.truncate(MOST_LINES);
    }

    /// What the template is given, where the rest of it comes from the writer of mails.
    pub(super) fn view(self, language: Language, is_of_one_tenant: bool, now: Timestamp) -> RenewalView {
        let mut unnamed = self.places;
        for (_, line) in &self.lines {
            if let Some(count) = unnamed.get_mut(&(line.tenant.clone(), line.site.clone())) {
                *count -= 1;
            }
        }
        let devices: Vec<_> = self.lines.into_iter().map(|(_, line)| line).collect();
        let of_one = is_of_one_tenant.then(|| devices.first()).flatten();
        let (more_places, elsewhere) = most_first(unnamed);
        RenewalView {
            tenant: of_one.map(|line| line.tenant.clone()),
            day: day(now, language),
            total: self.total,
            more: self.total - devices.len(),
            more_places,
            elsewhere,
            over: self.over,
            due: self.by_page + self.by_program,
            by_page: self.by_page,
            by_program: self.by_program,
            devices,
            ..RenewalView::default()
        }
    }
}

/// The places with most devices first, and how many devices are at those that are not listed.
fn most_first(places: HashMap<(String, String), usize>) -> (Vec<PlaceCount>, usize) {
    let mut counts: Vec<_> = places
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|((tenant, site), count)| PlaceCount { tenant, site, count })
        .collect();
    counts.sort_by(|one, other| {
        (other.count, &one.tenant, &one.site).cmp(&(one.count, &other.tenant, &other.site))
    });
    let elsewhere = counts.iter().skip(MOST_PLACES).map(|place| place.count).sum();
    counts.truncate(MOST_PLACES);
    (counts, elsewhere)
}

/// One certificate, as its reader sees it. Close to the end the hour counts as well.
pub(super) fn line(
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
        program: certificate.is_program(),
    }
}
