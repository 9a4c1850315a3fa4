//! Making visible what the ledger knows to have ended: CRL and OCSP.

use crate::crl::{CrlError, CrlReason, Edition, Revoked, build_crl};
use crate::issue::Authority;
use crate::ocsp::{self, OcspError, OcspRequest, OcspStatus};
use serde_json::json;
use std::collections::HashMap;
use std::time::Duration;
use tegata_core::{Serial, Timestamp};
use tegata_storage::{Actor, Ended, LedgerError, StoredCrl};

/// How long a CRL may be used.
const CRL_LIFE: Duration = Duration::from_hours(24);

/// After which age a CRL is replaced though nothing changed: verifiers that fetch late still find a fresh one.
const CRL_PERIOD: Duration = Duration::from_hours(1);

/// How long an OCSP answer may be used. Short, because a revocation bites at once.
const OCSP_LIFE: Duration = Duration::from_mins(5);

/// Why no CRL was published. The previous one stays.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The list could not be made.
    #[error("the CRL could not be made: {0}")]
    Crl(#[from] CrlError),
    /// The ledger did not answer.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Authority {
    /// Publishes a CRL if the feed has moved since the last one, or the last one is an hour old. Gives the
    /// last event that the published list, whoever published it, contains.
    pub async fn publish_crl(&self, now: Timestamp) -> Result<u64, PublishError> {
        // The number of the feed is read before the facts, so the list contains at least what it says.
        let seq = self.ledger.feed_head().await?;
        let current = self.ledger.crl(self.issuer().id()).await?;
        if let Some(current) = &current
            && current.seq >= seq
            && now.since(current.this_update) < CRL_PERIOD
        {
            return Ok(current.seq);
        }
        let ended = self.ledger.ended(self.issuer().id(), now).await?;
        let entries = ended.len();
        let edition = Edition {
            number: current.map_or(0, |crl| crl.number) + 1,
            this_update: now.whole_second(),
            next_update: now.whole_second().plus(CRL_LIFE),
        };
        let crl =
            build_crl(self.issuer(), self.endpoints().crl(), edition, ended.into_iter().map(Revoked::from))?;
        let stored = StoredCrl {
            number: edition.number,
            seq,
            this_update: edition.this_update,
            next_update: edition.next_update,
            der: crl.into_der(),
        };
        if self.replace_crl(&stored, entries, now).await? {
            return Ok(seq);
        }
        // Another publisher was faster, and its list may contain less than was read here: nothing is claimed for it.
        let out = self.ledger.crl(self.issuer().id()).await?;
        Ok(out.map_or(0, |crl| crl.seq))
    }

    async fn replace_crl(
        &self,
        crl: &StoredCrl,
        entries: usize,
        now: Timestamp,
    ) -> Result<bool, PublishError> {
        let mut transaction = self.ledger.begin(now).await?;
        if !transaction.publish_crl(self.issuer().id(), crl).await? {
            return Ok(false);
        }
        let detail =
            json!({"issuer": self.issuer().id(), "number": crl.number, "entries": entries, "event": crl.seq});
        transaction.audit(&Actor::System("crl"), "crl.published", None, detail).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Answers an OCSP request from the ledger as it is now. Always an `OCSPResponse`.
    pub async fn ocsp(&self, request: Result<OcspRequest, OcspError>, now: Timestamp) -> Vec<u8> {
        let mut known = HashMap::new();
        if let Ok(request) = &request {
            for serial in request.serials() {
                let status = self.ocsp_status(&serial).await;
                known.insert(serial, status);
            }
        }
        let lookup = |serial: &Serial| known.get(serial).copied().unwrap_or(Err(OcspError::TryLater));
        ocsp::answer(request, self.issuer(), now, OCSP_LIFE, lookup)
    }

    async fn ocsp_status(&self, serial: &Serial) -> Result<OcspStatus, OcspError> {
        match self.ledger.status_of(self.issuer().id(), serial).await {
            Ok(None) => Ok(OcspStatus::Unknown),
            Ok(Some(None)) => Ok(OcspStatus::Good),
            Ok(Some(Some(ended))) => {
                let Revoked { at, reason, .. } = ended.into();
                Ok(OcspStatus::Revoked { at, reason })
            }
            Err(error) => {
                tracing::error!(%error, "OCSP cannot ask the ledger");
                Err(OcspError::TryLater)
            }
        }
    }
}

impl From<Ended> for Revoked {
    fn from(ended: Ended) -> Self {
        Self {
            serial: ended.serial,
            at: ended.at,
            reason: ended.reason.map_or(CrlReason::CertificateHold, CrlReason::from),
        }
    }
}
