//! The codes of invitations that are made while nobody looks: the ledger has their hashes, and whoever may have them asks
//! later. They are derived from a secret that the ledger alone does not give away.

use ring::hmac;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tegata_core::id::InvitationCode;
use tegata_core::{Entropy, InvitationId, Refusal};
use tokio::sync::OnceCell;

/// Opens the secret; it may take a while.
pub type OpenCodeSecret = Arc<dyn Fn() -> Option<CodeSecret> + Send + Sync>;

/// What codes are derived from: the same in every process of an installation.
pub struct CodeSecret(hmac::Key);

impl CodeSecret {
    /// From bytes that are as good as random, at least 16. They may serve other ends too.
    pub fn new(bytes: &[u8]) -> Self {
        let own = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, bytes), b"codes of invitations");
        Self(hmac::Key::new(hmac::HMAC_SHA256, own.as_ref()))
    }

    /// The code of an invitation.
    pub(super) fn code(&self, invitation: &InvitationId) -> InvitationCode {
        InvitationCode::random(&DerivedBytes { key: &self.0, invitation, block: AtomicU32::new(0) })
    }
}

/// Bytes that are an invitation's own.
struct DerivedBytes<'a> {
    key: &'a hmac::Key,
    invitation: &'a InvitationId,
    block: AtomicU32,
}

impl Entropy for DerivedBytes<'_> {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(32) {
            let block = self.block.fetch_add(1, Ordering::Relaxed);
            let bytes = hmac::sign(self.key, format!("{} {block}", self.invitation).as_bytes());
            chunk.copy_from_slice(&bytes.as_ref()[..chunk.len()]);
        }
    }
}

/// The secret, opened when it is first wanted: most servers never receive a list.
#[derive(Clone)]
pub(super) struct CodeSecretOpening {
    open: OpenCodeSecret,
    opened: Arc<OnceCell<Arc<CodeSecret>>>,
}

impl CodeSecretOpening {
    pub(super) fn new(open: OpenCodeSecret) -> Self {
        Self { open, opened: Arc::default() }
    }

    pub(super) async fn secret(&self) -> Result<Arc<CodeSecret>, Refusal> {
        let open = self.open.clone();
        let opened = self.opened.get_or_try_init(|| async move {
            let opened = tokio::task::spawn_blocking(move || open()).await.ok().flatten();
            opened.map(Arc::new).ok_or_else(|| {
                tracing::error!("the secret that codes of invitations are derived from cannot be opened");
                Refusal::Unavailable
            })
        });
        opened.await.cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_core::entropy::Seeded;

    #[test]
    fn each_invitation_has_a_code_of_its_own_that_every_process_derives() {
        let entropy = Seeded::new(1);
        let (one, other) = (InvitationId::random(&entropy), InvitationId::random(&entropy));
        let secret = CodeSecret::new(&[1; 32]);
        assert_eq!(secret.code(&one).reveal(), CodeSecret::new(&[1; 32]).code(&one).reveal());
        assert_ne!(secret.code(&one).reveal(), secret.code(&other).reveal());
        assert_ne!(secret.code(&one).reveal(), CodeSecret::new(&[2; 32]).code(&one).reveal());
    }
}
