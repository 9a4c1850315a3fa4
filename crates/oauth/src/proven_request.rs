//! Requests of clients that prove a key beside their certificate.

use crate::authorization_server::AuthorizationServer;
use crate::client::AuthenticatedRequest;
use crate::dpop::SentProof;
use crate::error::OAuthError;
use axum::extract::Request;
use tegata_core::{DeviceId, JwkThumbprint};

impl AuthenticatedRequest {
    /// Reads a request that may carry a proof, authenticates its sender, and gives the key that it has proved: always one of a
    /// client whose tokens are bound to keys, where it `must`, and never one of anybody else.
    pub(crate) async fn read_with_proof(
        tokens: &AuthorizationServer,
        mut request: Request,
        must: bool,
    ) -> Result<(Self, Option<JwkThumbprint>), OAuthError> {
        let sent = SentProof::take(request.headers_mut());
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let asked = Self::read(tokens, request).await?;
        if !asked.is_dpop_bound() {
            return match sent {
                SentProof::None => Ok((asked, None)),
                _ => Err(OAuthError::invalid_request(
                    "Tokens of this client are bound to the certificate, not by DPoP",
                )),
            };
        }
        let Some(proof) = sent.read()? else {
            let missing = OAuthError::invalid_dpop_proof("The header DPoP is missing");
            return if must { Err(missing) } else { Ok((asked, None)) };
        };
        // Many devices may be one public client.
        let holder = asked.public_device().map_or(asked.client_id(), DeviceId::as_str);
        let key = tokens.dpop.prove(&proof, (method.as_str(), &path), holder, asked.at()).await?;
        Ok((asked, Some(key)))
    }
}
