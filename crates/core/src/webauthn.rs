//! Passkeys: what a browser answers to `navigator.credentials.create` and `.get`, verified (Web Authentication Level 3,
//! sections 7.1 and 7.2).
//!
//! No attestation is asked for and none is believed: which authenticator made a key, nobody here has to know. What must hold
//! is that the person was there and was verified by the authenticator, on a page of ours, for this one challenge.

mod authenticator_data;
mod client_data;
mod credential_key;
#[cfg(test)]
mod tests;

use crate::cbor::CborItem;
use crate::url::{HttpOrigin, UrlError};
use authenticator_data::AuthenticatorData;
use client_data::{ClientData, ClientDataKind};
use credential_key::CredentialKey;
use ring::digest::{SHA256, digest};
use std::net::{Ipv4Addr, Ipv6Addr};

/// The longest identifier of a credential (section 5.1.3), in bytes.
const LONGEST_ID: usize = 1023;

/// The COSE algorithms whose keys are taken, in the order of preference: `EdDSA`, ES256, RS256.
pub const ALGORITHMS: [i64; 3] = [credential_key::EDDSA, credential_key::ES256, credential_key::RS256];

/// The site that passkeys are for: the host of an origin, and that origin alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RelyingParty {
    id: String,
    origin: String,
}

/// What a browser gives for a new passkey.
#[derive(Clone, Copy, Debug)]
pub struct RegistrationResponse<'a> {
    /// `clientDataJSON` as the browser wrote it.
    pub client_data: &'a [u8],
    /// `attestationObject` as the browser wrote it.
    pub attestation: &'a [u8],
}

/// What a browser gives for a passkey that signs.
#[derive(Clone, Copy, Debug)]
pub struct AssertionResponse<'a> {
    /// `clientDataJSON` as the browser wrote it.
    pub client_data: &'a [u8],
    /// `authenticatorData` as the authenticator signed it.
    pub authenticator_data: &'a [u8],
    /// The signature over both.
    pub signature: &'a [u8],
}

/// A passkey that can be kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewPasskey {
    /// What the authenticator calls it.
    pub credential: Vec<u8>,
    /// The public key as a COSE key, octet by octet as it came.
    pub public_key: Vec<u8>,
    /// How often it has signed; 0 where it does not count.
    pub counter: u32,
}

/// Why a browser's answer is not believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WebAuthnError {
    /// It is not what the specification says.
    #[error("the answer is malformed")]
    Malformed,
    /// It is of the other ceremony.
    #[error("the answer is of another ceremony")]
    Kind,
    /// It was not made for a challenge of ours that still stands.
    #[error("the challenge is not one that stands")]
    Challenge,
    /// A page of another origin has asked.
    #[error("a page of another origin has asked")]
    Origin,
    /// The page stood in a frame of another origin.
    #[error("the page was framed by another origin")]
    Framed,
    /// The passkey is another site's.
    #[error("the passkey is another site's")]
    RelyingParty,
    /// Nobody touched the authenticator.
    #[error("nobody was present")]
    Absent,
    /// The authenticator did not verify who it was.
    #[error("the authenticator has verified nobody")]
    Unverified,
    /// A key of a kind that is not taken.
    #[error("the key is of a kind that is not taken")]
    Key,
    /// The signature does not hold.
    #[error("the signature does not hold")]
    Signature,
}

impl RelyingParty {
    /// The site of an origin such as `https://device.example`. `None` where the host is an address: passkeys are bound to names.
    ///
    /// # Errors
    /// The text is no origin with TLS.
    pub fn of(origin: &str) -> Result<Option<Self>, UrlError> {
        let origin = HttpOrigin::parse_https(origin)?;
        let host = origin.host();
        let is_address =
            host.starts_with('[') || host.parse::<Ipv4Addr>().is_ok() || host.parse::<Ipv6Addr>().is_ok();
        Ok((!is_address).then(|| Self { id: host.to_owned(), origin: origin.to_string() }))
    }

    /// What browsers call it: the host.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The passkey that was made. `stands` says whether a challenge is one of ours that still stands.
    ///
    /// # Errors
    /// [`WebAuthnError`] says which check failed first.
    pub fn register(
        &self,
        response: &RegistrationResponse<'_>,
        stands: impl FnOnce(&[u8]) -> bool,
    ) -> Result<NewPasskey, WebAuthnError> {
        self.check_client(response.client_data, ClientDataKind::Create, stands)?;
        let object = CborItem::parse(response.attestation).ok_or(WebAuthnError::Malformed)?;
        // The statement is whoever made the authenticator's word, which is not asked for.
        let data = object.get("authData").and_then(CborItem::bytes).ok_or(WebAuthnError::Malformed)?;
        let data = AuthenticatorData::parse(data).ok_or(WebAuthnError::Malformed)?;
        self.check_authenticator(&data, true)?;
        let attested = data.attested.ok_or(WebAuthnError::Malformed)?;
        if attested.credential.is_empty() || attested.credential.len() > LONGEST_ID {
            return Err(WebAuthnError::Malformed);
        }
        CredentialKey::parse(attested.public_key).ok_or(WebAuthnError::Key)?;
        Ok(NewPasskey {
            credential: attested.credential.to_vec(),
            public_key: attested.public_key.to_vec(),
            counter: data.counter,
        })
    }

    /// Verifies what a passkey with this public key has signed, and gives its counter. `verified` asks for the person to be
    /// verified by the authenticator, not merely to be there.
    ///
    /// # Errors
    /// [`WebAuthnError`] says which check failed first.
    pub fn authenticate(
        &self,
        response: &AssertionResponse<'_>,
        public_key: &[u8],
        verified: bool,
        stands: impl FnOnce(&[u8]) -> bool,
    ) -> Result<u32, WebAuthnError> {
        self.check_client(response.client_data, ClientDataKind::Get, stands)?;
        let data = AuthenticatorData::parse(response.authenticator_data).ok_or(WebAuthnError::Malformed)?;
        self.check_authenticator(&data, verified)?;
        let key = CredentialKey::parse(public_key).ok_or(WebAuthnError::Key)?;
        let signed = [response.authenticator_data, digest(&SHA256, response.client_data).as_ref()].concat();
        if key.has_signed(&signed, response.signature) {
            Ok(data.counter)
        } else {
            Err(WebAuthnError::Signature)
        }
    }

    fn check_client(
        &self,
        client_data: &[u8],
        kind: ClientDataKind,
        stands: impl FnOnce(&[u8]) -> bool,
    ) -> Result<(), WebAuthnError> {
        let client = ClientData::parse(client_data).ok_or(WebAuthnError::Malformed)?;
        if client.kind != kind.as_str() {
            return Err(WebAuthnError::Kind);
        }
        if client.origin != self.origin {
            return Err(WebAuthnError::Origin);
        }
        if client.cross_origin || client.top_origin.is_some() {
            return Err(WebAuthnError::Framed);
        }
        let challenge = client.challenge().ok_or(WebAuthnError::Malformed)?;
        if stands(&challenge) { Ok(()) } else { Err(WebAuthnError::Challenge) }
    }

    fn check_authenticator(&self, data: &AuthenticatorData<'_>, verified: bool) -> Result<(), WebAuthnError> {
        if data.relying_party != digest(&SHA256, self.id.as_bytes()).as_ref() {
            return Err(WebAuthnError::RelyingParty);
        }
        if !data.is_present {
            return Err(WebAuthnError::Absent);
        }
        if verified && !data.is_verified {
            return Err(WebAuthnError::Unverified);
        }
        Ok(())
    }
}
