//! Making visible what the ledger knows to have ended: CRL and OCSP.

use crate::crl::{CrlError, CrlReason, Edition, Revoked, build_crl};
use crate::issue::Authority;
use crate::issuer::Issuer;
use crate::ocsp::{self, OcspError, OcspRequest, OcspStatus};
use serde_json::json;
use std::collections::HashMap;
use std::time::Duration;
use tegata_core::{Serial, Timestamp};
use tegata_storage::{Actor, Ended, LedgerError, Shard, StoredCrl};

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
    /// Another publisher was faster with a list that contains less.
    #[error("another publisher put out an older list meanwhile: it is made again at the next turn")]
    Overtaken,
    /// The ledger did not answer.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Authority {
    /// Publishes a CRL for every shard whose entries have changed since its last one, or whose last one is an hour old.
    /// Gives the last event that all published lists, whoever published them, contain.
    pub async fn publish_crls(&self, now: Timestamp) -> Result<u64, PublishError> {
        // The number of the feed is read before the shards: what they say is at least as new.
        let seq = self.ledger.feed_head().await?;
        for shard in self.ledger.shards(self.issuer().id()).await? {
            if is_due(&shard, now) {
                self.publish_shard(&shard, now).await?;
            }
        }
        Ok(seq)
    }

    /// The revision of the shard was read before its facts, so the list contains at least what it says.
    async fn publish_shard(&self, shard: &Shard, now: Timestamp) -> Result<(), PublishError> {
        let mut entries = Vec::new();
        let since = now.minus(CRL_LIFE);
        let mut visit = |ended: Ended| entries.push(Revoked::from(ended));
        self.ledger.ended(self.issuer().id(), shard.number, since, &mut visit).await?;
        let count = entries.len();
        let edition = Edition {
            number: next_number(shard, now),
            this_update: now.whole_second(),
            next_update: now.whole_second().plus(CRL_LIFE),
        };
        let url = self.endpoints().crl(shard.number);
        let crl = self.signing(move |issuer| build_crl(issuer, &url, edition, entries)).await?;
        let stored = StoredCrl {
            number: edition.number,
            revision: shard.revision,
            this_update: edition.this_update,
            next_update: edition.next_update,
            der: crl.into_der(),
        };
        if !self.replace_crl(shard.number, &stored, count, now).await? {
            return self.is_out(shard).await;
        }
        Ok(())
    }

    /// Another publisher was faster, and its list may contain less than was read here: then nothing is claimed.
    async fn is_out(&self, wanted: &Shard) -> Result<(), PublishError> {
        let shards = self.ledger.shards(self.issuer().id()).await?;
        let out = shards.iter().find(|shard| shard.number == wanted.number).and_then(|shard| shard.published);
        match out {
            Some(out) if out.revision >= wanted.revision => Ok(()),
            _ => Err(PublishError::Overtaken),
        }
    }

    async fn replace_crl(
        &self,
        shard: u16,
        crl: &StoredCrl,
        entries: usize,
        now: Timestamp,
    ) -> Result<bool, PublishError> {
        let issuer = self.issuer().id();
        let mut transaction = self.ledger.begin(now).await?;
        if !transaction.publish_crl(issuer, shard, crl).await? {
            return Ok(false);
        }
        let detail = json!({"issuer": issuer, "shard": shard, "number": crl.number, "entries": entries});
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
        let lookup = move |serial: &Serial| known.get(serial).copied().unwrap_or(Err(OcspError::TryLater));
        let answer = move |issuer: &Issuer| Ok(ocsp::answer(request, issuer, now, OCSP_LIFE, lookup));
        self.signing(answer).await.unwrap_or_else(|error: OcspError| error.response().to_vec())
    }

    async fn ocsp_status(&self, serial: &Serial) -> Result<OcspStatus, OcspError> {
        match self.ledger.status_of(self.issuer().id(), serial).await {
            Ok(None) => Ok(OcspStatus::Unknown),
            Ok(Some(known)) => Ok(match known.ended() {
                None => OcspStatus::Good,
                Some(ended) => {
                    let Revoked { at, reason, .. } = ended.clone().into();
                    OcspStatus::Revoked { at, reason }
                }
            }),
            Err(error) => {
                tracing::error!(%error, "OCSP cannot ask the ledger");
                Err(OcspError::TryLater)
            }
        }
    }
}

/// Higher than any before (RFC 5280 section 5.2.3), those that a ledger restored from a backup has forgotten included:
/// the time has gone on since.
fn next_number(shard: &Shard, now: Timestamp) -> u64 {
    let next = shard.published.map_or(0, |published| published.number) + 1;
    next.max(now.millis().unsigned_abs())
}

/// Entries that left the list would still be expected on one more (RFC 5280 section 5.1.2.6 asks for one regular list
/// after the end of a certificate), so lists look back by their own life.
fn is_due(shard: &Shard, now: Timestamp) -> bool {
    shard.published.is_none_or(|published| {
        published.revision < shard.revision || now.since(published.this_update) >= CRL_PERIOD
    })
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
