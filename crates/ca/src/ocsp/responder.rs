//! The OCSP responders of all CAs, which answer requests.

use super::answers::{CachedOcspResponse, LIFE, OcspResponseCache, SignedOcspResponse, StatusEvidence};
use super::delegate::DelegatedResponder;
use super::request::{CertificateId, OcspRequest};
use super::succession::ResponderError;
use super::{OcspError, OcspStatus};
use crate::crl::RevokedEntry;
use crate::issuing_ca::IssuingCa;
use arc_swap::ArcSwapOption;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tegata_core::{Entropy, IssuerId, Serial, Timestamp};
use tegata_storage::{STATUS_STALENESS, SerialStatus, StatusCache};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// After a responder could not be appointed, questions do not try again for so long.
const PAUSE: Duration = Duration::from_secs(1);

/// The responders of all CAs.
pub struct OcspResponders {
    status: Arc<StatusCache>,
    entropy: Arc<dyn Entropy>,
    of: RwLock<HashMap<IssuerId, Arc<OcspResponder>>>,
}

/// An answer to a client: an `OCSPResponse` in every case, also for a request that cannot be read.
#[derive(Clone, Debug)]
pub struct OcspResponse {
    /// The `OCSPResponse` in DER.
    pub der: Arc<[u8]>,
    /// How HTTP caches may treat it; none when it is for this client, or for this moment, alone.
    pub validators: Option<HttpValidators>,
}

/// What HTTP caches go by (RFC 5019 section 6).
#[derive(Clone, Debug)]
pub struct HttpValidators {
    /// An entity tag, in quotes.
    pub tag: Arc<str>,
    /// Since when the answer holds.
    pub this_update: Timestamp,
    /// When the answer ceases to hold.
    pub next_update: Timestamp,
}

impl OcspResponders {
    /// None is appointed yet; the first question does, or [`OcspResponders::appoint`].
    pub fn new(status: Arc<StatusCache>, entropy: Arc<dyn Entropy>) -> Self {
        Self { status, entropy, of: RwLock::default() }
    }

    /// Sees to it that a CA has a responder, with a new key and certificate when half the life of the old one is over.
    /// Answers signed before stay valid: they carry the certificate of whoever signed them.
    pub async fn appoint(&self, authority: &IssuingCa, now: Timestamp) -> Result<(), ResponderError> {
        let responder = self.responder(authority);
        responder.answers.forget(now);
        responder.appoint(authority, now, &*self.entropy).await.map(drop)
    }

    /// Answers one OCSP request in DER, signing only when no cached response still holds.
    pub async fn answer(
        &self,
        authority: &IssuingCa,
        request: Result<OcspRequest, OcspError>,
        now: Timestamp,
    ) -> OcspResponse {
        match self.attempt(authority, request, now).await {
            Ok(answer) => answer,
            Err(error) => OcspResponse::for_now(&error.response()),
        }
    }

    async fn attempt(
        &self,
        authority: &IssuingCa,
        request: Result<OcspRequest, OcspError>,
        now: Timestamp,
    ) -> Result<OcspResponse, OcspError> {
        let request = request?;
        let issuer = authority.issuer();
        if !request.certificates.iter().any(|certificate| certificate.is_of(issuer)) {
            return Err(OcspError::Unauthorized);
        }
        let responder = self.responder(authority);
        match request.single() {
            Some(id) => responder.answer_again(self, authority, &request, id, now).await,
            None => responder.answer_afresh(self, authority, &request, now).await,
        }
    }

    fn responder(&self, authority: &IssuingCa) -> Arc<OcspResponder> {
        let id = authority.issuer().id();
        if let Some(found) = self.of.read().unwrap_or_else(PoisonError::into_inner).get(id) {
            return found.clone();
        }
        let mut all = self.of.write().unwrap_or_else(PoisonError::into_inner);
        all.entry(id.clone()).or_default().clone()
    }
}

/// The responder of one CA.
#[derive(Default)]
struct OcspResponder {
    delegate: ArcSwapOption<DelegatedResponder>,
    /// One appointment at a time; when the last one failed.
    appointing: Mutex<Option<Timestamp>>,
    answers: OcspResponseCache,
}

impl OcspResponder {
    /// An answer that others may get as well: remembered if it still holds.
    async fn answer_again(
        &self,
        responders: &OcspResponders,
        authority: &IssuingCa,
        request: &OcspRequest,
        id: &CertificateId,
        now: Timestamp,
    ) -> Result<OcspResponse, OcspError> {
        let known = self.known(responders, authority, id, now).await?;
        if let Some(signed) = known.signed.as_ref().filter(|signed| signed.is_young(now)) {
            return Ok(OcspResponse::of(signed));
        }
        let der = self.sign(responders, authority, request, &[known.status], now).await?;
        if matches!(known.grounds, StatusEvidence::None) {
            return Ok(OcspResponse::for_now(&der));
        }
        let signed = SignedOcspResponse::new(&der, now);
        let answer = OcspResponse::of(&signed);
        self.answers.put(&id.whole, known.with(signed));
        Ok(answer)
    }

    /// An answer for this client alone: several certificates, or a nonce.
    async fn answer_afresh(
        &self,
        responders: &OcspResponders,
        authority: &IssuingCa,
        request: &OcspRequest,
        now: Timestamp,
    ) -> Result<OcspResponse, OcspError> {
        let mut statuses = Vec::with_capacity(request.certificates.len());
        for id in &request.certificates {
            statuses.push(if id.is_of(authority.issuer()) {
                self.known(responders, authority, id, now).await?.status
            } else {
                OcspStatus::Unknown
            });
        }
        let der = self.sign(responders, authority, request, &statuses, now).await?;
        Ok(OcspResponse::for_now(&der))
    }

    /// What is true of a certificate of this CA: as remembered, if the status cache still says so, or else as the
    /// ledger says.
    async fn known(
        &self,
        responders: &OcspResponders,
        authority: &IssuingCa,
        id: &CertificateId,
        now: Timestamp,
    ) -> Result<Arc<CachedOcspResponse>, OcspError> {
        let remembered = self.answers.get(&id.whole);
        if let Some(known) = remembered.as_ref().filter(|known| known.still_holds(&responders.status, now)) {
            return Ok(known.clone());
        }
        // What the cache has heard is read before the ledger: the ledger is at least as new.
        let heard = responders.status.heard(now);
        let found = match &id.serial {
            Some(serial) => {
                // What the ledger said longer ago may not be true any more.
                let asked = timeout(STATUS_STALENESS, authority.ocsp_status(serial)).await;
                asked.map_err(|_| OcspError::TryLater)??
            }
            None => SerialFound { status: OcspStatus::Unknown, known: None },
        };
        let grounds = found.known.map_or(StatusEvidence::None, |known| grounds(known, heard));
        // Something else has happened meanwhile, and what was signed is still true.
        let signed = remembered.filter(|known| known.status == found.status);
        let signed = signed.and_then(|known| known.signed.clone());
        let known = Arc::new(CachedOcspResponse { signed, status: found.status, grounds });
        if !matches!(known.grounds, StatusEvidence::None) {
            self.answers.put(&id.whole, known.clone());
        }
        Ok(known)
    }

    async fn sign(
        &self,
        responders: &OcspResponders,
        authority: &IssuingCa,
        request: &OcspRequest,
        statuses: &[OcspStatus],
        now: Timestamp,
    ) -> Result<Vec<u8>, OcspError> {
        let delegate = match self.delegate.load_full().filter(|delegate| delegate.covers(now, LIFE)) {
            Some(delegate) => delegate,
            None => self.appoint_for_a_question(responders, authority, now).await?,
        };
        Ok(delegate.signer().say(request, statuses, now, LIFE)?)
    }

    async fn appoint_for_a_question(
        &self,
        responders: &OcspResponders,
        authority: &IssuingCa,
        now: Timestamp,
    ) -> Result<Arc<DelegatedResponder>, OcspError> {
        let failed = *self.appointing.lock().await;
        if failed.is_some_and(|at| now >= at && now.since(at) < PAUSE) {
            return Err(OcspError::TryLater);
        }
        let appointed = self.appoint(authority, now, &*responders.entropy).await.map_err(|error| {
            tracing::error!(%error, "no OCSP responder was appointed");
            OcspError::TryLater
        })?;
        if appointed.covers(now, LIFE) { Ok(appointed) } else { Err(OcspError::TryLater) }
    }

    async fn appoint(
        &self,
        authority: &IssuingCa,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Arc<DelegatedResponder>, ResponderError> {
        let mut failed = self.appointing.lock().await;
        if let Some(delegate) = self.delegate.load_full().filter(|delegate| !delegate.is_due(now)) {
            return Ok(delegate);
        }
        match authority.appoint(now, entropy).await {
            Ok(delegate) => {
                let delegate = Arc::new(delegate);
                self.delegate.store(Some(delegate.clone()));
                *failed = None;
                Ok(delegate)
            }
            Err(error) => {
                *failed = Some(now);
                Err(error)
            }
        }
    }
}

impl OcspResponse {
    fn of(answer: &SignedOcspResponse) -> Self {
        let SignedOcspResponse { der, tag, this_update, next_update } = answer.clone();
        Self { der, validators: Some(HttpValidators { tag, this_update, next_update }) }
    }

    fn for_now(der: &[u8]) -> Self {
        Self { der: der.into(), validators: None }
    }
}

/// A status as the ledger has it.
struct SerialFound {
    status: OcspStatus,
    known: Option<SerialStatus>,
}

/// What a status may be remembered by: nothing that is unknown today is unknown for long.
fn grounds(known: SerialStatus, heard: Option<u64>) -> StatusEvidence {
    match (known, heard) {
        (SerialStatus::Known { device, tenant, thumbprint: Some(thumbprint), not_after, ended: None }, _) => {
            StatusEvidence::Undenied { device, tenant, thumbprint, not_after }
        }
        (SerialStatus::Known { ended: Some(_), .. } | SerialStatus::Lost(_), Some(seq)) => {
            StatusEvidence::Unmoved { seq }
        }
        _ => StatusEvidence::None,
    }
}

impl IssuingCa {
    async fn ocsp_status(&self, serial: &Serial) -> Result<SerialFound, OcspError> {
        self.look_up(serial).await.map_err(|error| {
            tracing::error!(%error, "OCSP cannot ask the ledger");
            OcspError::TryLater
        })
    }

    async fn look_up(&self, serial: &Serial) -> tegata_storage::Result<SerialFound> {
        let issuer = self.issuer().id();
        let known = self.ledger.status_of(issuer, serial).await?;
        let status = match &known {
            Some(known) => known.ended().map_or(OcspStatus::Good, |ended| {
                let RevokedEntry { at, reason, .. } = ended.clone().into();
                OcspStatus::Revoked { at, reason }
            }),
            // A responder cannot be revoked (id-pkix-ocsp-nocheck); who asks all the same gets an answer.
            None if self.ledger.has_responder(issuer, serial).await? => OcspStatus::Good,
            None => OcspStatus::Unknown,
        };
        Ok(SerialFound { status, known })
    }
}
