//! The background passes of a server. Each is idempotent, and a failure is tried again at the next turn.

use std::sync::Arc;
use std::time::Duration;
use tegata_ca::Authority;
use tegata_core::Timestamp;
use tegata_web::Context;
use tokio::time::{interval, sleep};

/// How often the renewal pass looks at the ledger.
const RENEWAL_PERIOD: Duration = Duration::from_mins(1);

/// How often the CRL is compared with the feed. A comparison is one small read.
const CRL_PERIOD: Duration = Duration::from_millis(50);

/// How long to wait after a failure.
const RECOVERY: Duration = Duration::from_secs(1);

/// How often surfaces without news say that they are there.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// Publishes a CRL at once when something has ended, and every hour anyway; then gives the receipts of the CRL and of
/// OCSP, which reads the ledger itself.
pub async fn publish(authority: Arc<Authority>, context: Context) {
    let crl = format!("crl:{}", authority.issuer().id());
    let (mut acknowledged, mut spoken) = (None, Timestamp::from_millis(0));
    loop {
        let now = context.now();
        match authority.publish_crl(now).await {
            Ok(seq) if acknowledged != Some(seq) || now.since(spoken) >= SIGN_OF_LIFE => {
                for surface in [crl.as_str(), "ocsp"] {
                    if let Err(error) = context.ledger.acknowledge(surface, seq, context.now()).await {
                        tracing::warn!(%error, surface, "a receipt could not be written");
                    }
                }
                (acknowledged, spoken) = (Some(seq), now);
            }
            Ok(_) => {}
            Err(error) => {
                tracing::error!(%error, "the CRL could not be published");
                sleep(RECOVERY).await;
            }
        }
        sleep(CRL_PERIOD).await;
    }
}

/// Retires, gives up and counts, once a minute.
pub async fn renew(context: Context) {
    let mut turns = interval(RENEWAL_PERIOD);
    loop {
        turns.tick().await;
        let now = context.now();
        match tegata_renewal::pass(&context.ledger, &context.renewal, now).await {
            Ok(report) => say(&report),
            Err(error) => tracing::error!(%error, "the renewal pass failed"),
        }
        context.status.forget(now);
    }
}

/// Worth a line when somebody may have to act on it, or something was done.
fn say(report: &tegata_renewal::Report) {
    let (due, overdue) = (report.due.len(), report.overdue.len());
    if report.retired + report.abandoned + due + overdue > 0 {
        tracing::info!(retired = report.retired, abandoned = report.abandoned, due, overdue, "renewal pass");
    }
}
