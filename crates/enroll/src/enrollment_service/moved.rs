//! Gives a device that has moved to another tenant its first certificate there, by the certificate that it had before.
//!
//! The old certificate is revoked, and opens nothing else: every other request by it is refused as before. What stands behind it is
//! one invitation, for one device, for a time that the plan of the transfer says; it ends with the first certificate that is used.

use super::invited::EnrollmentProof;
use super::{EnrollmentService, HandedOverCertificate};
use crate::submitted_csr::SubmittedCsr;
use tegata_core::{Refusal, Timestamp};
use tegata_storage::{Actor, Handover, Invitation};
use tegata_web::{PeerCertificate, TrustVerdict};

/// What waits for a device that has moved.
pub(crate) struct MovedDevice {
    /// What the device is in its new tenant, and until when the old certificate stands for it.
    pub(crate) handover: Handover,
    /// The right to its first certificate there.
    pub(crate) invitation: Invitation,
}

impl MovedDevice {
    /// Until when the old certificate brings the new one.
    pub(crate) fn until(&self) -> Timestamp {
        self.handover.until
    }
}

impl EnrollmentService {
    /// The next certificate of a device by the one it presents; or, where it has moved to another tenant, its first one there.
    pub(crate) async fn next_certificate(
        &self,
        certificate: Option<&PeerCertificate>,
        csr: &SubmittedCsr,
        name_until: bool,
    ) -> Result<HandedOverCertificate, Refusal> {
        if let Some(moved) = self.moved_by(certificate).await? {
            return self.enroll_moved(&moved, csr).await;
        }
        let old = self.renewing(certificate).await?;
        self.renew(&old, csr, name_until).await
    }

    /// What waits for the device of a revoked certificate in another tenant, if anything still does.
    pub(crate) async fn moved_by(
        &self,
        certificate: Option<&PeerCertificate>,
    ) -> Result<Option<MovedDevice>, Refusal> {
        match self.caller(certificate).await {
            Err(Refusal::CertificateRevoked) => self.moved(certificate).await,
            _ => Ok(None),
        }
    }

    async fn moved(&self, certificate: Option<&PeerCertificate>) -> Result<Option<MovedDevice>, Refusal> {
        let Some(certificate) = certificate.filter(|certificate| certificate.path == TrustVerdict::Trusted)
        else {
            return Ok(None);
        };
        let Some(handover) = self.context.ledger.handover(&certificate.thumbprint, self.now()).await? else {
            return Ok(None);
        };
        let invitation =
            self.context.ledger.invitation(&handover.invitation).await?.ok_or(Refusal::Internal)?;
        // Once the new certificate was at work, or somebody stopped the device, the old one is what it is: revoked.
        let is_open = self.rows_of(&invitation).is_replaceable(&invitation.id).await?;
        Ok(is_open.then_some(MovedDevice { handover, invitation }))
    }

    async fn enroll_moved(
        &self,
        moved: &MovedDevice,
        csr: &SubmittedCsr,
    ) -> Result<HandedOverCertificate, Refusal> {
        let invitation = &moved.invitation;
        let request = match (csr.request(), invitation.falls_with_its_tenant()) {
            (Ok(request), false) => request,
            (_, true) => return Err(self.refused_moved(moved, Refusal::TenantSuspended).await),
            (Err(refusal), _) => return Err(self.refused_moved(moved, refusal).await),
        };
        self.enroll_as(invitation, request, None, EnrollmentProof::OldCertificate).await
    }

    async fn refused_moved(&self, moved: &MovedDevice, refusal: Refusal) -> Refusal {
        let device = moved.handover.successor.clone();
        self.refused(Actor::Invitation(moved.invitation.id.clone()), Some(device), refusal, self.now()).await
    }
}
