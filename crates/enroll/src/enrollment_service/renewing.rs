//! Renews a working certificate.

use super::{EnrollmentService, HandedOverCertificate};
use crate::submitted_csr::SubmittedCsr;
use std::sync::Arc;
use tegata_ca::{IssuanceRequest, ParsedRequest};
use tegata_core::{CertificateState, DeviceId, InvitationId, Refusal, Thumbprint, Timestamp};
use tegata_storage::{Actor, Certificate, CertificateHolder, IssuanceRight};
use tegata_web::japan_date::in_japan;
use tegata_web::{PeerCertificate, TrustVerdict};

/// How a renewed certificate is called.
#[derive(Clone, Copy)]
struct Naming<'a> {
    /// In place of site and label, as in [`EnrollmentService::enroll_with`].
    called: Option<&'a str>,
    /// With the month of its end.
    until: bool,
}

/// Half of the name in a browser's list is the site's, where both are long.
const ROOM: usize = 31;

/// The label, with the month in which the certificate ends. A long label is cut, never the month.
fn until(label: &str, end: Timestamp) -> String {
    let end = in_japan(end);
    let month = format!("（{}年{}月まで）", end.year(), u8::from(end.month()));
    let room = ROOM - month.chars().count();
    label.chars().take(room).chain(month.chars()).collect()
}

impl EnrollmentService {
    /// The holder of the certificate that asks to be renewed. That a stopped device tries is worth a line of its own.
    pub(crate) async fn renewing(
        &self,
        certificate: Option<&PeerCertificate>,
    ) -> Result<Arc<CertificateHolder>, Refusal> {
        match self.caller(certificate).await {
            Ok(facts) => Ok(facts),
            Err(refusal) => {
                let device = self.holder(certificate).await;
                let actor = device.clone().map_or(Actor::Anonymous, Actor::Device);
                Err(self.refused(actor, device, refusal, self.now()).await)
            }
        }
    }

    /// Turns a working certificate into its successor. `name_until`: with the month of its end in its name, so that a person tells it
    /// from the one before. Programs that know a device by its subject want the name to stay.
    pub(crate) async fn renew(
        &self,
        old: &CertificateHolder,
        csr: &SubmittedCsr,
        name_until: bool,
    ) -> Result<HandedOverCertificate, Refusal> {
        match csr.request() {
            Ok(request) => self.renew_as(old, request, Naming { called: None, until: name_until }).await,
            Err(refusal) => {
                let actor = Actor::Device(old.device.clone());
                Err(self.refused(actor, Some(old.device.clone()), refusal, self.now()).await)
            }
        }
    }

    /// Renews with a request that is parsed already. `called` means what it means in
    /// [`EnrollmentService::enroll_with`].
    pub(crate) async fn renew_with(
        &self,
        old: &CertificateHolder,
        request: &ParsedRequest,
        called: Option<&str>,
    ) -> Result<HandedOverCertificate, Refusal> {
        self.renew_as(old, request, Naming { called, until: false }).await
    }

    async fn renew_as(
        &self,
        old: &CertificateHolder,
        request: &ParsedRequest,
        naming: Naming<'_>,
    ) -> Result<HandedOverCertificate, Refusal> {
        let now = self.now();
        match self.renew_known(old, request, naming, now).await {
            Ok(handed_over) => Ok(handed_over),
            Err(refusal) => {
                let actor = Actor::Device(old.device.clone());
                Err(self.refused(actor, Some(old.device.clone()), refusal, now).await)
            }
        }
    }

    /// The certificate from which a device that presents none renews: `replaces`, or the newest in use, or the newest that
    /// it was given. It must be one that could be presented now.
    pub(crate) async fn newest(
        &self,
        device: &DeviceId,
        replaces: Option<Thumbprint>,
    ) -> Result<Arc<CertificateHolder>, Refusal> {
        let thumbprint = match replaces {
            Some(thumbprint) => thumbprint,
            None => self.newest_of(device).await?.ok_or(Refusal::RenewalNotPossible)?,
        };
        let now = self.now();
        match self.context.holder_of(&thumbprint, now).await {
            Ok(facts) if facts.device == *device => Ok(facts),
            Ok(_) => Err(Refusal::RenewalNotPossible),
            Err(refusal) => {
                let actor = Actor::Device(device.clone());
                Err(self.refused(actor, Some(device.clone()), refusal, now).await)
            }
        }
    }

    /// The newest certificate of the same device, once it has been seen at work, so that this one may be let go.
    pub(crate) async fn successor(&self, facts: &CertificateHolder) -> Result<Thumbprint, Refusal> {
        let certificates = self.own_rows(facts).certificates_of(&facts.device).await?;
        let newer = certificates.iter().rfind(|known| {
            known.generation > i64::from(facts.generation) && known.state == CertificateState::InUse
        });
        newer.and_then(Certificate::thumbprint).ok_or(Refusal::NothingNewer)
    }

    /// The invitation that the device came with, unless it came another way.
    pub(crate) async fn invitation_of(
        &self,
        holder: &CertificateHolder,
    ) -> Result<Option<InvitationId>, Refusal> {
        self.own_rows(holder).invitation_of(&holder.device).await.map_err(Refusal::from)
    }

    /// Whether anybody at the company of a device has an account to sign in with.
    pub(crate) async fn has_people(&self, holder: &CertificateHolder) -> Result<bool, Refusal> {
        self.own_rows(holder).has_people().await.map_err(Refusal::from)
    }

    async fn newest_of(&self, device: &DeviceId) -> Result<Option<Thumbprint>, Refusal> {
        let certificates = self.context.ledger.certificates_of(device).await?;
        let newest = |states: &[CertificateState]| {
            let of_state = certificates.iter().rev().find(|known| states.contains(&known.state));
            of_state.and_then(Certificate::thumbprint)
        };
        let given = [CertificateState::Issued, CertificateState::Delivered];
        Ok(newest(&[CertificateState::InUse])
            .or_else(|| newest(&given))
            // One that was revoked says so.
            .or_else(|| newest(&[CertificateState::Revoked])))
    }

    /// Whose certificate it is, whatever its standing.
    async fn holder(&self, certificate: Option<&PeerCertificate>) -> Option<DeviceId> {
        let certificate = certificate.filter(|certificate| certificate.path == TrustVerdict::Trusted)?;
        Some(self.context.ledger.holding(&certificate.thumbprint).await.ok()??.device)
    }

    async fn renew_known(
        &self,
        old: &CertificateHolder,
        request: &ParsedRequest,
        naming: Naming<'_>,
        now: Timestamp,
    ) -> Result<HandedOverCertificate, Refusal> {
        let device = self.device(old).await?;
        let label = |end| if naming.until { until(&device.label, end) } else { device.label.clone() };
        let named =
            |label: &str| self.common_name(&old.tenant, old.role, &old.device, &device.site_name, label);
        if let Some(issued) = self.earlier(&old.device, request, Refusal::KeyReused, now).await? {
            let name = named(&label(issued.not_after))?;
            return Ok(HandedOverCertificate { issued, name });
        }
        let end = self.authorities.for_tenant(&old.tenant)?.ends_at(old.role, now).unwrap_or(now);
        let (called, label) = (naming.called, label(end));
        let name = named(&label)?;
        let order = IssuanceRequest {
            device: old.device.clone(),
            role: old.role,
            site: if called.is_some() { "" } else { &device.site_name },
            label: called.unwrap_or(&label),
            request,
            origin: IssuanceRight::Renewal(old.thumbprint),
        };
        Ok(HandedOverCertificate { issued: self.issue(order, &old.tenant, now).await?, name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn staff_tell_the_new_certificate_from_the_old_by_its_month() {
        let end = Timestamp::parse("2027-11-30T15:30:00Z").unwrap();
        assert_eq!(until("受付PC", end), "受付PC（2027年12月まで）");
        let long = until(&"名".repeat(64), end);
        assert!(long.ends_with("名（2027年12月まで）") && long.chars().count() == ROOM, "{long}");
    }
}
