//! Which device a certificate is of.
//!
//! A token is bound to one certificate, and a session to a device, so that it outlives a renewal. So the gate verifies the
//! certificate itself: issued by one of the CAs of devices, in its time, for client authentication.

use crate::certificate::ClientCertificate;
use crate::certificate_name::{HolderKind, holder};
use arc_swap::ArcSwap;
use rustls::RootCertStore;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, UnixTime};
use std::sync::Arc;
use std::time::Duration;
use tegata_core::{DeviceId, Refusal, Timestamp, VerifiedCache};
use webpki::{EndEntityCert, Error, KeyUsage};

/// How many certificates are remembered.
const REMEMBERED: usize = 10_000;

/// How long a certificate is remembered before it is verified again. Its last day may pass meanwhile.
const VERIFIED_FOR: Duration = Duration::from_mins(1);

pub(super) struct DeviceCertificates {
    trust: ArcSwap<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
    known: VerifiedCache<Arc<KnownDevice>>,
}

pub(super) struct KnownDevice {
    pub(super) device: DeviceId,
    verified: Timestamp,
    /// Another set of CAs forgets it.
    trust: Arc<RootCertStore>,
}

impl DeviceCertificates {
    pub(super) fn new(trust: RootCertStore) -> Self {
        Self {
            trust: ArcSwap::from_pointee(trust),
            algorithms: default_provider().signature_verification_algorithms,
            known: VerifiedCache::new(REMEMBERED),
        }
    }

    pub(super) fn set_trust(&self, trust: RootCertStore) {
        self.trust.store(Arc::new(trust));
    }

    /// The device whose certificate was presented, and proved, on the connection.
    ///
    /// # Errors
    /// [`Refusal::NoCertificate`] where only a hash of it came, which names no device; [`Refusal::ForeignCertificate`],
    /// [`Refusal::CertificateExpired`], [`Refusal::CertificateNotYetValid`] and [`Refusal::NotADevice`].
    pub(super) fn device_of(
        &self,
        presented: &ClientCertificate,
        now: Timestamp,
    ) -> Result<Arc<KnownDevice>, Refusal> {
        let trust = self.trust.load();
        let known = self.known.get(&presented.thumbprint());
        if let Some(known) = known.filter(|known| known.is_fresh(&trust, now)) {
            return Ok(known);
        }
        let der = presented.der().ok_or(Refusal::NoCertificate)?;
        let device = self.verify(&trust, der, now)?;
        let known = Arc::new(KnownDevice { device, verified: now, trust: Arc::clone(&trust) });
        self.known.insert(presented.thumbprint(), Arc::clone(&known));
        Ok(known)
    }

    fn verify(&self, trust: &RootCertStore, der: &[u8], now: Timestamp) -> Result<DeviceId, Refusal> {
        let der = CertificateDer::from(der);
        let certificate = EndEntityCert::try_from(&der).map_err(|_| Refusal::ForeignCertificate)?;
        let seconds = u64::try_from(now.seconds()).unwrap_or_default();
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let (algorithms, usage) = (self.algorithms.all, KeyUsage::client_auth());
        certificate
            .verify_for_usage(algorithms, &trust.roots, &[], time, usage, None, None)
            .map_err(|error| why(&error))?;
        match holder(&der) {
            Some((HolderKind::Device, id)) => DeviceId::parse(&id).ok_or(Refusal::NotADevice),
            _ => Err(Refusal::NotADevice),
        }
    }
}

impl KnownDevice {
    fn is_fresh(&self, trust: &Arc<RootCertStore>, now: Timestamp) -> bool {
        Arc::ptr_eq(&self.trust, trust)
            && !self.verified.is_ahead_of(now)
            && now.since(self.verified) <= VERIFIED_FOR
    }
}

fn why(error: &Error) -> Refusal {
    match error {
        Error::CertExpired { .. } => Refusal::CertificateExpired,
        Error::CertNotValidYet { .. } => Refusal::CertificateNotYetValid,
        _ => Refusal::ForeignCertificate,
    }
}
