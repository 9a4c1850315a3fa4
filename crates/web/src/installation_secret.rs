//! The one secret from which everything is derived that somebody shows later and nobody keeps: bindings of ACME accounts,
//! seals on what an order holds, tickets.

use ring::hmac;
use std::sync::Arc;
use tegata_core::Refusal;
use tokio::sync::OnceCell;

/// Opens the secret; it may take a while.
pub type OpenBindingSecret = Arc<dyn Fn() -> Option<BindingSecret> + Send + Sync>;

/// What is derived from: the same in every process of an installation.
pub struct BindingSecret(hmac::Key);

impl BindingSecret {
    /// From bytes that are as good as random, at least 16.
    pub fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// 256 bits for one purpose, which tell nothing about those for another.
    pub(crate) fn derived(&self, purpose: &str) -> hmac::Tag {
        hmac::sign(&self.0, purpose.as_bytes())
    }
}

/// The secret, opened when it is first wanted.
#[derive(Clone)]
pub(crate) struct BindingSecretOpening {
    open: OpenBindingSecret,
    opened: Arc<OnceCell<Arc<BindingSecret>>>,
}

impl BindingSecretOpening {
    pub(crate) fn new(open: OpenBindingSecret) -> Self {
        Self { open, opened: Arc::default() }
    }

    pub(crate) async fn secret(&self) -> Result<Arc<BindingSecret>, Refusal> {
        let open = self.open.clone();
        let opened = self.opened.get_or_try_init(|| async move {
            let opened = tokio::task::spawn_blocking(move || open()).await.ok().flatten();
            opened.map(Arc::new).ok_or_else(|| {
                tracing::error!("the secret that bindings and tickets are derived from cannot be opened");
                Refusal::Unavailable
            })
        });
        opened.await.cloned()
    }
}
