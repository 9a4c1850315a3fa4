//! What is registered of an OAuth client, in the words of RFC 7591 and RFC 8705: one parser, whoever registers it. `tegata.toml` has
//! such registrations, operators keep them in the ledger, and clients may send them.

mod metadata;

pub use metadata::{AuthenticationMethod, ClientGrant, ClientMetadata, WrittenJwks};

use crate::client_sign_in::ClientSignIn;
use crate::subject::{DistinguishedNameValue, SubjectRule};
use crate::{HttpUrl, SiteId, TenantId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::PathBuf;

const LONGEST_ID: usize = 128;

/// A client whose registration was verified.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "ClientMetadata")]
pub struct ClientRegistration {
    /// What it calls itself.
    pub client_id: String,
    /// How its certificate is known.
    pub method: ClientMethod,
    /// Whether it may have tokens of its own.
    pub client_credentials: bool,
    /// What those tokens are for.
    pub audiences: Vec<String>,
    /// What they may be good for, separated by spaces.
    pub scope: String,
    /// The products whose tokens it may ask about.
    pub introspects: Vec<String>,
    /// Whether its tokens are bound to a key of its own.
    pub dpop_bound_access_tokens: bool,
    /// How people come to it from a sign-in.
    pub sign_in: ClientSignIn,
    /// Where its own tokens act at the console's API; nowhere unless it is written.
    pub acts_for: Option<ActsFor>,
    /// Where it may invite devices by lists; nowhere unless it is written.
    pub invites: Vec<InvitationPlace>,
    /// The registration as it is written, for the audit log and the ledger. There is no secret in it.
    pub written: Value,
}

/// Why a client cannot be registered.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UnfitRegistration {
    /// By an address that codes would be sent to (`invalid_redirect_uri` of RFC 7591 section 3.2.2).
    #[error("{0}")]
    RedirectUri(String),
    /// By anything else (`invalid_client_metadata`).
    #[error("{0}")]
    Metadata(String),
}

/// A tenant for which a client may invite. By identifiers: a name may be another's tomorrow.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct InvitationPlace {
    /// Whose devices it invites.
    pub tenant: TenantId,
    /// These sites alone; all of them, also those to come, where there is none.
    pub sites: Option<Vec<SiteId>>,
}

/// For whom a client acts at the console's API by itself.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ActsFor {
    /// One company, by its identifier.
    Tenant(TenantId),
    /// The vendor, for what is no company's: the register of companies, and how the installation does.
    Installation,
}

/// How it is known.
#[derive(Clone, Debug)]
pub enum ClientMethod {
    /// By a value of the subject and the CA that issued it (RFC 8705 section 2.1).
    TlsClientAuth {
        /// What its certificate must say.
        subject: SubjectRule,
        /// The CA that must have issued it.
        ca: ClientCa,
    },
    /// By a set of keys with its certificates (RFC 8705 section 2.2).
    SelfSigned(JwksLocation),
    /// By nothing of its own: a page in a browser.
    Public,
}

/// Where a client's own certificates are written down.
#[derive(Clone, Debug)]
pub enum JwksLocation {
    /// In a file, which is read again whenever it changes.
    File(PathBuf),
    /// In the registration itself.
    Inline(Value),
    /// At the client's own server, which is asked again when a certificate comes that is not known.
    At(HttpUrl),
}

/// Who issues its certificates.
#[derive(Clone, Debug)]
pub enum ClientCa {
    /// The CAs that `[clients]` names for all clients.
    Shared,
    /// The issuing CAs of this installation.
    Own,
    /// The CAs of a file, with their revocation lists where there are any.
    File(PathBuf, Option<PathBuf>),
}

impl ClientRegistration {
    /// A client of the ledger: what stands in a file of one machine, or is looked up once at a start, belongs to `tegata.toml`.
    ///
    /// # Errors
    /// [`UnfitRegistration`] says what is wrong.
    pub fn for_the_ledger(written: ClientMetadata) -> Result<Self, UnfitRegistration> {
        let names_files = matches!(written.jwks, Some(WrittenJwks::File(_))) || written.ca.is_some();
        if names_files || !written.invites.is_empty() || written.acts_for.is_some() {
            let name = &written.client_id;
            let why = format!("client {name}: files, invites and acts_for belong to tegata.toml");
            return Err(UnfitRegistration::Metadata(why));
        }
        written.try_into()
    }

    /// Whether it counts on the CAs of `[clients]`.
    pub fn needs_shared_ca(&self) -> bool {
        matches!(self.method, ClientMethod::TlsClientAuth { ca: ClientCa::Shared, .. })
    }
}

impl TryFrom<ClientMetadata> for ClientRegistration {
    type Error = UnfitRegistration;

    fn try_from(mut written: ClientMetadata) -> Result<Self, UnfitRegistration> {
        let as_written = written.as_json();
        let name = written.client_id.clone();
        let unfit = |why: String| UnfitRegistration::Metadata(format!("client {name}: {why}"));
        check_client_id(&name).map_err(UnfitRegistration::Metadata)?;
        let method = written.method().map_err(unfit)?;
        if written.grants.is_empty() != written.audiences.is_empty() {
            return Err(unfit("grants and audiences belong together: what may it ask for?".into()));
        }
        if written.dpop_bound_access_tokens && written.grants.is_empty() {
            return Err(unfit("dpop_bound_access_tokens is about tokens: it has no grants".into()));
        }
        let client_credentials = written.grants.contains(&ClientGrant::ClientCredentials);
        if client_credentials && matches!(method, ClientMethod::Public) {
            return Err(unfit("client_credentials needs a certificate of the client's own".into()));
        }
        if written.acts_for.is_some() && !client_credentials {
            return Err(unfit("acts_for is about tokens of its own: grants lacks client_credentials".into()));
        }
        let sign_in = written.sign_in().map_err(unfit)?;
        sign_in.check().map_err(|address| {
            let why = format!("client {name}: {address}");
            if sign_in.has_redirect(&address.text) {
                UnfitRegistration::RedirectUri(why)
            } else {
                UnfitRegistration::Metadata(why)
            }
        })?;
        Ok(Self {
            client_id: written.client_id,
            method,
            client_credentials,
            audiences: written.audiences,
            scope: written.scope,
            introspects: written.introspects,
            dpop_bound_access_tokens: written.dpop_bound_access_tokens,
            sign_in,
            acts_for: written.acts_for,
            invites: written.invites,
            written: as_written,
        })
    }
}

/// RFC 6749 appendix A.1, without spaces: it stands in URLs, logs and audit entries.
fn check_client_id(id: &str) -> Result<(), String> {
    if (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(format!("client_id {id:?}: use 1 to {LONGEST_ID} letters, digits and signs of ASCII, without spaces"))
}

impl ClientMetadata {
    fn method(&mut self) -> Result<ClientMethod, String> {
        let mut subjects = self.subjects()?;
        let count = subjects.len();
        let jwks = self.jwks()?;
        match (&self.token_endpoint_auth_method, subjects.pop(), jwks) {
            (AuthenticationMethod::TlsClientAuth, Some(subject), None) if count == 1 => {
                let ca = self.ca()?;
                check_issuer(&ca, &subject)?;
                Ok(ClientMethod::TlsClientAuth { subject, ca })
            }
            (AuthenticationMethod::TlsClientAuth, _, None) => {
                Err(format!("{SUBJECTS}, and exactly one of them; there are {count}"))
            }
            (AuthenticationMethod::TlsClientAuth, _, Some(_)) => {
                Err("jwks and jwks_uri belong to self_signed_tls_client_auth".into())
            }
            (AuthenticationMethod::SelfSignedTlsClientAuth, None, Some(jwks)) => {
                if self.ca.is_some() || self.crl.is_some() || self.issued_here {
                    return Err("a self-signed certificate has no CA".into());
                }
                Ok(ClientMethod::SelfSigned(jwks))
            }
            (AuthenticationMethod::None, None, None) => {
                if self.ca.is_some() || self.crl.is_some() || self.issued_here {
                    return Err("a client without a certificate has no CA".into());
                }
                if !(self.introspects.is_empty() && self.invites.is_empty()) {
                    return Err("introspects and invites need a certificate of the client's own".into());
                }
                Ok(ClientMethod::Public)
            }
            (AuthenticationMethod::None, ..) => Err("the method none has neither subject nor jwks".into()),
            (AuthenticationMethod::SelfSignedTlsClientAuth, ..) => {
                Err("self_signed_tls_client_auth needs jwks or jwks_uri, and nothing about the subject"
                    .into())
            }
        }
    }

    /// Codes go to written addresses alone, and nobody is sent anywhere else.
    fn sign_in(&mut self) -> Result<ClientSignIn, String> {
        let sign_in = ClientSignIn {
            redirect_uris: std::mem::take(&mut self.redirect_uris),
            post_logout_redirect_uris: std::mem::take(&mut self.post_logout_redirect_uris),
            backchannel_logout_uri: self.backchannel_logout_uri.take(),
            backchannel_logout_session_required: self.backchannel_logout_session_required,
            origins: std::mem::take(&mut self.origins),
        };
        if self.grants.contains(&ClientGrant::AuthorizationCode) == sign_in.redirect_uris.is_empty() {
            return Err("redirect_uris and the grant authorization_code belong together".into());
        }
        if sign_in.redirect_uris.is_empty() && sign_in != ClientSignIn::default() {
            return Err("sign-outs and origins belong to a client with redirect_uris".into());
        }
        Ok(sign_in)
    }

    fn subjects(&mut self) -> Result<Vec<SubjectRule>, String> {
        let dn = self
            .tls_client_auth_subject_dn
            .take()
            .map(|text| DistinguishedNameValue::parse(&text).map(SubjectRule::Dn));
        let subjects = [
            dn.transpose().map_err(|error| error.to_string())?,
            self.tls_client_auth_san_dns.take().map(SubjectRule::Dns),
            self.tls_client_auth_san_uri.take().map(SubjectRule::Uri),
            self.tls_client_auth_san_ip.take().map(SubjectRule::Ip),
            self.tls_client_auth_san_email.take().map(SubjectRule::Email),
        ];
        Ok(subjects.into_iter().flatten().collect())
    }

    fn jwks(&mut self) -> Result<Option<JwksLocation>, String> {
        match (self.jwks.take(), self.jwks_uri.take()) {
            (Some(_), Some(_)) => Err("either jwks or jwks_uri (RFC 7591 section 2)".into()),
            (Some(WrittenJwks::File(file)), None) => Ok(Some(JwksLocation::File(file))),
            (Some(WrittenJwks::Inline(jwks)), None) => Ok(Some(JwksLocation::Inline(jwks))),
            (None, Some(text)) => {
                let url = HttpUrl::parse_https(&text);
                Ok(Some(JwksLocation::At(url.map_err(|error| format!("jwks_uri {text:?}: {error}"))?)))
            }
            (None, None) => Ok(None),
        }
    }

    fn ca(&mut self) -> Result<ClientCa, String> {
        let crl = self.crl.take();
        if crl.is_some() && self.ca.is_none() {
            return Err("crl goes with ca: whose revocation list is it?".into());
        }
        match (self.ca.take(), self.issued_here) {
            (Some(_), true) => Err("either ca or issued_here: a client has one issuer".into()),
            (Some(file), false) => Ok(ClientCa::File(file, crl)),
            (None, true) => Ok(ClientCa::Own),
            (None, false) => Ok(ClientCa::Shared),
        }
    }
}

/// Labels of devices are words of their tenants; the URI alone is chosen by the installation, and is one device's.
fn check_issuer(ca: &ClientCa, subject: &SubjectRule) -> Result<(), String> {
    match (ca, subject) {
        (ClientCa::Own, SubjectRule::Uri(_)) | (ClientCa::Shared | ClientCa::File(..), _) => Ok(()),
        (ClientCa::Own, _) => {
            Err("issued_here goes with tls_client_auth_san_uri, https://NAME/gate/ID: nothing \
                                   else in certificates of this installation is one holder's alone"
                .into())
        }
    }
}

const SUBJECTS: &str =
    "tls_client_auth needs one of tls_client_auth_subject_dn, _san_dns, _san_uri, _san_ip, _san_email";
