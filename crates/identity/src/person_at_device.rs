//! Somebody who is signed in, for pages that others serve: who it is, and what ties a form to their browser.

use crate::cookie::BrowserSecret;
use crate::service::IdentityService;
use std::sync::Arc;
use tegata_core::{Refusal, Timestamp};
use tegata_storage::{CertificateHolder, LiveSession};
use tegata_web::PeerCertificate;

/// Somebody who is signed in, as others than this crate are told of them.
pub struct PersonAtDevice {
    /// The session that lasts.
    pub session: LiveSession,
    /// The device that they stand before.
    pub holder: Arc<CertificateHolder>,
    secret: BrowserSecret,
}

impl PersonAtDevice {
    /// What a form of this browser carries.
    pub fn form_token(&self) -> String {
        self.secret.form_token()
    }

    /// Whether a form was made for this browser.
    pub fn made(&self, form_token: &str) -> bool {
        self.secret.made(form_token)
    }
}

impl IdentityService {
    /// Whoever is signed in; nobody where nobody is.
    ///
    /// # Errors
    /// What is wrong with the certificate, or with the ledger.
    pub async fn person_at_device(
        &self,
        certificate: Option<&PeerCertificate>,
        headers: &http::HeaderMap,
        now: Timestamp,
    ) -> Result<Option<PersonAtDevice>, Refusal> {
        match self.signed_in(certificate, headers, now).await {
            Ok(by) => Ok(Some(PersonAtDevice { session: by.session, holder: by.holder, secret: by.secret })),
            Err(Refusal::SignInNeeded) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }
}
