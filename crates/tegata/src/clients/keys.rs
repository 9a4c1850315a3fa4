//! The certificates by which clients vouch for themselves: whoever puts others into the set need not register again.

use crate::client::SYSTEM_TRUST;
use crate::config::{ClientMethod, Config, Jwks};
use crate::failure::{Doing, Failure};
use crate::house::shown;
use http::Uri;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tegata_gate::client::Client;
use tegata_storage::{Actor, Note};
use tegata_token::Tokens;
use tegata_web::{CertificateKeys, Context};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How often a file is looked at.
const PERIOD: Duration = Duration::from_millis(500);

/// How long a client's server is left alone, however many unknown certificates come.
const BETWEEN_WISHES: Duration = Duration::from_secs(5);

/// After this long it is asked without being wished for: a certificate that was taken out is let in no longer.
const REFRESH: Duration = Duration::from_mins(1);

/// Who watches one set.
struct Keeper {
    client_id: String,
    source: Source,
    known: Option<CertificateKeys>,
    tokens: Arc<Tokens>,
    context: Context,
}

enum Source {
    File(PathBuf),
    Server(Arc<Client>, Uri),
}

/// Writes down who is registered, then keeps up with the JWKS of clients. What cannot be read changes nothing.
///
/// # Errors
/// [`Failure`] when what should verify the servers of a `jwks_uri` cannot be read.
pub fn follow(
    config: &Config,
    tokens: &Arc<Tokens>,
    context: &Context,
) -> Result<impl Future<Output = ()> + use<>, Failure> {
    let mut keepers = Vec::new();
    for client in &config.registered {
        let ClientMethod::SelfSigned(jwks) = &client.method else { continue };
        let source = match jwks {
            Jwks::File(file) => Source::File(config.path(file)),
            Jwks::At(uri) => Source::Server(anonymous(config, context)?, uri.clone()),
            Jwks::Inline(_) => continue,
        };
        let client_id = client.client_id.clone();
        keepers.push(Keeper {
            client_id,
            source,
            known: None,
            tokens: tokens.clone(),
            context: context.clone(),
        });
    }
    let clients: Vec<_> = config.registered.iter().map(|client| client.written.clone()).collect();
    let context = context.clone();
    Ok(async move {
        if !clients.is_empty() {
            record(&context, "clients.registered", json!({"clients": clients})).await;
        }
        let keepers: JoinSet<()> = keepers.into_iter().map(Keeper::keep).collect();
        keepers.join_all().await;
        // Like every pass: it ends with the program.
        std::future::pending::<()>().await;
    })
}

/// From a file.
pub fn read(file: &Path) -> Result<CertificateKeys, Failure> {
    let what = || format!("cannot use the certificates of a registered client in {}", shown(file));
    let text = std::fs::read_to_string(file).doing(what())?;
    CertificateKeys::from_jwks(&text).doing(what())
}

fn anonymous(config: &Config, context: &Context) -> Result<Arc<Client>, Failure> {
    let file = config.clients.jwks_ca.as_ref().map(|file| config.path(file));
    let trust = tegata_gate::trust_from_pem_file(file.as_deref().unwrap_or(Path::new(SYSTEM_TRUST)));
    let trust = trust.map_err(Failure::misuse)?;
    Client::new(trust, context.clock.clone(), None).map(Arc::new).map_err(Failure::wrong)
}

impl Keeper {
    async fn keep(mut self) {
        loop {
            // Before it is read: what is written in between shows as news.
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
        record(&self.context, "client.keys", detail).await;
        self.tokens.clients().replace_keys(&self.client_id, keys.clone());
        self.known = Some(keys);
        tracing::info!(client = self.client_id, "a client's certificates are taken over");
    }

    async fn until_news(&self, stamp: Option<Stamp>) {
        match &self.source {
            Source::File(_) => {
                while self.source.stamp() == stamp {
                    sleep(PERIOD).await;
                }
            }
            Source::Server(..) => {
                sleep(BETWEEN_WISHES).await;
                let _ = timeout(REFRESH, self.tokens.clients().keys_wanted(&self.client_id)).await;
            }
        }
    }
}

/// Enough to notice every writing: also a file put in the place of another at the same moment has another length or
/// time.
type Stamp = (SystemTime, u64);

impl Source {
    /// Nothing where there is no file.
    fn stamp(&self) -> Option<Stamp> {
        let Self::File(file) = self else { return None };
        let known = std::fs::metadata(file).ok()?;
        Some((known.modified().ok()?, known.len()))
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
