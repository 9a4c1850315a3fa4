//! Registered clients: from the configuration and its files to the token endpoint, and kept up to date.

mod audit;
mod cas;
mod changed_files;
mod keys;

use crate::config::{ClientConfig, ClientMethod, Config, JwksLocation};
use crate::failure::{Failure, FailureContext};
use cas::ClientCaFiles;
use serde_json::json;
use std::sync::Arc;
use tegata_web::trust_verdict::DistinguishedName;
use tegata_web::{
    CertificateKeys, ClientAuthentication, ClientIssuers, ClientRegistry, RegisteredClient, ServerContext,
};
use tokio::task::JoinSet;

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

    /// Registers them all. Gives the registry, and what has to run beside it: it writes down who is registered, then
    /// keeps up with the files and servers that say which certificates are theirs, and which are revoked. What cannot
    /// be read changes nothing.
    pub fn register(
        self,
        config: &Config,
        context: &ServerContext,
    ) -> Result<(Arc<ClientRegistry>, impl Future<Output = ()> + use<>), Failure> {
        let is_product = |name: &str| config.products.iter().any(|product| product.audience == name);
        let registry = ClientRegistry::new(self.registrations, is_product).map_err(Failure::misuse)?;
        let registry = Arc::new(registry);
        let keepers = (keys::keepers(config, &registry, context)?, self.cas.keepers(context));
        let clients: Vec<_> = config.registered.iter().map(|client| client.written.clone()).collect();
        let context = context.clone();
        let passes = async move {
            if !clients.is_empty() {
                audit::record(&context, "clients.registered", json!({"clients": clients})).await;
            }
            let mut passes = JoinSet::new();
            for keeper in keepers.0 {
                passes.spawn(keeper.keep());
            }
            for keeper in keepers.1 {
                passes.spawn(keeper.keep());
            }
            passes.join_all().await;
            // Like every pass: it ends with the program.
            std::future::pending::<()>().await;
        };
        Ok((registry, passes))
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
    };
    Ok(RegisteredClient {
        client_id: client.client_id.clone(),
        method,
        client_credentials: client.client_credentials,
        audiences: client.audiences.clone(),
        scope: client.scope.clone(),
        introspects: client.introspects.clone(),
    })
}
