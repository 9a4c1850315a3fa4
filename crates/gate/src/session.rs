//! Browsers at a product: a session of the gate's own in place of a token, which pages cannot send.
//!
//! A page that is opened without a session goes to the platform's authorization endpoint (authorization code with PKCE,
//! RFC 7636) and comes back with a sealed cookie. The cookie is the session: it holds who asks, and any gate with the same
//! keys reads it. It is worth something only beside a certificate of the device it was made for, and every request is
//! looked up among the denials, as a token's is.
//!
//! | path at the product | |
//! |---|---|
//! | `/.tegata/callback` | where the platform sends the browser back to |
//! | `/.tegata/sign-out` | a button by `GET`, the end of the session by `POST` |
//! | `/.tegata/signed-out` | what a person reads afterwards |

mod admit;
mod answers;
mod browser_request;
mod callback;
mod check;
mod config;
mod cookie;
mod device_certificates;
mod endpoints;
mod exchange_limits;
mod facts;
mod fields;
mod id_token;
mod keys;
mod own_pages;
mod sealed;
mod sign_in;
mod sign_out;

pub(crate) use admit::{comes_with_a_token, may_sign_in};
pub use answers::OwnRequest;
pub use browser_request::BrowserRequest;
pub use callback::CallbackParameters;
pub use check::AdmittedSession;
pub use config::{RequiredSignIn, SessionConfig, SessionConfigError, SessionLimits};
pub use cookie::{own_cookies, without_own_cookies};
pub use facts::SessionFacts;
pub use keys::{SessionKeyError, SessionKeys};
pub use sealed::CookieSealer;
pub use sign_in::SignInFlow;

use crate::gate::Gate;
use device_certificates::DeviceCertificates;
use endpoints::ProviderEndpoints;
use exchange_limits::ExchangeLimits;
use rustls::RootCertStore;
use std::sync::Arc;

/// The sessions of browsers at one product. It keeps nothing about any of them.
pub struct BrowserSessions {
    gate: Gate,
    /// The product's, as browsers write it in `Origin`.
    origin: String,
    requires: RequiredSignIn,
    limits: SessionLimits,
    sealer: CookieSealer,
    devices: DeviceCertificates,
    endpoints: ProviderEndpoints,
    exchanges: ExchangeLimits,
    /// The gate, as the platform's authorization server knows it.
    client_id: String,
}

impl BrowserSessions {
    /// Sessions at the product that `gate` stands for.
    ///
    /// # Errors
    /// [`SessionConfigError`] when the product has no origin, or the gate's certificate no name.
    pub fn new(gate: Gate, config: SessionConfig) -> Result<Arc<Self>, SessionConfigError> {
        let client_id = gate.own_name().ok_or(SessionConfigError::NoGate)?;
        let sealer = CookieSealer::new(config.keys, gate.audience(), &config.origin);
        let endpoints = ProviderEndpoints::new(gate.issuer()).ok_or(SessionConfigError::Issuer)?;
        Ok(Arc::new(Self {
            origin: config.origin.to_string(),
            requires: config.requires,
            limits: config.limits,
            sealer,
            devices: DeviceCertificates::new(config.client_ca),
            endpoints,
            exchanges: ExchangeLimits::new(),
            client_id,
            gate,
        }))
    }

    /// Takes other keys from now on.
    pub fn set_keys(&self, keys: SessionKeys) {
        self.sealer.set_keys(keys);
    }

    /// Takes other CAs of devices from now on.
    pub fn set_client_ca(&self, client_ca: RootCertStore) {
        self.devices.set_trust(client_ca);
    }

    /// Whether a path of the product's origin is the gate's own.
    pub fn owns(path: &str) -> bool {
        path.starts_with(OWN_PATHS)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }
}

const OWN_PATHS: &str = "/.tegata/";
const CALLBACK: &str = "/.tegata/callback";
const SIGN_OUT: &str = "/.tegata/sign-out";
const SIGNED_OUT: &str = "/.tegata/signed-out";

#[cfg(test)]
mod tests;
