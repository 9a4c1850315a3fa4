//! ID tokens (OpenID Connect Core section 2): who is signed in, on which device, as a client hears it once.

use crate::authorization_server::AuthorizationServer;
use crate::code_facts::CodeFacts;
use crate::error::OAuthError;
use serde::{Deserialize, Serialize};
use tegata_core::claims::{Confirmation, device_subject};
use tegata_core::encoding::base64url;
use tegata_core::{DeviceId, SessionId, SiteId, TenantId, Thumbprint, Timestamp};
use tegata_storage::CertificateHolder;

/// The `typ` of an ID token: no access token passes for one, nor the other way round.
pub(crate) const ID_TOKEN: &str = "JWT";

#[derive(Serialize)]
struct IdTokenStatement<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    at_hash: String,
    acr: &'static str,
    amr: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a SessionId>,
    tenant: &'a TenantId,
    site: &'a SiteId,
    device: &'a DeviceId,
    generation: u32,
    /// The certificate that the device showed when it asked: whoever sees another one has somebody else before them.
    cnf: Confirmation,
}

/// What is read of an ID token that comes back (OpenID Connect RP-Initiated Logout section 2).
#[derive(Deserialize)]
pub(crate) struct IdTokenHint {
    pub(crate) iss: String,
    /// The client that it was issued to.
    pub(crate) aud: String,
    /// The session; none of a device for itself.
    pub(crate) sid: Option<String>,
}

/// What an ID token is about, beside how the subject is known.
pub(crate) struct IdTokenSubject<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) nonce: Option<&'a str>,
    pub(crate) access_token: &'a str,
    /// The device that asked.
    pub(crate) holder: &'a CertificateHolder,
}

impl AuthorizationServer {
    pub(crate) fn id_token(
        &self,
        about: &IdTokenSubject<'_>,
        facts: &CodeFacts,
        now: Timestamp,
    ) -> Result<String, OAuthError> {
        let (holder, person) = (about.holder, facts.person.as_ref());
        let device = device_subject(&holder.device);
        let claims = IdTokenStatement {
            iss: self.issuer(),
            sub: person.map_or(&device, |person| &person.subject),
            aud: about.client_id,
            iat: now.seconds(),
            exp: now.plus(self.lifetime).seconds(),
            at_hash: at_hash(about.access_token),
            acr: facts.acr(),
            amr: &facts.amr,
            nonce: about.nonce,
            auth_time: person.and_then(|person| person.auth_time).map(Timestamp::seconds),
            sid: person.map(|person| &person.session),
            tenant: &holder.tenant,
            site: &holder.site,
            device: &holder.device,
            generation: holder.generation,
            cnf: Confirmation::Certificate(holder.thumbprint),
        };
        Ok(self.sign(ID_TOKEN, &claims)?)
    }
}

/// The left half of the hash of the access token (section 3.1.3.6).
fn at_hash(access_token: &str) -> String {
    base64url(&Thumbprint::of(access_token.as_bytes()).as_bytes()[..16])
}
