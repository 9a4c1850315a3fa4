//! Issues an access token along with a renewed certificate, so that a client always has one that is bound to it.

use crate::authorization_server::AuthorizationServer;
use crate::error::OAuthError;
use crate::form::FormParameters;
use crate::token_response::TokenResponse;
use tegata_core::{Refusal, Role, Thumbprint};

impl AuthorizationServer {
    /// A token of the device that this certificate was issued to, bound to it. Nobody has to have presented the
    /// certificate: the request for it proved who has the key, and without the key the token is of no use. Giving it is
    /// no use of the certificate either, so the grace of the older generation does not begin.
    ///
    /// The answer names the product. `resource` and `scope` mean what they mean at the token endpoint.
    ///
    /// # Errors
    /// What the token endpoint would answer whoever presents this certificate.
    pub async fn companion(
        &self,
        certificate: &Thumbprint,
        resource: Option<&str>,
        scope: Option<&str>,
    ) -> Result<TokenResponse, OAuthError> {
        let form = FormParameters::of([("resource", resource), ("scope", scope)]);
        let now = self.context.now();
        let holder = self.context.holder_of(certificate, now).await?;
        if holder.role != Role::Device {
            return Err(Refusal::NotADevice.into());
        }
        let claims = self.recorded(&holder, &form, now).await?;
        // While the record was on its way to the disk, the device may have been stopped.
        self.context.holder_of(certificate, self.context.now()).await?;
        let response = self.token_response(&claims)?;
        Ok(response.for_resource(claims.aud))
    }
}
