//! When a device is asked to renew: the same moment on its page, in the calendar and for ACME clients.

use crate::enrollment_service::EnrollmentService;
use tegata_core::renewal::{PlannedRenewal, RenewalRules, RenewalSubject};
use tegata_core::{Refusal, SiteId, Timestamp};
use tegata_storage::CertificateHolder;
use tegata_web::japan_date::in_japan;

impl EnrollmentService {
    /// When a site wants its renewals. Rules that cannot be read cost the choice of the hour, and nothing else: it is then as
    /// soon as a certificate is due.
    pub(crate) async fn renewal_rules(&self, site: &SiteId) -> RenewalRules {
        self.context.ledger.renewal_rules_of(site).await.unwrap_or_else(|error| {
            tracing::error!(%error, "when a site wants its renewals cannot be read");
            RenewalRules::default()
        })
    }

    /// When the certificate that was presented is to be renewed.
    pub(crate) async fn planned_for(&self, holder: &CertificateHolder) -> Result<PlannedRenewal, Refusal> {
        let rules = self.renewal_rules(&holder.site).await;
        // Only a hurry asks when exactly a certificate was made.
        let made_at = match rules.urgent_since {
            Some(_) => self.made_at(holder).await?,
            None => holder.not_before,
        };
        let subject = RenewalSubject {
            device: &holder.device,
            generation: holder.generation,
            made_at,
            not_before: holder.not_before,
            not_after: holder.not_after,
        };
        Ok(self.context.renewal.plan(&rules, &subject))
    }

    /// Whether the day of a plan has come: the page offers the renewal from the morning on that the calendar names, and not from
    /// the hour on that was chosen to spread machines.
    pub(crate) fn has_come(&self, plan: &PlannedRenewal) -> bool {
        in_japan(plan.from).date() <= in_japan(self.now()).date()
    }

    async fn made_at(&self, holder: &CertificateHolder) -> Result<Timestamp, Refusal> {
        let all = self.context.ledger.certificates_of(&holder.device).await?;
        let own = all.iter().find(|certificate| certificate.generation == i64::from(holder.generation));
        Ok(own.map_or(holder.not_before, |certificate| certificate.reserved_at))
    }
}
