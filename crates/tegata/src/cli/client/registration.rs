//! A registration from options of the command line, verified by the rules of every registration.

use crate::server::clients::RegisteredClients;
use clap::{Args, ValueEnum};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use tegata_core::client_registration::{AuthenticationMethod, ClientGrant, WrittenJwks};
use tegata_core::{ClientMetadata, ClientRegistration};
use tegata_installation::{Config, Failure, FailureContext};
use tegata_web::{RegisteredClient, Registrant};

/// What is registered of a client. Names are those of RFC 7591 and RFC 8705.
#[derive(Args)]
pub struct RegistrationOptions {
    /// How it authenticates; `none` is a page in a browser
    #[arg(long, value_enum, value_name = "METHOD")]
    auth: Option<MethodOption>,
    /// The whole subject of its certificate, as RFC 4514 writes it
    #[arg(long, value_name = "DN")]
    subject_dn: Option<String>,
    /// A host name in its certificate
    #[arg(long, value_name = "NAME")]
    san_dns: Option<String>,
    /// A URI in its certificate
    #[arg(long, value_name = "URI")]
    san_uri: Option<String>,
    /// An address in its certificate
    #[arg(long, value_name = "ADDRESS")]
    san_ip: Option<IpAddr>,
    /// A mail address in its certificate
    #[arg(long, value_name = "ADDRESS")]
    san_email: Option<String>,
    /// This installation issues its certificates; otherwise the CAs under [clients] do
    #[arg(long)]
    issued_here: bool,
    /// A file with its own certificates, as a JWKS; it is read once
    #[arg(long, value_name = "FILE", conflicts_with = "jwks_uri")]
    jwks: Option<PathBuf>,
    /// Where its own certificates are, as a JWKS
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<String>,
    /// How it comes to tokens; may be said twice
    #[arg(long, value_enum, value_name = "GRANT")]
    grant: Vec<GrantOption>,
    /// A product that it may ask tokens for; may be said more than once, the first is the default
    #[arg(long, value_name = "PRODUCT")]
    audience: Vec<String>,
    /// What of its products, and `profile` where it may learn what people are called; separated by spaces
    #[arg(long)]
    scope: Option<String>,
    /// A product whose tokens it may ask about; may be said more than once
    #[arg(long, value_name = "PRODUCT")]
    introspects: Vec<String>,
    /// Bind its tokens to a key of its own (DPoP): `true` or `false`
    #[arg(long, value_name = "BOOL")]
    dpop_bound: Option<bool>,
    /// Where codes are sent; may be said more than once
    #[arg(long, value_name = "URL")]
    redirect_uri: Vec<String>,
    /// Where browsers go on after a sign-out; may be said more than once
    #[arg(long, value_name = "URL")]
    post_logout_redirect_uri: Vec<String>,
    /// Where it hears that a session has ended
    #[arg(long, value_name = "URL")]
    backchannel_logout_uri: Option<String>,
    /// The origin of its pages; may be said more than once
    #[arg(long, value_name = "ORIGIN")]
    origin: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum MethodOption {
    #[value(name = "tls_client_auth")]
    TlsClientAuth,
    #[value(name = "self_signed_tls_client_auth")]
    SelfSignedTlsClientAuth,
    None,
}

#[derive(Clone, Copy, ValueEnum)]
enum GrantOption {
    #[value(name = "authorization_code")]
    AuthorizationCode,
    #[value(name = "client_credentials")]
    ClientCredentials,
}

impl RegistrationOptions {
    /// A registration of its own.
    pub fn begin(&self, client_id: &str) -> Result<ClientMetadata, Failure> {
        let method = self.auth.ok_or_else(|| Failure::misuse("how does it authenticate? Say --auth"))?;
        self.change(ClientMetadata::new(client_id.to_owned(), method.into()))
    }

    /// What was registered, with what is said in place of what was.
    pub fn change(&self, before: ClientMetadata) -> Result<ClientMetadata, Failure> {
        let mut metadata = before;
        if let Some(method) = self.auth {
            forget_credentials(&mut metadata);
            metadata.token_endpoint_auth_method = method.into();
        }
        replace(&mut metadata.tls_client_auth_subject_dn, self.subject_dn.as_ref());
        replace(&mut metadata.tls_client_auth_san_dns, self.san_dns.as_ref());
        replace(&mut metadata.tls_client_auth_san_uri, self.san_uri.as_ref());
        replace(&mut metadata.tls_client_auth_san_email, self.san_email.as_ref());
        replace(&mut metadata.backchannel_logout_uri, self.backchannel_logout_uri.as_ref());
        metadata.tls_client_auth_san_ip = self.san_ip.or(metadata.tls_client_auth_san_ip);
        metadata.issued_here |= self.issued_here;
        if self.jwks.is_some() || self.jwks_uri.is_some() {
            (metadata.jwks, metadata.jwks_uri) = (None, self.jwks_uri.clone());
        }
        if let Some(file) = &self.jwks {
            metadata.jwks = Some(read_jwks(file)?);
        }
        if !self.grant.is_empty() {
            metadata.grants = self.grant.iter().map(|grant| (*grant).into()).collect();
        }
        metadata.dpop_bound_access_tokens = self.dpop_bound.unwrap_or(metadata.dpop_bound_access_tokens);
        if let Some(scope) = &self.scope {
            metadata.scope.clone_from(scope);
        }
        replace_all(&mut metadata.audiences, &self.audience);
        replace_all(&mut metadata.introspects, &self.introspects);
        replace_all(&mut metadata.redirect_uris, &self.redirect_uri);
        replace_all(&mut metadata.post_logout_redirect_uris, &self.post_logout_redirect_uri);
        replace_all(&mut metadata.origins, &self.origin);
        Ok(metadata)
    }
}

/// By the rules that servers read it with.
pub fn verify(config: &Config, metadata: ClientMetadata) -> Result<ClientRegistration, Failure> {
    let registration = ClientRegistration::for_the_ledger(metadata).map_err(Failure::misuse)?;
    let cas =
        if registration.needs_shared_ca() { RegisteredClients::open(config)?.shared_cas() } else { None };
    let client = RegisteredClient::of_the_ledger(&registration, Registrant::Operator, cas.as_ref());
    let is_product = |name: &str| config.products.iter().any(|product| product.audience == name);
    client.map_err(Failure::misuse)?.check(&is_product).map_err(Failure::misuse)?;
    Ok(registration)
}

/// Another method has other credentials.
fn forget_credentials(metadata: &mut ClientMetadata) {
    let id = std::mem::take(&mut metadata.client_id);
    let kept = ClientMetadata::new(id, metadata.token_endpoint_auth_method);
    let before = std::mem::replace(metadata, kept);
    metadata.grants = before.grants;
    metadata.audiences = before.audiences;
    metadata.scope = before.scope;
    metadata.introspects = before.introspects;
    metadata.dpop_bound_access_tokens = before.dpop_bound_access_tokens;
    metadata.redirect_uris = before.redirect_uris;
    metadata.post_logout_redirect_uris = before.post_logout_redirect_uris;
    metadata.backchannel_logout_uri = before.backchannel_logout_uri;
    metadata.backchannel_logout_session_required = before.backchannel_logout_session_required;
    metadata.origins = before.origins;
}

/// Nothing where nothing is said in its place.
fn replace(member: &mut Option<String>, said: Option<&String>) {
    if let Some(said) = said {
        *member = Some(said.clone()).filter(|text| !text.is_empty());
    }
}

fn replace_all(members: &mut Vec<String>, said: &[String]) {
    if !said.is_empty() {
        *members = said.iter().filter(|text| !text.is_empty()).cloned().collect();
    }
}

fn read_jwks(file: &Path) -> Result<WrittenJwks, Failure> {
    let what = || format!("cannot read the JWKS in {}", file.display());
    let text = std::fs::read_to_string(file).doing(what())?;
    serde_json::from_str(&text).map(WrittenJwks::Inline).doing(what())
}

impl From<MethodOption> for AuthenticationMethod {
    fn from(said: MethodOption) -> Self {
        match said {
            MethodOption::TlsClientAuth => Self::TlsClientAuth,
            MethodOption::SelfSignedTlsClientAuth => Self::SelfSignedTlsClientAuth,
            MethodOption::None => Self::None,
        }
    }
}

impl From<GrantOption> for ClientGrant {
    fn from(said: GrantOption) -> Self {
        match said {
            GrantOption::AuthorizationCode => Self::AuthorizationCode,
            GrantOption::ClientCredentials => Self::ClientCredentials,
        }
    }
}
