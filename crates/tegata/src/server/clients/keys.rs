//! The certificates by which clients vouch for themselves: whoever puts others into the set need not register again.

use super::changed_files::FileStamp;
use super::{audit, changed_files};
use crate::client::SYSTEM_TRUST;
use crate::server::shown;
use http::Uri;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tegata_core::{HttpUrl, Timestamp};
use tegata_installation::{
    Config, Failure, FailureContext,
    config::{ClientMethod, JwksLocation},
};
use tegata_net::HttpsClient;
use tegata_net::client::Destinations;
use tegata_scheduler::{Pass, PassError, PassFuture, PassReport, Schedule};
use tegata_web::{CertificateKeys, ClientRegistry, RegisteredClient, Registrant, ServerContext};
use tokio::sync::Mutex;
use tokio::time::sleep;

/// How long a client's server is left alone, however many unknown certificates come.
const BETWEEN_WISHES: Duration = Duration::from_secs(5);

/// After this long it is asked without being wished for: a certificate that was taken out is let in no longer.
const REFRESH: Duration = Duration::from_mins(1);

/// How long the server of a client that registered itself is left alone: after each look, and twice as long after each set that
/// was another than the one before. Every set that is taken over is an entry of the audit log.
const BETWEEN_LOOKS: Duration = Duration::from_mins(1);

/// How long at most.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// How often a file is read though it seems to be the same.
const PERIOD: Duration = Duration::from_hours(1);

/// Keeps up with one set.
pub struct JwksWatch {
    client_id: String,
    source: JwksSource,
    known: Mutex<KnownKeys>,
    clients: Arc<ClientRegistry>,
    context: ServerContext,
    /// Gone with the registration that names the set; none where that stays as long as the server.
    registered: Option<Weak<()>>,
    by: Registrant,
}

/// What was taken over last.
#[derive(Default)]
struct KnownKeys {
    stamp: FileStamp,
    keys: Option<CertificateKeys>,
    pace: FetchPace,
}

/// When the server of a client that registered itself is asked again.
#[derive(Default)]
struct FetchPace {
    next: Option<Timestamp>,
    /// Sets in a row, each of which was another than the one before.
    changes: u32,
}

enum JwksSource {
    File(PathBuf),
    Server(Arc<HttpsClient>, Uri),
}

/// What keeps up with the sets of all clients that have one elsewhere.
pub fn watches(
    config: &Config,
    clients: &Arc<ClientRegistry>,
    context: &ServerContext,
) -> Result<Vec<JwksWatch>, Failure> {
    let mut watches = Vec::new();
    for client in &config.registered {
        let ClientMethod::SelfSigned(jwks) = &client.method else { continue };
        let source = match jwks {
            JwksLocation::File(file) => JwksSource::File(config.path(file)),
            JwksLocation::At(url) => {
                let uri = as_uri(url)?;
                JwksSource::Server(anonymous(config, context, Destinations::host_of(&uri))?, uri)
            }
            JwksLocation::Inline(_) => continue,
        };
        watches.push(JwksWatch {
            client_id: client.client_id.clone(),
            source,
            known: Mutex::default(),
            clients: clients.clone(),
            context: context.clone(),
            registered: None,
            by: Registrant::Configuration,
        });
    }
    Ok(watches)
}

fn as_uri(url: &HttpUrl) -> Result<Uri, Failure> {
    url.to_string().parse().doing("jwks_uri is no address")
}

/// Reads the keys of a client from a JWKS file.
pub fn read(file: &Path) -> Result<CertificateKeys, Failure> {
    let what = || format!("cannot use the certificates of a registered client in {}", shown(file));
    let text = std::fs::read_to_string(file).doing(what())?;
    CertificateKeys::from_jwks(&text).doing(what())
}

fn anonymous(
    config: &Config,
    context: &ServerContext,
    destinations: Destinations,
) -> Result<Arc<HttpsClient>, Failure> {
    let file = config.clients.jwks_ca.as_ref().map(|file| config.path(file));
    let trust = tegata_net::tls::trust_from_pem_file(file.as_deref().unwrap_or(Path::new(SYSTEM_TRUST)));
    let trust = trust.map_err(Failure::misuse)?;
    HttpsClient::new(trust, context.clock.clone(), None, destinations).map(Arc::new).map_err(Failure::wrong)
}

impl JwksWatch {
    /// For a client of the ledger, as long as somebody holds `registered`. Where the client itself says where its set is, that is on
    /// the Internet.
    pub fn of_stored(
        config: &Config,
        clients: &Arc<ClientRegistry>,
        context: &ServerContext,
        client: &RegisteredClient,
        url: &HttpUrl,
        registered: &Arc<()>,
    ) -> Result<Self, Failure> {
        let uri = as_uri(url)?;
        let destinations = match client.by {
            Registrant::Itself => Destinations::named([]),
            Registrant::Configuration | Registrant::Operator => Destinations::host_of(&uri),
        };
        Ok(Self {
            client_id: client.client_id.clone(),
            source: JwksSource::Server(anonymous(config, context, destinations)?, uri),
            known: Mutex::default(),
            clients: clients.clone(),
            context: context.clone(),
            registered: Some(Arc::downgrade(registered)),
            by: client.by,
        })
    }

    /// Takes the set over when it has changed: whoever may enter from now on is in the log before they may. What cannot be read
    /// changes nothing.
    async fn take_over(&self, now: Timestamp) -> Result<PassReport, PassError> {
        let mut known = self.known.lock().await;
        if self.by == Registrant::Itself && !known.pace.look(now) {
            return Ok(PassReport::nothing());
        }
        known.stamp = self.source.stamp();
        let keys = self.source.read().await.map_err(|error| {
            PassError::new(format!("client {} keeps the certificates it had: {error}", self.client_id))
        })?;
        if known.keys.as_ref() == Some(&keys) {
            known.pace.changes = 0;
            return Ok(PassReport::nothing());
        }
        known.pace.changed(now);
        let certificates: Vec<_> = keys.thumbprints().collect();
        let detail =
            json!({"client": self.client_id, "certificates": certificates, "bare_keys": keys.bare_keys()});
        audit::record(&self.context, "client.keys", detail).await?;
        // Replaced or removed while its keys were fetched: they are nobody's.
        if !self.is_wanted() {
            return Ok(PassReport::nothing());
        }
        self.clients.replace_keys(&self.client_id, keys.clone());
        known.keys = Some(keys);
        tracing::info!(client = self.client_id, "a client's certificates are taken over");
        Ok(PassReport::nothing().with("changed", 1))
    }

    async fn until_news(&self) {
        match &self.source {
            JwksSource::File(file) => {
                let stamp = self.known.lock().await.stamp;
                changed_files::of(file, stamp).await;
            }
            JwksSource::Server(..) => {
                sleep(BETWEEN_WISHES).await;
                self.clients.keys_wanted(&self.client_id).await;
            }
        }
    }
}

impl Pass for JwksWatch {
    fn schedule(&self) -> Schedule {
        let period = match &self.source {
            JwksSource::File(_) => PERIOD,
            JwksSource::Server(..) => REFRESH,
        };
        Schedule::every(period, format!("client-keys:{}", self.client_id))
    }

    fn run(&self, now: Timestamp) -> PassFuture<'_, Result<PassReport, PassError>> {
        Box::pin(self.take_over(now))
    }

    fn news(&self) -> PassFuture<'_, ()> {
        Box::pin(self.until_news())
    }

    fn is_wanted(&self) -> bool {
        self.registered.as_ref().is_none_or(|registered| registered.strong_count() > 0)
    }
}

impl FetchPace {
    /// Whether it is time to look, and then that somebody does.
    fn look(&mut self, now: Timestamp) -> bool {
        let is_time = self.next.is_none_or(|next| next <= now);
        if is_time {
            self.next = Some(now.plus(BETWEEN_LOOKS));
        }
        is_time
    }

    fn changed(&mut self, now: Timestamp) {
        self.next = Some(now.plus((BETWEEN_LOOKS * (1 << self.changes.min(8))).min(LONGEST_PAUSE)));
        self.changes += 1;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_changes_its_keys_all_the_time_is_asked_ever_more_seldom() {
        let mut pace = FetchPace::default();
        let mut looks = Vec::new();
        for second in 0..86_400 {
            let now = Timestamp::from_seconds(second);
            if pace.look(now) {
                pace.changed(now);
                looks.push(second);
            }
        }
        assert_eq!(looks[..5], [0, 60, 180, 420, 900]);
        assert!(looks.len() < 31, "{} entries of the audit log in a day", looks.len());
        pace.changes = 0;
        assert!(pace.look(Timestamp::from_seconds(90_000)) && !pace.look(Timestamp::from_seconds(90_059)));
        assert!(pace.look(Timestamp::from_seconds(90_060)), "one that rests is asked each minute");
    }
}
