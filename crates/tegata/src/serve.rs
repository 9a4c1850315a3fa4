//! `tegata serve` and `tegata dev`: three listeners and the background passes.

use crate::acme;
use crate::bulk;
use crate::canary::{self, Canary};
use crate::cli::{DevOptions, InitOptions};
use crate::clients::Registered;
use crate::config::{Config, MetricsConfig};
use crate::failure::{Doing, Failure};
use crate::house::{House, Place, shown};
use crate::init;
use crate::invite::{self, Invited};
use crate::loops;
use crate::machine::Machine;
use crate::metrics::{self, Metrics};
use crate::profiles;
use crate::proxied;
use crate::public::{self, Lists, Public};
use crate::receivers;
use crate::running;
use crate::scep;
use crate::token_keys::TokenKeys;
use crate::tokens;
use arc_swap::ArcSwap;
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use tegata_ca::{Registrars, Responders};
use tegata_core::Role;
use tegata_enroll::{Acme, Bulk, Desk, Profiles, Scep};
use tegata_token::{FeedHub, Tokens};
use tegata_web::path::DistinguishedName;
use tegata_web::tls::{DeviceDoor, Versions, portal_config};
use tegata_web::{Limits, Port, Site, TrustedIssuers, Visitors, listener};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Serves an installation until it is told to stop.
pub async fn serve(place: &Place, machine: &Machine) -> Result<(), Failure> {
    let config = place.config()?;
    let doors = Doors::bind(&config).await?;
    let house = House::open(config, machine).await?;
    for (door, url) in [
        ("portal", &house.config.portal.url),
        ("device", &house.config.device.url),
        ("public", &house.config.public.url),
    ] {
        eprintln!("{door:8}{url}");
    }
    run(&house, doors, house.config.canary.every_minutes.unwrap_or(canary::EVERY_MINUTES)).await
}

/// A throw-away or local installation, made if it is not there, with an invitation to try at once.
pub async fn dev(place: &Place, options: &DevOptions, machine: &Machine) -> Result<(), Failure> {
    let (mut config, doors) = if place.file().exists() {
        let mut config = place.config()?;
        options.apply(&mut config);
        let doors = Doors::bind(&config).await?;
        (config, doors)
    } else {
        make_installation(place, options, machine).await?
    };
    doors.announce(&mut config)?;
    let house = House::open(config, machine).await?;
    let invited = invite::first_site(&house.context, Role::Device, machine).await?;
    running::write(&house.config, &house.context.addresses)?;
    announce(&house, &invited, doors.metrics.as_ref(), options.json);
    let ended = run(&house, doors, house.config.canary.every_minutes.unwrap_or(0)).await;
    running::remove(&house.config);
    ended
}

/// The ports are found first: addresses are written into the CAs that are made.
async fn make_installation(
    place: &Place,
    options: &DevOptions,
    machine: &Machine,
) -> Result<(Config, Doors), Failure> {
    let mut init = InitOptions::for_development();
    let doors = Doors {
        portal: bind(here(options.portal_port.unwrap_or(init.portal_port))).await?,
        device: bind(here(options.device_port.unwrap_or(init.device_port))).await?,
        public: bind(here(options.public_port.unwrap_or(init.public_port))).await?,
        proxy: None,
        metrics: match options.metrics_port {
            Some(port) => Some(metrics::Listener::bind(here(port)).await?),
            None => None,
        },
    };
    [init.portal_port, init.device_port, init.public_port] = doors.ports()?;
    std::fs::create_dir_all(&place.data).doing("cannot make the data folder")?;
    init::init(&place.data, &init, machine).await?;
    Ok((place.config()?, doors))
}

struct Doors {
    portal: TcpListener,
    device: TcpListener,
    public: TcpListener,
    proxy: Option<TcpListener>,
    metrics: Option<metrics::Listener>,
}

impl Doors {
    async fn bind(config: &Config) -> Result<Self, Failure> {
        Ok(Self {
            portal: bind(config.portal.listen).await?,
            device: bind(config.device.listen).await?,
            public: bind(config.public.listen).await?,
            proxy: match &config.device.proxy {
                Some(proxy) => Some(bind(proxy.listen).await?),
                None => None,
            },
            metrics: match &config.metrics {
                Some(metrics) => Some(metrics::Listener::bind(metrics.listen).await?),
                None => None,
            },
        })
    }

    fn ports(&self) -> Result<[u16; 3], Failure> {
        let port = |listener: &TcpListener| Ok(listener.local_addr().doing(PORT)?.port());
        Ok([port(&self.portal)?, port(&self.device)?, port(&self.public)?])
    }

    /// Writes the ports that were found into the addresses, where they are this machine's own. Devices behind a proxy
    /// know the proxy's.
    fn announce(&self, config: &mut Config) -> Result<(), Failure> {
        let public_device_url = config.device.proxy.is_some().then(|| config.device.url.clone());
        let urls = [&mut config.portal.url, &mut config.device.url, &mut config.public.url];
        for (url, port) in urls.into_iter().zip(self.ports()?) {
            let scheme_and_host = url.rsplit_once(':').map_or(url.as_str(), |(head, _)| head);
            *url = format!("{scheme_and_host}:{port}");
        }
        if let Some(url) = public_device_url {
            config.device.url = url;
        }
        Ok(())
    }
}

const PORT: &str = "cannot read a listener's port";

/// A port of this machine alone.
fn here(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.doing(format!("cannot listen at {address}; is another server running?"))
}

fn announce(house: &House, invited: &Invited, metrics: Option<&metrics::Listener>, as_json: bool) {
    let addresses = &house.context.addresses;
    let file = |name: &str| shown(&house.config.path(Path::new(name)));
    if as_json {
        let mut line = json!({
            "portal": addresses.portal, "device": addresses.device, "public": addresses.public,
            "issuer": addresses.issuer(), "ca": file("ca/root.pem"), "chain": file("ca/chain.pem"),
            "tls_ca": file("tls/ca.pem"), "invitation": invited.link,
        });
        if let Some(metrics) = metrics {
            line["metrics"] = format!("http://{}", metrics.address).into();
        }
        println!("{line}");
    } else {
        println!("Tegata is ready.\n");
        println!("  portal      {}   pages and API (HTTPS, no certificate asked)", addresses.portal);
        println!("  device      {}   tokens, renewal, probe (HTTPS, certificate asked)", addresses.device);
        println!("  public      {}   CRL, OCSP, CA certificates (HTTP)", addresses.public);
        if let Some(metrics) = metrics {
            println!("  metrics     http://{}   /metrics, /healthz, /readyz", metrics.address);
        }
        println!("  data        {}", shown(house.config.folder()));
        println!("  trust       {}   verifies the HTTPS listeners", file("tls/ca.pem"));
        println!(
            "\nOpen this invitation in a browser to put a certificate on this device:\n\n  {}\n",
            invited.link
        );
        println!(
            "It works once, for {} days. More: tegata invite --data {}",
            invite::DEFAULT_DAYS,
            shown(house.config.folder())
        );
    }
}

async fn run(house: &House, doors: Doors, canary_minutes: u32) -> Result<(), Failure> {
    let (stop, stopping) = watch::channel(false);
    let mut token_keys = TokenKeys::new(house.ring.clone());
    let tokens = tokens::open(house, token_keys.first(house.context.now())?).await?;
    tegata_token::begin_status_lists(&tokens).await.doing("cannot begin the status lists")?;
    let registered = Registered::open(&house.config)?;
    let client_hints = registered.hints();
    let keep_clients = registered.register(&house.config, &tokens, &house.context)?;
    tokens.tell(receivers::open(house).await?).map_err(Failure::misuse)?;
    let lists = Arc::new(Lists::default());
    let responders = Arc::new(Responders::new(house.context.status.clone(), house.context.entropy.clone()));
    let metrics = Metrics::new(&house.ledger);
    let at_renewal = tokens::AtRenewal::new(tokens.clone(), metrics.clone());
    let secret = acme::open_secret(house).await?;
    let registrars = scep::open(house)?;
    // A profile leads nowhere where less is asked of keys than the configuration asks.
    let profiles_by_scep = registrars.is_some() && !house.config.acme.require_attestation;
    let desk = Desk::new(house.context.clone(), house.authorities.clone(), secret)
        .with_tokens(at_renewal)
        .beside_scep(profiles_by_scep);
    let acme = acme::open(house, desk.clone())?;
    let bulk = bulk::open(house, &tokens).await?;
    let (told, surfaces) = ((&tokens, client_hints), (&lists, &responders));
    let offices = (desk, acme, registrars.clone(), &bulk);
    let mut listeners = listeners(house, doors, offices, told, surfaces, &metrics, &stopping)?;
    let mut passes = JoinSet::new();
    let clock = house.context.clock.clone();
    passes.spawn(house.context.status.clone().follow(clock));
    passes.spawn(loops::publish(house.authorities.clone(), lists, house.context.clone()));
    passes.spawn(loops::respond(house.authorities.clone(), responders, house.context.clone()));
    if let Some(registrars) = registrars {
        passes.spawn(loops::succeed(house.authorities.clone(), registrars, house.context.clone()));
    }
    passes.spawn(loops::renew(house.context.clone()));
    passes.spawn(keep_clients);
    passes.spawn(bulk.run());
    passes.spawn(metrics.clone().follow(house.context.clone()));
    if let Some(canary) = Canary::of(house, &metrics, canary_minutes) {
        passes.spawn(canary.run());
    }
    passes.spawn(tegata_token::acknowledge_loop(house.context.clone()));
    passes.spawn(tegata_token::publish_statuses(tokens.clone()));
    passes.spawn(tegata_token::deliver(tokens.clone()));
    passes.spawn(FeedHub::run(tokens.clone()));
    let age = house.config.tokens.key_age();
    passes.spawn(token_keys.follow(tokens.clone(), house.context.clone(), age));
    let ended = tokio::select! {
        () = told_to_stop() => Ok(()),
        Some(_) = passes.join_next() => Err(Failure::wrong("a background pass ended: stopping, so that nothing goes stale unseen")),
        Some(_) = listeners.join_next() => Err(Failure::wrong("a listener ended")),
    };
    // Feeds have no end of their own; gates come back elsewhere or later.
    tokens.feed().close();
    let _ = stop.send(true);
    while listeners.join_next().await.is_some() {}
    passes.shutdown().await;
    house.ledger.close().await;
    ended
}

fn listeners(
    house: &House,
    doors: Doors,
    (desk, acme, registrars, bulk): (Desk, Acme, Option<Arc<Registrars>>, &Bulk),
    (tokens, client_hints): (&Arc<Tokens>, Vec<DistinguishedName>),
    (lists, responders): (&Arc<Lists>, &Arc<Responders>),
    metrics: &Arc<Metrics>,
    stopping: &watch::Receiver<bool>,
) -> Result<JoinSet<()>, Failure> {
    let addresses = &house.context.addresses;
    let config = &house.config;
    let identity =
        |chain: &Path, key: &Path| house.ring.server_identity(&config.path(chain), &config.path(key));
    let portal_identity = identity(&config.portal.certificate, &config.portal.key)?;
    let profiles = Profiles {
        desk: desk.clone(),
        signer: profiles::signer(&portal_identity).map(Arc::new),
        attest: config.acme.require_attestation,
    };
    let portal = tegata_enroll::portal_routes(desk.clone())
        .merge(profiles.clone().portal_routes())
        .merge(tegata_enroll::acme_routes(acme))
        .merge(tegata_token::portal_router(tokens.clone()));
    let scep = registrars.map(|registrars| Scep::new(desk.clone(), registrars));
    let device = tegata_enroll::device_routes(desk)
        .merge(bulk.routes())
        .merge(profiles.device_routes())
        .merge(tegata_token::device_router(tokens.clone()));
    let public = public::routes(Public {
        context: house.context.clone(),
        authorities: house.authorities.clone(),
        lists: lists.clone(),
        responders: responders.clone(),
        statuses: tokens.status_lists().clone(),
        hierarchy: house.hierarchy.clone(),
    })
    .merge(scep.map(tegata_enroll::scep_routes).unwrap_or_default());
    let portal_tls = portal_config(&portal_identity, Versions::Tls13);
    let portal_tls = portal_tls.doing("the portal's certificate cannot be used")?;
    let device_identity = identity(&config.device.certificate, &config.device.key)?;
    let proxy = config.device.proxy.as_ref();
    let proxy_port = proxy.map(|proxy| proxied::port(proxy, &device_identity)).transpose()?;
    let probes = addresses.probes.clone();
    let make_door = move |issuers: TrustedIssuers| {
        let issuers = issuers.also_hinting(client_hints.clone());
        DeviceDoor::new(&device_identity, Versions::Tls13, issuers, probes.clone())
            .doing("the device listener's certificate cannot be used")
    };
    let door = Arc::new(ArcSwap::from_pointee(make_door(house.hierarchy.trusted_issuers()?)?));
    let site = |origins: &[&String]| Site {
        origins: origins.iter().map(ToString::to_string).collect(),
        hsts: false,
        why: Some(addresses.device.clone()),
    };
    let portal_port = Port::Portal(Arc::new(ArcSwap::from_pointee(portal_tls)));
    let clock = house.context.clock.clone();
    let visitors = Arc::new(Visitors::default());
    let device_port = Port::Device(door.clone(), clock.clone(), visitors.clone());
    let show_out = visitors.follow(house.context.status.clone(), clock.clone());
    let proxies = proxy.map(|proxy| proxied::proxies(config, proxy, door.clone(), clock)).transpose()?;
    let mut set = JoinSet::new();
    let stopped = || {
        let mut stopping = stopping.clone();
        async move { drop(stopping.wait_for(|stop| *stop).await) }
    };
    let follow = house.hierarchy.clone().follow(door, make_door);
    let until = stopped();
    set.spawn(async move {
        tokio::select! {
            () = follow => {}
            () = show_out => {}
            () = until => {}
        }
    });
    let [portal, device, public] =
        metrics::counted(metrics, doors.metrics.is_some(), [portal, device, public]);
    if let (Some(tcp), Some(port), Some(proxies)) = (doors.proxy, proxy_port, proxies) {
        let router = site(&[&addresses.device]).around(proxies.before(device.clone()));
        set.spawn(listener::serve(tcp, port, router, Limits::default(), stopped()));
    }
    for ((tcp, port, router), (_, open)) in [
        (doors.portal, portal_port, site(&[&addresses.portal]).around(portal)),
        (doors.device, device_port, site(&[&addresses.device]).around(device)),
        (doors.public, Port::Plain, site(&[]).around(public)),
    ]
    .into_iter()
    .zip(metrics.connections.clone())
    {
        let stopped = stopped();
        set.spawn(listener::serve_counting(tcp, port, router, Limits::default(), open, stopped));
    }
    if let Some(listener) = doors.metrics {
        let (context, authorities) = (house.context.clone(), house.authorities.clone());
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

impl DevOptions {
    fn apply(&self, config: &mut Config) {
        if let Some(port) = self.portal_port {
            config.portal.listen = here(port);
        }
        if let Some(port) = self.device_port {
            config.device.listen = here(port);
        }
        if let Some(port) = self.public_port {
            config.public.listen = here(port);
        }
        if let Some(port) = self.metrics_port {
            config.metrics = Some(MetricsConfig { listen: here(port), beyond_loopback: false });
        }
    }
}
