//! What follows the feed within this process, and what waits for files: tasks that have no period. Each goes on for ever; where one
//! ends, the server ends, so that nothing goes stale unseen.

mod list_receipts;
mod ocsp_receipts;

use crate::server::Server;
use crate::server::accepting::DeviceTlsSource;
use crate::server::listener_certificates::ListenerFileWatch;
use crate::server::registration;
use crate::server::services::Services;
use list_receipts::ListReceipts;
use tegata_signals::FeedHub;
use tokio::task::JoinSet;

/// Starts all of them.
pub fn start(
    server: &Server,
    services: &Services,
    device_tls: &DeviceTlsSource,
    file_watch: ListenerFileWatch,
) -> JoinSet<()> {
    let (context, signals) = (&server.context, &services.opened.signals);
    let mut followers = JoinSet::new();
    // Gates, receivers of security events, and readers of status lists.
    followers.spawn(FeedHub::run(signals.clone()));
    followers.spawn(tegata_signals::deliver(signals.clone()));
    followers.spawn(tegata_signals::publish_statuses(signals.clone()));
    // That this server is there, and what each of its surfaces has applied.
    followers.spawn(registration::keep(context.clone()));
    followers.spawn(tegata_signals::acknowledge_loop(context.clone()));
    followers.spawn(ocsp_receipts::give(context.clone()));
    followers.spawn(ListReceipts::new(&server.authorities, &services.lists, context).give());
    // Connections of whoever is denied end.
    let connections = device_tls.connections.clone().follow(context.status.clone(), context.clock.clone());
    followers.spawn(connections);
    // Browsers choose their certificate again, whichever server was asked.
    let (tls, connections) = (device_tls.current.clone(), device_tls.connections.clone());
    followers.spawn(tegata_web::follow_reselections(context.clone(), tls, connections));
    followers.spawn(services.metrics.clone().follow(context.clone()));
    followers.spawn(file_watch.follow());
    followers
}
