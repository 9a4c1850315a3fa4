//! The gate itself.

use crate::assertion::{AssertedRequest, AssertionSigner, check_role};
use crate::bearer::{self, PresentedToken};
use crate::certificate::ClientCertificate;
use crate::certificate_name::{HolderKind, holder};
use crate::check::RequestVerifier;
use crate::config::{ConfigError, GateConfig};
use crate::dpop::{self, ProofRequest, RequestLine};
use crate::follow::FeedFollower;
use crate::problem::RefusedReader;
use crate::state::{GateState, MonotonicClock};
use crate::verified_request::VerifiedRequest;
use http::{HeaderMap, HeaderValue, Response};
use http_body_util::Full;
use hyper::body::Bytes;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tegata_core::jws::JwsError;
use tegata_core::{Clock, DeviceId, Entropy, Refusal, Thumbprint, Timestamp};
use tegata_net::client::{Destinations, Endpoints, HttpsClient};
use tegata_net::tls::{TlsError, read_identity};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How often somebody who waits for an end looks at the clock.
const ROUND: Duration = Duration::from_secs(1);

/// Checks requests with what the platform's feed says. Clones are handles of the same gate; when the
/// last one is dropped, the gate stops following.
#[derive(Clone)]
pub struct Gate(Arc<GateShared>);

struct GateShared {
    config: GateConfig,
    /// What is known of the platform's servers, besides what the follower of the feed knows.
    endpoints: Endpoints,
    gatekeeper: RequestVerifier,
    state: Arc<GateState>,
    time: Arc<MonotonicClock>,
    entropy: Arc<dyn Entropy>,
    follower: Mutex<Option<JoinHandle<()>>>,
}

/// How a gate is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GateStatus {
    /// The last event applied; `None` before the first snapshot.
    pub seq: Option<u64>,
    /// How old the knowledge may be; `None` when there is none.
    pub age: Option<Duration>,
    /// Whether the feed is open.
    pub connected: bool,
    /// Whether the gate decides. If not, it refuses everybody with [`Refusal::GateStale`].
    pub deciding: bool,
}

impl Gate {
    /// Starts to follow the feed, in the background of the current tokio runtime. The platform need not
    /// be there yet: until its first word everybody is refused.
    ///
    /// # Errors
    /// [`ConfigError`] when the gate's own certificate and key cannot be used, or its folder is missing.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn connect(
        config: GateConfig,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, ConfigError> {
        let identity = read_identity(&config.identity)?;
        if let Some(leaf) = identity.0.first() {
            check_role(leaf, &config.identity)?;
        }
        HttpsClient::new(config.trust.clone(), Arc::clone(&clock), Some(identity), Destinations::Anywhere)?;
        if let Some(folder) = config.state.as_ref().filter(|folder| !folder.is_dir()) {
            return Err(ConfigError::State(folder.clone()));
        }
        let state = Arc::new(GateState::default());
        if config.assertions {
            state.signer.store(Some(Arc::new(AssertionSigner::read(&config.identity)?)));
        }
        let time = Arc::new(MonotonicClock::new(clock));
        let gatekeeper =
            RequestVerifier::new(config.policy.clone(), Arc::clone(&state), config.cached_tokens);
        let chance = Arc::clone(&entropy);
        let (kept, endpoints) = (config.clone(), Endpoints::new(config.connect_to.clone()));
        let follower = FeedFollower { config, state: Arc::clone(&state), time: Arc::clone(&time), entropy };
        let follower = Mutex::new(Some(tokio::spawn(follower.run())));
        Ok(Self(Arc::new(GateShared {
            config: kept,
            endpoints,
            gatekeeper,
            state,
            time,
            entropy: chance,
            follower,
        })))
    }

    /// Waits for the first snapshot, from the platform or from disk.
    pub async fn ready(&self) {
        let mut applied = self.0.state.applied();
        let _ = applied.wait_for(Option::is_some).await;
    }

    /// Completes when the platform has said that this gate's certificate is a device's: a mistake in the configuration,
    /// which no waiting mends.
    pub async fn not_a_gate(&self) {
        let _ = self.0.state.not_a_gate.subscribe().wait_for(|is_none| *is_none).await;
    }

    /// The decision about one request: its headers, its query, and the certificate its connection
    /// presented.
    ///
    /// # Errors
    /// The [`Refusal`] to answer with; [`Gate::refuse`] makes the answer.
    pub fn check(
        &self,
        headers: &HeaderMap,
        query: Option<&str>,
        presented: Option<Thumbprint>,
    ) -> Result<Arc<VerifiedRequest>, Refusal> {
        self.check_request(headers, query, presented, None)
    }

    /// [`Gate::check`] where the token may be bound to a key, too, and `line` is what its proof has to name: what the client
    /// asked for, in its own letters. Without it no such token is taken.
    ///
    /// # Errors
    /// The [`Refusal`] to answer with.
    pub fn check_request(
        &self,
        headers: &HeaderMap,
        query: Option<&str>,
        presented: Option<Thumbprint>,
        line: Option<RequestLine<'_>>,
    ) -> Result<Arc<VerifiedRequest>, Refusal> {
        let moment = self.0.time.moment();
        match bearer::presented_token(headers, query)? {
            PresentedToken::Bearer(token) => self.0.gatekeeper.check(token, presented, moment),
            PresentedToken::Dpop(token) => {
                self.0.gatekeeper.check_proof(&ProofRequest { token, headers, line }, moment)
            }
        }
    }

    /// The answer to whoever is refused: a problem, or a page for a browser that navigates, with a link to the page of
    /// the platform where the device says how it stands, once the platform has said where that is.
    pub fn refuse(&self, refusal: Refusal, request: &HeaderMap) -> Response<Full<Bytes>> {
        self.refuse_reader(refusal, RefusedReader::of(request))
    }

    /// The refusal as an answer, for a request whose headers are no longer at hand.
    pub(crate) fn refuse_reader(&self, refusal: Refusal, reader: RefusedReader) -> Response<Full<Bytes>> {
        let mut answer = reader.answer(refusal, self.0.state.help().as_deref().map(String::as_str));
        if !self.0.gatekeeper.policy().dpop_origins.is_empty() {
            dpop::challenge(refusal, reader.is_by_key(), answer.headers_mut());
        }
        answer
    }

    /// Whether what somebody who passed has under way may go on: nothing of theirs is denied, the gate knows enough to say so,
    /// and their session is not over. A connection that lives longer than one request asks this again, or waits for
    /// [`Gate::until_over`].
    ///
    /// # Errors
    /// The [`Refusal`] that ends it.
    pub fn recheck(&self, verified: &VerifiedRequest) -> Result<(), Refusal> {
        let moment = self.0.time.moment();
        self.0.gatekeeper.fresh(moment)?;
        self.0.gatekeeper.standing(verified)?;
        verified.goes_on(moment.now)
    }

    /// Completes as soon as what somebody who passed has under way must end, with the reason: they are denied, their session is
    /// over, or the gate has heard nothing for too long. A token's own end is no such reason, for whatever was begun with one in
    /// time: whether it ends a connection is for the product to decide.
    pub async fn until_over(&self, verified: &VerifiedRequest) -> Refusal {
        let mut changes = self.changes();
        loop {
            if let Err(refusal) = self.recheck(verified) {
                return refusal;
            }
            // Clocks are set, and machines sleep: nobody waits for a moment, but looks again.
            if let Ok(Err(_)) = timeout(ROUND, changes.changed()).await {
                return Refusal::GateStale;
            }
        }
    }

    /// Completes as soon as the device, the certificate, the token or the session is denied, with the reason. It says nothing
    /// about the end of a session and about a gate that has grown stale, which [`Gate::until_over`] does.
    pub async fn until_denied(&self, verified: &VerifiedRequest) -> Refusal {
        let mut changes = self.changes();
        loop {
            if let Err(refusal) = self.0.gatekeeper.standing(verified) {
                return refusal;
            }
            if changes.changed().await.is_err() {
                return Refusal::GateStale;
            }
        }
    }

    /// Whether the gate knows enough to decide at all.
    pub(crate) fn require_fresh(&self) -> Result<(), Refusal> {
        self.0.gatekeeper.fresh(self.0.time.moment())
    }

    /// Whether the feed denies a device or its certificate, whoever uses it.
    pub(crate) fn standing_of_device(
        &self,
        device: &DeviceId,
        certificate: &Thumbprint,
    ) -> Result<(), Refusal> {
        self.0.gatekeeper.standing_of_device(device, certificate)
    }

    /// The payload of a text of this type that a key of the issuer signed.
    pub(crate) fn verify(&self, text: &str, typ: &str) -> Result<Vec<u8>, JwsError> {
        self.0.gatekeeper.signed(&self.0.state.keys(), text, typ)
    }

    /// A client of the platform: anonymous, or with the gate's certificate as it is now.
    pub(crate) fn platform_client(&self, as_gate: bool) -> Result<HttpsClient, TlsError> {
        let config = &self.0.config;
        let identity = if as_gate { Some(read_identity(&config.identity)?) } else { None };
        let (trust, clock) = (config.trust.clone(), self.0.time.clock());
        let client = HttpsClient::new(trust, clock, identity, Destinations::Anywhere)?;
        Ok(client.with_endpoints(self.0.endpoints.clone()))
    }

    /// The gate's identifier, as its certificate has it.
    pub(crate) fn own_name(&self) -> Option<String> {
        let (chain, _) = read_identity(&self.0.config.identity).ok()?;
        let (kind, id) = holder(chain.first()?)?;
        (kind == HolderKind::Gate).then_some(id)
    }

    /// The only issuer that is believed.
    pub(crate) fn issuer(&self) -> &str {
        &self.0.gatekeeper.policy().issuer
    }

    pub(crate) fn leeway(&self) -> Duration {
        self.0.gatekeeper.policy().leeway
    }

    pub(crate) fn entropy(&self) -> &dyn Entropy {
        &*self.0.entropy
    }

    /// What the gate asserts to its product about a request that passed.
    pub(crate) fn assertion(
        &self,
        verified: &VerifiedRequest,
        asked: AssertedRequest<'_>,
    ) -> Option<HeaderValue> {
        let signer = self.0.state.signer.load();
        signer.as_ref()?.sign(self.audience(), verified, asked, self.now(), &*self.0.entropy)
    }

    /// What the product is told about the renewal of the certificate that came with a request.
    pub(crate) fn renewal_due(&self, presented: Option<&ClientCertificate>) -> Option<HeaderValue> {
        let end = presented?.renewal_due(self.now())?;
        HeaderValue::try_from(end.to_string()).ok()
    }

    /// The time by the gate's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.0.time.moment().now
    }

    /// Whether the feed denies a caller who was admitted, however old the feed is.
    pub(crate) fn standing(&self, verified: &VerifiedRequest) -> Result<(), Refusal> {
        self.0.gatekeeper.standing(verified)
    }

    /// Wakes at every change of what is denied, with the number of the last event: for products that
    /// keep a list of their connections and go through it with [`Gate::recheck`].
    pub fn changes(&self) -> watch::Receiver<Option<u64>> {
        self.0.state.applied()
    }

    /// How the gate is now.
    pub fn status(&self) -> GateStatus {
        let moment = self.0.time.moment();
        GateStatus {
            seq: *self.0.state.applied().borrow(),
            age: self.0.state.age(moment),
            connected: self.0.state.is_connected(),
            deciding: self.0.gatekeeper.fresh(moment).is_ok(),
        }
    }

    /// The audience this gate stands for.
    pub fn audience(&self) -> &str {
        &self.0.gatekeeper.policy().audience
    }

    /// Stops following and waits until the connections are closed. The gate goes on deciding until its
    /// knowledge is too old.
    pub async fn shutdown(&self) {
        let follower = self.0.follower.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(follower) = follower {
            follower.abort();
            let _ = follower.await;
            self.0.state.set_connected(false);
        }
    }
}

impl Drop for GateShared {
    fn drop(&mut self) {
        if let Some(follower) = self.follower.lock().unwrap_or_else(PoisonError::into_inner).take() {
            follower.abort();
        }
    }
}
