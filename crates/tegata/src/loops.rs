//! The background passes of a server. Each is idempotent, and a failure is tried again at the next turn.

use std::sync::Arc;
use std::time::Duration;
use tegata_ca::{Authorities, PublishError};
use tegata_core::Timestamp;
use tegata_web::Context;
use tokio::time::{interval, sleep};

/// How often the renewal pass looks at the ledger.
const RENEWAL_PERIOD: Duration = Duration::from_mins(1);

/// How often the status memory is asked whether the feed has moved since the last CRL.
const CRL_PERIOD: Duration = Duration::from_millis(20);

/// How often the published CRL is looked at without news: it may have grown old.
const CRL_LOOK: Duration = Duration::from_mins(1);

/// How long to wait after a failure.
const RECOVERY: Duration = Duration::from_secs(1);

/// How often surfaces without news say that they are there.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// Publishes a CRL at once when something has ended, and every hour anyway; then gives the receipts of the CRL and of
/// OCSP, which reads the ledger itself.
pub async fn publish(authorities: Arc<Authorities>, context: Context) {
    let mut published: Option<u64> = None;
    let [mut looked, mut spoken] = [Timestamp::from_millis(0); 2];
    loop {
        let now = context.now();
        let has_news = published.is_none_or(|seq| seq < context.status.freshness().seq);
        if has_news || now.since(looked) >= CRL_LOOK {
            match publish_all(&authorities, now).await {
                Ok(seq) => (published, looked) = (Some(seq), now),
                Err(error) => {
                    tracing::error!(%error, "the CRL could not be published");
                    sleep(RECOVERY).await;
                    continue;
                }
            }
        }
        if let Some(seq) = published
            && (has_news || now.since(spoken) >= SIGN_OF_LIFE)
        {
            acknowledge(&context, &surfaces(&authorities), seq).await;
            spoken = now;
        }
        sleep(CRL_PERIOD).await;
    }
}

/// The lowest of what the CAs say: a receipt is for all of them.
async fn publish_all(authorities: &Authorities, now: Timestamp) -> Result<u64, PublishError> {
    let mut least = u64::MAX;
    for authority in authorities.all() {
        least = least.min(authority.publish_crls(now).await?);
    }
    Ok(least)
}

fn surfaces(authorities: &Authorities) -> Vec<String> {
    let lists = authorities.all().into_iter().map(|authority| format!("crl:{}", authority.issuer().id()));
    lists.chain(["ocsp".to_owned()]).collect()
}

async fn acknowledge(context: &Context, surfaces: &[String], seq: u64) {
    for surface in surfaces {
        if let Err(error) = context.ledger.acknowledge(surface, seq, context.now()).await {
            tracing::warn!(%error, surface, "a receipt could not be written");
        }
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
