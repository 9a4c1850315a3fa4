//! What an access token says, and its record.

use crate::authorization_server::AuthorizationServer;
use crate::code_facts::CodeFacts;
use crate::error::OAuthError;
use crate::form::FormParameters;
use tegata_core::claims::{AccessClaims, ActorClaim, Confirmation, device_subject};
use tegata_core::encoding::base64url;
use tegata_core::entropy::bytes;
use tegata_core::{JwkThumbprint, Thumbprint, Timestamp};
use tegata_storage::{CertificateHolder, IssuedToken};

/// What a token is to be for, beside the device.
pub(crate) struct TokenRequest<'a> {
    pub(crate) audience: &'a str,
    pub(crate) scope: Option<String>,
    pub(crate) person: Option<&'a str>,
    /// The key that it is bound to in place of the certificate.
    pub(crate) key: Option<JwkThumbprint>,
}

/// What a token is bound to, and the certificate that it says beside that.
pub(crate) fn bound_to(
    certificate: Thumbprint,
    key: Option<JwkThumbprint>,
) -> (Confirmation, Option<Thumbprint>) {
    match key {
        None => (Confirmation::Certificate(certificate), None),
        Some(key) => (Confirmation::Key(key), Some(certificate)),
    }
}

impl AuthorizationServer {
    /// What a token for the device itself will say, as the form asks for it. It is recorded, and not signed yet: the caller
    /// looks once more whether the device may have it.
    pub(crate) async fn recorded(
        &self,
        device: &CertificateHolder,
        form: &FormParameters,
        now: Timestamp,
    ) -> Result<AccessClaims, OAuthError> {
        let audience = self.audience_for(form, device).await?;
        let scope = self.scope(form, audience)?;
        let claims = self.claims(device, TokenRequest { audience, scope, person: None, key: None }, now);
        self.context.ledger.record_token(record_of(&claims, now)).await?;
        Ok(claims)
    }

    /// A token does not outlive its certificate, and is not dated before its holder was last signed out: tokens count
    /// whole seconds, and those of the same second are denied by their age. It is the person's where there is one, with
    /// the device acting.
    pub(crate) fn claims(
        &self,
        device: &CertificateHolder,
        terms: TokenRequest<'_>,
        now: Timestamp,
    ) -> AccessClaims {
        let TokenRequest { audience, scope, person, key } = terms;
        let (cnf, shown_certificate) = bound_to(device.thumbprint, key);
        let itself = device_subject(&device.device);
        let at = self.issued_at(device, now);
        AccessClaims {
            iss: self.issuer().to_owned(),
            sub: person.unwrap_or(&itself).to_owned(),
            act: person.is_some().then_some(ActorClaim { sub: itself }),
            aud: audience.to_owned(),
            scope,
            client_id: device.device.to_string(),
            iat: at.seconds(),
            exp: at.plus(self.lifetime).min(device.not_after).seconds(),
            nbf: None,
            jti: base64url(&bytes::<16>(&*self.context.entropy)),
            cnf,
            shown_certificate,
            tenant: device.tenant.clone(),
            site: device.site.clone(),
            device: device.device.clone(),
            generation: device.generation,
            status: device.status_place.and_then(|place| self.status_lists().claim(place)),
            sid: None,
            auth_time: None,
            acr: None,
            amr: None,
        }
    }

    fn issued_at(&self, device: &CertificateHolder, now: Timestamp) -> Timestamp {
        self.context.status.tokens_before(device).map_or(now, |signed_out| now.max(signed_out))
    }
}

/// The claims of a token that a client got by an authorization code.
pub(crate) fn by_code(claims: AccessClaims, client_id: &str, facts: &CodeFacts) -> AccessClaims {
    let person = facts.person.as_ref();
    AccessClaims {
        client_id: client_id.to_owned(),
        sid: person.map(|person| person.session.to_string()),
        auth_time: person.and_then(|person| person.auth_time).map(Timestamp::seconds),
        acr: Some(facts.acr().to_owned()),
        amr: Some(facts.amr.clone()),
        ..claims
    }
}

fn record_of(claims: &AccessClaims, at: Timestamp) -> IssuedToken {
    IssuedToken {
        jti: claims.jti.clone(),
        device: claims.device.clone(),
        generation: claims.generation,
        audience: claims.aud.clone(),
        at,
    }
}
