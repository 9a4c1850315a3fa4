//! Explains to the holder of a refused certificate since when and why it is refused.

use crate::enrollment_service::EnrollmentService;
use tegata_core::{Contact, DeviceId, DeviceState, Language, Refusal, StopCause};
use tegata_storage::{Certificate, Device, HeldCertificate, LedgerError, Principal};
use tegata_web::japan_date::{day, moment};
use tegata_web::{PeerCertificate, TrustVerdict};

/// One line: its name and its value, in the reader's language.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CertificateFact {
    pub(crate) name: &'static str,
    pub(crate) value: String,
}

/// What is known of a refused certificate.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RefusalExplanation {
    /// What support types to find the device.
    pub(crate) number: Option<String>,
    pub(crate) facts: Vec<CertificateFact>,
    /// The cause that was recorded when it was revoked.
    pub(crate) cause: Option<StopCause>,
    /// Whom a person at the device may call.
    pub(crate) contact: Option<Contact>,
}

/// The beginning of an identifier: short enough to read out, long enough to find one device among millions.
pub(crate) fn number(device: &DeviceId) -> String {
    device.as_str().chars().take(8).collect()
}

impl EnrollmentService {
    /// The circumstances of a refusal. TLS has proved that the caller holds the key, so it learns nothing about anybody
    /// else. A ledger that does not answer costs the circumstances, never the refusal.
    pub(crate) async fn why(
        &self,
        certificate: Option<&PeerCertificate>,
        refusal: Refusal,
        language: Language,
    ) -> RefusalExplanation {
        let nothing =
            || RefusalExplanation { contact: self.contact.clone(), ..RefusalExplanation::default() };
        let Some(certificate) = certificate.filter(|certificate| certificate.path == TrustVerdict::Trusted)
        else {
            return nothing();
        };
        match self.refused_holder(certificate).await {
            Ok(Some((holding, device, certificates))) => RefusalExplanation {
                number: Some(number(&device.id)),
                facts: self.facts(refusal, &holding, &device, &certificates, language).await,
                cause: self.cause(certificate, refusal).await,
                contact: self.guidance(&device.site).await.contact,
            },
            Ok(None) => nothing(),
            Err(error) => {
                tracing::error!(%error, "the circumstances of a refusal cannot be read");
                nothing()
            }
        }
    }

    /// Nothing where nobody said so: what is told then is true as well.
    async fn cause(&self, certificate: &PeerCertificate, refusal: Refusal) -> Option<StopCause> {
        if refusal != Refusal::CertificateRevoked {
            return None;
        }
        self.context.ledger.stop_cause(&certificate.thumbprint).await.ok().flatten()
    }

    async fn refused_holder(
        &self,
        certificate: &PeerCertificate,
    ) -> Result<Option<(HeldCertificate, Device, Vec<Certificate>)>, LedgerError> {
        let ledger = &self.context.ledger;
        let Some(holding) = ledger.holding(&certificate.thumbprint).await? else { return Ok(None) };
        let rows = ledger.within(Principal::keyholder(&holding).scope());
        let Some(device) = rows.device(&holding.device).await? else { return Ok(None) };
        let certificates = rows.certificates_of(&holding.device).await?;
        Ok(Some((holding, device, certificates)))
    }
}

impl EnrollmentService {
    /// A lost device that comes back also says who reported it: support begins there.
    async fn facts(
        &self,
        refusal: Refusal,
        holding: &HeldCertificate,
        device: &Device,
        certificates: &[Certificate],
        language: Language,
    ) -> Vec<CertificateFact> {
        let mut facts = facts(refusal, holding, device, certificates, language);
        if refusal == Refusal::DeviceSuspended {
            // Without it the refusal is told all the same.
            let report = self
                .context
                .ledger
                .within(Principal::keyholder(holding).scope())
                .loss_report_on(&device.id)
                .await
                .ok()
                .flatten();
            let name = language.pick("紛失として止めた端末", "Reported lost from");
            facts.extend(report.map(|report| CertificateFact { name, value: report.reporter }));
        }
        facts
    }
}

fn facts(
    refusal: Refusal,
    holding: &HeldCertificate,
    device: &Device,
    certificates: &[Certificate],
    language: Language,
) -> Vec<CertificateFact> {
    let fact = |ja, en, value| CertificateFact { name: language.pick(ja, en), value };
    let mut facts =
        vec![fact("店舗", "Site", device.site_name.clone()), fact("端末", "Device", device.label.clone())];
    facts.extend(match refusal {
        Refusal::CertificateExpired => {
            Some(fact("期限が切れた日", "Expired on", day(holding.not_after, language)))
        }
        Refusal::CertificateNotYetValid => {
            Some(fact("使えるようになる日時", "Valid from", moment(holding.not_before, language)))
        }
        Refusal::DeviceSuspended if device.state == DeviceState::Active => {
            let since = moment(device.tenant_changed_at, language);
            Some(fact("法人の利用を停止した日時", "Tenant suspended on", since))
        }
        Refusal::DeviceSuspended => {
            Some(fact("停止した日時", "Suspended on", moment(device.changed_at, language)))
        }
        Refusal::CertificateRevoked if device.state != DeviceState::Active => {
            Some(fact("停止した日時", "Stopped on", moment(device.changed_at, language)))
        }
        Refusal::CertificateRetired => {
            certificates.iter().rfind(|newer| newer.generation > holding.generation).map(|newer| {
                let day = day(newer.reserved_at, language);
                fact("新しい証明書を入れた日", "Replaced on", day)
            })
        }
        _ => None,
    });
    facts
}
