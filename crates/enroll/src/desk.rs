//! The desk where rights are turned into certificates: no HTTP here.

use crate::companion::TokenDesk;
use crate::guesses::Guesses;
use crate::throttle::Throttle;
use serde_json::json;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tegata_ca::{Authorities, Issued, Order, ParsedRequest, SignedCertificate};
use tegata_core::encoding::{base64, from_base64};
use tegata_core::id::Code;
use tegata_core::{
    CertificateState, DeviceId, IssuerId, Refusal, Role, ShortCode, TenantId, Thumbprint, Timestamp,
};
use tegata_storage::{Actor, Certificate, Device, Facts, Invitation, LedgerError, Note, Origin};
use tegata_web::{Context, Path, PeerCertificate};

/// A request that arrives while the first one with the same key is still being served is asked to come again; after
/// this time the first is taken for dead.
const IN_PROGRESS: Duration = Duration::from_secs(10);

/// How long certificates of the system's own tenant live: it is revoked at once, and its entries leave the lists.
const SYSTEM_LIFE: Duration = Duration::from_hours(1);

/// The longest base64 of a certificate request: 8 KiB of DER and its padding.
const LONGEST_REQUEST: usize = 8192_usize.div_ceil(3) * 4;

/// The desk. Cloning shares it.
#[derive(Clone)]
pub struct Desk {
    pub(crate) context: Context,
    pub(crate) authorities: Arc<Authorities>,
    /// Who gives the token that may come with a renewed certificate, if anybody does.
    pub(crate) tokens: Option<Arc<dyn TokenDesk>>,
    refusals: Arc<Throttle>,
    guesses: Arc<Guesses>,
    /// Who is at the desk, where the door knows it.
    guest: Option<IpAddr>,
}

/// A certificate handed over, with the name the browser's list will show.
#[derive(Debug)]
pub(crate) struct HandedOver {
    pub(crate) issued: Issued,
    pub(crate) name: String,
}

impl Desk {
    /// A desk that issues with the CA of each tenant.
    pub fn new(context: Context, authorities: Arc<Authorities>) -> Self {
        Self {
            context,
            authorities,
            tokens: None,
            refusals: Arc::new(Throttle::per_second(20)),
            guesses: Arc::default(),
            guest: None,
        }
    }

    /// The same desk, where a renewed certificate may come with a token.
    #[must_use]
    pub fn with_tokens(mut self, tokens: Arc<dyn TokenDesk>) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// The same desk, for somebody at this address.
    pub(crate) fn with_guest(mut self, address: IpAddr) -> Self {
        self.guest = Some(address);
        self
    }

    /// The invitation behind a code, if it can still be used.
    pub(crate) async fn open(&self, code: &str) -> Result<Invitation, Refusal> {
        let invitation = self.find(code).await?;
        invitation.admits(None, self.context.now())?;
        Ok(invitation)
    }

    /// Turns an invitation into a certificate. The same key may come again with the same code, until the invitation
    /// expires: its first answer may have been lost on the way.
    pub(crate) async fn enroll(&self, code: &str, request: &str) -> Result<HandedOver, Refusal> {
        let now = self.context.now();
        let invitation = match self.find(code).await {
            Ok(invitation) => invitation,
            Err(refusal) => return Err(self.refused(Actor::Anonymous, None, refusal, now).await),
        };
        match parse(request) {
            Ok(request) => self.enroll_with(&invitation, &request, None).await,
            Err(refusal) => {
                let actor = Actor::Invitation(invitation.id);
                Err(self.refused(actor, invitation.device, refusal, now).await)
            }
        }
    }

    /// The same for an invitation at hand, to which the caller has shown a right. `called` is for certificates that
    /// no person chooses from a list: it stands there in place of site and label.
    pub(crate) async fn enroll_with(
        &self,
        invitation: &Invitation,
        request: &ParsedRequest,
        called: Option<&str>,
    ) -> Result<HandedOver, Refusal> {
        let now = self.context.now();
        let actor = Actor::Invitation(invitation.id.clone());
        let mut result = self.enroll_invited(invitation, request, called, now).await;
        if result.is_err() && invitation.device.is_none() {
            // Somebody may have claimed it since it was read: perhaps this very key, sent twice at once.
            match self.context.ledger.invitation(&invitation.id).await {
                Ok(Some(claimed)) if claimed.device.is_some() => {
                    result = self.enroll_invited(&claimed, request, called, now).await;
                }
                _ => {}
            }
        }
        match result {
            Ok(handed_over) => Ok(handed_over),
            Err(refusal) => Err(self.refused(actor, invitation.device.clone(), refusal, now).await),
        }
    }

    /// The holder of the certificate that asks to be renewed. That a stopped device tries is worth a line of its own.
    pub(crate) async fn renewing(
        &self,
        certificate: Option<&PeerCertificate>,
    ) -> Result<Arc<Facts>, Refusal> {
        match self.context.caller(certificate).await {
            Ok(facts) => Ok(facts),
            Err(refusal) => {
                let device = self.holder(certificate).await;
                let actor = device.clone().map_or(Actor::Anonymous, Actor::Device);
                Err(self.refused(actor, device, refusal, self.context.now()).await)
            }
        }
    }

    /// Turns a working certificate into its successor.
    pub(crate) async fn renew(&self, old: &Facts, request: &str) -> Result<HandedOver, Refusal> {
        match parse(request) {
            Ok(request) => self.renew_with(old, &request, None).await,
            Err(refusal) => {
                let actor = Actor::Device(old.device.clone());
                Err(self.refused(actor, Some(old.device.clone()), refusal, self.context.now()).await)
            }
        }
    }

    /// The same for a request at hand; `called` as in [`Desk::enroll_with`].
    pub(crate) async fn renew_with(
        &self,
        old: &Facts,
        request: &ParsedRequest,
        called: Option<&str>,
    ) -> Result<HandedOver, Refusal> {
        let now = self.context.now();
        match self.renew_known(old, request, called, now).await {
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
    ) -> Result<Arc<Facts>, Refusal> {
        let thumbprint = match replaces {
            Some(thumbprint) => thumbprint,
            None => self.newest_of(device).await?.ok_or(Refusal::RenewalNotPossible)?,
        };
        let now = self.context.now();
        match self.context.holder_of(&thumbprint).await {
            Ok(facts) if facts.device == *device => Ok(facts),
            Ok(_) => Err(Refusal::RenewalNotPossible),
            Err(refusal) => {
                let actor = Actor::Device(device.clone());
                Err(self.refused(actor, Some(device.clone()), refusal, now).await)
            }
        }
    }

    async fn newest_of(&self, device: &DeviceId) -> Result<Option<Thumbprint>, Refusal> {
        let certificates = self.context.ledger.certificates_of(device).await.map_err(refusal)?;
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

    /// Notes that a certificate obtained with this code has arrived.
    pub(crate) async fn deliver_invited(&self, code: &str, certificate: &str) -> Result<(), Refusal> {
        let invitation = self.find(code).await?;
        let device = invitation.device.clone().ok_or(Refusal::RequestMalformed)?;
        self.deliver(&device, certificate, Actor::Invitation(invitation.id)).await
    }

    /// Notes that a certificate of this device has arrived.
    pub(crate) async fn deliver(
        &self,
        device: &DeviceId,
        certificate: &str,
        actor: Actor,
    ) -> Result<(), Refusal> {
        let ledger = &self.context.ledger;
        let certificates = ledger.certificates_of(device).await.map_err(refusal)?;
        let thumbprint = certificates
            .iter()
            .filter_map(Certificate::thumbprint)
            .find(|thumbprint| thumbprint.to_string() == certificate)
            .ok_or(Refusal::RequestMalformed)?;
        let mut transaction = ledger.begin(self.context.now()).await.map_err(refusal)?;
        transaction.mark_delivered(&thumbprint, &actor).await.map_err(refusal)?;
        transaction.commit().await.map_err(refusal)
    }

    /// The newest certificate of the same device, once it has been seen at work, so that this one may be let go.
    pub(crate) async fn successor(&self, facts: &Facts) -> Result<Thumbprint, Refusal> {
        let certificates = self.context.ledger.certificates_of(&facts.device).await.map_err(refusal)?;
        let newer = certificates.iter().rfind(|known| {
            known.generation > i64::from(facts.generation) && known.state == CertificateState::InUse
        });
        newer.and_then(Certificate::thumbprint).ok_or(Refusal::NothingNewer)
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

    /// The kinds of keys that requests of this role may bring, the best first, as [`Profile::key_kinds`] names them.
    ///
    /// [`Profile::key_kinds`]: tegata_ca::Profile::key_kinds
    pub(crate) fn key_kinds(&self, tenant: &TenantId, role: Role) -> Result<Vec<String>, Refusal> {
        Ok(self.authorities.for_tenant(tenant)?.key_kinds(role))
    }

    /// What a server must be shown with a certificate: the CAs between it and the root.
    pub(crate) fn chain(&self, issuer: &IssuerId) -> Result<Vec<String>, Refusal> {
        let authority = self.authorities.get(issuer).ok_or(Refusal::Internal)?;
        Ok(vec![base64(authority.issuer().certificate())])
    }

    /// The device behind a certificate.
    pub(crate) async fn device(&self, id: &DeviceId) -> Result<Device, Refusal> {
        self.context.ledger.device(id).await.map_err(refusal)?.ok_or(Refusal::Internal)
    }

    /// Whose certificate it is, whatever its standing.
    async fn holder(&self, certificate: Option<&PeerCertificate>) -> Option<DeviceId> {
        let certificate = certificate.filter(|certificate| certificate.path == Path::Trusted)?;
        Some(self.context.ledger.holding(&certificate.thumbprint).await.ok()??.device)
    }

    /// The invitation behind the code of a link, or behind a short one.
    async fn find(&self, code: &str) -> Result<Invitation, Refusal> {
        if let Some(code) = Code::parse(code) {
            let found = self.context.ledger.find_invitation(&code).await.map_err(refusal)?;
            return found.ok_or(Refusal::InvitationUnknown);
        }
        self.find_short(ShortCode::parse(code).ok_or(Refusal::InvitationUnknown)?).await
    }

    /// Every attempt counts as wrong until it turned out right, so that many at once are no way around.
    async fn find_short(&self, code: ShortCode) -> Result<Invitation, Refusal> {
        let now = self.context.now();
        let guess = self.guesses.begin(self.guest, now).ok_or(Refusal::TooManyGuesses)?;
        let installation = self.context.installation.clone();
        let hash = tokio::task::spawn_blocking(move || code.hash(&installation));
        let hash = hash.await.map_err(|_| Refusal::Internal)?;
        let found = self.context.ledger.find_invitation_by_short_code(&hash, now).await.map_err(refusal)?;
        let invitation = found.ok_or(Refusal::ShortCodeUnknown)?;
        guess.was_right();
        Ok(invitation)
    }

    async fn enroll_invited(
        &self,
        invitation: &Invitation,
        request: &ParsedRequest,
        called: Option<&str>,
        now: Timestamp,
    ) -> Result<HandedOver, Refusal> {
        invitation.admits(Some(&request.key_hash()), now)?;
        let (device, origin) = match &invitation.device {
            Some(device) => match self.earlier(device, request, Refusal::InvitationUsed, now).await? {
                Some(issued) => return self.named(issued, invitation),
                None => (device.clone(), Origin::Again(invitation.id.clone())),
            },
            None => (DeviceId::random(self.context.entropy.as_ref()), first_time(invitation)),
        };
        let order = Order {
            device,
            role: invitation.role,
            site: if called.is_some() { "" } else { &invitation.site_name },
            label: called.unwrap_or(&invitation.label),
            request,
            origin,
        };
        self.named(self.issue(order, &invitation.tenant, now).await?, invitation)
    }

    async fn renew_known(
        &self,
        old: &Facts,
        request: &ParsedRequest,
        called: Option<&str>,
        now: Timestamp,
    ) -> Result<HandedOver, Refusal> {
        let device = self.device(&old.device).await?;
        let name = self.common_name(&old.tenant, old.role, &old.device, &device.site_name, &device.label)?;
        if let Some(issued) = self.earlier(&old.device, request, Refusal::KeyReused, now).await? {
            return Ok(HandedOver { issued, name });
        }
        let order = Order {
            device: old.device.clone(),
            role: old.role,
            site: if called.is_some() { "" } else { &device.site_name },
            label: called.unwrap_or(&device.label),
            request,
            origin: Origin::Renewal(old.thumbprint),
        };
        Ok(HandedOver { issued: self.issue(order, &old.tenant, now).await?, name })
    }

    /// What was already issued to this device for this key and has not been used: the answer that was lost. A key whose
    /// certificate has been used, as that of the certificate that asks has been, is refused with `used`.
    async fn earlier(
        &self,
        device: &DeviceId,
        request: &ParsedRequest,
        used: Refusal,
        now: Timestamp,
    ) -> Result<Option<Issued>, Refusal> {
        let certificates = self.context.ledger.certificates_of(device).await.map_err(refusal)?;
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

    async fn issue(&self, order: Order<'_>, tenant: &TenantId, now: Timestamp) -> Result<Issued, Refusal> {
        let authority = self.authorities.for_tenant(tenant)?;
        let witness = |step| tracing::trace!(?step, "issuing");
        let entropy = self.context.entropy.as_ref();
        let issued = if tenant.is_system() {
            authority.issue_within(SYSTEM_LIFE, order, now, entropy, &witness).await
        } else {
            authority.issue(order, now, entropy, &witness).await
        };
        issued.map_err(|error| {
            tracing::warn!(%error, "a certificate was not issued");
            error.refusal()
        })
    }

    fn named(&self, issued: Issued, invitation: &Invitation) -> Result<HandedOver, Refusal> {
        let Invitation { tenant, role, site_name, label, .. } = invitation;
        Ok(HandedOver { name: self.common_name(tenant, *role, &issued.device, site_name, label)?, issued })
    }

    /// One audit line for a refusal, the only thing it writes. A flood of refusals is cut: the log is for reading.
    async fn refused(
        &self,
        actor: Actor,
        device: Option<DeviceId>,
        refusal: Refusal,
        now: Timestamp,
    ) -> Refusal {
        if !self.refusals.admits(now) {
            tracing::warn!(code = refusal.code(), "refusals arrive faster than they are written down");
            return refusal;
        }
        let note = Note {
            actor,
            action: "certificate.refused",
            device,
            detail: json!({"code": refusal.code()}),
            at: now,
        };
        if let Err(error) = self.context.ledger.group(note).await {
            tracing::error!(%error, "a refusal could not be written down");
        }
        refusal
    }
}

fn parse(request: &str) -> Result<ParsedRequest, Refusal> {
    if request.len() > LONGEST_REQUEST {
        return Err(Refusal::CsrTooLarge);
    }
    ParsedRequest::parse(&from_base64(request).ok_or(Refusal::CsrMalformed)?)
}

fn first_time(invitation: &Invitation) -> Origin {
    Origin::Invitation {
        invitation: invitation.id.clone(),
        tenant: invitation.tenant.clone(),
        site: invitation.site.clone(),
        role: invitation.role,
        label: invitation.label.clone(),
    }
}

fn issued_again(known: Certificate) -> Option<Issued> {
    let thumbprint = known.thumbprint()?;
    Some(Issued {
        issuer: known.issuer,
        device: known.device,
        generation: u32::try_from(known.generation).ok()?,
        certificate: SignedCertificate { der: known.der?, thumbprint, serial: known.serial },
        not_after: known.not_after,
    })
}

#[allow(clippy::needless_pass_by_value)]
fn refusal(error: LedgerError) -> Refusal {
    tracing::error!(%error, "the ledger did not answer the desk");
    error.refusal()
}
