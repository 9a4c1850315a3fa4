//! How this installation proves itself to a provider (OIDC Core section 9, RFC 7523, RFC 8705).

use crate::identity_provider::SignInClient;
use http::HeaderValue;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tegata_core::encoding::{base64, base64url, percent_encoded};
use tegata_core::entropy::bytes;
use tegata_core::{Entropy, Refusal, Timestamp};
use zeroize::Zeroizing;

/// How long an assertion is good for.
const ASSERTION_LIFETIME: Duration = Duration::from_mins(1);

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A secret that the provider gave out. It never prints itself.
#[derive(Clone)]
pub struct ClientSecret(Arc<Zeroizing<String>>);

/// Signs the claims of an assertion with the installation's key.
pub trait ClientAssertionSigner: Send + Sync {
    /// A compact JWS of these claims.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] when the key is not at hand.
    fn sign(&self, claims: &Value) -> Result<String, Refusal>;
}

/// One of the ways.
#[derive(Clone)]
pub enum ProviderAuthentication {
    /// `client_secret_basic`: the secret in a header.
    SecretBasic(ClientSecret),
    /// `client_secret_post`: the secret in the form.
    SecretPost(ClientSecret),
    /// `private_key_jwt`: an assertion signed with the installation's key.
    PrivateKeyJwt(Arc<dyn ClientAssertionSigner>),
    /// `tls_client_auth`, or `self_signed_tls_client_auth`: by the certificate of the connection.
    Certificate,
}

/// What a request carries to prove it.
pub(crate) struct ClientProof {
    pub(crate) authorization: Option<HeaderValue>,
    /// Fields of the form, not encoded yet.
    pub(crate) fields: Vec<(&'static str, String)>,
}

impl ClientSecret {
    /// From what a file holds.
    pub fn new(secret: String) -> Self {
        Self(Arc::new(Zeroizing::new(secret)))
    }
}

impl SignInClient {
    /// The proof for one request to a provider with this issuer.
    pub(crate) fn proof(
        &self,
        issuer: &str,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<ClientProof, Refusal> {
        let id = || ("client_id", self.client_id.clone());
        let (authorization, fields) = match &self.authentication {
            ProviderAuthentication::SecretBasic(secret) => (Some(self.basic(secret)?), Vec::new()),
            ProviderAuthentication::SecretPost(secret) => {
                (None, vec![id(), ("client_secret", secret.0.to_string())])
            }
            ProviderAuthentication::Certificate => (None, vec![id()]),
            ProviderAuthentication::PrivateKeyJwt(signer) => {
                let assertion = signer.sign(&self.assertion(issuer, now, entropy))?;
                let kind = ("client_assertion_type", ASSERTION_TYPE.to_owned());
                (None, vec![id(), kind, ("client_assertion", assertion)])
            }
        };
        Ok(ClientProof { authorization, fields })
    }

    /// Whether it proves itself by the certificate of its connection, for which a provider may have other addresses.
    pub(crate) fn shows_certificate(&self) -> bool {
        matches!(self.authentication, ProviderAuthentication::Certificate)
    }

    /// Both parts are encoded like a form before they are joined (RFC 6749 section 2.3.1).
    fn basic(&self, secret: &ClientSecret) -> Result<HeaderValue, Refusal> {
        let secret = Zeroizing::new(percent_encoded(&secret.0));
        let both = Zeroizing::new(format!("{}:{}", percent_encoded(&self.client_id), *secret));
        let mut value = HeaderValue::try_from(format!("Basic {}", base64(both.as_bytes())))
            .map_err(|_| Refusal::Internal)?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// For this provider alone: its issuer is the one audience, so that no other can use it.
    fn assertion(&self, issuer: &str, now: Timestamp, entropy: &dyn Entropy) -> Value {
        json!({
            "iss": self.client_id, "sub": self.client_id, "aud": issuer, "iat": now.seconds(),
            "exp": now.plus(ASSERTION_LIFETIME).seconds(), "jti": base64url(&bytes::<16>(entropy)),
        })
    }
}
