//! What binds a client to an invitation: the key of an external account binding (RFC 8555 section 7.3.4), and the seal on
//! what a client shows that is a secret.
//!
//! Both are derived from one secret, and from nothing that the ledger has in the clear: whoever reads the ledger alone can
//! use no invitation.

use ring::hmac;
use tegata_core::encoding::base64url;
use tegata_core::{AcmeOrderId, Entropy, Installation, InvitationId, Refusal};
use tegata_web::InstallationSecret;

/// What a client needs to register an account for an invitation. Key identifier and name are no secrets; the key is.
#[derive(Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct AccountBinding {
    /// The key identifier of the external account binding.
    pub kid: String,
    /// Its HMAC key, base64url, as certbot and lego take it.
    pub hmac_key: String,
    /// The name to order, for clients that order DNS names only: nothing is resolved, and no server has it.
    pub identifier: String,
}

impl AccountBinding {
    /// The binding to an invitation.
    pub fn of(secret: &InstallationSecret, invitation: &InvitationId, installation: &Installation) -> Self {
        Self {
            kid: invitation.to_string(),
            hmac_key: base64url(&mac_key(secret, invitation)),
            identifier: identifier(invitation, installation),
        }
    }
}

/// The key with which a binding is verified.
pub(super) fn verification(secret: &InstallationSecret, invitation: &InvitationId) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &mac_key(secret, invitation))
}

/// Seals what a client called itself, for the ledger.
pub(super) fn seal(
    secret: &InstallationSecret,
    order: &AcmeOrderId,
    text: &str,
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, Refusal> {
    secret.seal(IDENTIFIERS, order.as_str(), text.as_bytes(), entropy)
}

/// What was sealed for this order.
pub(super) fn unseal(
    secret: &InstallationSecret,
    order: &AcmeOrderId,
    sealed: &[u8],
) -> Result<String, Refusal> {
    let text = secret.unseal(IDENTIFIERS, order.as_str(), sealed)?;
    String::from_utf8(text.to_vec()).map_err(|_| Refusal::Internal)
}

/// What the seals of orders are for.
const IDENTIFIERS: &str = "identifiers of orders";

fn mac_key(secret: &InstallationSecret, invitation: &InvitationId) -> Vec<u8> {
    secret.derived(&format!("external account binding {invitation}")).as_ref().to_vec()
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
            AccountBinding::of(&InstallationSecret::new(secret), invitation, &installation).hmac_key
        };
        assert_eq!(binding(b"a secret", &one), binding(b"a secret", &one));
        assert_ne!(binding(b"a secret", &one), binding(b"a secret", &two));
        assert_ne!(binding(b"a secret", &one), binding(b"another", &one));
    }

    #[test]
    fn a_seal_holds_for_one_order() {
        let entropy = Seeded::new(1);
        let secret = InstallationSecret::new(b"a secret");
        let [one, two] = [(); 2].map(|()| AcmeOrderId::random(&entropy));
        let sealed = seal(&secret, &one, "a code", &entropy).unwrap();
        assert_eq!(unseal(&secret, &one, &sealed).unwrap(), "a code");
        assert!(!sealed.windows(6).any(|window| window == b"a code"));
        assert!(unseal(&secret, &two, &sealed).is_err());
        assert!(unseal(&InstallationSecret::new(b"another"), &one, &sealed).is_err());
        assert!(unseal(&secret, &one, &sealed[..5]).is_err());
    }
}
