//! What binds a client to an invitation: the key of an external account binding (RFC 8555 section 7.3.4), and the seal on
//! what a client shows that is a secret.
//!
//! Both are derived from one secret, and from nothing that the ledger has in the clear: whoever reads the ledger alone can
//! use no invitation.

use crate::secret::BindingSecret;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use tegata_core::encoding::base64url;
use tegata_core::entropy::bytes;
use tegata_core::{AcmeOrderId, Entropy, Installation, InvitationId, Refusal};

/// What a client needs to register an account for an invitation. Key identifier and name are no secrets; the key is.
#[derive(Clone, PartialEq, Eq, serde::Serialize)]
pub struct AccountBinding {
    /// The key identifier of the external account binding.
    pub kid: String,
    /// Its HMAC key, base64url, as certbot and lego take it.
    pub hmac_key: String,
    /// The name to order, for clients that order DNS names only: nothing is resolved, and no server has it.
    pub identifier: String,
}

impl BindingSecret {
    /// The binding to an invitation.
    pub fn binding(&self, invitation: &InvitationId, installation: &Installation) -> AccountBinding {
        AccountBinding {
            kid: invitation.to_string(),
            hmac_key: base64url(&self.mac_key(invitation)),
            identifier: identifier(invitation, installation),
        }
    }

    /// The key with which a binding is verified.
    pub(super) fn verification(&self, invitation: &InvitationId) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.mac_key(invitation))
    }

    /// Seals what a client called itself, for the ledger.
    pub(super) fn seal(
        &self,
        order: &AcmeOrderId,
        text: &str,
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, Refusal> {
        let nonce = bytes::<NONCE_LEN>(entropy);
        let mut sealed = text.as_bytes().to_vec();
        self.sealing_key()?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(order.as_str()),
                &mut sealed,
            )
            .map_err(|_| Refusal::Internal)?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// What was sealed for this order.
    pub(super) fn unseal(&self, order: &AcmeOrderId, sealed: &[u8]) -> Result<String, Refusal> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or(Refusal::Internal)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Refusal::Internal)?;
        let mut text = sealed.to_vec();
        let key = self.sealing_key()?;
        let text =
            key.open_in_place(nonce, Aad::from(order.as_str()), &mut text).map_err(|_| Refusal::Internal)?;
        String::from_utf8(text.to_vec()).map_err(|_| Refusal::Internal)
    }

    fn mac_key(&self, invitation: &InvitationId) -> Vec<u8> {
        self.derived(&format!("external account binding {invitation}")).as_ref().to_vec()
    }

    fn sealing_key(&self) -> Result<LessSafeKey, Refusal> {
        let key = self.derived("identifiers of orders");
        let key = UnboundKey::new(&CHACHA20_POLY1305, key.as_ref()).map_err(|_| Refusal::Internal)?;
        Ok(LessSafeKey::new(key))
    }
}

/// The DNS name that stands for an invitation. It says nothing about whose it is.
pub(super) fn identifier(invitation: &InvitationId, installation: &Installation) -> String {
    format!("{invitation}.device.{}", installation.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_core::entropy::Seeded;

    #[test]
    fn each_invitation_has_a_key_of_its_own_that_every_process_derives() {
        let entropy = Seeded::new(1);
        let [one, two] = [(); 2].map(|()| InvitationId::random(&entropy));
        let installation = Installation::parse("tegata.example.jp").unwrap();
        let binding = |secret: &[u8], invitation| {
            BindingSecret::new(secret).binding(invitation, &installation).hmac_key
        };
        assert_eq!(binding(b"a secret", &one), binding(b"a secret", &one));
        assert_ne!(binding(b"a secret", &one), binding(b"a secret", &two));
        assert_ne!(binding(b"a secret", &one), binding(b"another", &one));
    }

    #[test]
    fn a_seal_holds_for_one_order() {
        let entropy = Seeded::new(1);
        let secret = BindingSecret::new(b"a secret");
        let [one, two] = [(); 2].map(|()| AcmeOrderId::random(&entropy));
        let sealed = secret.seal(&one, "a code", &entropy).unwrap();
        assert_eq!(secret.unseal(&one, &sealed).unwrap(), "a code");
        assert!(!sealed.windows(6).any(|window| window == b"a code"));
        assert!(secret.unseal(&two, &sealed).is_err());
        assert!(BindingSecret::new(b"another").unseal(&one, &sealed).is_err());
        assert!(secret.unseal(&one, &sealed[..5]).is_err());
    }
}
