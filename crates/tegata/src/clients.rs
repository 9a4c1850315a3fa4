//! Registered clients: from the configuration and its files to the token endpoint, and kept up to date.

use crate::config::{ClientCa, ClientConfig, ClientMethod, Config, Jwks};
use crate::failure::{Doing, Failure};
use crate::house::shown;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tegata_storage::{Actor, Note};
use tegata_token::{ClientIssuers, Method, Registration, Tokens};
use tegata_web::path::DistinguishedName;
use tegata_web::{CertificateKeys, Context, TrustedIssuers};
use tokio::time::sleep;

/// How often the files with clients' own certificates are looked at.
const PERIOD: Duration = Duration::from_millis(500);

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

/// Writes down who is registered, then reads the JWKS of clients again whenever one changes. What cannot be read changes
/// nothing.
pub async fn follow(config: Config, tokens: Arc<Tokens>, context: Context) {
    if !config.registered.is_empty() {
        let clients: Vec<_> = config.registered.iter().map(|client| &client.written).collect();
        record(&context, "clients.registered", json!({"clients": clients})).await;
    }
    let files = jwks_files(&config);
    let mut seen: HashMap<_, _> = files.iter().map(|(id, file)| (id.clone(), changed_at(file))).collect();
    loop {
        sleep(PERIOD).await;
        for (client_id, file) in &files {
            let now = changed_at(file);
            if seen.insert(client_id.clone(), now) == Some(now) {
                continue;
            }
            match read_keys(file) {
                Ok(keys) => take_over(&tokens, &context, client_id, keys).await,
                Err(error) => {
                    tracing::error!(client = client_id, %error, "a client keeps the certificates it had");
                }
            }
        }
    }
}

/// Whoever may enter from now on is in the log before they may.
async fn take_over(tokens: &Tokens, context: &Context, client_id: &str, keys: CertificateKeys) {
    let certificates: Vec<_> = keys.thumbprints().collect();
    let detail = json!({"client": client_id, "certificates": certificates, "bare_keys": keys.bare_keys()});
    record(context, "client.keys_replaced", detail).await;
    tokens.clients().replace_keys(client_id, keys);
    tracing::info!(client = client_id, "a client's certificates have changed: taken over");
}

/// Until the ledger has it.
async fn record(context: &Context, action: &'static str, detail: Value) {
    loop {
        let actor = Actor::System("clients");
        let note = Note { actor, action, device: None, detail: detail.clone(), at: context.now() };
        match context.ledger.group(note).await {
            Ok(()) => return,
            Err(error) => {
                tracing::error!(%error, action, "the audit log does not take what happened to clients");
            }
        }
        sleep(PERIOD).await;
    }
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
        ClientMethod::SelfSigned { jwks } => Method::self_signed(match jwks {
            Jwks::File(file) => read_keys(&config.path(file))?,
            Jwks::Inline(jwks) => CertificateKeys::from_jwks(&jwks.to_string())
                .doing(format!("cannot use the jwks of client {}", client.client_id))?,
        }),
    };
    Ok(Registration {
        client_id: client.client_id.clone(),
        method,
        client_credentials: client.client_credentials,
        audiences: client.audiences.clone(),
        introspects: client.introspects.clone(),
    })
}

fn ca_files(config: &Config) -> Vec<PathBuf> {
    let mut files: Vec<_> = config
        .registered
        .iter()
        .filter_map(|client| match &client.method {
            ClientMethod::TlsClientAuth { ca, .. } => ca_file(config, ca),
            ClientMethod::SelfSigned { .. } => None,
        })
        .collect();
    files.sort();
    files.dedup();
    files
}

fn jwks_files(config: &Config) -> Vec<(String, PathBuf)> {
    let file = |client: &ClientConfig| match &client.method {
        ClientMethod::SelfSigned { jwks: Jwks::File(file) } => {
            Some((client.client_id.clone(), config.path(file)))
        }
        ClientMethod::SelfSigned { jwks: Jwks::Inline(_) } | ClientMethod::TlsClientAuth { .. } => None,
    };
    config.registered.iter().filter_map(file).collect()
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

fn read_keys(file: &Path) -> Result<CertificateKeys, Failure> {
    let what = || format!("cannot use the certificates of a registered client in {}", shown(file));
    let text = std::fs::read_to_string(file).doing(what())?;
    CertificateKeys::from_jwks(&text).doing(what())
}

/// Enough to notice every writing: also a file put in the place of another at the same moment has another length or
/// time. Nothing where there is no file.
fn changed_at(file: &Path) -> Option<(SystemTime, u64)> {
    let known = std::fs::metadata(file).ok()?;
    Some((known.modified().ok()?, known.len()))
}
