//! A program acts for a person who is signed in: by a token that it got by an authorization code, at the installation's own API.

use crate::authorization_server::AuthorizationServer;
use crate::bearer::bearer;
use crate::introspection::OwnToken;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use tegata_core::{DeviceId, Refusal, SessionId, Timestamp};
use tegata_web::PeerCertificate;

/// For whom a program acts, and what it may.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DelegatedToken {
    /// The name of the program.
    pub client_id: String,
    /// The session of the person, which ends what the program may.
    pub session: SessionId,
    /// The device on which the person is signed in.
    pub device: DeviceId,
    /// What the program may, in words with spaces between.
    pub scope: String,
}

impl AuthorizationServer {
    /// What the token of a request says; nothing where none came. The token is in force, bound to the certificate of the connection,
    /// and for this audience.
    ///
    /// # Errors
    /// What is wrong with the token.
    pub async fn delegated(
        &self,
        headers: &HeaderMap,
        certificate: Option<&PeerCertificate>,
        audience: &str,
        now: Timestamp,
    ) -> Result<Option<DelegatedToken>, Refusal> {
        if !headers.contains_key(AUTHORIZATION) {
            return Ok(None);
        }
        let text = bearer(headers).ok_or(Refusal::TokenMissing)?;
        let own = self.by_certificate(text, certificate, now).await?;
        if own.audience() != audience {
            return Err(Refusal::TokenForAnother);
        }
        let (client_id, sid, device, scope) = match own {
            OwnToken::Device(claims) => (claims.client_id, claims.sid, Some(claims.device), claims.scope),
            OwnToken::Client(claims) => (claims.client_id, claims.sid, claims.device, claims.scope),
        };
        // A token without a person, as a program gets for itself, does nothing here.
        let (sid, device) = sid.zip(device).ok_or(Refusal::SignInNeeded)?;
        let session = SessionId::parse(&sid).ok_or(Refusal::TokenInvalid)?;
        Ok(Some(DelegatedToken { client_id, session, device, scope: scope.unwrap_or_default() }))
    }
}
