//! Follows the feed: connects, verifies, applies, acknowledges, and reconnects.

use crate::assertion::AssertionSigner;
use crate::backoff::Backoff;
use crate::config::{ConfigError, GateConfig, require_https};
use crate::feed::{BelievedLine, FeedError, FeedFollowerState};
use crate::keys::IssuerKeys;
use crate::line_reader::{LineReader, LinesError};
use crate::receipts::ReceiptSender;
use crate::state::{GateState, MonotonicClock};
use crate::store::GateStore;
use http::Uri;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::jws::{JwsError, KeySet};
use tegata_core::{Entropy, Refusal, Thumbprint};
use tegata_net::client::{AbortOnDrop, ClientError, Destinations, Endpoints, HttpsClient, HttpsConnection};
use tegata_net::tls::{IdentityFiles, TlsError, read_identity};
use tracing::{info, warn};

/// How long a key is published before it signs. Libraries that find a name unknown ask again, but not more often than
/// every half minute.
const PUBLISHED_BEFORE: Duration = Duration::from_mins(1);

/// How long a server may take for each step before another one is asked.
const PATIENCE: Duration = Duration::from_secs(3);

const FEED_TYPE: &str = "application/vnd.tegata.feed";

/// Why a connection ended, or never began.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FollowError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Lines(#[from] LinesError),
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error("the metadata is of another issuer: {0}")]
    Issuer(String),
    #[error("the answer is not a feed")]
    NotAFeed,
    #[error("a shorter snapshot is due, or one by the key that signs now")]
    SnapshotDue,
}

/// The part of the issuer's metadata (RFC 8414) that a gate needs.
#[derive(Deserialize)]
struct IssuerMetadata {
    issuer: String,
    jwks_uri: String,
    tegata_feed_endpoint: String,
    tegata_receipt_endpoint: String,
    /// Older platforms have none.
    tegata_help_uri: Option<String>,
}

pub(crate) struct FeedFollower {
    pub(crate) config: GateConfig,
    pub(crate) state: Arc<GateState>,
    pub(crate) time: Arc<MonotonicClock>,
    pub(crate) entropy: Arc<dyn Entropy>,
}

impl FeedFollower {
    /// Follows until the task is aborted.
    pub(crate) async fn run(self) {
        let feed = FeedFollowerState::new(self.config.policy.issuer.clone(), Arc::clone(&self.state));
        let store = self.config.state.clone().map(GateStore::new);
        let mut session = FollowedFeed {
            feed,
            store,
            backoff: Backoff::new(),
            endpoints: Endpoints::new(self.config.connect_to.clone()),
            server: None,
            snapshot_header: None,
            newer_certificate: None,
        };
        self.restore(&mut session).await;
        loop {
            let error = match self.follow(&mut session).await {
                Ok(never) => match never {},
                Err(error) => error,
            };
            self.state.set_connected(false);
            warn!(%error, "the feed is interrupted");
            session.leave(&error);
            let is_no_gate = matches!(error, FollowError::Client(ClientError::Refused(Refusal::NotAGate)));
            self.state.not_a_gate.send_replace(is_no_gate);
            tokio::time::sleep(session.backoff.next(&*self.entropy)).await;
        }
    }

    /// Believes what lies on disk as far as it can be believed: every line is verified as if it came
    /// from the wire, and its age is what its signature says.
    async fn restore(&self, session: &mut FollowedFeed) {
        let Some(store) = &session.store else { return };
        let remembered = match store.read().await {
            Ok(remembered) => remembered,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return warn!(%error, "what was kept on disk cannot be read"),
        };
        let Ok(keys) = KeySet::from_jwks(&remembered.keys) else {
            return warn!("the keys kept on disk cannot be used");
        };
        self.state.set_keys(keys);
        for line in &remembered.lines {
            if let Err(error) = session.feed.take(line, self.time.moment()) {
                return warn!(%error, "a line kept on disk is not believed");
            }
        }
        info!("resumed from disk");
    }

    async fn follow(&self, session: &mut FollowedFeed) -> Result<std::convert::Infallible, FollowError> {
        let anonymous = self.client(None, &session.endpoints)?;
        let identity = read_identity(&self.config.identity)?;
        self.renew_signer(None);
        let client = self.client(Some(identity), &session.endpoints)?;
        let metadata = self.metadata(&anonymous).await?;
        let jwks_uri = require_https(&metadata.jwks_uri)?;
        let keys = IssuerKeys::new(anonymous, jwks_uri, Arc::clone(&self.state), self.config.state.clone());
        keys.fetch().await?;
        let endpoint = require_https(&metadata.tegata_feed_endpoint)?;
        let receipt_endpoint = require_https(&metadata.tegata_receipt_endpoint)?;
        let help = metadata.tegata_help_uri.filter(|page| require_https(page).is_ok());
        self.state.set_help(help);
        let mut connection = client.open(&endpoint).await?;
        session.server = Some(connection.address());
        let mut lines = open(&mut connection, &endpoint).await?;

        session.feed.begin();
        let first = lines.next().await?;
        self.believe(session, &keys, &first).await?;
        self.state.set_connected(true);
        info!("the feed is connected");
        let receipts = ReceiptSender::new(client, receipt_endpoint, self.state.applied());
        let _receipts = AbortOnDrop(tokio::spawn(receipts.run()));
        let keys = Arc::new(keys);
        let _keys = AbortOnDrop(tokio::spawn(Arc::clone(&keys).run()));
        loop {
            let line = lines.next().await?;
            self.believe(session, &keys, &line).await?;
        }
    }

    /// Takes up a renewed certificate. While the feed lasts, its key signs only when it has been there for a while: by then
    /// products know it. A feed that begins anew may follow the end of the old certificate, so it waits for nothing.
    fn renew_signer(&self, newer: Option<&mut Option<(Thumbprint, Duration)>>) {
        if !self.config.assertions {
            return;
        }
        let signer = match AssertionSigner::read(&self.config.identity) {
            Ok(signer) => signer,
            Err(error) => return warn!(%error, "the certificate in place goes on signing assertions"),
        };
        let current = self.state.signer.load();
        if current.as_ref().is_some_and(|current| current.certificate() == signer.certificate()) {
            return;
        }
        let uptime = self.time.moment().uptime;
        if let Some(newer) = newer {
            let since = match newer {
                Some((certificate, since)) if certificate == signer.certificate() => *since,
                _ => newer.insert((*signer.certificate(), uptime)).1,
            };
            if uptime.saturating_sub(since) < PUBLISHED_BEFORE {
                return;
            }
        }
        self.state.signer.store(Some(Arc::new(signer)));
    }

    fn client(
        &self,
        identity: Option<IdentityFiles>,
        endpoints: &Endpoints,
    ) -> Result<HttpsClient, TlsError> {
        let (trust, clock) = (self.config.trust.clone(), self.time.clock());
        let client = HttpsClient::new(trust, clock, identity, Destinations::Anywhere)?;
        Ok(client.with_patience(PATIENCE).with_endpoints(endpoints.clone()))
    }

    async fn metadata(&self, client: &HttpsClient) -> Result<IssuerMetadata, FollowError> {
        let metadata: IssuerMetadata = client.get_json(&self.config.metadata).await?;
        if metadata.issuer == self.config.policy.issuer {
            Ok(metadata)
        } else {
            Err(FollowError::Issuer(metadata.issuer))
        }
    }

    async fn believe(
        &self,
        session: &mut FollowedFeed,
        keys: &IssuerKeys,
        line: &str,
    ) -> Result<(), FollowError> {
        let taken = match session.feed.take(line, self.time.moment()) {
            Err(FeedError::Signature(JwsError::UnknownKey)) => {
                keys.fetch_unless_recent().await?;
                session.feed.take(line, self.time.moment())?
            }
            taken => taken?,
        };
        if taken == BelievedLine::Heartbeat {
            session.backoff.reset();
            self.renew_signer(Some(&mut session.newer_certificate));
        }
        let is_another_key = session.hear(taken, line);
        if is_another_key {
            // The key that spoke before may have been withdrawn.
            self.state.keys_wanted.notify_one();
        }
        session.keep(taken, line).await?;
        // Some day the old key is no longer published; what lies on disk must be believed even then.
        if is_another_key && session.store.is_some() { Err(FollowError::SnapshotDue) } else { Ok(()) }
    }
}

/// What outlives a connection.
struct FollowedFeed {
    feed: FeedFollowerState,
    store: Option<GateStore>,
    backoff: Backoff,
    /// What is known of the platform's servers.
    endpoints: Endpoints,
    /// The one whose feed this is.
    server: Option<SocketAddr>,
    /// The JWS header of this connection's snapshot, which names the key.
    snapshot_header: Option<String>,
    /// A certificate that has not signed yet, and since when it is there, in the gate's uptime.
    newer_certificate: Option<(Thumbprint, Duration)>,
}

impl FollowedFeed {
    /// The feed goes on at another server, if there is one, unless this one did nothing wrong.
    fn leave(&mut self, error: &FollowError) {
        let Some(server) = self.server.take() else { return };
        if !matches!(error, FollowError::SnapshotDue) {
            self.endpoints.failed(server);
        }
    }

    /// Whether another key speaks than in the snapshot.
    fn hear(&mut self, taken: BelievedLine, line: &str) -> bool {
        let header = line.split('.').next();
        if taken == BelievedLine::Snapshot {
            self.snapshot_header = header.map(str::to_owned);
        }
        self.snapshot_header.as_deref() != header
    }

    /// A disk that fails costs the next restart its memory, not the gate its feed.
    async fn keep(&mut self, taken: BelievedLine, line: &str) -> Result<(), FollowError> {
        let Some(store) = &mut self.store else { return Ok(()) };
        let kept = match taken {
            BelievedLine::Snapshot => store.snapshot(line).await,
            BelievedLine::Event => store.event(line).await,
            BelievedLine::Heartbeat => store.heartbeat(line).await,
        };
        if let Err(error) = kept {
            warn!(%error, "the feed cannot be kept on disk");
        }
        if store.is_due_for_a_snapshot() { Err(FollowError::SnapshotDue) } else { Ok(()) }
    }
}

async fn open(connection: &mut HttpsConnection, endpoint: &Uri) -> Result<LineReader, FollowError> {
    let response = connection.get(endpoint, FEED_TYPE).await?;
    let is_feed = response.headers().get(CONTENT_TYPE).is_some_and(|found| found == FEED_TYPE);
    if is_feed { Ok(LineReader::new(response.into_body())) } else { Err(FollowError::NotAFeed) }
}
