//! The issuer's keys, kept fresh.

use crate::state::GateState;
use crate::store::write_keys;
use http::Uri;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tegata_core::jws::{Jwks, KeySet};
use tegata_net::client::{ClientError, HttpsClient};
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;

/// A key that is withdrawn is no longer believed after this long.
const REFRESH: Duration = Duration::from_mins(5);

/// Strangers can send tokens with unknown keys as often as they like; this is how often that makes the
/// gate ask.
const BETWEEN_WISHES: Duration = Duration::from_secs(5);

/// How often lines of the feed with unknown keys make the gate fetch the key set. Strangers cannot send such lines.
const BETWEEN_LINES: Duration = Duration::from_secs(1);

pub(crate) struct IssuerKeys {
    client: HttpsClient,
    uri: Uri,
    state: Arc<GateState>,
    folder: Option<PathBuf>,
    fetched: Mutex<Option<Instant>>,
}

impl IssuerKeys {
    pub(crate) fn new(client: HttpsClient, uri: Uri, state: Arc<GateState>, folder: Option<PathBuf>) -> Self {
        Self { client, uri, state, folder, fetched: Mutex::new(None) }
    }

    /// Asks the issuer. A set that cannot be used changes nothing.
    pub(crate) async fn fetch(&self) -> Result<(), ClientError> {
        *self.fetched.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        let jwks: Jwks = self.client.get_json(&self.uri).await?;
        let keys = KeySet::from_jwks(&jwks).map_err(|_| ClientError::Malformed)?;
        if let Some(folder) = &self.folder
            && let Err(error) = write_keys(folder, &keys).await
        {
            warn!(%error, "the keys cannot be kept on disk");
        }
        self.state.set_keys(keys);
        Ok(())
    }

    /// For a line signed by an unknown key.
    pub(crate) async fn fetch_unless_recent(&self) -> Result<(), ClientError> {
        let fetched = *self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        if fetched.is_some_and(|fetched| fetched.elapsed() < BETWEEN_LINES) {
            return Ok(());
        }
        self.fetch().await
    }

    /// Asks now and then, and soon after a token came with an unknown key. It runs beside the feed, so
    /// that a slow answer holds up no revocation.
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            sleep(BETWEEN_WISHES).await;
            let _ = timeout(REFRESH, self.state.keys_wanted.notified()).await;
            if let Err(error) = self.fetch().await {
                warn!(%error, "the issuer's keys cannot be refreshed");
            }
        }
    }
}
