//! The one function that makes a certificate exist.
//!
//! The order is the promise: whatever is killed between two steps, no certificate exists that the ledger did not
//! record first, and a requester who comes again is served.

use crate::attributes;
use crate::csr::ParsedRequest;
use crate::endpoints::IssuerEndpoints;
use crate::issuer::Issuer;
use crate::keys::CaKeyError;
use crate::prepare::{PrepareError, Prepared, SignedCertificate, prepare, validity};
use crate::profile::CertificateProfile;
use crate::public_key::KeyType;
use crate::subject::CertificateSubject;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tegata_core::{DeviceId, Entropy, Installation, IssuerId, Refusal, Role, Serial, Timestamp};
use tegata_storage::{IssuanceRight, Ledger, LedgerError, ReserveSerial, StoreCertificate};

/// An issuing CA with its key, its profiles and the ledger that it records in.
pub struct IssuingCa {
    issuer: Arc<Issuer>,
    endpoints: IssuerEndpoints,
    profiles: RoleProfiles,
    installation: Installation,
    pub(crate) ledger: Ledger,
    /// Shards whose published list is known to have the scope that certificates name.
    pub(crate) scoped: Mutex<HashSet<u16>>,
}

/// One profile for each role.
#[derive(Clone, Debug)]
pub struct RoleProfiles {
    /// The profile for certificates of terminals.
    pub device: CertificateProfile,
    /// The profile for certificates of gates.
    pub gate: CertificateProfile,
}

/// The certificate that is requested, and the right to it.
#[derive(Debug)]
pub struct IssuanceRequest<'a> {
    /// The device, new or known.
    pub device: DeviceId,
    /// The role that the certificate grants, which chooses the profile.
    pub role: Role,
    /// The display name of its site.
    pub site: &'a str,
    /// The device's label, for the common name.
    pub label: &'a str,
    /// The key with its proof.
    pub request: &'a ParsedRequest,
    /// What entitles the requester: an invitation, a renewal or an order of the operator.
    pub origin: IssuanceRight,
}

/// A certificate that exists: stored, and about to be handed over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IssuedCertificate {
    /// The CA that signed it.
    pub issuer: IssuerId,
    /// The device that holds it.
    pub device: DeviceId,
    /// Which one of its certificates.
    pub generation: u32,
    /// The signed certificate with its serial and thumbprint.
    pub certificate: SignedCertificate,
    /// The last second of its validity.
    pub not_after: Timestamp,
}

/// A step of the order, after it was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IssuanceStep {
    /// The bytes to sign exist in memory and were linted.
    Prepared,
    /// The right was used up, the serial reserved and the bytes stored, durably.
    Reserved,
    /// The key has signed.
    Signed,
    /// The signed bytes are stored, durably.
    Stored,
}

/// Why nothing was issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The certificate could not be made.
    #[error(transparent)]
    Issue(#[from] PrepareError),
    /// The ledger did not take it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl IssueError {
    /// The refusal to show for it.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Issue(PrepareError::Refused(refusal)) => *refusal,
            Self::Issue(_) => Refusal::Internal,
            Self::Ledger(error) => error.refusal(),
        }
    }
}

/// What a requester is told. The cause goes to the log here, and nowhere else.
impl From<IssueError> for Refusal {
    fn from(error: IssueError) -> Self {
        let refusal = error.refusal();
        match error {
            IssueError::Ledger(error) => return error.into(),
            IssueError::Issue(PrepareError::Refused(_)) => {
                tracing::debug!(%error, code = refusal.code(), "a certificate was refused");
            }
            IssueError::Issue(_) => {
                tracing::error!(%error, code = refusal.code(), "a certificate was not issued");
            }
        }
        refusal
    }
}

impl IssuingCa {
    /// Puts an issuing CA together.
    pub fn new(
        issuer: Issuer,
        endpoints: IssuerEndpoints,
        profiles: RoleProfiles,
        installation: Installation,
        ledger: Ledger,
    ) -> Self {
        let scoped = Mutex::default();
        Self { issuer: Arc::new(issuer), endpoints, profiles, installation, ledger, scoped }
    }

    /// The name, certificate and key by which this CA signs.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The URLs that this CA writes into certificates.
    pub fn endpoints(&self) -> &IssuerEndpoints {
        &self.endpoints
    }

    /// What the certificate of this holder will be called in the browser's list.
    pub fn common_name(&self, role: Role, device: &DeviceId, site: &str, label: &str) -> String {
        let holder = CertificateSubject { installation: &self.installation, role, device, site, label };
        self.profile(role).common_name().render(&holder)
    }

    /// Until when a certificate of this role is good that is issued now; nothing where none could be.
    pub fn ends_at(&self, role: Role, now: Timestamp) -> Option<Timestamp> {
        Some(validity(&self.issuer, self.profile(role), now).ok()?.1)
    }

    /// Whether requests of this role may bring such a key.
    pub fn allows(&self, role: Role, key: KeyType) -> bool {
        self.profile(role).allows_kind(key)
    }

    /// The kinds of keys that requests of this role may bring: [`CertificateProfile::key_kinds`].
    ///
    /// [`CertificateProfile::key_kinds`]: crate::Profile::key_kinds
    pub fn key_kinds(&self, role: Role) -> Vec<String> {
        self.profile(role).key_kinds()
    }

    /// Whether a certificate of this role could be made for the key of a request.
    ///
    /// # Errors
    /// [`Refusal::KeyNotAllowed`].
    pub fn check_key(&self, role: Role, request: &ParsedRequest) -> Result<(), Refusal> {
        if self.profile(role).allows(request.key()) { Ok(()) } else { Err(Refusal::KeyNotAllowed) }
    }

    /// What requests of this role should look like, as EST says it: [`crate::attributes::wanted`].
    pub fn csr_attributes(&self, role: Role) -> Vec<u8> {
        attributes::wanted(self.profile(role))
    }

    /// Issues a certificate. `witness` is called after every step.
    ///
    /// # Errors
    /// [`IssueError`]; whatever it is, no signed certificate has left this function.
    pub async fn issue(
        &self,
        order: IssuanceRequest<'_>,
        now: Timestamp,
        entropy: &dyn Entropy,
        witness: &(dyn Fn(IssuanceStep) + Sync),
    ) -> Result<IssuedCertificate, IssueError> {
        self.issue_by(self.profile(order.role), order, now, entropy, witness).await
    }

    /// Issues a certificate that ends within `longest` from now, whatever its profile says. The canary uses it to test
    /// the server's own endpoints: such certificates leave the revocation lists soon.
    ///
    /// # Errors
    /// As [`IssuingCa::issue`].
    pub async fn issue_within(
        &self,
        longest: Duration,
        order: IssuanceRequest<'_>,
        now: Timestamp,
        entropy: &dyn Entropy,
        witness: &(dyn Fn(IssuanceStep) + Sync),
    ) -> Result<IssuedCertificate, IssueError> {
        let profile = self.profile(order.role).ending_within(longest);
        self.issue_by(&profile, order, now, entropy, witness).await
    }

    async fn issue_by(
        &self,
        profile: &CertificateProfile,
        order: IssuanceRequest<'_>,
        now: Timestamp,
        entropy: &dyn Entropy,
        witness: &(dyn Fn(IssuanceStep) + Sync),
    ) -> Result<IssuedCertificate, IssueError> {
        // Step 1: build and lint the exact bytes. Nothing is written and no right is used up for a request that
        // cannot succeed.
        let prepared = self.prepare(profile, &order, Serial::random(entropy), now)?;
        witness(IssuanceStep::Prepared);

        // Step 2: in one durable transaction use up the right (an open invitation, a working older certificate), reserve
        // the serial and store the intended bytes. Of two requests with one right, one passes.
        let generation = self.ledger.group(self.intent(&order, &prepared, now)).await?;
        witness(IssuanceStep::Reserved);

        // Step 3: sign those bytes and compare; `sign` consumes what was prepared, so nothing is signed twice.
        let not_after = prepared.not_after();
        let certificate = self.signing(|issuer| prepared.sign(issuer)).await?;
        witness(IssuanceStep::Signed);

        // Step 4: store what was signed. Only then does it leave this function. A crash before leaves a reserved
        // certificate, which the clock-driven pass gives up and puts on the CRL.
        self.ledger.group(self.completion(&order, &certificate, now)).await?;
        witness(IssuanceStep::Stored);
        Ok(IssuedCertificate {
            issuer: self.issuer.id().clone(),
            device: order.device,
            generation,
            certificate,
            not_after,
        })
    }

    /// Runs `work`, which signs once, on a thread that may block if the key has to wait for its device.
    ///
    /// Dropping the future stops neither the work nor the device: the signature is made and thrown away.
    pub(crate) async fn signing<T, E>(
        &self,
        work: impl FnOnce(&Issuer) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<CaKeyError> + Send + 'static,
    {
        if !self.issuer.signer().blocks() {
            return work(&self.issuer);
        }
        let issuer = self.issuer.clone();
        let signed = tokio::task::spawn_blocking(move || work(&issuer)).await;
        signed.unwrap_or_else(|_| Err(CaKeyError::Signing.into()))
    }

    fn prepare(
        &self,
        profile: &CertificateProfile,
        order: &IssuanceRequest<'_>,
        serial: Serial,
        now: Timestamp,
    ) -> Result<Prepared, PrepareError> {
        let holder = CertificateSubject {
            installation: &self.installation,
            role: order.role,
            device: &order.device,
            site: order.site,
            label: order.label,
        };
        prepare(&self.issuer, &self.endpoints, profile, &holder, order.request, serial, now)
    }

    fn profile(&self, role: Role) -> &CertificateProfile {
        match role {
            Role::Device => &self.profiles.device,
            Role::Gate => &self.profiles.gate,
        }
    }

    fn intent(&self, order: &IssuanceRequest<'_>, prepared: &Prepared, now: Timestamp) -> ReserveSerial {
        ReserveSerial {
            issuer: self.issuer.id().clone(),
            serial: prepared.serial(),
            shard: prepared.shard(),
            device: order.device.clone(),
            key_hash: prepared.key_hash(),
            tbs: prepared.tbs().to_vec(),
            not_before: prepared.not_before(),
            not_after: prepared.not_after(),
            origin: order.origin.clone(),
            at: now,
        }
    }

    fn completion(
        &self,
        order: &IssuanceRequest<'_>,
        certificate: &SignedCertificate,
        now: Timestamp,
    ) -> StoreCertificate {
        StoreCertificate {
            issuer: self.issuer.id().clone(),
            serial: certificate.serial,
            device: order.device.clone(),
            actor: order.origin.actor(&order.device),
            der: certificate.der.clone(),
            thumbprint: certificate.thumbprint,
            at: now,
        }
    }
}
