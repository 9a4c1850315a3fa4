//! Registered clients: from the configuration and its files to the token endpoint, and kept up to date.

mod keys;

pub use keys::follow;

use crate::config::{ClientCa, ClientConfig, ClientMethod, Config, Jwks};
use crate::failure::{Doing, Failure};
use crate::house::shown;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tegata_token::{ClientIssuers, Method, Registration};
use tegata_web::path::DistinguishedName;
use tegata_web::{CertificateKeys, TrustedIssuers};

/// Reads every file that the registrations name. One that cannot be used stops the start.
pub fn registrations(config: &Config) -> Result<Vec<Registration>, Failure> {
    config.registered.iter().map(|client| registration(config, client)).collect()
}

/// The names of all CAs of registered clients: programs offer a certificate only where its issuer is named.
pub fn hints(config: &Config) -> Result<Vec<DistinguishedName>, Failure> {
    let mut hints = Vec::new();
    for file in ca_files(config) {
        hints.extend(issuers(&file)?.hints());
    }
    Ok(hints)
}

fn registration(config: &Config, client: &ClientConfig) -> Result<Registration, Failure> {
    let method = match &client.method {
        ClientMethod::TlsClientAuth { subject, ca } => {
            let issuers = match ca_file(config, ca) {
                Some(file) => ClientIssuers::Of(Arc::new(issuers(&file)?)),
                None => ClientIssuers::Own,
            };
            Method::TlsClientAuth { subject: subject.clone(), issuers }
        }
        ClientMethod::SelfSigned(jwks) => Method::self_signed(match jwks {
            Jwks::File(file) => keys::read(&config.path(file))?,
            Jwks::Inline(jwks) => CertificateKeys::from_jwks(&jwks.to_string())
                .doing(format!("cannot use the jwks of client {}", client.client_id))?,
            // Somebody else's server must not keep this one from starting.
            Jwks::At(_) => CertificateKeys::default(),
        }),
    };
    Ok(Registration {
        client_id: client.client_id.clone(),
        method,
        client_credentials: client.client_credentials,
        audiences: client.audiences.clone(),
        scope: client.scope.clone(),
        introspects: client.introspects.clone(),
    })
}

fn ca_files(config: &Config) -> Vec<PathBuf> {
    let mut files: Vec<_> = config
        .registered
        .iter()
        .filter_map(|client| match &client.method {
            ClientMethod::TlsClientAuth { ca, .. } => ca_file(config, ca),
            ClientMethod::SelfSigned(_) => None,
        })
        .collect();
    files.sort();
    files.dedup();
    files
}

fn ca_file(config: &Config, ca: &ClientCa) -> Option<PathBuf> {
    match ca {
        ClientCa::Own => None,
        ClientCa::Shared => config.clients.ca.as_ref().map(|file| config.path(file)),
        ClientCa::File(file) => Some(config.path(file)),
    }
}

fn issuers(file: &Path) -> Result<TrustedIssuers, Failure> {
    let what = || format!("cannot use the CAs of registered clients in {}", shown(file));
    let certificates =
        CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>).doing(what())?;
    if certificates.is_empty() {
        return Err(Failure::misuse(format!("{}: it is empty", what())));
    }
    TrustedIssuers::of_clients(certificates.iter().map(AsRef::as_ref)).doing(what())
}
