//! Passkeys: what a browser is asked for, and what is made of its answer. The cryptography is [`tegata_core::webauthn`]'s.
//!
//! A passkey is found by itself (a discoverable credential), so that nobody types a login, and no page tells which accounts
//! there are. Alone it is two factors: whoever has it was verified by its authenticator.

pub(crate) mod challenge;
pub(crate) mod registration;
pub(crate) mod sign_in;

use serde::Deserialize;
use tegata_core::encoding::from_base64url;

/// What a script puts into a form: the members of a `PublicKeyCredential` that are needed, in base64url.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct CreatedCredential {
    #[serde(rename = "clientDataJSON", deserialize_with = "octets")]
    client_data: Vec<u8>,
    #[serde(deserialize_with = "octets")]
    attestation_object: Vec<u8>,
}

/// Likewise of one that has signed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SignedCredential {
    #[serde(deserialize_with = "octets")]
    id: Vec<u8>,
    #[serde(rename = "clientDataJSON", deserialize_with = "octets")]
    client_data: Vec<u8>,
    #[serde(deserialize_with = "octets")]
    authenticator_data: Vec<u8>,
    #[serde(deserialize_with = "octets")]
    signature: Vec<u8>,
    #[serde(deserialize_with = "octets")]
    user_handle: Vec<u8>,
}

fn octets<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    from_base64url(&text).ok_or_else(|| serde::de::Error::custom("not base64url"))
}
