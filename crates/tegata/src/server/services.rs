//! What a server answers with, opened and wired.

use crate::server::Server;
use crate::server::acme;
use crate::server::bulk;
use crate::server::contracts::LedgerContracts;
use crate::server::day_work::LedgerWork;
use crate::server::health::LedgerFacts;
use crate::server::metrics::Metrics;
use crate::server::oauth::RenewalTokenIssuer;
use crate::server::people_at_devices::ConsolePeople;
use crate::server::public::CrlCache;
use crate::server::refusal_counter::RefusalCounter;
use crate::server::startup::OpenedServices;
use std::sync::Arc;
use tegata_ca::{IssuerSet, OcspResponders};
use tegata_console::ConsoleService;
use tegata_enroll::{AcmeServer, BulkInvitations, EnrollmentService};
use tegata_identity::IdentityService;
use tegata_installation::Failure;

/// All services of a server.
pub struct Services {
    /// Those that a start may be refused for.
    pub opened: OpenedServices,
    /// The CAs that work and publish.
    pub authorities: Arc<IssuerSet>,
    /// First certificates and renewals.
    pub enrollment: EnrollmentService,
    /// Accounts, sign-ins and sessions of people.
    pub identity: IdentityService,
    /// Pages and operations of people who are signed in.
    pub console: ConsoleService,
    /// Certificates over ACME, by attestation or invitation.
    pub acme: AcmeServer,
    /// Lists of invitations from registered clients.
    pub bulk: BulkInvitations,
    /// Published CRLs, in memory.
    pub lists: Arc<CrlCache>,
    /// What signs OCSP answers.
    pub responders: Arc<OcspResponders>,
    /// Everything that is counted.
    pub metrics: Arc<Metrics>,
    /// How often what was refused.
    pub refusals: Arc<RefusalCounter>,
}

impl Services {
    /// Wires the rest around what was opened.
    pub async fn open(server: &Server, opened: OpenedServices) -> Result<Self, Failure> {
        let context = &server.context;
        let metrics = Metrics::new(context);
        let identity = IdentityService::new(context.for_services(), acme::open_secret(server).await?)
            .with_contact(server.config.contact.clone())
            .with_providers(opened.providers.clone())
            .with_alarms(metrics.sign_ins.clone());
        let refusals = RefusalCounter::new(context.clock.clone());
        let facts = LedgerFacts::of(&server.config, &server.ledger).counting(&refusals);
        let by_what = (context.clock.clone(), context.entropy.clone());
        let console = ConsoleService::new(
            context.for_services(),
            ConsolePeople::of(context, &identity, &opened.tokens, &server.config),
        )
        .with_contact(server.config.contact.clone())
        .with_health(Arc::new(facts))
        .with_contracts(Arc::new(LedgerContracts::of(&server.config, &server.ledger, by_what)))
        .with_work(Arc::new(LedgerWork(server.ledger.clone())));
        let enrollment = enrollment(server, &opened, &metrics).await?;
        Ok(Self {
            authorities: server.authorities.clone(),
            acme: acme::open(server, enrollment.clone())?,
            bulk: bulk::open(server, &opened.clients).await?,
            enrollment,
            identity,
            console,
            lists: Arc::new(CrlCache::default()),
            responders: Arc::new(OcspResponders::new(context.status.clone(), context.entropy.clone())),
            metrics,
            refusals,
            opened,
        })
    }
}

async fn enrollment(
    server: &Server,
    opened: &OpenedServices,
    metrics: &Arc<Metrics>,
) -> Result<EnrollmentService, Failure> {
    let secret = acme::open_secret(server).await?;
    let at_renewal = RenewalTokenIssuer::new(opened.tokens.clone(), metrics.clone());
    // A profile leads nowhere where less is asked of keys than the configuration asks.
    let profiles_by_scep = opened.registrars.is_some() && !server.config.acme.require_attestation;
    Ok(EnrollmentService::new(server.context.for_services(), server.authorities.clone(), secret)
        .with_tokens(at_renewal)
        .with_contact(server.config.contact.clone())
        .beside_scep(profiles_by_scep))
}
