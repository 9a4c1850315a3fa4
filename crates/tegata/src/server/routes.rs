//! Which routes each listener has.

use crate::server::Server;
use crate::server::people_at_devices::PeopleAtDevices;
use crate::server::public::{self, PublicContext};
use crate::server::services::Services;
use axum::Router;
use tegata_enroll::{ProfileService, ScepServer};
use tegata_web::api::ApiDescription;

/// The routes of the three listeners.
pub struct Routes {
    /// HTTPS that never asks for a certificate.
    pub portal: Router,
    /// HTTPS that asks for one.
    pub device: Router,
    /// HTTP: what certificates point to.
    pub public: Router,
}

impl Routes {
    /// Collects what the services offer.
    pub fn of(server: &Server, services: &Services) -> Self {
        let profiles = ProfileService {
            service: services.enrollment.clone(),
            signer: services.opened.certificates.profile_signer.clone(),
            attest: server.config.acme.require_attestation,
        };
        Self {
            portal: portal(server, services, profiles.clone()),
            device: tegata_web::watched(device(services, profiles), &server.context),
            public: public(server, services),
        }
    }

    /// Makes one change to each of them.
    #[must_use]
    pub fn map(self, mut change: impl FnMut(Router) -> Router) -> Self {
        let Self { portal, device, public } = self;
        Self { portal: change(portal), device: change(device), public: change(public) }
    }
}

fn portal(server: &Server, services: &Services, profiles: ProfileService) -> Router {
    let opened = &services.opened;
    let description = tegata_enroll::describe(ApiDescription::new(&server.context.addresses));
    let description = tegata_console::describe(description);
    tegata_enroll::portal_routes(services.enrollment.clone())
        .merge(description.routes())
        .merge(profiles.portal_routes())
        .merge(tegata_identity::portal_routes(services.identity.clone()))
        .merge(tegata_console::portal_routes(&server.context.addresses.device))
        .merge(tegata_enroll::acme_routes(services.acme.clone()))
        .merge(tegata_signals::portal_router(opened.signals.clone()))
        .merge(tegata_oauth::portal_router(opened.tokens.clone()))
}

fn device(services: &Services, profiles: ProfileService) -> Router {
    let opened = &services.opened;
    tegata_enroll::device_routes(services.enrollment.clone())
        .merge(tegata_identity::device_routes(services.identity.clone()))
        .merge(tegata_console::device_routes(services.console.clone()))
        .merge(services.bulk.routes())
        .merge(profiles.device_routes())
        .merge(tegata_signals::device_router(opened.signals.clone()))
        .merge(tegata_oauth::device_router(opened.tokens.clone(), PeopleAtDevices::of(&services.identity)))
}

fn public(server: &Server, services: &Services) -> Router {
    let registrars = services.opened.registrars.clone();
    let scep = registrars.map(|registrars| ScepServer::new(services.enrollment.clone(), registrars));
    let context = PublicContext {
        context: server.context.clone(),
        authorities: server.authorities.clone(),
        lists: services.lists.clone(),
        responders: services.responders.clone(),
        statuses: services.opened.signals.status_lists().clone(),
        hierarchy: server.hierarchy.clone(),
    };
    public::routes(context).merge(scep.map(tegata_enroll::scep_routes).unwrap_or_default())
}
