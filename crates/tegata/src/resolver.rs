//! Names of hosts, asked of this machine's resolver.

use std::time::Duration;
use tokio::time::timeout;

/// A resolver that has not answered by then does not count as one.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether a name, or an address as a URL has it, leads somewhere from this machine.
pub async fn resolves(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let found = timeout(PATIENCE, tokio::net::lookup_host((host, 0))).await;
    found.is_ok_and(|found| found.is_ok_and(|mut addresses| addresses.next().is_some()))
}
