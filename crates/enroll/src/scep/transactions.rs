//! Decides what a SCEP message gets: which right it shows, and what the enrollment service makes of it.
//!
//! A transaction is for one key. The ledger remembers which, together with whose right it was, so that the same message
//! gets the same answer again, another one under its name gets none, and a client that was told to wait can ask.

use crate::enrollment_service::{EnrollmentService, HandedOverCertificate};
use crate::shown_code::ShownCode;
use std::sync::Arc;
use tegata_ca::scep::{FailInfo, Fault, GrantedContent, ScepMessage, ScepMessageType, VerifiedScepMessage};
use tegata_ca::{IssuingCa, ParsedRequest, PublicKey, Registrar};
use tegata_core::id::InvitationId;
use tegata_core::{Language, Refusal, TenantId};
use tegata_storage::{Actor, Certificate, CertificateHolder, LedgerError, ScepTransaction};
use tegata_web::{PeerCertificate, TrustVerdict};

/// What becomes of a message that is not refused.
pub(super) enum ScepOutcome {
    Granted(OwnedScepRequest),
    Waiting,
}

/// What was asked for, DER.
pub(super) enum OwnedScepRequest {
    Certificate(Vec<u8>),
    Crl(Vec<u8>),
}

/// A refusal as this protocol says it.
#[derive(Debug)]
pub(super) struct ScepDenial {
    pub(super) info: FailInfo,
    pub(super) refusal: Refusal,
    /// What exactly is wrong, in place of the refusal's own text.
    detail: Option<&'static str>,
}

type ScepDecision = Result<ScepOutcome, ScepDenial>;

/// Everything a decision is made from.
struct ScepContext<'a> {
    service: &'a EnrollmentService,
    message: &'a ScepMessage,
    verified: &'a VerifiedScepMessage<'a>,
    authority: &'a IssuingCa,
    registrar: &'a Registrar,
}

/// Decides about a message whose signature holds.
pub(super) async fn decide(
    service: &EnrollmentService,
    message: &ScepMessage,
    verified: &VerifiedScepMessage<'_>,
    authority: &IssuingCa,
    registrar: &Registrar,
) -> ScepDecision {
    let case = ScepContext { service, message, verified, authority, registrar };
    match message.kind() {
        ScepMessageType::PkcsReq => case.first().await,
        ScepMessageType::RenewalReq => case.renewal().await,
        ScepMessageType::CertPoll => case.poll().await,
        ScepMessageType::GetCert => case.certificate().await,
        ScepMessageType::GetCrl => case.crl().await,
    }
}

impl ScepContext<'_> {
    async fn first(&self) -> ScepDecision {
        let asked = self.verified.request(self.registrar, self.service.context.entropy.as_ref())?;
        let vouches_for_itself = asked.is_by(self.verified.key());
        if !(vouches_for_itself && asked.password.is_some()) && self.is_by_device().await? {
            return self.next(&asked.request).await;
        }
        if !vouches_for_itself {
            return Err(Fault::CONTENT.into());
        }
        let Some(password) = &asked.password else {
            return Err(self.refused(Actor::Anonymous, Refusal::InvitationNotShown).await);
        };
        let code = ShownCode::parse(password);
        let invitation = self.service.find_or_note(&code).await?;
        if !self.serves(&invitation.tenant) {
            let actor = Actor::Invitation(invitation.id);
            return Err(self.refused(actor, Refusal::InvitationUnknown).await);
        }
        self.service.pass_approval_on(&code, &asked.request).await?;
        // What the enrollment service will refuse leaves no other trace than its audit entry.
        if invitation.admits(Some(&asked.request.key_hash()), self.service.now()).is_ok() {
            self.begin(invitation.id.as_str(), &asked.request).await?;
        }
        outcome(self.service.enroll_with(&invitation, &asked.request, None).await)
    }

    async fn renewal(&self) -> ScepDecision {
        let asked = self.verified.request(self.registrar, self.service.context.entropy.as_ref())?;
        self.next(&asked.request).await
    }

    /// The next generation of the device that has signed.
    async fn next(&self, request: &ParsedRequest) -> ScepDecision {
        let old = self.signing_device().await?;
        self.begin(old.device.as_str(), request).await?;
        outcome(self.service.renew_with(&old, request, None).await)
    }

    /// Clients of drafts before RFC 8894 renew by a first request that the present certificate signs: whether the
    /// certificate is one of a device, good or not.
    async fn is_by_device(&self) -> Result<bool, ScepDenial> {
        let holding = self.service.context.ledger.holding(&self.message.signer()).await;
        Ok(holding?.is_some())
    }

    /// The right was shown when the transaction began; a poll shows that it is the one that began it.
    async fn poll(&self) -> ScepDecision {
        let ledger = &self.service.context.ledger;
        let begun = ledger.scep_transactions(&self.message.transaction()).await?;
        if let Some(first) = begun.iter().find(|begun| begun.public_key == self.verified.key().info()) {
            let id = InvitationId::parse(&first.holder).ok_or(ScepDenial::NO_TRANSACTION)?;
            let invitation = self.service.context.ledger.invitation(&id).await?;
            let invitation = invitation.filter(|invitation| self.serves(&invitation.tenant));
            let invitation = invitation.ok_or(ScepDenial::NO_TRANSACTION)?;
            return outcome(self.service.enroll_with(&invitation, &remembered(first)?, None).await);
        }
        let device = self.signing_device().await?;
        let next = begun.iter().find(|begun| begun.holder == device.device.as_str());
        let request = remembered(next.ok_or(ScepDenial::NO_TRANSACTION)?)?;
        outcome(self.service.renew_with(&device, &request, None).await)
    }

    /// One of its own certificates.
    async fn certificate(&self) -> ScepDecision {
        let device = self.signing_device().await?;
        let (issuer, serial) = self.certificate_id()?;
        let own = self.service.own_rows(&device).certificates_of(&device.device).await?;
        let wanted = own.into_iter().find(|own| own.serial == serial && self.is_of(own, &issuer));
        let der = wanted.and_then(|wanted| wanted.der).ok_or(ScepDenial::NO_CERTIFICATE)?;
        Ok(ScepOutcome::Granted(OwnedScepRequest::Certificate(der)))
    }

    /// The list on which a certificate of this CA would be. Anybody may read it elsewhere; here it takes a signature, so
    /// it is for devices.
    async fn crl(&self) -> ScepDecision {
        self.signing_device().await?;
        let (issuer, serial) = self.certificate_id()?;
        let own = self.authority.issuer();
        if issuer != own.subject() {
            return Err(ScepDenial::NO_CERTIFICATE);
        }
        let shard = self.authority.endpoints().shard_of(&serial);
        let list = self.service.context.ledger.crl(own.id(), shard).await?;
        Ok(ScepOutcome::Granted(OwnedScepRequest::Crl(list.ok_or(ScepDenial::NO_LIST)?.der)))
    }

    /// The device whose certificate has signed the message, while that certificate could be presented, and its CA is one
    /// of ours.
    async fn signing_device(&self) -> Result<Arc<CertificateHolder>, ScepDenial> {
        let thumbprint = self.message.signer();
        let known = self.service.context.ledger.holding(&thumbprint).await?;
        let path = match known {
            Some(known) => {
                let own = self.service.context.ledger.certificates_of(&known.device).await;
                let own = own?;
                let own = own.iter().find(|own| own.thumbprint() == Some(thumbprint));
                own.and_then(|own| self.service.authorities.get(&own.issuer)).map(|_| TrustVerdict::Trusted)
            }
            None => None,
        };
        let path = path.unwrap_or(TrustVerdict::Foreign);
        let certificate = PeerCertificate { der: self.message.signer_der().into(), thumbprint, path };
        let device = self.service.renewing(Some(&certificate)).await?;
        if self.serves(&device.tenant) {
            return Ok(device);
        }
        Err(self.refused(Actor::Device(device.device.clone()), Refusal::ForeignCertificate).await)
    }

    /// The CA of one tenant knows nobody else's devices.
    fn serves(&self, tenant: &TenantId) -> bool {
        self.service.authorities.serves(self.authority.issuer().id(), tenant)
    }

    async fn refused(&self, actor: Actor, refusal: Refusal) -> ScepDenial {
        let device = if let Actor::Device(device) = &actor { Some(device.clone()) } else { None };
        self.service.refused(actor, device, refusal, self.service.now()).await.into()
    }

    fn certificate_id(&self) -> Result<(Vec<u8>, tegata_core::Serial), ScepDenial> {
        let entropy = self.service.context.entropy.as_ref();
        Ok(self.verified.certificate_id(self.registrar, entropy)?)
    }

    fn is_of(&self, certificate: &Certificate, name: &[u8]) -> bool {
        let authority = self.service.authorities.get(&certificate.issuer);
        authority.is_some_and(|authority| authority.issuer().subject() == name)
    }

    async fn begin(&self, holder: &str, request: &ParsedRequest) -> Result<(), ScepDenial> {
        let mut transaction = self.service.context.ledger.begin(self.service.now()).await?;
        transaction
            .keep_scep_transaction(&self.message.transaction(), holder, request.public_key_info())
            .await?;
        Ok(transaction.commit().await?)
    }
}

impl OwnedScepRequest {
    pub(super) fn borrowed(&self) -> GrantedContent<'_> {
        match self {
            Self::Certificate(der) => GrantedContent::Certificate(der),
            Self::Crl(der) => GrantedContent::Crl(der),
        }
    }
}

impl ScepDenial {
    const NO_TRANSACTION: Self = Self::unknown("this key has begun no such transaction here");
    const NO_CERTIFICATE: Self = Self::unknown("there is no such certificate of this device, and of this CA");
    const NO_LIST: Self = Self::unknown("there is no such list yet");

    const fn unknown(detail: &'static str) -> Self {
        Self { info: FailInfo::BadCertId, refusal: Refusal::NotFound, detail: Some(detail) }
    }

    /// A line for readers of the client's log.
    pub(super) fn text(&self) -> String {
        let text = self.detail.unwrap_or(self.refusal.title(Language::En));
        format!("{}: {text}", self.refusal.code())
    }
}

impl From<Fault> for ScepDenial {
    fn from(fault: Fault) -> Self {
        let refusal = if fault == Fault::CONTENT { Refusal::CsrMalformed } else { Refusal::RequestMalformed };
        Self { info: fault.info, refusal, detail: Some(fault.detail) }
    }
}

impl From<LedgerError> for ScepDenial {
    fn from(error: LedgerError) -> Self {
        Refusal::from(error).into()
    }
}

impl From<Refusal> for ScepDenial {
    fn from(refusal: Refusal) -> Self {
        let info = match refusal {
            Refusal::KeyNotAllowed => FailInfo::BadAlg,
            _ => FailInfo::BadRequest,
        };
        Self { info, refusal, detail: None }
    }
}

fn outcome(handed_over: Result<HandedOverCertificate, Refusal>) -> ScepDecision {
    match handed_over {
        Ok(handed_over) => {
            Ok(ScepOutcome::Granted(OwnedScepRequest::Certificate(handed_over.issued.certificate.der)))
        }
        Err(Refusal::ApprovalPending) => Ok(ScepOutcome::Waiting),
        Err(refusal) => Err(refusal.into()),
    }
}

fn remembered(begun: &ScepTransaction) -> Result<ParsedRequest, ScepDenial> {
    Ok(ParsedRequest::remembered(PublicKey::read(&begun.public_key)?))
}
