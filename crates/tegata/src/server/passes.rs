//! The background passes of a server. Each is idempotent, and a failure is tried again at the next turn.

use crate::server::public::CrlCache;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tegata_ca::{IssuerSet, OcspResponders, Registrars};
use tegata_core::IssuerId;
use tegata_storage::{AuditRetention, LedgerError};
use tegata_web::ServerContext;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, timeout};

/// How often the renewal pass looks at the ledger.
const RENEWAL_PERIOD: Duration = Duration::from_mins(1);

/// How often the status cache is asked whether the feed has moved since the last CRL.
const CRL_PERIOD: Duration = Duration::from_millis(20);

/// How often the published CRL is looked at without news: it may have grown old.
const CRL_LOOK: Duration = Duration::from_mins(1);

/// How often it is looked whether an OCSP responder is due for a successor.
const RESPONDER_LOOK: Duration = Duration::from_mins(1);

/// How often it is looked whether a SCEP registrar is due for a successor.
const REGISTRAR_LOOK: Duration = Duration::from_hours(1);

/// How long a CA's first list may hold up the word that everything has started.
const FIRST_LISTS: Duration = Duration::from_secs(10);

/// How often the audit log is looked at for what need not be kept.
const RETENTION_PERIOD: Duration = Duration::from_mins(5);

/// Writers get their turn.
const BETWEEN_PARTS: Duration = Duration::from_millis(20);

/// How long to wait after a failure.
const RECOVERY: Duration = Duration::from_secs(1);

/// How often surfaces without news say that they are there.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// Publishes for every CA: each on its own, so that one whose key does not answer holds no other up. Ends when one of
/// them breaks.
pub async fn publish(authorities: Arc<IssuerSet>, lists: Arc<CrlCache>, context: ServerContext) {
    let mut publishers = JoinSet::new();
    let mut started = HashSet::new();
    loop {
        for authority in authorities.all() {
            let id = authority.issuer().id();
            if started.insert(id.clone()) {
                let (authorities, lists, context) = (authorities.clone(), lists.clone(), context.clone());
                publishers.spawn(publish_for(id.clone(), authorities, lists, context));
            }
        }
        match timeout(RECOVERY, publishers.join_next()).await {
            Ok(Some(Ok(id))) => {
                started.remove(&id);
            }
            Ok(Some(Err(_))) => return,
            Ok(None) => sleep(RECOVERY).await,
            Err(_) => {}
        }
    }
}

/// Publishes a CA's CRLs at once when something has ended, and every hour anyway; then gives the receipt. Ends with the
/// CA.
async fn publish_for(
    id: IssuerId,
    authorities: Arc<IssuerSet>,
    lists: Arc<CrlCache>,
    context: ServerContext,
) -> IssuerId {
    let mut published: Option<u64> = None;
    let [mut looked, mut spoken] = [None; 2];
    while let Some(authority) = authorities.get(&id) {
        let now = context.now();
        let has_news = published.is_none_or(|seq| seq < context.status.freshness().seq);
        if has_news || is_over(looked, CRL_LOOK) {
            let outcome = authority.publish_crls(now).await;
            // Some shards are out even if others failed.
            lists.question(&id);
            if let Err(error) = lists.take_in_of(&context.ledger, &id, now).await {
                tracing::debug!(issuer = %id, %error, "published lists could not be read");
            }
            lists.turned(&id);
            match outcome {
                Ok(seq) => (published, looked) = (Some(seq), Some(Instant::now())),
                Err(error) => {
                    tracing::error!(issuer = %id, %error, "not every CRL could be published");
                    sleep(RECOVERY).await;
                    continue;
                }
            }
        }
        if let Some(seq) = published
            && (has_news || is_over(spoken, SIGN_OF_LIFE))
        {
            acknowledge(&context, &format!("crl:{id}"), seq).await;
            spoken = Some(Instant::now());
        }
        sleep(CRL_PERIOD).await;
    }
    id
}

/// Waits until every CA has published for the first time, or has failed to.
pub async fn first_lists(authorities: &IssuerSet, lists: &CrlCache) {
    let all: Vec<_> = authorities.all().iter().map(|authority| authority.issuer().id().clone()).collect();
    if timeout(FIRST_LISTS, lists.all_turned(&all)).await.is_err() {
        tracing::warn!("a CA's key does not answer: its lists are not published yet");
    }
}

/// By the monotonic clock.
fn is_over(since: Option<Instant>, period: Duration) -> bool {
    since.is_none_or(|since| since.elapsed() >= period)
}

/// Sees to it that every CA has an OCSP responder, and gives the receipt of OCSP: its answers are never older than the
/// status cache.
pub async fn respond(authorities: Arc<IssuerSet>, responders: Arc<OcspResponders>, context: ServerContext) {
    let [mut looked, mut spoken] = [None; 2];
    let mut heard = None;
    loop {
        let now = context.now();
        if is_over(looked, RESPONDER_LOOK) {
            for authority in authorities.all() {
                if let Err(error) = responders.appoint(&authority, now).await {
                    let issuer = authority.issuer().id();
                    tracing::error!(%issuer, %error, "no new OCSP responder was appointed");
                }
            }
            looked = Some(Instant::now());
        }
        let seq = context.status.freshness().seq;
        if heard != Some(seq) || is_over(spoken, SIGN_OF_LIFE) {
            acknowledge(&context, "ocsp", seq).await;
            (heard, spoken) = (Some(seq), Some(Instant::now()));
        }
        sleep(CRL_PERIOD).await;
    }
}

async fn acknowledge(context: &ServerContext, surface: &str, seq: u64) {
    if let Err(error) = context.ledger.acknowledge(surface, seq, context.now()).await {
        tracing::warn!(%error, surface, "a receipt could not be written");
    }
}

/// Sees to it that SCEP registrars have successors in time.
pub async fn succeed(authorities: Arc<IssuerSet>, registrars: Arc<Registrars>, context: ServerContext) {
    let mut turns = interval(REGISTRAR_LOOK);
    loop {
        turns.tick().await;
        for authority in authorities.all() {
            if let Err(error) = registrars.succeed(&authority, context.now()).await {
                let issuer = authority.issuer().id();
                tracing::error!(%issuer, %error, "no new SCEP registrar");
            }
        }
    }
}

/// Retires, gives up and counts, once a minute.
pub async fn renew(context: ServerContext) {
    let mut turns = interval(RENEWAL_PERIOD);
    loop {
        turns.tick().await;
        let now = context.now();
        match tegata_scheduler::pass(&context.ledger, &context.renewal, now).await {
            Ok(report) => say(&report),
            Err(error) => tracing::error!(%error, "the renewal pass failed"),
        }
        context.status.forget(now);
        if let Err(error) = context.status.write_sightings(now).await {
            tracing::warn!(%error, "on which day devices were seen could not be written down");
        }
        if let Err(error) = context.ledger.write_refusals(now, false).await {
            tracing::warn!(%error, "how many were refused could not be written down");
        }
    }
}

/// Lets the audit log go of what need not be kept, a part at a time.
pub async fn retain_audit(context: ServerContext, retention: AuditRetention) {
    let mut turns = interval(RETENTION_PERIOD);
    loop {
        turns.tick().await;
        let now = context.now();
        let outcome = async {
            context.ledger.forget_responders(now).await?;
            while context.ledger.retain_audit(&retention, now).await? {
                sleep(BETWEEN_PARTS).await;
            }
            Ok::<_, LedgerError>(())
        };
        if let Err(error) = outcome.await {
            tracing::warn!(%error, "the audit log is longer than it has to be");
        }
    }
}

/// Worth a line when somebody may have to act on it, or something was done.
fn say(report: &tegata_scheduler::PassReport) {
    let (due, overdue) = (report.due.len(), report.overdue.len());
    if report.retired + report.abandoned + due + overdue > 0 {
        tracing::info!(retired = report.retired, abandoned = report.abandoned, due, overdue, "renewal pass");
    }
}
