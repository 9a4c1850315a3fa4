//! A registration as RFC 7591 writes it, from and to the one that everybody else writes.

use super::error::RegistrationRefused;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tegata_core::client_registration::{AuthenticationMethod, ClientGrant, WrittenJwks};
use tegata_core::{ClientMetadata, HttpUrl};

/// What of a client's wishes is read; all else is ignored (RFC 7591 section 2).
#[derive(Deserialize)]
pub(super) struct ClientDocument {
    client_id: Option<String>,
    token_endpoint_auth_method: Option<AuthenticationMethod>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
    #[serde(default)]
    redirect_uris: Vec<String>,
    #[serde(default)]
    post_logout_redirect_uris: Vec<String>,
    backchannel_logout_uri: Option<String>,
    #[serde(default)]
    backchannel_logout_session_required: bool,
    #[serde(default)]
    dpop_bound_access_tokens: bool,
    scope: Option<String>,
    /// The products, a member of our own.
    audiences: Option<Vec<String>>,
    jwks: Option<Map<String, Value>>,
    jwks_uri: Option<String>,
    tls_client_auth_subject_dn: Option<String>,
    tls_client_auth_san_dns: Option<String>,
    tls_client_auth_san_uri: Option<String>,
    tls_client_auth_san_ip: Option<std::net::IpAddr>,
    tls_client_auth_san_email: Option<String>,
    client_secret: Option<Value>,
    software_statement: Option<Value>,
}

/// What a client may be registered for at most.
pub(super) struct RegistrationLimits {
    pub(super) audiences: Vec<String>,
    pub(super) scope: String,
}

impl RegistrationLimits {
    /// What a client is registered for.
    pub(super) fn of(registration: &Value) -> Self {
        let audiences = registration["audiences"].as_array().map_or(&[][..], Vec::as_slice);
        Self {
            audiences: audiences.iter().filter_map(|one| Some(one.as_str()?.to_owned())).collect(),
            scope: registration["scope"].as_str().unwrap_or_default().to_owned(),
        }
    }

    fn audiences(&self, wanted: Option<Vec<String>>) -> Result<Vec<String>, RegistrationRefused> {
        let wanted = wanted.unwrap_or_else(|| self.audiences.clone());
        match wanted.iter().find(|one| !self.audiences.contains(one)) {
            Some(more) => Err(RegistrationRefused::metadata(format!("audiences: not for {more}"))),
            None => Ok(wanted),
        }
    }

    fn scope(&self, wanted: Option<String>) -> Result<String, RegistrationRefused> {
        let Some(wanted) = wanted else { return Ok(self.scope.clone()) };
        let allowed = |one: &&str| *one == "openid" || self.scope.split(' ').any(|own| own == *one);
        match wanted.split(' ').filter(|one| !one.is_empty()).find(|one| !allowed(one)) {
            Some(more) => Err(RegistrationRefused::metadata(format!("scope: not {more}"))),
            None => Ok(wanted),
        }
    }
}

impl ClientDocument {
    pub(super) fn parse(text: &[u8]) -> Result<Self, RegistrationRefused> {
        let document = serde_json::from_slice::<Self>(text);
        // What serde says may quote what somebody sent, and only they read it.
        document.map_err(|error| RegistrationRefused::metadata(error.to_string()))
    }

    /// RFC 7592 section 2.2: whoever changes a registration says which.
    pub(super) fn must_be_of(&self, client_id: &str) -> Result<(), RegistrationRefused> {
        if self.client_id.as_deref() == Some(client_id) {
            Ok(())
        } else {
            Err(RegistrationRefused::metadata("client_id: say the one that is changed".into()))
        }
    }

    /// The registration that everybody else would write.
    pub(super) fn into_metadata(
        self,
        client_id: String,
        limits: &RegistrationLimits,
    ) -> Result<ClientMetadata, RegistrationRefused> {
        let wrong = |why: &str| RegistrationRefused::metadata(why.to_owned());
        if self.client_secret.is_some() || self.software_statement.is_some() {
            return Err(wrong("there are neither secrets nor software statements"));
        }
        let method = self.token_endpoint_auth_method.ok_or_else(|| {
            wrong("token_endpoint_auth_method: none, tls_client_auth or self_signed_tls_client_auth")
        })?;
        let grants = grants(self.grant_types)?;
        let by_code = grants.contains(&ClientGrant::AuthorizationCode);
        let expected: &[&str] = if by_code { &["code"] } else { &[] };
        if self.response_types.is_some_and(|wanted| wanted != expected) {
            return Err(wrong("response_types: code, with the grant authorization_code"));
        }
        let origins = match method {
            AuthenticationMethod::None => origins(&self.redirect_uris),
            _ => Vec::new(),
        };
        Ok(ClientMetadata {
            tls_client_auth_subject_dn: self.tls_client_auth_subject_dn,
            tls_client_auth_san_dns: self.tls_client_auth_san_dns,
            tls_client_auth_san_uri: self.tls_client_auth_san_uri,
            tls_client_auth_san_ip: self.tls_client_auth_san_ip,
            tls_client_auth_san_email: self.tls_client_auth_san_email,
            jwks: self.jwks.map(|jwks| WrittenJwks::Inline(Value::Object(jwks))),
            jwks_uri: self.jwks_uri,
            grants,
            audiences: limits.audiences(self.audiences)?,
            scope: limits.scope(self.scope)?,
            redirect_uris: self.redirect_uris,
            post_logout_redirect_uris: self.post_logout_redirect_uris,
            backchannel_logout_uri: self.backchannel_logout_uri,
            backchannel_logout_session_required: self.backchannel_logout_session_required,
            dpop_bound_access_tokens: self.dpop_bound_access_tokens,
            origins,
            ..ClientMetadata::new(client_id, method)
        })
    }
}

/// A refresh token comes with every code, whether it is wished for or not.
fn grants(wanted: Option<Vec<String>>) -> Result<Vec<ClientGrant>, RegistrationRefused> {
    let Some(wanted) = wanted else { return Ok(vec![ClientGrant::AuthorizationCode]) };
    let mut grants = Vec::new();
    for grant in &wanted {
        grants.extend(match grant.as_str() {
            "authorization_code" => Some(ClientGrant::AuthorizationCode),
            "client_credentials" => Some(ClientGrant::ClientCredentials),
            "refresh_token" => None,
            _ => return Err(RegistrationRefused::metadata(format!("grant_types: there is no {grant}"))),
        });
    }
    if grants.is_empty() {
        return Err(RegistrationRefused::metadata("grant_types: what may it ask for?".into()));
    }
    Ok(grants)
}

/// Where the pages are that a code comes back to.
fn origins(redirect_uris: &[String]) -> Vec<String> {
    let mut origins: Vec<_> =
        redirect_uris.iter().filter_map(|uri| Some(HttpUrl::parse(uri).ok()?.origin().to_string())).collect();
    origins.sort();
    origins.dedup();
    origins
}

/// What is registered, in the words of RFC 7591.
pub(super) fn described(registration: &Value) -> Value {
    let mut document = registration.clone();
    let Some(members) = document.as_object_mut() else { return document };
    members.retain(|name, _| !matches!(name.as_str(), "grants" | "origins"));
    let grants = registration["grants"].as_array().map_or(&[][..], Vec::as_slice);
    let by_code = grants.iter().any(|grant| grant == "authorization_code");
    let mut grants = grants.to_vec();
    grants.extend(by_code.then(|| json!("refresh_token")));
    members.insert("grant_types".into(), json!(grants));
    members.insert("response_types".into(), if by_code { json!(["code"]) } else { json!([]) });
    document
}
