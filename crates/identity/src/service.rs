//! What all of identity's pages share.

use crate::alarm::{SignInAlarmObserver, SignInAlarms};
use crate::passkey::challenge::Challenges;
use crate::password_hasher::PasswordHasher;
use crate::throttle::SignInThrottle;
use crate::totp::TotpSecret;
use axum::extract::FromRef;
use std::sync::Arc;
use tegata_core::webauthn::RelyingParty;
use tegata_core::{Clock, Contact, DeviceId, PersonId, Refusal, SetupCode, Timestamp};
use tegata_federation::IdentityProviders;
use tegata_storage::{Actor, CertificateHolder, LedgerError, Principal, RefusalNote, ScopedLedger};
use tegata_web::{InstallationSecretSource, OpenInstallationSecret, ServiceContext};
use zeroize::Zeroizing;

/// What the seals of second factors are for.
const TOTP: &str = "second factors of people";

/// What the seal of challenges is derived for.
const CHALLENGES: &str = "challenges of passkeys";

/// Accounts, sign-ins and sessions of an installation. Cloning shares it.
#[derive(Clone)]
pub struct IdentityService {
    pub(crate) context: ServiceContext,
    pub(crate) hasher: PasswordHasher,
    pub(crate) throttle: Arc<SignInThrottle>,
    secret: InstallationSecretSource,
    providers: IdentityProviders,
    contact: Option<Contact>,
    relying_party: Option<RelyingParty>,
    pub(crate) alarms: SignInAlarms,
}

impl IdentityService {
    /// With the secret that every server of the installation has.
    pub fn new(context: ServiceContext, secret: OpenInstallationSecret) -> Self {
        let throttle = Arc::new(SignInThrottle::new(&context));
        let hasher = PasswordHasher::new(context.entropy.as_ref());
        let secret = InstallationSecretSource::new(secret);
        // An address has no passkeys: they are bound to names.
        let relying_party = RelyingParty::of(&context.addresses.device).ok().flatten();
        Self {
            context,
            hasher,
            throttle,
            secret,
            providers: IdentityProviders::default(),
            contact: None,
            relying_party,
            alarms: SignInAlarms::default(),
        }
    }

    /// With the providers where people of tenants sign in.
    #[must_use]
    pub fn with_providers(self, providers: IdentityProviders) -> Self {
        Self { providers, ..self }
    }

    /// With whom somebody calls of whom nothing nearer is known.
    #[must_use]
    pub fn with_contact(self, contact: Option<Contact>) -> Self {
        Self { contact, ..self }
    }

    /// With whoever counts alarms.
    #[must_use]
    pub fn with_alarms(self, observer: Arc<dyn SignInAlarmObserver>) -> Self {
        Self { alarms: SignInAlarms(Some(observer)), ..self }
    }

    /// The ledger as the device of whoever asks may see it.
    pub(crate) fn rows(&self, holder: &CertificateHolder) -> ScopedLedger {
        self.context.ledger.within(Principal::device(holder).scope())
    }

    /// The site that passkeys are for, unless its host is an address.
    pub(crate) fn relying_party(&self) -> Option<&RelyingParty> {
        self.relying_party.as_ref()
    }

    pub(crate) async fn challenges(&self) -> Result<Challenges, Refusal> {
        Ok(Challenges::new(self.secret.secret().await?.derived(CHALLENGES).as_ref()))
    }

    /// What the company of a device is called.
    pub(crate) async fn tenant_name(&self, holder: &CertificateHolder) -> Result<String, Refusal> {
        let device = self.rows(holder).device(&holder.device).await.map_err(refusal)?;
        device.map(|device| device.tenant_name).ok_or(Refusal::Internal)
    }

    pub(crate) fn providers(&self) -> &IdentityProviders {
        &self.providers
    }

    /// Seals what somebody brings back later, for one purpose and one holder.
    pub(crate) async fn seal(&self, purpose: &str, holder: &str, text: &[u8]) -> Result<Vec<u8>, Refusal> {
        self.secret.secret().await?.seal(purpose, holder, text, self.context.entropy.as_ref())
    }

    /// What was sealed so; nothing for anything else.
    pub(crate) async fn unsealed(
        &self,
        purpose: &str,
        holder: &str,
        sealed: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Refusal> {
        Ok(self.secret.secret().await?.unseal(purpose, holder, sealed).ok())
    }

    pub(crate) fn contact(&self) -> Option<&Contact> {
        self.contact.as_ref()
    }

    /// The secret that the app of whoever uses a setup link gets: the same whenever the page is shown, and kept nowhere until
    /// the link is used.
    pub(crate) async fn totp_of_link(&self, code: &SetupCode) -> Result<TotpSecret, Refusal> {
        let purpose = format!("second factor of setup link {}", tegata_core::encoding::hex(&code.hash()));
        self.derived_totp(&purpose).await
    }

    /// A secret for one purpose that nobody else can know.
    pub(crate) async fn derived_totp(&self, purpose: &str) -> Result<TotpSecret, Refusal> {
        Ok(TotpSecret::new(self.secret.secret().await?.derived(purpose).as_ref()))
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
