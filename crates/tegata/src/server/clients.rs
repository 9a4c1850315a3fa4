//! Registered clients: from the configuration and its files to the token endpoint, and kept up to date.

pub mod audit;
mod cas;
mod changed_files;
mod keys;
mod stored;

use cas::{ClientCaFiles, RevocationListWatch};
use keys::JwksWatch;
use std::sync::Arc;
pub use stored::{StoredClients, StoredClientsPass};
use tegata_installation::{
    Config, Failure, FailureContext,
    config::{ClientCa, ClientMethod, ClientRegistration, JwksLocation},
};
use tegata_web::trust_verdict::DistinguishedName;
use tegata_web::{
    CertificateKeys, ClientAuthentication, ClientCas, ClientIssuers, ClientRegistry, RegisteredClient,
    Registrant, ServerContext,
};

/// What keeps up with whatever says who the registered clients are.
pub struct ClientWatches {
    /// The registrations as they are written, for the audit log.
    pub registered: Vec<serde_json::Value>,
    pub keys: Vec<JwksWatch>,
    pub lists: Vec<RevocationListWatch>,
    pub stored: StoredClients,
}

/// Everything that the registrations name, read.
pub struct RegisteredClients {
    registrations: Vec<RegisteredClient>,
    cas: ClientCaFiles,
    /// Those that `[clients]` names.
    shared_cas: Option<Arc<ClientCas>>,
}

impl RegisteredClients {
    /// A file that cannot be used stops the start.
    pub fn open(config: &Config) -> Result<Self, Failure> {
        let mut cas = ClientCaFiles::default();
        let registrations = config.registered.iter().map(|client| registration(config, client, &mut cas));
        let registrations = registrations.collect::<Result<_, _>>()?;
        let shared_cas = match config.clients.ca {
            Some(_) => cas.open(config, &ClientCa::Shared)?,
            None => None,
        };
        Ok(Self { registrations, cas, shared_cas })
    }

    /// The CAs that issue for clients which name no other.
    pub fn shared_cas(&self) -> Option<Arc<ClientCas>> {
        self.shared_cas.clone()
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
            stored: StoredClients::new(config, &registry, self.shared_cas, context),
        };
        Ok((registry, watches))
    }
}

fn registration(
    config: &Config,
    client: &ClientRegistration,
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
    Ok(RegisteredClient::with(client, Registrant::Configuration, method))
}
