//! Where the people of tenants sign in, as an operator says it.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tegata_core::name::is_same;
use tegata_core::{HttpUrl, UrlError};

/// Where the people of a tenant sign in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityProviderConfig {
    /// The tenant, by name or identifier.
    pub tenant: String,
    /// The provider's issuer; its discovery document is found below it.
    pub issuer: String,
    /// What tokens that products bring must be for: usually the client identifiers that products sign in with.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// Claims and the values they must have, where others sign in at the same issuer.
    #[serde(default)]
    pub require: BTreeMap<String, String>,
    /// PEM that verifies its server, where the system's own trust does not.
    pub ca: Option<PathBuf>,
    /// Hosts within one's own network, beside the issuer's, that its discovery document may name.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// The claim that names a person for ever.
    #[serde(default = "sub")]
    pub person_claim: String,
    /// The claim with the sites a person works at, by name or identifier. Without it: all of the tenant's.
    pub site_claim: Option<String>,
    /// The client that people are sent there by from the sign-in page; without it, products alone bring its tokens.
    pub sign_in: Option<SignInClientConfig>,
}

/// The client that this installation is at a provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignInClientConfig {
    /// The `client_id` that the provider gave it.
    pub client_id: String,
    /// How it proves itself.
    #[serde(default)]
    pub token_endpoint_auth_method: ProviderAuthMethod,
    /// A file with the secret that the provider gave out, mode 0600.
    pub client_secret: Option<PathBuf>,
    /// The certificate to show, with its chain, and its key.
    pub certificate: Option<PathBuf>,
    /// The key of the certificate.
    pub key: Option<PathBuf>,
    /// What is asked for, with `openid`.
    #[serde(default = "scope")]
    pub scope: String,
    /// One of these the sign-in has to be, where there are any.
    #[serde(default)]
    pub acr_values: Vec<String>,
    /// How many minutes ago people may have proved themselves to the provider; 0 where that is not asked.
    #[serde(default = "max_age_minutes")]
    pub max_age_minutes: u32,
    /// Values of `acr` that stand for two factors.
    #[serde(default)]
    pub mfa_acr: Vec<String>,
    /// Values in `amr` that stand for two factors.
    #[serde(default)]
    pub mfa_amr: Vec<String>,
}

/// How this installation proves itself to a provider (OIDC Core section 9, RFC 8705).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderAuthMethod {
    /// By the secret, in a header.
    #[default]
    ClientSecretBasic,
    /// By the secret, in the form.
    ClientSecretPost,
    /// By an assertion that is signed with the key of the installation's tokens.
    PrivateKeyJwt,
    /// By a certificate that the provider knows by its subject.
    TlsClientAuth,
    /// By a certificate that the provider knows by its key.
    SelfSignedTlsClientAuth,
}

/// Claims that name a person for ever. Names and mail addresses change hands.
const LINKED_BY: [&str; 2] = ["sub", "oid"];

fn sub() -> String {
    "sub".into()
}

fn scope() -> String {
    "openid profile".into()
}

/// People prove themselves once in a working day.
fn max_age_minutes() -> u32 {
    12 * 60
}

impl IdentityProviderConfig {
    /// Whether it is where the people of this tenant sign in.
    pub fn is_of(&self, tenant: &str, name: &str) -> bool {
        self.tenant == tenant || is_same(&self.tenant, name)
    }

    pub(super) fn check(&self) -> Result<(), String> {
        self.check_issuer()?;
        let is_blank = self.audiences.iter().any(String::is_empty);
        let is_for_nothing = self.audiences.is_empty() && self.sign_in.is_none();
        if is_for_nothing || is_blank || self.person_claim.is_empty() {
            return Err("identity_provider.audiences and person_claim must not be empty".into());
        }
        match &self.sign_in {
            Some(_) if !LINKED_BY.contains(&self.person_claim.as_str()) => Err(format!(
                "identity_provider.person_claim is {:?}: accounts are linked by sub or oid, which never change hands",
                self.person_claim
            )),
            Some(client) => client.check(),
            None => Ok(()),
        }
    }

    /// Tokens and the discovery document say the issuer letter by letter, in the form that everybody writes.
    fn check_issuer(&self) -> Result<(), String> {
        let wrong = |why: String| Err(format!("identity_provider.issuer {:?}: {why}", self.issuer));
        match HttpUrl::parse_https(&self.issuer) {
            Err(error) => wrong(error.to_string()),
            Ok(_) if self.issuer.contains('?') => wrong(UrlError::Query.to_string()),
            Ok(url) if url.to_string() != self.issuer => wrong(format!("write it as {url}")),
            Ok(_) => Ok(()),
        }
    }
}

impl SignInClientConfig {
    fn check(&self) -> Result<(), String> {
        let wrong = |why: &str| Err(format!("identity_provider.sign_in.{why}"));
        if self.client_id.is_empty() {
            return wrong("client_id must not be empty");
        }
        if !self.scope.split(' ').any(|scope| scope == "openid") {
            return wrong("scope must have openid");
        }
        let has_certificate = self.certificate.is_some() && self.key.is_some();
        let has_part = self.certificate.is_some() || self.key.is_some();
        match (self.token_endpoint_auth_method.credential(), self.client_secret.is_some()) {
            (ProviderCredential::Secret, true) | (ProviderCredential::InstallationKey, false)
                if !has_part =>
            {
                Ok(())
            }
            (ProviderCredential::Certificate, false) if has_certificate => Ok(()),
            (ProviderCredential::Secret, _) => {
                wrong("client_secret names the file with the secret; certificate and key are for others")
            }
            (ProviderCredential::InstallationKey, _) => wrong(
                "token_endpoint_auth_method is private_key_jwt, which has neither secret nor certificate",
            ),
            (ProviderCredential::Certificate, _) => {
                wrong("certificate and key name the files to show, and there is no client_secret")
            }
        }
    }
}

/// What a way to prove oneself needs.
enum ProviderCredential {
    Secret,
    InstallationKey,
    Certificate,
}

impl ProviderAuthMethod {
    fn credential(self) -> ProviderCredential {
        match self {
            Self::ClientSecretBasic | Self::ClientSecretPost => ProviderCredential::Secret,
            Self::PrivateKeyJwt => ProviderCredential::InstallationKey,
            Self::TlsClientAuth | Self::SelfSignedTlsClientAuth => ProviderCredential::Certificate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(more: &str) -> Result<(), String> {
        let whole = format!("tenant = \"あおば\"\n{more}");
        let read: Result<IdentityProviderConfig, _> = toml::from_str(&whole);
        read.map_err(|error| error.to_string())?.check()
    }

    #[test]
    fn a_provider_is_an_https_address_whose_tokens_are_for_somebody() {
        let issuer = "issuer = \"https://login.example.jp/aoba\"\n";
        assert_eq!(provider(&format!("{issuer}audiences = [\"rezept\"]")), Ok(()));
        let more = "site_claim = \"stores\"\nperson_claim = \"oid\"\nrequire = { hd = \"aoba.example.jp\" }";
        assert_eq!(provider(&format!("{issuer}audiences = [\"rezept\"]\n{more}")), Ok(()));
        for wrong in ["", "audiences = []", "audiences = [\"\"]", "audiences = [\"a\"]\nperson_claim = \"\""]
        {
            assert!(provider(&format!("{issuer}{wrong}")).is_err(), "{wrong}");
        }
        for address in [
            "http://login.example.jp",
            "login.example.jp",
            "https://a.example/?x=1",
            "https://a.example/#x",
            "https://a.example:443/aoba",
            "https://A.example/aoba",
            "https://me@a.example",
        ] {
            assert!(provider(&format!("issuer = \"{address}\"\naudiences = [\"a\"]")).is_err(), "{address}");
        }
        assert!(provider(&format!("{issuer}audiences = [\"a\"]\nclaim = \"x\"")).is_err(), "unknown keys");
    }

    #[test]
    fn people_are_sent_to_a_provider_that_links_them_by_what_never_changes() {
        let issuer = "issuer = \"https://login.example.jp\"\n";
        let check = |claim: &str, client: &str| {
            provider(&format!("{issuer}{claim}\n[sign_in]\nclient_id = \"tegata\"\n{client}"))
        };
        let secret = "client_secret = \"secret.txt\"\n";
        assert_eq!(check("", secret), Ok(()));
        assert_eq!(check("person_claim = \"oid\"", secret), Ok(()));
        assert_eq!(check("", "token_endpoint_auth_method = \"private_key_jwt\""), Ok(()));
        let certificate = "token_endpoint_auth_method = \"tls_client_auth\"\ncertificate = \"c.pem\"\n";
        assert_eq!(check("", &format!("{certificate}key = \"k.pem\"")), Ok(()));
        for claim in ["email", "preferred_username", "upn"] {
            assert!(check(&format!("person_claim = \"{claim}\""), secret).is_err(), "{claim}");
        }
        for client in [
            "",
            certificate,
            "token_endpoint_auth_method = \"none\"",
            &format!("{secret}scope = \"profile\""),
            &format!("{secret}token_endpoint_auth_method = \"private_key_jwt\""),
            &format!("{secret}key = \"k.pem\""),
        ] {
            assert!(check("", client).is_err(), "{client}");
        }
    }
}
