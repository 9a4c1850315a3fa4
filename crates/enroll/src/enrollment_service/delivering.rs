//! Records that a device has received its certificate.

use super::EnrollmentService;
use tegata_core::{DeviceId, Refusal, Thumbprint};
use tegata_storage::{Actor, Certificate, Invitation};

impl EnrollmentService {
    /// Notes that a certificate obtained with this invitation has arrived.
    pub(crate) async fn deliver_invited(
        &self,
        invitation: Invitation,
        certificate: &Thumbprint,
    ) -> Result<(), Refusal> {
        let device = invitation.device.clone().ok_or(Refusal::RequestMalformed)?;
        self.deliver(&device, certificate, Actor::Invitation(invitation.id)).await
    }

    /// Notes that a certificate of this device has arrived.
    pub(crate) async fn deliver(
        &self,
        device: &DeviceId,
        certificate: &Thumbprint,
        actor: Actor,
    ) -> Result<(), Refusal> {
        let certificates = self.context.ledger.certificates_of(device).await?;
        if !certificates.iter().filter_map(Certificate::thumbprint).any(|own| own == *certificate) {
            return Err(Refusal::RequestMalformed);
        }
        let mut transaction = self.context.ledger.begin(self.now()).await?;
        transaction.mark_delivered(certificate, &actor).await?;
        transaction.commit().await.map_err(Refusal::from)
    }
}
