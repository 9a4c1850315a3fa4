//! Programs at the installation's own API: for a person who is signed in, by a token that came by an authorization code, or by
//! themselves.

use crate::authorization_server::AuthorizationServer;
use crate::introspection::OwnToken;
use crate::userinfo::{TokenScheme, credential};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use tegata_core::{DeviceId, Refusal, SessionId, Timestamp};
use tegata_web::PeerCertificate;

/// Which program acts, for whom, and what it may.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProgramToken {
    /// The name of the program.
    pub client_id: String,
    /// The session of the person, which ends what the program may, and the device on which the person is signed in; nothing where
    /// the program got the token for itself.
    pub person: Option<(SessionId, DeviceId)>,
    /// What the program may, in words with spaces between.
    pub scope: String,
}

/// A request with a token, and what the token is compared with.
#[derive(Clone, Copy)]
pub struct TokenRequest<'a> {
    /// The headers, with the token.
    pub headers: &'a HeaderMap,
    /// What was presented on the connection.
    pub certificate: Option<&'a PeerCertificate>,
    /// Its method and path, which a proof names.
    pub target: (&'a str, &'a str),
    /// What tokens are for here.
    pub audience: &'a str,
}

impl AuthorizationServer {
    /// What the token of a request says; nothing where none came. The token is in force, for this audience, and bound to the
    /// certificate of the connection, or to the key of the proof that comes along (RFC 9449 section 7).
    ///
    /// # Errors
    /// What is wrong with the token, or its proof.
    pub async fn program(
        &self,
        request: TokenRequest<'_>,
        now: Timestamp,
    ) -> Result<Option<ProgramToken>, Refusal> {
        if !request.headers.contains_key(AUTHORIZATION) {
            return Ok(None);
        }
        let own = match credential(request.headers).ok_or(Refusal::TokenMissing)? {
            (TokenScheme::Bearer, text) => self.by_certificate(text, request.certificate, now).await?,
            (TokenScheme::Dpop, text) => self.by_proof(text, request.target, request.headers, now).await?,
        };
        if own.audience() != request.audience {
            return Err(Refusal::TokenForAnother);
        }
        let (client_id, sid, device, scope) = match own {
            // What a device gets for itself is nobody's program.
            OwnToken::Device(claims) => {
                let sid = claims.sid.ok_or(Refusal::SignInNeeded)?;
                (claims.client_id, Some(sid), Some(claims.device), claims.scope)
            }
            OwnToken::Client(claims) => (claims.client_id, claims.sid, claims.device, claims.scope),
        };
        let person = match (sid, device) {
            (Some(sid), Some(device)) => Some((SessionId::parse(&sid).ok_or(Refusal::TokenInvalid)?, device)),
            (None, None) => None,
            // About a device on which nobody is signed in.
            _ => return Err(Refusal::SignInNeeded),
        };
        Ok(Some(ProgramToken { client_id, person, scope: scope.unwrap_or_default() }))
    }
}
