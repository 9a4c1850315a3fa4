//! Who is calling, by certificate.
//!
//! TLS has proved that the caller holds the key; the listener has judged the path; here the ledger is asked, at every
//! request, so that a kept-alive connection does not outlive a revocation.

use crate::connection::PeerCertificate;
use crate::context::ServerContext;
use crate::trust_verdict::TrustVerdict;
use std::sync::Arc;
use tegata_core::{Refusal, Role, Standing, Thumbprint, Timestamp};
use tegata_storage::CertificateHolder;

impl<L: Sync> ServerContext<L> {
    /// The holder of the presented certificate, if it may be used now; otherwise why not.
    ///
    /// The first time a certificate is presented is written to the ledger: it proves that the certificate arrived, and
    /// lets the older generation retire. `now` is the time of the request.
    pub async fn caller(
        &self,
        certificate: Option<&PeerCertificate>,
        now: Timestamp,
    ) -> Result<Arc<CertificateHolder>, Refusal> {
        let certificate = certificate.ok_or(Refusal::NoCertificate)?;
        if certificate.path != TrustVerdict::Trusted {
            return Err(Refusal::ForeignCertificate);
        }
        let facts = self.standing_at(&certificate.thumbprint, now).await?;
        let retire_at = self.renewal.retire_at(now);
        self.status.note_use(&facts, retire_at, now).await?;
        Ok(facts)
    }

    /// The holder of a certificate that nobody has presented here, if it may be used now; otherwise why not. Nothing is
    /// written.
    pub async fn holder_of(
        &self,
        certificate: &Thumbprint,
        now: Timestamp,
    ) -> Result<Arc<CertificateHolder>, Refusal> {
        self.standing_at(certificate, now).await
    }

    /// The caller by its certificate, which must be a device's.
    pub async fn device(
        &self,
        certificate: Option<&PeerCertificate>,
        now: Timestamp,
    ) -> Result<Arc<CertificateHolder>, Refusal> {
        let facts = self.caller(certificate, now).await?;
        if facts.role == Role::Device { Ok(facts) } else { Err(Refusal::NotADevice) }
    }

    /// The caller by its certificate, which must be a gate's.
    pub async fn gate(
        &self,
        certificate: Option<&PeerCertificate>,
        now: Timestamp,
    ) -> Result<Arc<CertificateHolder>, Refusal> {
        let facts = self.caller(certificate, now).await?;
        if facts.role == Role::Gate { Ok(facts) } else { Err(Refusal::NotAGate) }
    }

    async fn standing_at(
        &self,
        thumbprint: &Thumbprint,
        now: Timestamp,
    ) -> Result<Arc<CertificateHolder>, Refusal> {
        let known = self.status.standing(thumbprint, now).await?;
        let (facts, standing) = known.ok_or(Refusal::UnknownCertificate)?;
        refuse(standing)?;
        Ok(facts)
    }
}

/// Only a good standing passes.
fn refuse(standing: Standing) -> Result<(), Refusal> {
    Err(match standing {
        Standing::Good => return Ok(()),
        Standing::Unissued => Refusal::UnknownCertificate,
        Standing::NotYetValid => Refusal::CertificateNotYetValid,
        Standing::Expired => Refusal::CertificateExpired,
        Standing::Retired => Refusal::CertificateRetired,
        Standing::Suspended => Refusal::DeviceSuspended,
        Standing::Revoked => Refusal::CertificateRevoked,
    })
}
