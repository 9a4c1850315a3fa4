//! Who writes in transactions that somebody else opens.

use crate::actor::Actor;
use crate::{ActingPerson, Result, Transaction};
use std::pin::Pin;
use tegata_core::{DeviceId, SessionId};

/// What comes of asking whether somebody may write.
pub type AuthorFuture<'a> = Pin<Box<dyn Future<Output = Result<Actor>> + Send + 'a>>;

/// A transaction in which somebody is judged, and can do nothing else yet.
pub struct AuthoredTransaction<'a>(&'a mut Transaction);

impl<'a> AuthoredTransaction<'a> {
    /// For whoever is to write in this one.
    pub fn of(transaction: &'a mut Transaction) -> Self {
        Self(transaction)
    }

    /// Who acts from a session, as they stand in it: [`Transaction::act_as`].
    ///
    /// # Errors
    /// [`Refusal::SignInNeeded`](tegata_core::Refusal::SignInNeeded) when the session does not last, or not on this device.
    pub async fn act_as(
        self,
        session: &SessionId,
        device: &DeviceId,
        program: Option<&str>,
    ) -> Result<ActingPerson> {
        self.0.act_as(session, device, program).await
    }
}

/// Who writes in transactions that somebody else opens: each of them asks whether they still may.
pub trait TransactionAuthor: Sync {
    /// Gives as whom the entries of this transaction are written.
    ///
    /// # Errors
    /// They may not, or not any more.
    fn enter<'a>(&'a self, transaction: AuthoredTransaction<'a>) -> AuthorFuture<'a>;
}

impl TransactionAuthor for Actor {
    fn enter<'a>(&'a self, _: AuthoredTransaction<'a>) -> AuthorFuture<'a> {
        Box::pin(async { Ok(self.clone()) })
    }
}
