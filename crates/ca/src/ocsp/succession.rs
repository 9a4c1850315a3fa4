//! Making a responder: in the same order as a device's certificate, so that none exists that the ledger did not record
//! first.

use super::delegate::{DelegatedResponder, ResponderCandidate};
use crate::issuing_ca::IssuingCa;
use crate::prepare::PrepareError;
use tegata_core::{Entropy, Serial, Timestamp};
use tegata_storage::{Actor, LedgerError};

const ACTOR: Actor = Actor::System("ocsp");

/// Why no responder was appointed. One that there is goes on while its certificate lives.
#[derive(Debug, thiserror::Error)]
pub enum ResponderError {
    /// Its certificate could not be made.
    #[error("the OCSP responder's certificate could not be made: {0}")]
    Issue(#[from] PrepareError),
    /// The ledger did not take it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl IssuingCa {
    /// Prepares and lints, records, signs and compares, stores.
    pub(super) async fn appoint(
        &self,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<DelegatedResponder, ResponderError> {
        let candidate = ResponderCandidate::new(self.issuer(), Serial::random(entropy), now)?;
        let (issuer, serial) = (self.issuer().id(), candidate.serial);
        let mut transaction = self.ledger.begin(now).await?;
        transaction
            .reserve_responder(issuer, &serial, &candidate.tbs, candidate.term.not_after, &ACTOR)
            .await?;
        transaction.commit().await?;

        let delegate = self.signing(move |issuer| candidate.sign(issuer)).await?;

        let mut transaction = self.ledger.begin(now).await?;
        transaction.complete_responder(issuer, &serial, &delegate.certificate, &ACTOR).await?;
        transaction.commit().await?;
        Ok(delegate)
    }
}
