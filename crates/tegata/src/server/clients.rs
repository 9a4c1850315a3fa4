//! Registered clients: from the configuration and its files to the token endpoint, and kept up to date.

pub mod audit;
mod cas;
mod changed_files;
mod keys;

use cas::{ClientCaFiles, RevocationListWatch};
use keys::JwksWatch;
use std::sync::Arc;
use tegata_installation::{
    Config, Failure, FailureContext,
    config::{ClientConfig, ClientMethod, JwksLocation},
};
use tegata_web::trust_verdict::DistinguishedName;
use tegata_web::{
    CertificateKeys, ClientAuthentication, ClientIssuers, ClientRegistry, RegisteredClient, ServerContext,
};

/// What keeps up with whatever says who the registered clients are.
pub struct ClientWatches {
    /// The registrations as they are written, for the audit log.
    pub registered: Vec<serde_json::Value>,
    pub keys: Vec<JwksWatch>,
    pub lists: Vec<RevocationListWatch>,
}

/// Everything that the registrations name, read.
pub struct RegisteredClients {
    registrations: Vec<RegisteredClient>,
    cas: ClientCaFiles,
}

impl RegisteredClients {
    /// A file that cannot be used stops the start.
    pub fn open(config: &Config) -> Result<Self, Failure> {
        let mut cas = ClientCaFiles::default();
        let registrations = config.registered.iter().map(|client| registration(config, client, &mut cas));
        Ok(Self { registrations: registrations.collect::<Result<_, _>>()?, cas })
    }

    /// The names of all CAs of registered clients: programs offer a certificate only where its issuer is named.
    pub fn hints(&self) -> Vec<DistinguishedName> {
        self.cas.hints()
    }

    /// Registers them all. Gives the registry, and what keeps up with the files and servers that say which certificates
    /// are theirs, and which are revoked.
    pub fn register(
        self,
        config: &Config,
        context: &ServerContext,
    ) -> Result<(Arc<ClientRegistry>, ClientWatches), Failure> {
        let is_product = |name: &str| config.products.iter().any(|product| product.audience == name);
        let registry = ClientRegistry::new(self.registrations, is_product).map_err(Failure::misuse)?;
        let registry = Arc::new(registry);
        let watches = ClientWatches {
            registered: config.registered.iter().map(|client| client.written.clone()).collect(),
            keys: keys::watches(config, &registry, context)?,
            lists: self.cas.watches(context),
        };
        Ok((registry, watches))
    }
}

fn registration(
    config: &Config,
    client: &ClientConfig,
    cas: &mut ClientCaFiles,
) -> Result<RegisteredClient, Failure> {
    let method = match &client.method {
        ClientMethod::TlsClientAuth { subject, ca } => {
            let issuers = cas.open(config, ca)?.map_or(ClientIssuers::Own, ClientIssuers::Of);
            ClientAuthentication::TlsClientAuth { subject: subject.clone(), issuers }
        }
        ClientMethod::SelfSigned(jwks) => ClientAuthentication::self_signed(match jwks {
            JwksLocation::File(file) => keys::read(&config.path(file))?,
            JwksLocation::Inline(jwks) => CertificateKeys::from_jwks(&jwks.to_string())
                .doing(format!("cannot use the jwks of client {}", client.client_id))?,
            // Somebody else's server must not keep this one from starting.
            JwksLocation::At(_) => CertificateKeys::default(),
        }),
        ClientMethod::Public => ClientAuthentication::Public,
    };
    Ok(RegisteredClient {
        client_id: client.client_id.clone(),
        method,
        client_credentials: client.client_credentials,
        audiences: client.audiences.clone(),
        scope: client.scope.clone(),
        introspects: client.introspects.clone(),
        dpop_bound_access_tokens: client.dpop_bound_access_tokens,
        sign_in: client.sign_in.clone(),
    })
}
