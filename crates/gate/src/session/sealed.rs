//! Seals what cookies hold, with AES-256-GCM.
//!
//! A sealed text is base64url of a version, the name of the key, a nonce, and what AES-GCM makes of the content. Product,
//! origin and purpose are part of what is authenticated: no cookie stands for another kind, or at another product.

use super::facts::SessionFacts;
use super::keys::SessionKeys;
use arc_swap::ArcSwap;
use ring::aead::{Aad, NONCE_LEN, Nonce};
use tegata_core::encoding::{base64url, from_base64url};
use tegata_core::entropy::bytes;
use tegata_core::{Entropy, HttpOrigin, Thumbprint};

const VERSION: u8 = 1;

/// Version, name of the key, nonce.
const HEAD: usize = 1 + 4 + NONCE_LEN;

/// The longest text that is looked at: no browser keeps a longer cookie (RFC 6265 section 6.1).
const LONGEST: usize = 4096;

/// Seals and opens the cookies of one product.
pub struct CookieSealer {
    keys: ArcSwap<SessionKeys>,
    sessions: Thumbprint,
    sign_ins: Thumbprint,
}

/// What a sealed text is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    Session,
    SignIn,
}

impl CookieSealer {
    /// For the product of this name at this origin.
    pub fn new(keys: SessionKeys, audience: &str, origin: &HttpOrigin) -> Self {
        let context =
            |purpose: &str| Thumbprint::of(format!("tegata gate {purpose}\0{audience}\0{origin}").as_bytes());
        Self { keys: ArcSwap::from_pointee(keys), sessions: context("session"), sign_ins: context("sign-in") }
    }

    /// The value of the cookie with this session; `None` only where the content is longer than AES-GCM takes.
    pub fn seal_session(&self, facts: &SessionFacts, entropy: &dyn Entropy) -> Option<String> {
        self.seal(Purpose::Session, facts.to_bytes(), entropy)
    }

    /// The session in a cookie; `None` where it was not sealed with one of the keys, for this product.
    pub fn open_session(&self, sealed: &str) -> Option<SessionFacts> {
        SessionFacts::from_bytes(&self.open(Purpose::Session, sealed)?)
    }

    pub(super) fn set_keys(&self, keys: SessionKeys) {
        self.keys.store(std::sync::Arc::new(keys));
    }

    /// Seals with the first key. `None` only where AES-GCM cannot: for far more bytes than a cookie has.
    pub(super) fn seal(&self, purpose: Purpose, content: Vec<u8>, entropy: &dyn Entropy) -> Option<String> {
        let keys = self.keys.load();
        let key = keys.first();
        let nonce = bytes::<NONCE_LEN>(entropy);
        let mut sealed = content;
        let nonce_used = Nonce::assume_unique_for_key(nonce);
        key.key.seal_in_place_append_tag(nonce_used, self.context(purpose), &mut sealed).ok()?;
        let mut text = Vec::with_capacity(HEAD + sealed.len());
        text.push(VERSION);
        text.extend_from_slice(&key.id);
        text.extend_from_slice(&nonce);
        text.append(&mut sealed);
        Some(base64url(&text))
    }

    /// What was sealed for this purpose with one of the keys; `None` for everything else.
    pub(super) fn open(&self, purpose: Purpose, text: &str) -> Option<Vec<u8>> {
        if text.len() > LONGEST {
            return None;
        }
        let mut bytes = from_base64url(text)?;
        let (head, _) = bytes.split_first_chunk::<HEAD>()?;
        let (&[version], rest) = head.split_first_chunk::<1>()?;
        let (id, nonce) = rest.split_first_chunk::<4>()?;
        if version != VERSION {
            return None;
        }
        let keys = self.keys.load();
        let key = keys.find(*id)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let length = key.key.open_within(nonce, self.context(purpose), &mut bytes, HEAD..).ok()?.len();
        bytes.truncate(length);
        Some(bytes)
    }

    fn context(&self, purpose: Purpose) -> Aad<&[u8; 32]> {
        Aad::from(match purpose {
            Purpose::Session => self.sessions.as_bytes(),
            Purpose::SignIn => self.sign_ins.as_bytes(),
        })
    }
}
