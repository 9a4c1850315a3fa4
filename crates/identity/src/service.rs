//! What all of identity's pages share.

use crate::password_hasher::PasswordHasher;
use crate::throttle::SignInThrottle;
use crate::totp::TotpSecret;
use axum::extract::FromRef;
use std::sync::Arc;
use tegata_core::{Clock, Contact, DeviceId, PersonId, Refusal, SetupCode, Timestamp};
use tegata_storage::{Actor, CertificateHolder, LedgerError, Principal, RefusalNote, ScopedLedger};
use tegata_web::{InstallationSecretSource, OpenInstallationSecret, ServiceContext};

/// What the seals of second factors are for.
const TOTP: &str = "second factors of people";

/// Accounts, sign-ins and sessions of an installation. Cloning shares it.
#[derive(Clone)]
pub struct IdentityService {
    pub(crate) context: ServiceContext,
    pub(crate) hasher: PasswordHasher,
    pub(crate) throttle: Arc<SignInThrottle>,
    secret: InstallationSecretSource,
    contact: Option<Contact>,
}

impl IdentityService {
    /// With the secret that every server of the installation has.
    pub fn new(context: ServiceContext, secret: OpenInstallationSecret) -> Self {
        let hasher = PasswordHasher::new(context.entropy.as_ref());
        let secret = InstallationSecretSource::new(secret);
        Self { context, hasher, throttle: Arc::default(), secret, contact: None }
    }

    /// With whom somebody calls of whom nothing nearer is known.
    #[must_use]
    pub fn with_contact(self, contact: Option<Contact>) -> Self {
        Self { contact, ..self }
    }

    /// The ledger as the device of whoever asks may see it.
    pub(crate) fn rows(&self, holder: &CertificateHolder) -> ScopedLedger {
        self.context.ledger.within(Principal::device(holder).scope())
    }

    pub(crate) fn contact(&self) -> Option<&Contact> {
        self.contact.as_ref()
    }

    /// The secret that the app of whoever uses a setup link gets: the same whenever the page is shown, and kept nowhere until
    /// the link is used.
    pub(crate) async fn totp_of_link(&self, code: &SetupCode) -> Result<TotpSecret, Refusal> {
        let purpose = format!("second factor of setup link {}", tegata_core::encoding::hex(&code.hash()));
        Ok(TotpSecret::new(self.secret.secret().await?.derived(&purpose).as_ref()))
    }

    pub(crate) async fn seal_totp(&self, person: &PersonId, totp: &TotpSecret) -> Result<Vec<u8>, Refusal> {
        let entropy = self.context.entropy.as_ref();
        self.secret.secret().await?.seal(TOTP, person.as_str(), totp.as_bytes(), entropy)
    }

    pub(crate) async fn unseal_totp(&self, person: &PersonId, sealed: &[u8]) -> Result<TotpSecret, Refusal> {
        Ok(TotpSecret::new(&self.secret.secret().await?.unseal(TOTP, person.as_str(), sealed)?))
    }

    /// Writes a refusal down, with a bound however often it happens; gives it back.
    pub(crate) async fn refused(
        &self,
        action: &'static str,
        device: &DeviceId,
        refusal: Refusal,
        at: Timestamp,
    ) -> Refusal {
        let actor = Actor::Device(device.clone());
        let (device, code) = (Some(device.clone()), refusal.code());
        let note = RefusalNote { action, actor, device, code, at };
        if let Err(error) = self.context.ledger.note_refusal(note).await {
            tracing::warn!(%error, code, "a refusal could not be written down");
        }
        refusal
    }
}

impl FromRef<IdentityService> for Arc<dyn Clock> {
    fn from_ref(service: &IdentityService) -> Self {
        service.context.clock.clone()
    }
}

/// The refusal to show for an error of the ledger, which is logged where it is no refusal of its own.
#[allow(clippy::needless_pass_by_value, reason = "it is given to map_err")]
pub(crate) fn refusal(error: LedgerError) -> Refusal {
    if !matches!(error, LedgerError::Refused(_)) {
        tracing::error!(%error, "an account or a session could not be read or changed");
    }
    error.refusal()
}
