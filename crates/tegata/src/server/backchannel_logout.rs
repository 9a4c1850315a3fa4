//! Clients hear that a session has ended (OpenID Connect Back-Channel Logout): the way to each, and what becomes of it.
//!
//! What has to be told is in the ledger before the session is gone, and stays there until it was taken: a server that dies loses
//! none. Each client is told by a task of its own, so that one that is slow or away holds up no other.

use crate::client::SYSTEM_TRUST;
use crate::server::metrics::Metrics;
use http::Uri;
use rustls::RootCertStore;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tegata_core::encoding::percent_encoded;
use tegata_core::{Clock, Timestamp};
use tegata_installation::{Config, Failure};
use tegata_net::HttpsClient;
use tegata_net::client::Destinations;
use tegata_oauth::AuthorizationServer;
use tegata_scheduler::LEASE;
use tegata_storage::{Ledger, LedgerError, LogoutNotice, LogoutOutcome, NoteLogout};
use tegata_web::{RegisteredClient, Registrant};
use tokio::time::timeout;

/// How many notices are read at once.
const PART: i64 = 100;

/// How long a client may take over each step of an answer, and over all of it.
const PATIENCE: Duration = Duration::from_secs(5);
const WHOLE_PATIENCE: Duration = Duration::from_secs(10);

/// How long a client is told before the others get their turn.
const TURN: Duration = Duration::from_secs(5);

/// Between two attempts at most.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// Tells clients that sessions have ended.
pub struct LogoutSender {
    ledger: Ledger,
    tokens: Arc<AuthorizationServer>,
    clock: Arc<dyn Clock>,
    trust: Result<RootCertStore, String>,
    metrics: Arc<Metrics>,
    /// Until when this server is the one that tells, in milliseconds.
    until: AtomicI64,
}

/// One client, and the way to it.
struct LogoutEndpoint {
    client: Arc<RegisteredClient>,
    uri: Uri,
    https: HttpsClient,
}

impl LogoutSender {
    /// The file that verifies the servers of clients must be readable where one is named.
    pub fn open(
        config: &Config,
        ledger: &Ledger,
        clock: &Arc<dyn Clock>,
        tokens: &Arc<AuthorizationServer>,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, Failure> {
        let file = config.clients.logout_ca.as_ref().map(|file| config.path(file));
        let trust = tegata_net::tls::trust_from_pem_file(file.as_deref().unwrap_or(Path::new(SYSTEM_TRUST)));
        let trust = trust.map_err(|error| error.to_string());
        if let (Some(_), Err(error)) = (&file, &trust) {
            return Err(Failure::misuse(error.clone()));
        }
        Ok(Self {
            ledger: ledger.clone(),
            tokens: tokens.clone(),
            clock: clock.clone(),
            trust,
            metrics: metrics.clone(),
            until: AtomicI64::default(),
        })
    }

    /// This server tells for a while from now on; nobody goes on without being told so again.
    pub fn go_on(&self, now: Timestamp) {
        self.until.store(now.plus(LEASE).millis(), Ordering::Release);
    }

    /// The clients for which something is due, and whether the last attempt with each failed.
    pub async fn due(&self, now: Timestamp) -> Result<Vec<(String, bool)>, LedgerError> {
        self.ledger.clients_to_tell(now).await
    }

    /// Tells a client what is due, as far as it takes it and its turn lasts.
    pub async fn tell(&self, client: &str) {
        if let Err(error) = self.tell_all(client).await {
            tracing::warn!(client, %error, "a client was not told that a session has ended: tried again");
        }
    }

    async fn tell_all(&self, client: &str) -> Result<(), LedgerError> {
        let Some(receiver) = self.receiver(client) else { return self.forget(client).await };
        let mut due = self.ledger.due_logouts(client, PART, self.clock.now()).await?;
        if due.iter().any(|notice| notice.attempts > 0) {
            self.give_up(client).await?;
            due = self.ledger.due_logouts(client, PART, self.clock.now()).await?;
        }
        let turn_ends = self.clock.now().plus(TURN);
        while !due.is_empty() {
            for notice in &due {
                let now = self.clock.now();
                if now >= turn_ends || now.millis() >= self.until.load(Ordering::Acquire) {
                    return Ok(());
                }
                if !self.tell_one(&receiver, notice).await? {
                    return Ok(());
                }
            }
            due = self.ledger.due_logouts(client, PART, self.clock.now()).await?;
        }
        Ok(())
    }

    /// Gives whether the client could be reached.
    async fn tell_one(
        &self,
        receiver: &Result<LogoutEndpoint, String>,
        notice: &LogoutNotice,
    ) -> Result<bool, LedgerError> {
        let sent = match receiver {
            Ok(receiver) => receiver.send(&self.tokens, notice, self.clock.now()).await,
            Err(why) => Err(why.clone()),
        };
        let at = self.clock.now();
        let again = at.plus(pause(notice.attempts));
        let (outcome, reached) = match sent {
            Ok(status) if status.is_success() => (LogoutOutcome::Delivered, true),
            Ok(status) => (LogoutOutcome::Refused(format!("it answers {status}"), again), true),
            Err(why) => (LogoutOutcome::Unreachable(why, again), false),
        };
        self.metrics.logout_told(outcome == LogoutOutcome::Delivered);
        let (session, client) = (notice.session.clone(), notice.client.clone());
        self.ledger.group(NoteLogout { session, client, outcome, at }).await?;
        Ok(reached)
    }

    /// Nothing where the client is registered no longer, or hears of no end.
    fn receiver(&self, client: &str) -> Option<Result<LogoutEndpoint, String>> {
        let client = self.tokens.clients().get(client)?;
        let address = client.sign_in.backchannel_logout_uri.clone()?;
        let receiver = || {
            let uri: Uri =
                address.parse().map_err(|_| "its backchannel_logout_uri is no address".to_owned())?;
            // Where the client itself says where it is, that is on the Internet.
            let destinations = match client.by {
                Registrant::Itself => Destinations::named([]),
                Registrant::Configuration | Registrant::Operator => Destinations::host_of(&uri),
            };
            let https = HttpsClient::new(self.trust.clone()?, self.clock.clone(), None, destinations);
            let https = https.map_err(|error| error.to_string())?.with_patience(PATIENCE);
            Ok(LogoutEndpoint { client: client.clone(), uri, https })
        };
        Some(receiver())
    }

    async fn forget(&self, client: &str) -> Result<(), LedgerError> {
        let mut transaction = self.ledger.begin(self.clock.now()).await?;
        transaction.drop_logouts_of(client).await?;
        transaction.commit().await
    }

    async fn give_up(&self, client: &str) -> Result<(), LedgerError> {
        let mut transaction = self.ledger.begin(self.clock.now()).await?;
        let given_up = transaction.give_up_logouts(client).await?;
        transaction.commit().await?;
        if given_up > 0 {
            tracing::error!(client, given_up, "a client never heard that sessions have ended");
        }
        Ok(())
    }
}

impl LogoutEndpoint {
    /// OpenID Connect Back-Channel Logout section 2.5.
    async fn send(
        &self,
        tokens: &AuthorizationServer,
        notice: &LogoutNotice,
        now: Timestamp,
    ) -> Result<http::StatusCode, String> {
        debug_assert_eq!(self.client.client_id, notice.client);
        let token = tokens.logout_token(notice, now).map_err(|refusal| refusal.code().to_owned())?;
        let form = format!("logout_token={}", percent_encoded(&token));
        match timeout(WHOLE_PATIENCE, self.https.post_form(&self.uri, form)).await {
            Ok(answer) => answer.map(|(status, _)| status).map_err(|error| error.to_string()),
            Err(_) => Err("its answer takes too long".to_owned()),
        }
    }
}

/// Twice as long after each attempt.
fn pause(attempts: u32) -> Duration {
    Duration::from_secs(1 << attempts.min(16)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_is_away_is_asked_less_and_less_often() {
        let seconds: Vec<_> = (0..11).map(|attempts| pause(attempts).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(pause(u32::MAX), LONGEST_PAUSE);
    }
}
