//! Making visible what the ledger knows to have ended: the CRL of every shard. OCSP is in [`crate::ocsp`].

use crate::crl::{
    CrlBuilder, CrlError, CrlIdentity, CrlReason, CrlScope, RevokedEntry, VerifiedCrl, scope_of,
};
use crate::issuing_ca::IssuingCa;
use ring::digest::{SHA256, digest};
use serde_json::json;
use std::sync::PoisonError;
use std::time::Duration;
use tegata_core::{IssuerId, Timestamp};
use tegata_storage::{Actor, CrlShard, EndedCertificate, LedgerError, StoredCrl};

/// How long a CRL may be used.
const CRL_LIFE: Duration = Duration::from_hours(24);

/// After which age at the latest a CRL is replaced though nothing changed: verifiers that fetch late still find a fresh
/// one.
const CRL_PERIOD: Duration = Duration::from_hours(1);

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

impl IssuingCa {
    /// Publishes a CRL for every shard whose entries have changed since its last one, or whose last one has grown old.
    /// Gives the last event that all published lists, whoever published them, contain.
    ///
    /// # Errors
    /// The first failure of a shard. The others were published all the same.
    pub async fn publish_crls(&self, now: Timestamp) -> Result<u64, PublishError> {
        // The number of the feed is read before the shards: what they say is at least as new.
        let seq = self.ledger.feed_head().await?;
        let issuer = self.issuer().id();
        let mut failure = None;
        for shard in self.ledger.shards(issuer).await? {
            if is_due(issuer, &shard, now)
                && let Err(error) = self.publish_shard(&shard, now).await
            {
                tracing::warn!(%issuer, shard = shard.number, %error, "a CRL was not published");
                failure.get_or_insert(error);
            }
        }
        failure.map_or(Ok(seq), Err)
    }

    /// The revision of the shard was read before its facts, so the list contains at least what it says.
    async fn publish_shard(&self, shard: &CrlShard, now: Timestamp) -> Result<(), PublishError> {
        self.keeps_its_scope(shard).await?;
        let edition = next_edition(shard, now);
        let url = self.endpoints().crl(shard.number);
        let mut list = CrlBuilder::new(self.issuer(), CrlScope::EndEntities(&url), edition)?;
        let mut visit = |ended: EndedCertificate| list.push(&ended.into());
        self.ledger.ended(self.issuer().id(), shard.number, now.minus(CRL_LIFE), &mut visit).await?;
        let crl = self.signing(move |issuer| list.finish(issuer)).await?;
        if !self.replace_crl(shard, crl, now).await? {
            return self.is_out(shard).await;
        }
        Ok(())
    }

    /// Whoever checks a certificate takes only the list whose scope is the certificate's distribution point, so the
    /// scope of a shard never changes. The list that is out is looked at once: its successors come from here, or from
    /// publishers that look as well.
    async fn keeps_its_scope(&self, shard: &CrlShard) -> Result<(), PublishError> {
        let known = || self.scoped.lock().unwrap_or_else(PoisonError::into_inner);
        if shard.published.is_none() || known().contains(&shard.number) {
            return Ok(());
        }
        let url = self.endpoints().crl(shard.number);
        if let Some(out) = self.ledger.crl(self.issuer().id(), shard.number).await?
            && scope_of(&out.der) != Some(&CrlScope::EndEntities(&url).der())
        {
            return Err(CrlError::Moved.into());
        }
        known().insert(shard.number);
        Ok(())
    }

    /// Another publisher was faster, and its list may contain less than was read here: then nothing is claimed.
    async fn is_out(&self, wanted: &CrlShard) -> Result<(), PublishError> {
        let shards = self.ledger.shards(self.issuer().id()).await?;
        let out = shards.iter().find(|shard| shard.number == wanted.number).and_then(|shard| shard.published);
        match out {
            Some(out) if out.revision >= wanted.revision => Ok(()),
            _ => Err(PublishError::Overtaken),
        }
    }

    async fn replace_crl(
        &self,
        shard: &CrlShard,
        crl: VerifiedCrl,
        now: Timestamp,
    ) -> Result<bool, PublishError> {
        let (edition, entries) = (crl.edition(), crl.entries());
        let stored = StoredCrl {
            number: edition.number,
            revision: shard.revision,
            this_update: edition.this_update,
            next_update: edition.next_update,
            der: crl.into_der(),
        };
        let issuer = self.issuer().id();
        let mut transaction = self.ledger.begin(now).await?;
        if !transaction.publish_crl(issuer, shard.number, &stored).await? {
            return Ok(false);
        }
        let mut detail =
            json!({"issuer": issuer, "shard": shard.number, "number": edition.number, "entries": entries});
        if let Some(ahead) = dated_ahead(shard, now) {
            tracing::warn!(%issuer, shard = shard.number, %ahead, "the list that was out was made by a clock that was ahead");
            detail["replaces_list_of"] = json!(ahead);
        }
        transaction.audit(&Actor::System("crl"), "crl.published", None, detail).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

/// The list after the one that is out. It is not dated before that one, so that no verifier sees time run backwards,
/// unless a clock that was ahead has dated that one: verifiers refuse it until then, and the number alone says that this
/// one is newer.
fn next_edition(shard: &CrlShard, now: Timestamp) -> CrlIdentity {
    let out = shard.published.map_or(now, |published| published.this_update);
    let this_update = if out.is_ahead_of(now) { now } else { now.max(out) }.whole_second();
    CrlIdentity { number: next_number(shard, now), this_update, next_update: this_update.plus(CRL_LIFE) }
}

/// The date of the list that is out, where a clock that was ahead has given it.
fn dated_ahead(shard: &CrlShard, now: Timestamp) -> Option<Timestamp> {
    shard.published.map(|published| published.this_update).filter(|out| out.is_ahead_of(now))
}

/// Higher than any before (RFC 5280 section 5.2.3), those that a ledger restored from a backup has forgotten included:
/// the time has gone on since.
fn next_number(shard: &CrlShard, now: Timestamp) -> u64 {
    let next = shard.published.map_or(0, |published| published.number) + 1;
    next.max(now.millis().unsigned_abs())
}

/// Entries that left the list would still be expected on one more (RFC 5280 section 5.1.2.6 asks for one regular list
/// after the end of a certificate), so lists look back by their own life.
fn is_due(issuer: &IssuerId, shard: &CrlShard, now: Timestamp) -> bool {
    shard.published.is_none_or(|published| {
        let period = period(issuer, shard.number, published.number);
        published.revision < shard.revision
            || now.since(published.this_update) >= period
            || published.this_update.is_ahead_of(now)
    })
}

/// The age at which a list that still holds is replaced: between half of [`CRL_PERIOD`] and all of it. Lists that came
/// out together, as at the first start, come due apart. The same for every publisher, after a restart too.
fn period(issuer: &IssuerId, shard: u16, number: u64) -> Duration {
    let hash = digest(&SHA256, format!("{issuer} {shard} {number}").as_bytes());
    let chance = u32::from_le_bytes([hash.as_ref()[0], hash.as_ref()[1], hash.as_ref()[2], 0]);
    let half = CRL_PERIOD / 2;
    half + half.mul_f64(f64::from(chance) / f64::from(1 << 24))
}

impl From<EndedCertificate> for RevokedEntry {
    fn from(ended: EndedCertificate) -> Self {
        Self {
            serial: ended.serial,
            at: ended.at,
            reason: ended.reason.map_or(CrlReason::CertificateHold, CrlReason::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use tegata_core::entropy::Seeded;

    #[test]
    fn lists_that_came_out_together_come_due_apart_and_none_late() {
        let issuer = IssuerId::random(&Seeded::new(1));
        let periods: HashSet<_> = (0..128).map(|shard| period(&issuer, shard, 1).as_secs()).collect();
        assert!(periods.len() > 100, "{} of 128 seconds differ", periods.len());
        assert!(periods.iter().all(|seconds| (1800..=3600).contains(seconds)));
    }
}
