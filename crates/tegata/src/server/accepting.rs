//! The accept loops of a server: one a listener, each with its routes and its TLS.

use crate::server::Server;
use crate::server::dates::dated;
use crate::server::listeners::Listeners;
use crate::server::metrics;
use crate::server::proxied;
use crate::server::routes::Routes;
use crate::server::services::Services;
use crate::server::startup::OpenedServices;
use arc_swap::ArcSwap;
use axum::response::Response;
use std::future::Future;
use std::sync::Arc;
use tegata_installation::{Failure, FailureContext};
use tegata_web::tls::{DeviceTls, ServerIdentity, TlsVersions, portal_config};
use tegata_web::trust_verdict::DistinguishedName;
use tegata_web::{
    ConnectionRegistry, CrossOriginRules, Limits, ListenerKind, ListenerRules, ProbeHosts, Problem,
    TrustedIssuers, forwarded, listener,
};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Makes the TLS of the device listener, anew whenever other CAs are trusted.
pub struct DeviceTlsSource {
    identity: Arc<ServerIdentity>,
    hints: Vec<DistinguishedName>,
    probes: ProbeHosts,
    /// What the next connection gets.
    pub current: Arc<ArcSwap<DeviceTls>>,
    /// The connections that stand by it.
    pub connections: Arc<ConnectionRegistry>,
}

impl DeviceTlsSource {
    /// For the CAs that are trusted now.
    pub fn open(server: &Server, opened: &OpenedServices) -> Result<Self, Failure> {
        let (identity, hints) = (opened.certificates.device.clone(), opened.client_hints.clone());
        let probes = server.context.addresses.probes.clone();
        let first = make(&identity, &hints, &probes, server.hierarchy.trusted_issuers()?)?;
        let current = Arc::new(ArcSwap::from_pointee(first));
        Ok(Self { identity, hints, probes, current, connections: Arc::default() })
    }

    /// From the next connection on these CAs are trusted.
    pub fn trust(&self, issuers: TrustedIssuers) -> Result<(), Failure> {
        let new = make(&self.identity, &self.hints, &self.probes, issuers)?;
        self.current.store(Arc::new(new));
        Ok(())
    }
}

fn make(
    identity: &Arc<ServerIdentity>,
    hints: &[DistinguishedName],
    probes: &ProbeHosts,
    issuers: TrustedIssuers,
) -> Result<DeviceTls, Failure> {
    let issuers = issuers.also_hinting(hints.to_vec());
    DeviceTls::new(identity, TlsVersions::Tls13, issuers, probes.clone())
        .doing("the device listener's certificate cannot be used")
}

/// Starts to accept at all listeners, until `stopping` says true.
pub fn start(
    server: &Server,
    bound: Listeners,
    services: &Services,
    device_tls: &DeviceTlsSource,
    stopping: &watch::Receiver<bool>,
) -> Result<JoinSet<()>, Failure> {
    let routes = metrics::counted(&services.metrics, bound.metrics.is_some(), Routes::of(server, services));
    let routes = routes.map(|router| services.refusals.around(router));
    let routes = routes.map(|router| dated(router, server.context.clock.clone()));
    let mut loops = AcceptLoops { server, services, stopping, set: JoinSet::new() };
    let Listeners { portal, device, public, proxy, metrics } = bound;
    if let Some(tcp) = proxy {
        loops.proxy(tcp, routes.device.clone(), device_tls)?;
    }
    loops.portal(portal, routes.portal)?;
    loops.device(device, routes.device, device_tls);
    loops.public(public, routes.public);
    if let Some(listener) = metrics {
        loops.metrics(listener);
    }
    Ok(loops.set)
}

struct AcceptLoops<'a> {
    server: &'a Server,
    services: &'a Services,
    stopping: &'a watch::Receiver<bool>,
    set: JoinSet<()>,
}

impl AcceptLoops<'_> {
    fn portal(&mut self, tcp: tokio::net::TcpListener, routes: axum::Router) -> Result<(), Failure> {
        let tls = portal_config(&self.services.opened.certificates.portal, TlsVersions::Tls13);
        let tls = tls.doing("the portal's certificate cannot be used")?;
        let kind = ListenerKind::Portal(Arc::new(ArcSwap::from_pointee(tls)));
        let routes = forwarded::behind(&self.server.config.portal.trusted_proxies, routes);
        let routes = self.rules(&[&self.server.context.addresses.portal]).around(routes);
        let open = self.services.metrics.connections.portal.clone();
        self.set.spawn(listener::serve_counting(tcp, kind, routes, Limits::default(), open, self.stopped()));
        Ok(())
    }

    fn device(&mut self, tcp: tokio::net::TcpListener, routes: axum::Router, tls: &DeviceTlsSource) {
        let clock = self.server.context.clock.clone();
        let kind = ListenerKind::Device(tls.current.clone(), clock, tls.connections.clone());
        let routes = self.device_rules().around(routes);
        let open = self.services.metrics.connections.device.clone();
        self.set.spawn(listener::serve_counting(tcp, kind, routes, Limits::default(), open, self.stopped()));
    }

    fn public(&mut self, tcp: tokio::net::TcpListener, routes: axum::Router) {
        let routes = forwarded::behind(&self.server.config.public.trusted_proxies, routes);
        let routes = self.rules(&[]).around(routes);
        let open = self.services.metrics.connections.public.clone();
        let (kind, limits) = (ListenerKind::Plain, Limits::default());
        self.set.spawn(listener::serve_counting(tcp, kind, routes, limits, open, self.stopped()));
    }

    /// Where proxies that terminate TLS speak for devices.
    fn proxy(
        &mut self,
        tcp: tokio::net::TcpListener,
        routes: axum::Router,
        tls: &DeviceTlsSource,
    ) -> Result<(), Failure> {
        let config = &self.server.config;
        let Some(proxy) = &config.device.proxy else { return Ok(()) };
        let kind = proxied::port(proxy, &self.services.opened.certificates.device)?;
        let clock = self.server.context.clock.clone();
        let proxies = proxied::proxies(config, proxy, tls.current.clone(), clock)?;
        let routes = self.device_rules().around(proxies.before(routes));
        self.set.spawn(listener::serve(tcp, kind, routes, Limits::default().for_proxies(), self.stopped()));
        Ok(())
    }

    fn metrics(&mut self, listener: metrics::MetricsListener) {
        let (context, authorities) = (self.server.context.clone(), self.server.authorities.clone());
        let metrics = self.services.metrics.clone();
        let issuer = self.services.opened.issuer.clone();
        self.set.spawn(metrics::serve(listener, metrics, context, authorities, issuer, self.stopped()));
    }

    fn device_rules(&self) -> ListenerRules {
        let cross_origin = tegata_oauth::cross_origin_rules(&self.services.opened.tokens);
        ListenerRules { cross_origin, ..self.rules(&[&self.server.context.addresses.device]) }
    }

    fn rules(&self, origins: &[&String]) -> ListenerRules {
        ListenerRules {
            origins: origins.iter().map(ToString::to_string).collect(),
            cross_origin: CrossOriginRules::default(),
            hsts: false,
            why: Some(self.server.context.addresses.device.clone()),
            protocol_problem: Some(protocol_problem),
            contact: self.server.config.contact.clone(),
        }
    }

    fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut stopping = self.stopping.clone();
        async move { drop(stopping.wait_for(|stop| *stop).await) }
    }
}

/// A refusal in the form of the protocol that a path belongs to, if it has one of its own.
fn protocol_problem(path: &str, problem: &Problem) -> Option<Response> {
    tegata_enroll::acme_problem(path, problem).or_else(|| tegata_identity::scim_problem(path, problem))
}
