//! What an operator decides about sessions.

use super::keys::SessionKeys;
use rustls::RootCertStore;
use std::time::Duration;
use tegata_core::HttpOrigin;

/// What a session at a product asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RequiredSignIn {
    /// A person who has signed in on the device.
    #[default]
    Person,
    /// The device alone: whoever sits before it comes straight through.
    Device,
}

/// How long sessions last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionLimits {
    /// From the last request to the end.
    pub idle: Duration,
    /// From the sign-in to the end, however much the session is used.
    pub absolute: Duration,
    /// A use is written down when the last one in the cookie is this old, and not with every request.
    pub renewal: Duration,
    /// How long a sign-in may be under way.
    pub sign_in: Duration,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            idle: Duration::from_mins(15),
            absolute: Duration::from_hours(12),
            renewal: Duration::from_mins(1),
            sign_in: Duration::from_mins(10),
        }
    }
}

/// Sessions of browsers at one product.
pub struct SessionConfig {
    /// Where browsers reach the product. Nobody is ever sent anywhere else, but to the platform.
    pub origin: HttpOrigin,
    /// Whether a person must have signed in.
    pub requires: RequiredSignIn,
    /// How long sessions last.
    pub limits: SessionLimits,
    /// The CAs of devices: root and issuing CA.
    pub client_ca: RootCertStore,
    /// What seals cookies, the same at every gate of the product.
    pub keys: SessionKeys,
}

/// Sessions cannot be kept by this gate.
#[derive(Debug, thiserror::Error)]
pub enum SessionConfigError {
    /// The certificate has no name of a gate.
    #[error("the gate's own certificate names no gate: enroll it with a `tegata invite --gate NAME` link")]
    NoGate,
    /// The issuer has no address for its metadata.
    #[error("the issuer is no https URL")]
    Issuer,
}
