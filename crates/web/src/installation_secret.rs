//! The one secret from which everything is derived that somebody shows later and nobody keeps (bindings of ACME accounts,
//! tickets), and with which the ledger's secrets are sealed (what an order holds, the second factors of people).

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use std::sync::Arc;
use tegata_core::entropy::bytes;
use tegata_core::{Entropy, Refusal};
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

/// Opens the secret; it may take a while.
pub type OpenInstallationSecret = Arc<dyn Fn() -> Option<InstallationSecret> + Send + Sync>;

/// What is derived from: the same in every process of an installation.
pub struct InstallationSecret(hmac::Key);

impl InstallationSecret {
    /// From bytes that are as good as random, at least 16.
    pub fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// 256 bits for one purpose, which tell nothing about those for another.
    pub fn derived(&self, purpose: &str) -> hmac::Tag {
        hmac::sign(&self.0, purpose.as_bytes())
    }

    /// Seals a secret for the ledger, for one purpose and for whatever `holder` names: it opens for nothing else.
    ///
    /// # Errors
    /// [`Refusal::Internal`] for a secret that is too long for any cipher.
    pub fn seal(
        &self,
        purpose: &str,
        holder: &str,
        secret: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, Refusal> {
        let nonce = bytes::<NONCE_LEN>(entropy);
        let mut sealed = secret.to_vec();
        self.sealing_key(purpose)?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(holder), &mut sealed)
            .map_err(|_| Refusal::Internal)?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// What was sealed for this purpose and this holder.
    ///
    /// # Errors
    /// [`Refusal::Internal`] for anything else.
    pub fn unseal(&self, purpose: &str, holder: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or(Refusal::Internal)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Refusal::Internal)?;
        let mut secret = Zeroizing::new(sealed.to_vec());
        let key = self.sealing_key(purpose)?;
        let length =
            key.open_in_place(nonce, Aad::from(holder), &mut secret).map_err(|_| Refusal::Internal)?.len();
        secret.truncate(length);
        Ok(secret)
    }

    fn sealing_key(&self, purpose: &str) -> Result<LessSafeKey, Refusal> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, self.derived(purpose).as_ref());
        Ok(LessSafeKey::new(key.map_err(|_| Refusal::Internal)?))
    }
}

/// The secret, opened when it is first wanted.
#[derive(Clone)]
pub struct InstallationSecretSource {
    open: OpenInstallationSecret,
    opened: Arc<OnceCell<Arc<InstallationSecret>>>,
}

impl InstallationSecretSource {
    /// With what opens it.
    pub fn new(open: OpenInstallationSecret) -> Self {
        Self { open, opened: Arc::default() }
    }

    /// The secret, which the first call opens.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] where it cannot be opened; the next call tries again.
    pub async fn secret(&self) -> Result<Arc<InstallationSecret>, Refusal> {
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
