//! `Tegata-Assertion`: who asks, and for what, signed by the key of the gate's own certificate.

use crate::certificate_name::uri;
use crate::config::ConfigError;
use crate::verified_request::VerifiedRequest;
use http::HeaderValue;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use tegata_core::assertion::{ASSERTION, ASSERTION_LIFETIME, AssertionClaims};
use tegata_core::encoding::base64url;
use tegata_core::jws::SigningKey;
use tegata_core::{Entropy, Thumbprint, Timestamp};
use tegata_net::tls::read_identity;

/// The request that an assertion is about, as far as it is known.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct AssertedRequest<'a> {
    pub(crate) method: Option<&'a str>,
    pub(crate) path: Option<&'a str>,
}

/// The gate's own key and name.
pub(crate) struct AssertionSigner {
    key: SigningKey,
    gate: String,
    certificate: Thumbprint,
}

impl AssertionSigner {
    /// From the folder of the gate's certificate. The key is named by the thumbprint of the certificate, so that a
    /// product finds it in the platform's list of gates.
    pub(crate) fn read(folder: &Path) -> Result<Self, ConfigError> {
        let (chain, key) = read_identity(folder)?;
        let failed = |why| ConfigError::Assertion(folder.to_owned(), why);
        let leaf = chain.first().ok_or_else(|| failed("there is no certificate"))?;
        let certificate = Thumbprint::of(leaf);
        let gate = uri(leaf).filter(|uri| uri.contains("/gate/"));
        let gate = gate.ok_or_else(|| failed("the certificate names no gate of Tegata"))?;
        let PrivateKeyDer::Pkcs8(key) = key else { return Err(failed("the key is not in PKCS #8")) };
        let key =
            SigningKey::from_pkcs8(key.secret_pkcs8_der()).map_err(|_| failed("the key is not for P-256"))?;
        Ok(Self { key: key.named(certificate.to_string()), gate, certificate })
    }

    /// The certificate whose key signs.
    pub(crate) fn certificate(&self) -> &Thumbprint {
        &self.certificate
    }

    /// A fresh assertion; none when the operating system yields no randomness.
    pub(crate) fn sign(
        &self,
        product: &str,
        verified: &VerifiedRequest,
        asked: AssertedRequest<'_>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Option<HeaderValue> {
        let mut name = [0; 16];
        entropy.fill(&mut name);
        let sign_in = verified.sign_in();
        let claims = AssertionClaims {
            iss: &self.gate,
            aud: product,
            iat: now.seconds(),
            exp: now.plus(ASSERTION_LIFETIME).seconds(),
            jti: &base64url(&name),
            sub: verified.subject(),
            device: verified.device(),
            tenant: verified.tenant(),
            site: verified.site(),
            generation: verified.generation(),
            acr: sign_in.as_ref().map(|sign_in| sign_in.acr),
            amr: sign_in.as_ref().map_or(&[], |sign_in| &sign_in.amr),
            auth_time: sign_in.as_ref().and_then(|sign_in| sign_in.auth_time),
            htm: asked.method,
            path: asked.path,
            jkt: verified.key(),
        };
        let text = self.key.sign(ASSERTION, &serde_json::to_vec(&claims).ok()?).ok()?;
        HeaderValue::try_from(text).ok()
    }
}

/// Refuses the certificate of a device, which the platform would refuse as a gate's.
///
/// # Errors
/// [`ConfigError::NotAGate`].
pub(crate) fn check_role(leaf: &CertificateDer<'_>, folder: &Path) -> Result<(), ConfigError> {
    match uri(leaf) {
        Some(uri) if uri.contains("/device/") => Err(ConfigError::NotAGate(folder.to_owned())),
        _ => Ok(()),
    }
}
