//! The passes of a server: which there are, and what each relies on when two servers do it at once.
//!
//! | pass | lease | two at once |
//! |---|---|---|
//! | `crl:CA` | exclusive | a list replaces another only with a higher number and no less in it |
//! | `check` | exclusive | a report replaces the one before |
//! | `renewal`, `audit-retention`, `people`, `search-index`, `trail-index`, `transfer` | exclusive | rows move from the state they are in, under the lock of all writers |
//! | `notices`, `digests` | exclusive | a mail is written with the day of its recipient, under the lock of all writers |
//! | `mail` | exclusive | whoever sends a mail has taken it in hand in the ledger |
//! | `backchannel-logout` | exclusive | a client may hear the same twice; what it has taken is gone |
//! | `invitation-lists` | none | each step takes lines that still wait, under the lock of all writers |
//! | `token-keys` | none | whoever changes the succession holds its lock |
//! | `hierarchy`, `crl-publishers`, `ocsp-responders`, `scep-registrars`, `sightings`, `client-…`, `stored-clients`, `listener-…`, `bounces`, `canary` | none | what they keep is the server's own |

mod backchannel_logout;
mod canary;
mod check;
mod clients;
mod crl;
mod hierarchy;
mod invitation_lists;
mod listener_certificates;
mod ocsp_responders;
mod revocation_log;
mod scep_registrars;
mod sightings;
mod token_keys;

use crate::server::Server;
use crate::server::accepting::DeviceTlsSource;
use crate::server::backchannel_logout::LogoutSender;
use crate::server::canary::Canary;
use crate::server::clients::{ClientWatches, StoredClientsPass};
use crate::server::mail::MailServices;
use crate::server::services::Services;
use crate::server::token_keys::TokenKeys;
use backchannel_logout::BackchannelLogoutPass;
use canary::{CanaryPass, ListenerNamesPass};
use check::CheckPass;
use clients::RecordClientsPass;
use crl::CrlPublishersPass;
use hierarchy::HierarchyPass;
use invitation_lists::InvitationListsPass;
use listener_certificates::ListenerCertificatesPass;
use ocsp_responders::OcspRespondersPass;
use revocation_log::RevocationLogPass;
use scep_registrars::ScepRegistrarsPass;
use sightings::SightingsPass;
use std::sync::Arc;
use tegata_scheduler::{
    AuditRetentionPass, PeoplePass, RenewalPass, Scheduler, SearchIndexPass, TrailIndexPass, TransferPass,
};
use token_keys::TokenKeysPass;

/// What passes alone have.
pub struct OwnedByPasses {
    pub token_keys: TokenKeys,
    pub client_watches: ClientWatches,
    pub logouts: LogoutSender,
    pub canary: Option<Canary>,
    pub device_tls: Arc<DeviceTlsSource>,
    pub mail: MailServices,
}

/// Begins all of them.
pub fn add_all(scheduler: &Arc<Scheduler>, server: &Server, services: &Services, owned: OwnedByPasses) {
    let (context, authorities) = (&server.context, &server.authorities);
    let OwnedByPasses { token_keys, client_watches, logouts, canary, device_tls, mail } = owned;
    let publishers = CrlPublishersPass::new(scheduler, authorities, &services.lists, context);
    // Nobody waits for its first turn: the first lists are what everybody waits for.
    publishers.add_missing();
    scheduler.add(publishers);
    scheduler.add(OcspRespondersPass::new(authorities, &services.responders));
    if let Some(registrars) = &services.opened.registrars {
        scheduler.add(ScepRegistrarsPass::new(authorities, registrars));
    }
    scheduler.add(HierarchyPass::new(&server.hierarchy, device_tls));
    scheduler.add(RenewalPass::new(context.ledger.clone(), context.renewal));
    scheduler.add(AuditRetentionPass::new(context.ledger.clone(), server.config.audit.retention()));
    scheduler.add(SearchIndexPass::new(context.ledger.clone()));
    scheduler.add(TrailIndexPass::new(context.ledger.clone()));
    scheduler.add(PeoplePass::new(context.ledger.clone(), context.entropy.clone()));
    scheduler.add(SightingsPass::new(context, &services.refusals));
    scheduler.add(CheckPass::new(&context.ledger, server.config.file().to_owned()));
    scheduler.add(TransferPass::new(context.ledger.clone(), context.entropy.clone()));
    scheduler.add(RevocationLogPass::new(context));
    scheduler.add(InvitationListsPass::new(&services.bulk));
    let age = server.config.tokens.key_age();
    scheduler.add(TokenKeysPass::new(token_keys, context, &services.opened.issuer, age));
    scheduler.add(ListenerCertificatesPass::new(server));
    add_clients(scheduler, server, client_watches);
    scheduler.add(BackchannelLogoutPass::new(logouts));
    mail.add_passes(scheduler, server);
    if let Some(canary) = canary {
        scheduler.add(ListenerNamesPass::new(&canary));
        scheduler.add(CanaryPass::new(canary));
    }
}

fn add_clients(scheduler: &Arc<Scheduler>, server: &Server, watches: ClientWatches) {
    let ClientWatches { registered, keys, lists, stored } = watches;
    scheduler.add(StoredClientsPass::new(stored, scheduler));
    if !registered.is_empty() {
        scheduler.add(RecordClientsPass::new(&server.context, registered));
    }
    for watch in keys {
        scheduler.add(watch);
    }
    for watch in lists {
        scheduler.add(watch);
    }
}
