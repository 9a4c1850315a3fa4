//! The service that turns rights into certificates: no HTTP here.

mod delivering;
mod invited;
mod kitting;
mod moved;
mod permitting;
mod renewing;

use crate::guesses::CodeGuesses;
use crate::renewal_token::RenewalTokens;
use crate::requester::Requester;
use std::sync::Arc;
use std::time::Duration;
use tegata_ca::{IssuanceRequest, IssuedCertificate, IssuerSet, ParsedRequest, SignedCertificate};
use tegata_core::encoding::base64;
use tegata_core::{
    CertificateState, Contact, DeviceId, Guidance, IssuerId, Platform, Refusal, Role, SiteId, TenantId,
    Timestamp,
};
use tegata_storage::{
    Actor, Certificate, CertificateHolder, Device, Invitation, Principal, RefusalNote, ScopedLedger,
};
use tegata_web::{
    InstallationSecretSource, OpenInstallationSecret, PeerCertificate, Problem, RequestTime, ServiceContext,
    SharedGuesses, TenantWork,
};

/// A request that arrives while the first one with the same key is still being served is asked to come again; after
/// this time the first is taken for dead.
const IN_PROGRESS: Duration = Duration::from_secs(10);

/// How long certificates of the system's own tenant live: it is revoked at once, and its entries leave the lists.
const SYSTEM_LIFE: Duration = Duration::from_hours(1);

/// Links that nobody was given, from one address in ten minutes before it is told to stop, and of how many it is remembered
/// where they came from. A link has 160 bits: this is no defense of its code, and holds up nobody whose link is right.
const WRONG_LINKS: (u32, u32) = (100, 100_000);

/// What the counters of wrong short codes are called in the ledger.
const SHORT_CODES: &str = "short-code";

/// Issues certificates to whoever proves a right to one. Cloning shares it.
#[derive(Clone)]
pub struct EnrollmentService {
    pub(crate) context: ServiceContext,
    pub(crate) authorities: Arc<IssuerSet>,
    /// Who gives the token that may come with a renewed certificate, if anybody does.
    pub(crate) tokens: Option<Arc<dyn RenewalTokens>>,
    /// What tickets and bindings of ACME accounts are derived from.
    pub(crate) opening: InstallationSecretSource,
    /// Whether profiles may lead to SCEP.
    pub(crate) scep: bool,
    /// The contact that is shown where neither site nor tenant has one.
    pub(crate) contact: Option<Contact>,
    guesses: Arc<CodeGuesses>,
    shared_guesses: Arc<SharedGuesses>,
    wrong_links: Arc<CodeGuesses>,
    /// Who sends the request that is being served.
    requester: Requester,
    /// Its time; nothing where no request is being served.
    time: Option<RequestTime>,
}

/// A certificate handed over, with the name the browser's list will show.
#[derive(Debug)]
pub(crate) struct HandedOverCertificate {
    pub(crate) issued: IssuedCertificate,
    pub(crate) name: String,
}

impl EnrollmentService {
    /// A service that issues with the CA of each tenant. All servers of an installation have the same secret.
    pub fn new(
        context: ServiceContext,
        authorities: Arc<IssuerSet>,
        open_secret: OpenInstallationSecret,
    ) -> Self {
        Self {
            shared_guesses: SharedGuesses::new(context.clone(), SHORT_CODES),
            context,
            authorities,
            tokens: None,
            scep: false,
            contact: None,
            opening: InstallationSecretSource::new(open_secret),
            guesses: Arc::default(),
            wrong_links: Arc::new(CodeGuesses::limited(WRONG_LINKS.0, WRONG_LINKS.1)),
            requester: Requester::UNKNOWN,
            time: None,
        }
    }

    /// Says whether this installation serves SCEP, so that configuration profiles may lead to it.
    #[must_use]
    pub fn beside_scep(mut self, scep: bool) -> Self {
        self.scep = scep;
        self
    }

    /// Sets the contact that is shown where neither site nor tenant has one.
    #[must_use]
    pub fn with_contact(mut self, contact: Option<Contact>) -> Self {
        self.contact = contact;
        self
    }

    /// Sets where a renewal may get an access token along with its certificate.
    #[must_use]
    pub fn with_tokens(mut self, tokens: Arc<dyn RenewalTokens>) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// This service for one request: by its sender rate limits and rules are decided, and by its time everything.
    pub(crate) fn serving(self, requester: Requester, time: RequestTime) -> Self {
        Self { requester, time: Some(time), ..self }
    }

    /// This service for a request whose sender says what platform it is.
    pub(crate) fn calling_itself(mut self, platform: Option<Platform>) -> Self {
        self.requester = self.requester.calling_itself(platform);
        self
    }

    /// Who sends the request that is being served.
    pub(crate) fn requester(&self) -> Requester {
        self.requester
    }

    /// The time of the request that is being served, the same however often it is asked for.
    pub(crate) fn now(&self) -> Timestamp {
        self.time.as_ref().map_or_else(|| self.context.now(), RequestTime::now)
    }

    /// The holder of the certificate of this request, if it may be used now.
    pub(crate) async fn caller(
        &self,
        certificate: Option<&PeerCertificate>,
    ) -> Result<Arc<CertificateHolder>, Refusal> {
        self.context.caller(certificate, self.now()).await
    }

    /// What the holder of a certificate sees of the ledger: the rows of its own tenant.
    pub(crate) fn own_rows(&self, holder: &CertificateHolder) -> ScopedLedger {
        self.context.ledger.within(Principal::device(holder).scope())
    }

    /// What whoever has shown the right to an invitation sees of the ledger: the rows of its tenant.
    pub(crate) fn rows_of(&self, invitation: &Invitation) -> ScopedLedger {
        self.context.ledger.within(Principal::invited(invitation).scope())
    }

    /// What the certificate of this holder will be called in the browser's list.
    pub(crate) fn common_name(
        &self,
        tenant: &TenantId,
        role: Role,
        device: &DeviceId,
        site: &str,
        label: &str,
    ) -> Result<String, Refusal> {
        Ok(self.authorities.for_tenant(tenant)?.common_name(role, device, site, label))
    }

    /// The guidance for the staff of a site. A failing ledger costs the guidance, and nothing else.
    pub(crate) async fn guidance(&self, site: &SiteId) -> Guidance {
        let guidance = self.context.ledger.guidance_of(site).await.unwrap_or_else(|error| {
            tracing::error!(%error, "whom the staff of a site call cannot be read");
            Guidance::default()
        });
        guidance.or(Guidance { contact: self.contact.clone(), product: None })
    }

    /// A refusal for the staff of a site, with whom they call.
    pub(crate) async fn problem_at(&self, site: &SiteId, refusal: Refusal) -> Problem {
        Problem::from(refusal).with_contact(self.guidance(site).await.contact)
    }

    /// The kinds of keys that requests of this role may bring, the best first, as [`CertificateProfile::key_kinds`] names them.
    ///
    /// [`CertificateProfile::key_kinds`]: tegata_ca::CertificateProfile::key_kinds
    pub(crate) fn key_kinds(&self, tenant: &TenantId, role: Role) -> Result<Vec<String>, Refusal> {
        Ok(self.authorities.for_tenant(tenant)?.key_kinds(role))
    }

    /// What a server must be shown with a certificate: the CAs between it and the root.
    pub(crate) fn chain(&self, issuer: &IssuerId) -> Result<Vec<String>, Refusal> {
        let authority = self.authorities.get(issuer).ok_or(Refusal::Internal)?;
        Ok(vec![base64(authority.issuer().certificate())])
    }

    /// The device behind a certificate.
    pub(crate) async fn device(&self, holder: &CertificateHolder) -> Result<Device, Refusal> {
        self.own_rows(holder).device(&holder.device).await?.ok_or(Refusal::Internal)
    }

    /// What was already issued to this device for this key and has not been used: the answer that was lost. A key whose
    /// certificate has been used, as that of the certificate that asks has been, is refused with `used`.
    async fn earlier(
        &self,
        device: &DeviceId,
        request: &ParsedRequest,
        used: Refusal,
        now: Timestamp,
    ) -> Result<Option<IssuedCertificate>, Refusal> {
        let certificates = self.context.ledger.certificates_of(device).await?;
        let own = certificates.into_iter().rev().find(|known| known.key_hash == request.key_hash());
        match own {
            Some(known)
                if known.state == CertificateState::Reserved
                    && now.since(known.reserved_at) < IN_PROGRESS =>
            {
                Err(Refusal::Unavailable)
            }
            Some(known) if matches!(known.state, CertificateState::Issued | CertificateState::Delivered) => {
                Ok(issued_again(known))
            }
            Some(known) if !matches!(known.state, CertificateState::Reserved | CertificateState::Revoked) => {
                Err(used)
            }
            _ => Ok(None),
        }
    }

    async fn issue(
        &self,
        order: IssuanceRequest<'_>,
        tenant: &TenantId,
        now: Timestamp,
    ) -> Result<IssuedCertificate, Refusal> {
        let _place = self.context.shares.enter(TenantWork::Enrollment, tenant.as_str()).await?;
        let authority = self.authorities.for_tenant(tenant)?;
        let witness = |step| tracing::trace!(?step, "issuing");
        let entropy = self.context.entropy.as_ref();
        let issued = if tenant.is_system() {
            authority.issue_within(SYSTEM_LIFE, order, now, entropy, &witness).await
        } else {
            authority.issue(order, now, entropy, &witness).await
        };
        Ok(issued?)
    }

    /// Writes a refusal down, the only thing it writes: the first of its kind in an hour as a line of the audit log, those
    /// after it as a number.
    pub(crate) async fn refused(
        &self,
        actor: Actor,
        device: Option<DeviceId>,
        refusal: Refusal,
        now: Timestamp,
    ) -> Refusal {
        self.note_refusal("certificate.refused", actor, device, refusal, now).await
    }

    /// Records the refusal of any other action in the audit log, and gives it back.
    pub(crate) async fn note_refusal(
        &self,
        action: &'static str,
        actor: Actor,
        device: Option<DeviceId>,
        refusal: Refusal,
        now: Timestamp,
    ) -> Refusal {
        let noted = RefusalNote { action, actor, device, code: refusal.code(), at: now };
        if let Err(error) = self.context.ledger.note_refusal(noted).await {
            tracing::error!(%error, "a refusal could not be written down");
        }
        refusal
    }
}

fn issued_again(known: Certificate) -> Option<IssuedCertificate> {
    let thumbprint = known.thumbprint()?;
    Some(IssuedCertificate {
        issuer: known.issuer,
        device: known.device,
        generation: u32::try_from(known.generation).ok()?,
        certificate: SignedCertificate { der: known.der?, thumbprint, serial: known.serial },
        not_after: known.not_after,
    })
}
