//! A server at work: its listeners, what follows the feed, its passes, and how all of it ends.

use crate::server::Server;
use crate::server::accepting::{self, DeviceTlsSource};
use crate::server::backchannel_logout::LogoutSender;
use crate::server::canary::Canary;
use crate::server::followers;
use crate::server::listeners::Listeners;
use crate::server::metrics::Metrics;
use crate::server::passes::{self, OwnedByPasses};
use crate::server::previous_run::{self, PreviousRun};
use crate::server::public::CrlCache;
use crate::server::registration;
use crate::server::services::Services;
use crate::server::startup::{self, StartupParts};
use crate::server::token_keys::TokenKeys;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tegata_ca::IssuerSet;
use tegata_installation::{Failure, FailureContext};
use tegata_scheduler::{Scheduler, SchedulerContext};
use tegata_signals::Signals;
use tegata_storage::Outdated;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How long a CA's first list may hold up the word that everything has started.
const FIRST_LISTS: Duration = Duration::from_secs(10);

/// Everything that runs in a server.
pub struct RunningServer {
    services: Services,
    listeners: JoinSet<()>,
    /// The one that keeps the status memory.
    status: JoinSet<Outdated>,
    /// What follows the feed within this process.
    followers: JoinSet<()>,
    scheduler: Arc<Scheduler>,
    /// Says to the listeners that they accept no more.
    stop: watch::Sender<bool>,
}

/// Why a server ended that nothing was wrong with.
pub enum WhyEnded {
    /// It was told to stop.
    Told,
    /// What it remembers is of another ledger or another time.
    Outdated(Outdated),
}

impl RunningServer {
    /// Reads what it needs, and starts everything.
    pub async fn start(server: &Server, bound: Listeners, canary_minutes: u32) -> Result<Self, Failure> {
        let mut token_keys = TokenKeys::new(server.config.clone(), server.ring.clone());
        let parts = startup::read(server, token_keys.first(&server.context).await?).await?;
        let StartupParts { opened, client_watches, file_watch, mail } = parts;
        tegata_signals::begin_status_lists(&opened.signals).await.doing("cannot begin the status lists")?;
        let services = Services::open(server, opened).await?;
        let canary = Canary::of(server, &services.metrics, &bound, canary_minutes)?;
        let device_tls = Arc::new(DeviceTlsSource::open(server, &services.opened)?);
        let (context, opened) = (&server.context, &services.opened);
        let logouts = LogoutSender::open(
            &server.config,
            &context.ledger,
            &context.clock,
            &opened.tokens,
            &services.metrics,
        )?;
        let (stop, stopping) = watch::channel(false);
        let previous = previous_run::succeed(&server.config, &server.context.server);
        registration::begin(&server.context, previous.as_ref()).await?;
        let listeners = accepting::start(server, bound, &services, &device_tls, &stopping)?;
        let mut status = JoinSet::new();
        status.spawn(server.context.status.clone().follow(server.context.clock.clone()));
        if let Err(error) = services.lists.take_in(&server.ledger, server.context.now()).await {
            tracing::warn!(%error, "published lists could not be read");
        }
        let followers = followers::start(server, &services, &device_tls, file_watch);
        let scheduler = Scheduler::start(scheduler_context(server, previous, &services.metrics));
        let owned = OwnedByPasses { token_keys, client_watches, logouts, canary, device_tls, mail };
        passes::add_all(&scheduler, server, &services, owned);
        Ok(Self { services, listeners, status, followers, scheduler, stop })
    }

    /// Calls `ready` when everything is served, and waits for what must not be.
    pub async fn until_it_ends(&mut self, ready: impl FnOnce()) -> Result<WhyEnded, Failure> {
        let Self { services, listeners, status, followers, scheduler, .. } = self;
        let started = async {
            first_lists(&services.authorities, &services.lists).await;
            status_lists_are_out(&services.opened.signals).await;
            ready();
            pending::<()>().await;
        };
        let stale = || Failure::wrong("a background task ended: stopping, so that nothing goes stale unseen");
        tokio::select! {
            () = started => Err(stale()),
            Some(ended) = status.join_next() => ended.map(WhyEnded::Outdated).map_err(|_| stale()),
            () = scheduler.broken() => Err(stale()),
            Some(_) = followers.join_next() => Err(stale()),
            Some(_) = listeners.join_next() => Err(Failure::wrong("a listener ended")),
        }
    }

    /// Requests under way are answered, then everything ends.
    pub async fn shut_down(mut self, server: &Server) {
        self.stop_accepting();
        while self.listeners.join_next().await.is_some() {}
        self.end_background().await;
        registration::end(&server.context).await;
        if let Err(error) = self.services.refusals.write(&server.ledger, server.context.now()).await {
            tracing::warn!(%error, "what was refused could not be counted");
        }
        if let Err(error) = server.ledger.write_refusals(server.context.now(), true).await {
            tracing::warn!(%error, "how many were refused could not be written down");
        }
        server.ledger.close().await;
    }

    /// Everything ends but requests under way, which end by themselves; what this memory does not know they ask the ledger.
    pub async fn abandon(mut self, server: &Server) {
        self.stop_accepting();
        self.end_background().await;
        let context = server.context.clone();
        tokio::spawn(async move {
            while self.listeners.join_next().await.is_some() {}
            registration::end(&context).await;
            context.ledger.close().await;
        });
    }

    /// Feeds have no end of their own; gates come back elsewhere or later.
    fn stop_accepting(&self) {
        self.services.opened.signals.feed().close();
        let _ = self.stop.send(true);
    }

    async fn end_background(&mut self) {
        self.scheduler.stop().await;
        self.followers.shutdown().await;
        self.status.shutdown().await;
    }
}

fn scheduler_context(
    server: &Server,
    previous: Option<PreviousRun>,
    metrics: &Arc<Metrics>,
) -> SchedulerContext {
    SchedulerContext {
        ledger: server.ledger.clone(),
        clock: server.context.clock.clone(),
        entropy: server.context.entropy.clone(),
        server: server.context.server.clone(),
        previous: previous.map(|previous| previous.id),
        observer: metrics.clone(),
    }
}

/// Waits until the lists of every CA are out, or somebody has failed to publish them.
async fn first_lists(authorities: &IssuerSet, lists: &CrlCache) {
    let all: Vec<_> = authorities.all().iter().map(|authority| authority.issuer().id().clone()).collect();
    if timeout(FIRST_LISTS, lists.all_turned(&all)).await.is_err() {
        tracing::warn!("a CA's key does not answer: its lists are not published yet");
    }
}

/// Waits until token status lists are published, or cannot be.
async fn status_lists_are_out(signals: &Signals) {
    const LOOK: Duration = Duration::from_millis(10);
    const LIMIT: Duration = Duration::from_secs(5);
    let out = async {
        while signals.status_lists().all().is_none() {
            sleep(LOOK).await;
        }
    };
    if timeout(LIMIT, out).await.is_err() {
        tracing::warn!("no token status list is published yet");
    }
}
