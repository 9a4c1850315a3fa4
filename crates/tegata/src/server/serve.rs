//! `tegata serve` and `tegata dev`: three listeners and the background passes.

use crate::config::Config;
use crate::failure::{Failure, FailureContext};
use crate::installation_args::InstallationArgs;
use crate::server::Server;
use crate::server::acme;
use crate::server::bulk;
use crate::server::canary::{self, Canary};
use crate::server::dates::dated;
use crate::server::listener_certificates::ListenerCertificates;
use crate::server::listeners::Listeners;
use crate::server::metrics::{self, Metrics};
use crate::server::oauth;
use crate::server::passes;
use crate::server::proxied;
use crate::server::public::{self, CrlCache, PublicContext};
use crate::server::startup::{self, StartupParts};
use crate::server::token_keys::TokenKeys;
use crate::system;
use crate::system_context::SystemContext;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::time::Duration;
use tegata_ca::{OcspResponders, Registrars};
use tegata_enroll::{AcmeServer, BulkInvitations, EnrollmentService, ProfileService, ScepServer};
use tegata_oauth::AuthorizationServer;
use tegata_signals::{FeedHub, Signals};
use tegata_storage::Outdated;
use tegata_web::tls::{DeviceTls, TlsVersions, portal_config};
use tegata_web::trust_verdict::DistinguishedName;
use tegata_web::{
    ConnectionRegistry, Limits, ListenerKind, ListenerRules, TrustedIssuers, forwarded, listener,
};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Serves an installation until it is stopped.
pub async fn serve(place: &InstallationArgs, system: &SystemContext) -> Result<(), Failure> {
    let config = place.config()?;
    let doors = Listeners::bind(&config).await?;
    let server = Server::open(config, system).await?;
    let minutes = server.config.canary.every_minutes.unwrap_or(canary::EVERY_MINUTES);
    Box::pin(keep_serving(server, doors, minutes, system, |server, _| tell(server))).await
}

/// Prints where it listens.
fn tell(server: &Server) {
    for (door, url) in [
        ("portal", &server.config.portal.url),
        ("device", &server.config.device.url),
        ("public", &server.config.public.url),
    ] {
        errln!("{door:8}{url}");
    }
}

/// Serves until it is stopped. Where what was remembered of the installation is not to be gone on with, because its
/// ledger went back or the clock was ahead, the installation is opened again on the same ports. `ready` is called once, when
/// everything has started.
pub async fn keep_serving(
    mut server: Server,
    mut doors: Listeners,
    canary_minutes: u32,
    system: &SystemContext,
    ready: impl FnOnce(&Server, &Listeners),
) -> Result<(), Failure> {
    system::raise_file_limit();
    let mut ready = Some(ready);
    loop {
        let ended = run(&server, doors, canary_minutes, |server, doors| {
            if let Some(ready) = ready.take() {
                ready(server, doors);
            }
        });
        let ServingEnd::Outdated(why, same_doors) = Box::pin(ended).await? else { return Ok(()) };
        tracing::error!(%why, "nobody is let in by what this process remembers: the installation is opened again");
        let config = server.config.clone();
        server = tokio::select! {
            () = told_to_stop() => return Ok(()),
            server = open_again(config, system) => server,
        };
        tracing::info!("the installation is open again");
        doors = *same_doors;
    }
}

/// The ledger may be on its way back at this moment.
async fn open_again(config: Config, system: &SystemContext) -> Server {
    loop {
        match Server::open(config.clone(), system).await {
            Ok(server) => return server,
            Err(error) => tracing::error!(%error, "the installation cannot be opened: tried again"),
        }
        sleep(RECOVERY).await;
    }
}

/// From a failure to the next attempt.
const RECOVERY: Duration = Duration::from_secs(1);

/// Why serving ended well.
enum ServingEnd {
    /// The process was told to stop.
    Told,
    /// The process has to begin anew, at these ports.
    Outdated(Outdated, Box<Listeners>),
}

async fn run(
    server: &Server,
    doors: Listeners,
    canary_minutes: u32,
    ready: impl FnOnce(&Server, &Listeners),
) -> Result<ServingEnd, Failure> {
    let kept_doors = doors.again()?;
    let (stop, stopping) = watch::channel(false);
    let mut token_keys = TokenKeys::new(server.ring.clone());
    let read = startup::read(server, token_keys.first(server.context.now())?).await?;
    let StartupParts {
        issuer,
        signals,
        tokens,
        clients,
        keep_clients,
        client_hints,
        registrars,
        certificates,
    } = read;
    tegata_signals::begin_status_lists(&signals).await.doing("cannot begin the status lists")?;
    let lists = Arc::new(CrlCache::default());
    let responders =
        Arc::new(OcspResponders::new(server.context.status.clone(), server.context.entropy.clone()));
    let metrics = Metrics::new(&server.ledger);
    let at_renewal = oauth::RenewalTokenIssuer::new(tokens.clone(), metrics.clone());
    let secret = acme::open_secret(server).await?;
    // A profile leads nowhere where less is asked of keys than the configuration asks.
    let profiles_by_scep = registrars.is_some() && !server.config.acme.require_attestation;
    let enrollment = EnrollmentService::new(server.context.clone(), server.authorities.clone(), secret)
        .with_tokens(at_renewal)
        .with_contact(server.config.contact.clone())
        .beside_scep(profiles_by_scep);
    let acme = acme::open(server, enrollment.clone())?;
    let bulk = bulk::open(server, &clients).await?;
    let (told, surfaces) = ((&tokens, &signals, client_hints), (&lists, &responders));
    let offices = (enrollment, acme, registrars.clone(), &bulk);
    let mut listeners =
        listeners(server, doors, offices, told, surfaces, &metrics, (&stopping, &certificates))?;
    let mut passes = JoinSet::new();
    let clock = server.context.clock.clone();
    let outdated = server.context.status.clone().follow(clock);
    if let Err(error) = lists.take_in(&server.ledger, server.context.now()).await {
        tracing::warn!(%error, "published lists could not be read");
    }
    passes.spawn(passes::publish(server.authorities.clone(), lists.clone(), server.context.clone()));
    passes.spawn(passes::respond(server.authorities.clone(), responders, server.context.clone()));
    if let Some(registrars) = registrars {
        passes.spawn(passes::succeed(server.authorities.clone(), registrars, server.context.clone()));
    }
    passes.spawn(passes::renew(server.context.clone()));
    passes.spawn(passes::retain_audit(server.context.clone(), server.config.audit.retention()));
    passes.spawn(keep_clients);
    passes.spawn(bulk.run());
    passes.spawn(metrics.clone().follow(server.context.clone()));
    if let Some(canary) = Canary::of(server, &metrics, canary_minutes) {
        passes.spawn(canary.run());
    }
    passes.spawn(tegata_signals::acknowledge_loop(server.context.clone()));
    passes.spawn(tegata_signals::publish_statuses(signals.clone()));
    passes.spawn(tegata_signals::deliver(signals.clone()));
    passes.spawn(FeedHub::run(signals.clone()));
    let age = server.config.tokens.key_age();
    passes.spawn(token_keys.follow(issuer, age));
    let started = async {
        passes::first_lists(&server.authorities, &lists).await;
        status_lists_are_out(&signals).await;
        ready(server, &kept_doors);
        std::future::pending::<()>().await;
    };
    let ended = tokio::select! {
        () = told_to_stop() => Ok(None),
        why = outdated => Ok(Some(why)),
        () = started => Ok(None),
        Some(_) = passes.join_next() => Err(Failure::wrong("a background pass ended: stopping, so that nothing goes stale unseen")),
        Some(_) = listeners.join_next() => Err(Failure::wrong("a listener ended")),
        () = certificates.follow(server) => Ok(None),
    };
    // Feeds have no end of their own; gates come back elsewhere or later.
    signals.feed().close();
    let _ = stop.send(true);
    match ended {
        Ok(Some(why)) => {
            passes.shutdown().await;
            // Requests under way end by themselves; what this memory does not know it asks the ledger.
            let ledger = server.ledger.clone();
            tokio::spawn(async move {
                while listeners.join_next().await.is_some() {}
                ledger.close().await;
            });
            Ok(ServingEnd::Outdated(why, Box::new(kept_doors)))
        }
        Ok(None) => {
            drop(kept_doors);
            end(listeners, passes, server).await;
            Ok(ServingEnd::Told)
        }
        Err(failure) => {
            drop(kept_doors);
            end(listeners, passes, server).await;
            Err(failure)
        }
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

/// Requests under way are answered.
async fn end(mut listeners: JoinSet<()>, mut passes: JoinSet<()>, server: &Server) {
    while listeners.join_next().await.is_some() {}
    passes.shutdown().await;
    if let Err(error) = server.ledger.write_refusals(server.context.now(), true).await {
        tracing::warn!(%error, "how many were refused could not be written down");
    }
    server.ledger.close().await;
}

fn listeners(
    server: &Server,
    doors: Listeners,
    (enrollment, acme, registrars, bulk): (
        EnrollmentService,
        AcmeServer,
        Option<Arc<Registrars>>,
        &BulkInvitations,
    ),
    (tokens, signals, client_hints): (&Arc<AuthorizationServer>, &Arc<Signals>, Vec<DistinguishedName>),
    (lists, responders): (&Arc<CrlCache>, &Arc<OcspResponders>),
    metrics: &Arc<Metrics>,
    (stopping, certificates): (&watch::Receiver<bool>, &ListenerCertificates),
) -> Result<JoinSet<()>, Failure> {
    let addresses = &server.context.addresses;
    let config = &server.config;
    let profiles = ProfileService {
        service: enrollment.clone(),
        signer: certificates.profile_signer.clone(),
        attest: config.acme.require_attestation,
    };
    let portal = tegata_enroll::portal_routes(enrollment.clone())
        .merge(profiles.clone().portal_routes())
        .merge(tegata_enroll::acme_routes(acme))
        .merge(tegata_signals::portal_router(signals.clone()))
        .merge(tegata_oauth::portal_router(tokens.clone()));
    let scep = registrars.map(|registrars| ScepServer::new(enrollment.clone(), registrars));
    let device = tegata_enroll::device_routes(enrollment)
        .merge(bulk.routes())
        .merge(profiles.device_routes())
        .merge(tegata_signals::device_router(signals.clone()))
        .merge(tegata_oauth::device_router(tokens.clone()));
    let public = public::routes(PublicContext {
        context: server.context.clone(),
        authorities: server.authorities.clone(),
        lists: lists.clone(),
        responders: responders.clone(),
        statuses: signals.status_lists().clone(),
        hierarchy: server.hierarchy.clone(),
    })
    .merge(scep.map(tegata_enroll::scep_routes).unwrap_or_default());
    let portal_tls = portal_config(&certificates.portal, TlsVersions::Tls13);
    let portal_tls = portal_tls.doing("the portal's certificate cannot be used")?;
    let device_identity = certificates.device.clone();
    let proxy = config.device.proxy.as_ref();
    let proxy_port = proxy.map(|proxy| proxied::port(proxy, &device_identity)).transpose()?;
    let probes = addresses.probes.clone();
    let make_door = move |issuers: TrustedIssuers| {
        let issuers = issuers.also_hinting(client_hints.clone());
        DeviceTls::new(&device_identity, TlsVersions::Tls13, issuers, probes.clone())
            .doing("the device listener's certificate cannot be used")
    };
    let door = Arc::new(ArcSwap::from_pointee(make_door(server.hierarchy.trusted_issuers()?)?));
    let site = |origins: &[&String]| ListenerRules {
        origins: origins.iter().map(ToString::to_string).collect(),
        hsts: false,
        why: Some(addresses.device.clone()),
        protocol_problem: Some(tegata_enroll::acme_problem),
        contact: config.contact.clone(),
    };
    let portal_port = ListenerKind::Portal(Arc::new(ArcSwap::from_pointee(portal_tls)));
    let clock = server.context.clock.clone();
    let registry = Arc::new(ConnectionRegistry::default());
    let device_port = ListenerKind::Device(door.clone(), clock.clone(), registry.clone());
    let show_out = registry.follow(server.context.status.clone(), clock.clone());
    let proxies = proxy.map(|proxy| proxied::proxies(config, proxy, door.clone(), clock)).transpose()?;
    let mut set = JoinSet::new();
    let stopped = || {
        let mut stopping = stopping.clone();
        async move { drop(stopping.wait_for(|stop| *stop).await) }
    };
    let follow = server.hierarchy.clone().follow(door, make_door);
    let until = stopped();
    set.spawn(async move {
        tokio::select! {
            () = follow => {}
            () = show_out => {}
            () = until => {}
        }
    });
    let [portal, device, public] =
        metrics::counted(metrics, doors.metrics.is_some(), [portal, device, public])
            .map(|router| dated(router, server.context.clock.clone()));
    if let (Some(tcp), Some(port), Some(proxies)) = (doors.proxy, proxy_port, proxies) {
        let router = site(&[&addresses.device]).around(proxies.before(device.clone()));
        set.spawn(listener::serve(tcp, port, router, Limits::default().for_proxies(), stopped()));
    }
    for ((tcp, port, router), (_, open)) in [
        (
            doors.portal,
            portal_port,
            site(&[&addresses.portal]).around(forwarded::behind(&config.portal.trusted_proxies, portal)),
        ),
        (doors.device, device_port, site(&[&addresses.device]).around(device)),
        (
            doors.public,
            ListenerKind::Plain,
            site(&[]).around(forwarded::behind(&config.public.trusted_proxies, public)),
        ),
    ]
    .into_iter()
    .zip(metrics.connections.clone())
    {
        let stopped = stopped();
        set.spawn(listener::serve_counting(tcp, port, router, Limits::default(), open, stopped));
    }
    if let Some(listener) = doors.metrics {
        let (context, authorities) = (server.context.clone(), server.authorities.clone());
        set.spawn(metrics::serve(listener, metrics.clone(), context, authorities, stopped()));
    }
    Ok(set)
}

/// Until SIGTERM or SIGINT.
pub async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
