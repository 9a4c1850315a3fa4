//! The keys that sign and are believed, exchanged as one while the server runs.

use axum::body::Bytes;
use serde::Serialize;
use std::sync::Arc;
use tegata_core::Refusal;
use tegata_core::jws::{JwsError, KeySet, SigningKey, VerifyingKey};

/// Claims are about so long, in bytes.
const CLAIMS: usize = 768;

/// The key that signs, and all keys that gates may meet.
pub struct SigningKeys {
    /// Nothing where it is not at hand.
    signing: Option<Arc<SigningKey>>,
    kid: String,
    published: KeySet,
}

/// Keys with the document that says so.
pub struct PublishedKeys {
    /// The keys that sign, and are published.
    pub keys: SigningKeys,
    /// A JWK Set (RFC 7517 section 5), JSON.
    pub jwks: Bytes,
}

impl SigningKeys {
    /// `signing` signs from now on. `others` are published and believed as well: keys of the past whose tokens still
    /// live, and keys of the future that gates should know in time.
    pub fn new(signing: impl Into<Arc<SigningKey>>, others: impl IntoIterator<Item = VerifyingKey>) -> Self {
        let signing = signing.into();
        let own = signing.public().clone();
        let others = others.into_iter().filter(|key| key.kid() != own.kid());
        let published = KeySet::new(std::iter::once(own.clone()).chain(others.collect::<Vec<_>>()));
        Self::with(signing, published)
    }

    /// `signing` signs from now on, and is one of the `published`.
    pub fn with(signing: Arc<SigningKey>, published: KeySet) -> Self {
        Self { kid: signing.public().kid().to_owned(), signing: Some(signing), published }
    }

    /// The key of this name should sign and is not at hand: nothing is signed until it is, for others would not believe
    /// another key.
    pub fn lacking(kid: String, published: KeySet) -> Self {
        Self { signing: None, kid, published }
    }

    /// The name of the key that should sign and is not at hand.
    pub fn lacking_kid(&self) -> Option<&str> {
        self.signing.is_none().then_some(self.kid.as_str())
    }

    /// The name of the one that signs.
    pub fn signing_kid(&self) -> &str {
        &self.kid
    }

    /// The keys that verifiers may rely on now.
    pub fn published(&self) -> &KeySet {
        &self.published
    }

    /// A compact JWS of these claims, with the header `typ`.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] when the key that should sign is not at hand, [`Refusal::Internal`] when it does not sign.
    pub fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, Refusal> {
        let signing = self.signing.as_ref().ok_or(Refusal::Unavailable)?;
        let mut payload = Vec::with_capacity(CLAIMS);
        serde_json::to_writer(&mut payload, claims).map_err(|_| Refusal::Internal)?;
        signing.sign(typ, &payload).map_err(|_| Refusal::Internal)
    }

    /// The payload of a text that one of the keys signed.
    ///
    /// # Errors
    /// [`JwsError`] says why it is not believed.
    pub fn verify(&self, text: &str, typ: &str) -> Result<Vec<u8>, JwsError> {
        self.published.verify(text, typ)
    }
}

impl From<SigningKeys> for PublishedKeys {
    fn from(keys: SigningKeys) -> Self {
        let jwks = tegata_web::document::written(&keys.published().jwks());
        Self { keys, jwks }
    }
}
