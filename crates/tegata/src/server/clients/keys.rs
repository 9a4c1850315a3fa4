//! The certificates by which clients vouch for themselves: whoever puts others into the set need not register again.

use super::changed_files::FileStamp;
use super::{audit, changed_files};
use crate::client::SYSTEM_TRUST;
use crate::config::{ClientMethod, Config, JwksLocation};
use crate::failure::{Failure, FailureContext};
use crate::server::shown;
use http::Uri;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tegata_net::HttpsClient;
use tegata_net::client::Destinations;
use tegata_web::{CertificateKeys, ClientRegistry, ServerContext};
use tokio::time::{sleep, timeout};

/// How long a client's server is left alone, however many unknown certificates come.
const BETWEEN_WISHES: Duration = Duration::from_secs(5);

/// After this long it is asked without being wished for: a certificate that was taken out is let in no longer.
const REFRESH: Duration = Duration::from_mins(1);

/// Who watches one set.
pub struct JwksWatch {
    client_id: String,
    source: JwksSource,
    known: Option<CertificateKeys>,
    clients: Arc<ClientRegistry>,
    context: ServerContext,
}

enum JwksSource {
    File(PathBuf),
    Server(Arc<HttpsClient>, Uri),
}

/// Who watches the sets of all clients that have one elsewhere.
pub fn keepers(
    config: &Config,
    clients: &Arc<ClientRegistry>,
    context: &ServerContext,
) -> Result<Vec<JwksWatch>, Failure> {
    let mut keepers = Vec::new();
    for client in &config.registered {
        let ClientMethod::SelfSigned(jwks) = &client.method else { continue };
        let source = match jwks {
            JwksLocation::File(file) => JwksSource::File(config.path(file)),
            JwksLocation::At(uri) => JwksSource::Server(anonymous(config, context, uri)?, uri.clone()),
            JwksLocation::Inline(_) => continue,
        };
        let client_id = client.client_id.clone();
        keepers.push(JwksWatch {
            client_id,
            source,
            known: None,
            clients: clients.clone(),
            context: context.clone(),
        });
    }
    Ok(keepers)
}

/// Reads the keys of a client from a JWKS file.
pub fn read(file: &Path) -> Result<CertificateKeys, Failure> {
    let what = || format!("cannot use the certificates of a registered client in {}", shown(file));
    let text = std::fs::read_to_string(file).doing(what())?;
    CertificateKeys::from_jwks(&text).doing(what())
}

fn anonymous(config: &Config, context: &ServerContext, uri: &Uri) -> Result<Arc<HttpsClient>, Failure> {
    let file = config.clients.jwks_ca.as_ref().map(|file| config.path(file));
    let trust = tegata_net::tls::trust_from_pem_file(file.as_deref().unwrap_or(Path::new(SYSTEM_TRUST)));
    let trust = trust.map_err(Failure::misuse)?;
    let destinations = Destinations::host_of(uri);
    HttpsClient::new(trust, context.clock.clone(), None, destinations).map(Arc::new).map_err(Failure::wrong)
}

impl JwksWatch {
    /// Reads the set whenever it may have changed. What cannot be read changes nothing.
    pub async fn keep(mut self) {
        loop {
            let stamp = self.source.stamp();
            match self.source.read().await {
                Ok(keys) => self.take_over(keys).await,
                Err(error) => {
                    let client = &self.client_id;
                    tracing::error!(client, %error, "a client keeps the certificates it had");
                }
            }
            self.until_news(stamp).await;
        }
    }

    /// Whoever may enter from now on is in the log before they may.
    async fn take_over(&mut self, keys: CertificateKeys) {
        if self.known.as_ref() == Some(&keys) {
            return;
        }
        let certificates: Vec<_> = keys.thumbprints().collect();
        let detail =
            json!({"client": self.client_id, "certificates": certificates, "bare_keys": keys.bare_keys()});
        audit::record(&self.context, "client.keys", detail).await;
        self.clients.replace_keys(&self.client_id, keys.clone());
        self.known = Some(keys);
        tracing::info!(client = self.client_id, "a client's certificates are taken over");
    }

    async fn until_news(&self, stamp: FileStamp) {
        match &self.source {
            JwksSource::File(file) => changed_files::of(file, stamp).await,
            JwksSource::Server(..) => {
                sleep(BETWEEN_WISHES).await;
                let _ = timeout(REFRESH, self.clients.keys_wanted(&self.client_id)).await;
            }
        }
    }
}

impl JwksSource {
    fn stamp(&self) -> FileStamp {
        match self {
            Self::File(file) => changed_files::stamp(file),
            Self::Server(..) => None,
        }
    }

    async fn read(&self) -> Result<CertificateKeys, Failure> {
        match self {
            Self::File(file) => read(file),
            Self::Server(client, uri) => {
                let what = || format!("cannot use the certificates of a registered client at {uri}");
                let jwks: Value = client.get_json(uri).await.doing(what())?;
                CertificateKeys::from_jwks(&jwks.to_string()).doing(what())
            }
        }
    }
}
