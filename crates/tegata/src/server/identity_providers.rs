//! Where the people of tenants sign in: from the configuration to what can be asked.

use crate::client::SYSTEM_TRUST;
use crate::server::Server;
use http::{HeaderValue, Uri};
use serde_json::Value;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tegata_ca::secret::read_private_file;
use tegata_core::name::position_of;
use tegata_core::{Refusal, TenantId};
use tegata_federation::{
    ClientAssertionSigner, ClientSecret, IdentityProvider, IdentityProviders, MfaStatements,
    ProviderAuthentication, ProviderTransport, SignInClient, TransportAnswer,
};
use tegata_installation::config::{IdentityProviderConfig, ProviderAuthMethod, SignInClientConfig};
use tegata_installation::{Failure, FailureContext};
use tegata_net::HttpsClient;
use tegata_net::client::Destinations;
use tegata_net::tls::IdentityFiles;
use tegata_signals::SignalIssuer;
use tegata_storage::{Principal, Tenant};

/// The `typ` of an assertion by which a client proves itself.
const CLIENT_ASSERTION: &str = "client-authentication+jwt";

/// All of them, with the tenants that there are.
pub async fn open(server: &Server, issuer: &Arc<SignalIssuer>) -> Result<IdentityProviders, Failure> {
    let rows = server.ledger.within(Principal::system("startup").scope());
    let known = KnownTenants(rows.tenants().await.doing("cannot read the tenants")?);
    let configured = &server.config.identity_providers;
    let all = configured.iter().map(|provider| identity_provider(server, &known, issuer, provider));
    let all = all.collect::<Result<Vec<_>, _>>()?;
    check_shared(&all)?;
    Ok(IdentityProviders::new(all))
}

/// The tenants there are.
struct KnownTenants(Vec<Tenant>);

impl KnownTenants {
    fn tenant(&self, named: &str) -> Result<TenantId, Failure> {
        let position = position_of(&self.0, named, |tenant| (tenant.id.as_str(), &tenant.name));
        position
            .map(|place| self.0[place].id.clone())
            .map_err(|_| Failure::misuse(format!("tegata.toml names a tenant that is not there: {named}")))
    }
}

fn identity_provider(
    server: &Server,
    known: &KnownTenants,
    signer: &Arc<SignalIssuer>,
    configured: &IdentityProviderConfig,
) -> Result<IdentityProvider, Failure> {
    let ca = configured.ca.as_ref().map(|file| server.config.path(file));
    let trust = tegata_net::tls::trust_from_pem_file(ca.as_deref().unwrap_or(Path::new(SYSTEM_TRUST)));
    let trust = trust.map_err(Failure::misuse)?;
    let issuer: Uri = configured.issuer.parse().doing("identity_provider.issuer is no URL")?;
    let hosts = configured.hosts.iter().map(String::as_str).chain(issuer.host());
    let shown = configured.sign_in.as_ref().map(|client| certificate(server, client)).transpose()?.flatten();
    let client = HttpsClient::new(trust, server.context.clock.clone(), shown, Destinations::named(hosts));
    let client = client.map_err(Failure::wrong)?;
    let sign_in = configured.sign_in.as_ref().map(|client| sign_in_client(server, signer, client));
    Ok(IdentityProvider {
        tenant: known.tenant(&configured.tenant)?,
        issuer: configured.issuer.clone(),
        audiences: configured.audiences.clone(),
        require: configured.require.clone(),
        person_claim: configured.person_claim.clone(),
        site_claim: configured.site_claim.clone(),
        sign_in: sign_in.transpose()?,
        transport: Arc::new(ProviderClient(client)),
    })
}

/// The certificate that the provider knows this installation by.
fn certificate(server: &Server, client: &SignInClientConfig) -> Result<Option<IdentityFiles>, Failure> {
    let (Some(certificate), Some(key)) = (&client.certificate, &client.key) else { return Ok(None) };
    server.ring.server_identity(&server.config.path(certificate), &server.config.path(key)).map(Some)
}

fn sign_in_client(
    server: &Server,
    signer: &Arc<SignalIssuer>,
    client: &SignInClientConfig,
) -> Result<SignInClient, Failure> {
    let secret = || secret(server, client);
    let authentication = match client.token_endpoint_auth_method {
        ProviderAuthMethod::ClientSecretBasic => ProviderAuthentication::SecretBasic(secret()?),
        ProviderAuthMethod::ClientSecretPost => ProviderAuthentication::SecretPost(secret()?),
        ProviderAuthMethod::PrivateKeyJwt => {
            ProviderAuthentication::PrivateKeyJwt(Arc::new(InstallationAssertions(signer.clone())))
        }
        ProviderAuthMethod::TlsClientAuth | ProviderAuthMethod::SelfSignedTlsClientAuth => {
            ProviderAuthentication::Certificate
        }
    };
    let max_age = Duration::from_mins(client.max_age_minutes.into());
    Ok(SignInClient {
        client_id: client.client_id.clone(),
        authentication,
        scope: client.scope.clone(),
        acr_values: client.acr_values.clone(),
        max_age: Some(max_age).filter(|max_age| !max_age.is_zero()),
        mfa: MfaStatements { acr: client.mfa_acr.clone(), amr: client.mfa_amr.clone() },
    })
}

/// What the file holds, which nobody but its owner may read.
fn secret(server: &Server, client: &SignInClientConfig) -> Result<ClientSecret, Failure> {
    let file = client.client_secret.as_ref().map(|file| server.config.path(file)).unwrap_or_default();
    let what = format!("cannot read the secret of a provider, {}", file.display());
    let content = read_private_file(&file).doing(what.clone())?;
    let text = std::str::from_utf8(&content).doing(what)?.trim_end_matches(['\r', '\n']);
    if text.is_empty() || text.contains(['\r', '\n']) {
        let file = file.display();
        return Err(Failure::misuse(format!("{file} has to hold the secret of a provider, on one line")));
    }
    Ok(ClientSecret::new(text.to_owned()))
}

/// Where two tenants' people sign in at one issuer, something has to tell them apart; and each is found by tenant and
/// issuer. A tenant's people are sent to one place.
fn check_shared(providers: &[IdentityProvider]) -> Result<(), Failure> {
    for (place, one) in providers.iter().enumerate() {
        let of_tenant = |other: &&IdentityProvider| other.tenant == one.tenant && other.sign_in.is_some();
        if one.sign_in.is_some() && providers[..place].iter().any(|other| of_tenant(&other)) {
            return Err(Failure::misuse(format!(
                "people of one tenant are sent to {} and to another provider: one [identity_provider.sign_in] is enough",
                one.issuer
            )));
        }
        for other in providers[..place].iter().filter(|other| other.issuer == one.issuer) {
            if one.tenant == other.tenant {
                let issuer = &one.issuer;
                return Err(Failure::misuse(format!(
                    "there is one [[identity_provider]] too many for {issuer}"
                )));
            }
            if one.require.is_empty() || other.require.is_empty() || one.require == other.require {
                let issuer = &one.issuer;
                return Err(Failure::misuse(format!(
                    "people of two tenants sign in at {issuer}: each [[identity_provider]] needs a require of its own"
                )));
            }
        }
    }
    Ok(())
}

/// Signs with the key of the installation's tokens, whose public half everybody finds at its `jwks_uri`. The type keeps an
/// assertion from passing for anything else that this key signs.
struct InstallationAssertions(Arc<SignalIssuer>);

impl ClientAssertionSigner for InstallationAssertions {
    fn sign(&self, claims: &Value) -> Result<String, Refusal> {
        self.0.sign(CLIENT_ASSERTION, claims)
    }
}

/// The one client of the workspace, with its limits.
struct ProviderClient(HttpsClient);

impl ProviderTransport for ProviderClient {
    fn fetch<'a>(&'a self, url: &'a str) -> Pin<Box<dyn Future<Output = Option<Vec<u8>>> + Send + 'a>> {
        Box::pin(async move {
            let uri: Uri = url.parse().ok()?;
            match self.0.get_bytes(&uri).await {
                Ok(document) => Some(document.to_vec()),
                Err(error) => {
                    tracing::warn!(url, %error, "an identity provider does not answer");
                    None
                }
            }
        })
    }

    fn post_form<'a>(
        &'a self,
        url: &'a str,
        authorization: Option<HeaderValue>,
        form: String,
    ) -> Pin<Box<dyn Future<Output = Option<TransportAnswer>> + Send + 'a>> {
        Box::pin(async move {
            let uri: Uri = url.parse().ok()?;
            match self.0.post_form_as(&uri, authorization, form).await {
                Ok((status, body)) => Some(TransportAnswer { status, body: body.to_vec() }),
                Err(error) => {
                    tracing::warn!(url, %error, "an identity provider does not answer");
                    None
                }
            }
        })
    }
}
