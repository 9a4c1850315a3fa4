//! What a start may be refused for, in one place: `tegata serve` begins with it, and `tegata check` looks at it without
//! changing anything.

use crate::server::Server;
use crate::server::acme;
use crate::server::bulk;
use crate::server::clients::{ClientWatches, RegisteredClients};
use crate::server::identity_providers;
use crate::server::listener_certificates::{ListenerCertificates, ListenerFileWatch};
use crate::server::mail::MailServices;
use crate::server::oauth;
use crate::server::proxied;
use crate::server::receivers;
use crate::server::scep;
use crate::server::token_keys::TokenKeys;
use arc_swap::ArcSwap;
use std::sync::Arc;
use tegata_ca::Registrars;
use tegata_federation::IdentityProviders;
use tegata_installation::{Failure, FailureContext};
use tegata_oauth::AuthorizationServer;
use tegata_signals::{SignalIssuer, Signals, SigningKeys};
use tegata_web::ClientRegistry;
use tegata_web::tls::{DeviceTls, TlsVersions, portal_config};
use tegata_web::trust_verdict::DistinguishedName;

/// Everything that is read from configuration, files and ledger before anybody is served.
pub struct StartupParts {
    pub opened: OpenedServices,
    /// What keeps up with the files and servers that say who the registered clients are.
    pub client_watches: ClientWatches,
    /// What keeps up with the files of the listeners' certificates.
    pub file_watch: ListenerFileWatch,
    /// How mail is written and sent.
    pub mail: MailServices,
}

/// The services that a start may be refused for.
pub struct OpenedServices {
    pub issuer: Arc<SignalIssuer>,
    pub signals: Arc<Signals>,
    pub tokens: Arc<AuthorizationServer>,
    pub providers: IdentityProviders,
    pub clients: Arc<ClientRegistry>,
    pub client_hints: Vec<DistinguishedName>,
    pub registrars: Option<Arc<Registrars>>,
    pub certificates: ListenerCertificates,
}

/// Reads it. Changes nothing.
pub async fn read(server: &Server, keys: SigningKeys) -> Result<StartupParts, Failure> {
    let issuer = SignalIssuer::new(server.context.clone(), keys);
    let registered = RegisteredClients::open(&server.config)?;
    let (client_hints, client_cas) = (registered.hints(), registered.shared_cas());
    let (clients, client_watches) = registered.register(&server.config, &server.context)?;
    client_watches.stored.take_in().await?;
    let receivers = receivers::open(server).await?;
    let signals = Signals::new(issuer.clone(), clients.clone(), receivers).map_err(Failure::misuse)?;
    let providers = identity_providers::open(server, &issuer).await?;
    let tokens = oauth::open(server, &signals, clients.clone(), client_cas, providers.clone()).await?;
    acme::attestation(server)?;
    bulk::examine(server).await?;
    let registrars = scep::open(server)?;
    let (certificates, file_watch) = ListenerCertificates::open(server)?;
    listeners(server, &certificates, client_hints.clone())?;
    let opened = OpenedServices {
        issuer,
        signals,
        tokens,
        providers,
        clients,
        client_hints,
        registrars,
        certificates,
    };
    let mail = MailServices::open(&server.config)?;
    Ok(StartupParts { opened, client_watches, file_watch, mail })
}

/// Whether an installation would start, apart from its ports, which a running server has.
pub async fn rehearse(server: &Server) -> Result<(), Failure> {
    let mut keys = TokenKeys::new(server.config.clone(), server.ring.clone());
    let keys = keys.as_they_are(&server.context).await?;
    read(server, keys).await.map(drop)
}

/// Certificates and keys of the listeners, and whom they believe.
fn listeners(
    server: &Server,
    certificates: &ListenerCertificates,
    client_hints: Vec<DistinguishedName>,
) -> Result<(), Failure> {
    let config = &server.config;
    portal_config(&certificates.portal, TlsVersions::Tls13)
        .doing("the portal's certificate cannot be used")?;
    let device = &certificates.device;
    let issuers = server.hierarchy.trusted_issuers()?.also_hinting(client_hints);
    let device_tls =
        DeviceTls::new(device, TlsVersions::Tls13, issuers, server.context.addresses.probes.clone());
    let device_tls = device_tls.doing("the device listener's certificate cannot be used")?;
    if let Some(proxy) = &config.device.proxy {
        proxied::port(proxy, device)?;
        let device_tls = Arc::new(ArcSwap::from_pointee(device_tls));
        proxied::proxies(config, proxy, device_tls, server.context.clock.clone())?;
    }
    Ok(())
}
