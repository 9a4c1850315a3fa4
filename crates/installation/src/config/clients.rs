//! Registered clients, as `tegata.toml` has them: names are those of RFC 7591 and RFC 8705.

use http::Uri;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use tegata_core::subject::{DistinguishedNameValue, SubjectRule};
use tegata_core::{ClientSignIn, HttpUrl, SiteId, TenantId};

const LONGEST_ID: usize = 128;

/// What all registered clients share.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientsConfig {
    /// PEM: the CAs that issue certificates of registered clients, where a client names no other.
    pub ca: Option<PathBuf>,
    /// Their revocation lists, PEM or DER, read again whenever they change. Without them nobody is looked up.
    pub crl: Option<PathBuf>,
    /// PEM that verifies the servers of every `jwks_uri`, where the system's own trust does not.
    pub jwks_ca: Option<PathBuf>,
}

/// A client under `[clients]`, checked.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "WrittenClient")]
pub struct ClientConfig {
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
    /// Where it may invite devices by lists; nowhere unless it is written.
    pub invites: Vec<InvitesConfig>,
    /// The registration as `tegata.toml` has it, for the audit log. There is no secret in it.
    pub written: serde_json::Value,
}

/// A tenant for which a client may invite. By identifiers: a name may be another's tomorrow.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct InvitesConfig {
    /// Whose devices it invites.
    pub tenant: TenantId,
    /// These sites alone; all of them, also those to come, where there is none.
    pub sites: Option<Vec<SiteId>>,
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
    /// In `tegata.toml`, under the client.
    Inline(serde_json::Value),
    /// At the client's own server, which is asked again when a certificate comes that is not known.
    At(Uri),
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

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct WrittenClient {
    client_id: String,
    token_endpoint_auth_method: WrittenMethod,
    tls_client_auth_subject_dn: Option<String>,
    tls_client_auth_san_dns: Option<String>,
    tls_client_auth_san_uri: Option<String>,
    tls_client_auth_san_ip: Option<std::net::IpAddr>,
    tls_client_auth_san_email: Option<String>,
    ca: Option<PathBuf>,
    crl: Option<PathBuf>,
    #[serde(default)]
    issued_here: bool,
    jwks: Option<WrittenJwks>,
    jwks_uri: Option<String>,
    #[serde(default)]
    grants: Vec<ClientGrant>,
    #[serde(default)]
    audiences: Vec<String>,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    introspects: Vec<String>,
    #[serde(default)]
    dpop_bound_access_tokens: bool,
    #[serde(default)]
    invites: Vec<InvitesConfig>,
    #[serde(default)]
    redirect_uris: Vec<String>,
    #[serde(default)]
    post_logout_redirect_uris: Vec<String>,
    backchannel_logout_uri: Option<String>,
    #[serde(default)]
    origins: Vec<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum WrittenJwks {
    File(PathBuf),
    Inline(serde_json::Value),
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum WrittenMethod {
    TlsClientAuth,
    SelfSignedTlsClientAuth,
    None,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum ClientGrant {
    ClientCredentials,
    AuthorizationCode,
}

impl ClientConfig {
    /// Whether it counts on the CAs of `[clients]`.
    pub fn needs_shared_ca(&self) -> bool {
        matches!(self.method, ClientMethod::TlsClientAuth { ca: ClientCa::Shared, .. })
    }
}

impl TryFrom<WrittenClient> for ClientConfig {
    type Error = String;

    fn try_from(mut written: WrittenClient) -> Result<Self, String> {
        let as_written = serde_json::to_value(&written).map_err(|error| error.to_string())?;
        check_client_id(&written.client_id)?;
        let method = written.method().map_err(|why| format!("client {}: {why}", written.client_id))?;
        let name = written.client_id.clone();
        if written.grants.is_empty() != written.audiences.is_empty() {
            return Err(format!("client {name}: grants and audiences belong together: what may it ask for?"));
        }
        if written.dpop_bound_access_tokens && written.grants.is_empty() {
            return Err(format!("client {name}: dpop_bound_access_tokens is about tokens: it has no grants"));
        }
        let sign_in = written.sign_in().map_err(|why| format!("client {name}: {why}"))?;
        let client_credentials = written.grants.contains(&ClientGrant::ClientCredentials);
        if client_credentials && matches!(method, ClientMethod::Public) {
            return Err(format!("client {name}: client_credentials needs a certificate of the client's own"));
        }
        Ok(Self {
            client_id: written.client_id,
            method,
            client_credentials,
            audiences: written.audiences,
            scope: written.scope,
            introspects: written.introspects,
            dpop_bound_access_tokens: written.dpop_bound_access_tokens,
            sign_in,
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

impl WrittenClient {
    fn method(&mut self) -> Result<ClientMethod, String> {
        let mut subjects = self.subjects()?;
        let count = subjects.len();
        let jwks = self.jwks()?;
        match (&self.token_endpoint_auth_method, subjects.pop(), jwks) {
            (WrittenMethod::TlsClientAuth, Some(subject), None) if count == 1 => {
                let ca = self.ca()?;
                check_issuer(&ca, &subject)?;
                Ok(ClientMethod::TlsClientAuth { subject, ca })
            }
            (WrittenMethod::TlsClientAuth, _, None) => {
                Err(format!("{SUBJECTS}, and exactly one of them; there are {count}"))
            }
            (WrittenMethod::TlsClientAuth, _, Some(_)) => {
                Err("jwks and jwks_uri belong to self_signed_tls_client_auth".into())
            }
            (WrittenMethod::SelfSignedTlsClientAuth, None, Some(jwks)) => {
                if self.ca.is_some() || self.crl.is_some() || self.issued_here {
                    return Err("a self-signed certificate has no CA".into());
                }
                Ok(ClientMethod::SelfSigned(jwks))
            }
            (WrittenMethod::None, None, None) => {
                if self.ca.is_some() || self.crl.is_some() || self.issued_here {
                    return Err("a client without a certificate has no CA".into());
                }
                if !(self.introspects.is_empty() && self.invites.is_empty()) {
                    return Err("introspects and invites need a certificate of the client's own".into());
                }
                Ok(ClientMethod::Public)
            }
            (WrittenMethod::None, ..) => Err("the method none has neither subject nor jwks".into()),
            (WrittenMethod::SelfSignedTlsClientAuth, ..) => {
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
            origins: std::mem::take(&mut self.origins),
        };
        if self.grants.contains(&ClientGrant::AuthorizationCode) == sign_in.redirect_uris.is_empty() {
            return Err("redirect_uris and the grant authorization_code belong together".into());
        }
        if sign_in.redirect_uris.is_empty() && sign_in != ClientSignIn::default() {
            return Err("sign-outs and origins belong to a client with redirect_uris".into());
        }
        sign_in.check().map_err(|unfit| unfit.to_string())?;
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
                let url =
                    HttpUrl::parse_https(&text).map_err(|error| format!("jwks_uri {text:?}: {error}"))?;
                let uri = url.to_string().parse().map_err(|error| format!("jwks_uri {text:?}: {error}"))?;
                Ok(Some(JwksLocation::At(uri)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct ClientsFile {
        client: Vec<ClientConfig>,
    }

    fn read(text: &str) -> Result<ClientConfig, String> {
        let text = format!("[[client]]\nclient_id = \"stock\"\n{text}");
        toml::from_str::<ClientsFile>(&text)
            .map(|mut file| file.client.remove(0))
            .map_err(|error| error.to_string())
    }

    const TLS: &str = "token_endpoint_auth_method = \"tls_client_auth\"\n";
    const SELF: &str = "token_endpoint_auth_method = \"self_signed_tls_client_auth\"\n";

    #[test]
    fn an_operator_registers_a_client_by_one_subject_value() {
        let client = read(&format!(
            "{TLS}tls_client_auth_san_uri = \"https://a.example/device/1\"\nissued_here = true\n"
        ))
        .unwrap();
        assert!(matches!(
            client.method,
            ClientMethod::TlsClientAuth { subject: SubjectRule::Uri(_), ca: ClientCa::Own }
        ));
        assert!(!client.client_credentials, "nothing is granted that is not written");
        assert!(client.invites.is_empty(), "nobody invites who was not told to");
        let client = read(&format!("{SELF}jwks = \"stock.json\"\n")).unwrap();
        assert!(matches!(client.method, ClientMethod::SelfSigned(JwksLocation::File(_))));
        let client =
            read(&format!("{SELF}jwks = {{keys = [{{kty = \"EC\", x5c = [\"AA==\"]}}]}}\n")).unwrap();
        assert!(matches!(client.method, ClientMethod::SelfSigned(JwksLocation::Inline(_))));
        let client = read(&format!("{SELF}jwks_uri = \"https://a.example/jwks.json\"\n")).unwrap();
        assert!(matches!(client.method, ClientMethod::SelfSigned(JwksLocation::At(_))));
    }

    #[test]
    fn whatever_could_be_meant_in_two_ways_is_refused_with_its_line() {
        let dn = "tls_client_auth_subject_dn = \"CN=stock\"\n";
        for wrong in [
            TLS.to_owned(),
            format!("{TLS}{dn}tls_client_auth_san_dns = \"stock.example\"\n"),
            format!("{TLS}{dn}jwks = \"stock.json\"\n"),
            format!("{TLS}{dn}ca = \"ca.pem\"\nissued_here = true\n"),
            format!("{TLS}{dn}issued_here = true\n"),
            format!("{TLS}{dn}crl = \"crl.pem\"\n"),
            format!("{TLS}tls_client_auth_subject_dn = \"stock\"\n"),
            format!("{TLS}tls_client_auth_san_ip = \"stock.example\"\n"),
            format!("{TLS}{dn}grants = [\"client_credentials\"]\n"),
            format!("{TLS}{dn}audiences = [\"https://product.example\"]\n"),
            format!("{TLS}{dn}grants = [\"password\"]\n"),
            format!("{TLS}{dn}secret = \"s\"\n"),
            format!("{TLS}{dn}invites = [{{tenant = \"あおば薬局グループ\"}}]\n"),
            format!("{TLS}{dn}invites = [{{sites = []}}]\n"),
            format!("{TLS}{dn}dpop_bound_access_tokens = true\n"),
            SELF.to_owned(),
            format!("{SELF}jwks_uri = \"http://a.example/jwks.json\"\n"),
            format!("{SELF}jwks_uri = \"https://a.example/jwks.json\"\njwks = \"stock.json\"\n"),
            format!("{TLS}{dn}jwks_uri = \"https://a.example/jwks.json\"\n"),
            format!("{SELF}{dn}"),
            format!("{SELF}jwks = \"stock.json\"\nca = \"ca.pem\"\n"),
            "token_endpoint_auth_method = \"client_secret_basic\"\n".to_owned(),
        ] {
            let error = read(&wrong).unwrap_err();
            assert!(error.contains("line "), "{wrong}: {error}");
        }
    }
}
